"""What a reader looks up on a page: words, references, the post's equations, the code."""

import inspect
import re
from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any

import streamlit as st

from core.topics import topic
from ui import i18n
from ui.catalogue import bibliography, glossary, words
from ui.catalogue import equations as numbered_equations
from ui.fold import closed, folded
from ui.i18n import t


@st.fragment
def beside(slug: str) -> None:
    """The words, references and keys of a page, in boxes made once they are opened."""
    with st.container(horizontal=True):
        with closed(t("app.glossary"), ":material/menu_book:", f"_glossary.{slug}") as box:
            if box.open:
                _words(slug)
        with closed(t("app.references"), ":material/format_quote:", f"_references.{slug}") as box:
            if box.open:
                _references(slug)
        with closed(t("app.keys"), ":material/keyboard:", f"_keys.{slug}") as box:
            if box.open:
                st.markdown(t("app.keys_are"))


def meanings(slug: str, panel: str) -> str | None:
    """What those of the page's words mean that a panel uses; None if it uses none."""
    return "\n\n".join(map(_meaning, _used(slug, panel, i18n.language()))) or None


def equations(slug: str) -> None:
    """Every numbered equation of the post, with the function that computes it."""
    show = partial(_equations, slug)
    folded(partial(t, "app.equations"), f"_equations.{slug}", show, icon=":material/function:")


def source(*functions: Callable[..., Any]) -> None:
    """The code that the page runs, as it stands in `core`."""
    key = "_source." + ".".join(function.__name__ for function in functions)
    folded(partial(t, "app.source"), key, partial(_source, functions), icon=":material/code:")


def _words(slug: str) -> None:
    for term in glossary(slug):
        st.markdown(_meaning(term))


def _meaning(term: str) -> str:
    return f"**{t(f'{term}.word')}** {t(f'{term}.meaning')}"


@cache
def _used(slug: str, panel: str, language: str) -> tuple[str, ...]:
    """The terms of a page one of whose names stands in what a panel says."""
    texts, mine = words(language), f"{slug}.{panel}."
    said = " ".join(text for key, text in texts.items() if key.startswith(mine))
    return tuple(term for term in glossary(slug) if _stands(said, texts[f"{term}.word"]))


def _stands(said: str, word: str) -> bool:
    """A single Latin letter names too much to be looked for."""
    names = re.split(r"\s*[,()，、（）]\s*", word)
    telling = [name for name in names if len(name) > 1 or (name and not name.isascii())]
    return any(re.search(_whole(name), said, re.IGNORECASE) for name in telling)


def _whole(name: str) -> str:
    """Not inside another word, where words have spaces between them."""
    return rf"\b{re.escape(name)}\b" if name.isascii() else re.escape(name)


def _references(slug: str) -> None:
    urls = [topic(slug).url, *(paper.url for paper in topic(slug).papers)]
    st.code("\n\n".join(bibliography()[url] for url in urls), language="bibtex")


def _equations(slug: str) -> None:
    rows = numbered_equations(slug)
    papers = any(row.papers for row in rows) and _symbols(slug) == "papers"
    for equation in rows:
        caption = t(f"{slug}.equations.{equation.number}")
        number = equation.label or equation.number
        st.markdown(f"**({number})** {caption} `{equation.function}`")
        st.latex(equation.papers if papers and equation.papers else equation.latex)


def _symbols(slug: str) -> str:
    """Whose symbols the reader wants: the post's or the papers'."""
    return st.segmented_control(
        t("app.symbols.whose"),
        ("post", "papers"),
        format_func=lambda whose: t(f"app.symbols.{whose}"),
        key=f"_symbols.{slug}",
        default="post",
        required=True,
    )


def _source(functions: Sequence[Callable[..., Any]]) -> None:
    for function in functions:
        st.caption(f"`{function.__module__}.{function.__qualname__}`")
        st.code(inspect.getsource(function))
