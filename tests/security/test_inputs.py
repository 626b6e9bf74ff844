"""Whatever a box, an address or a file holds: an answer or a refusal in words, never a fault."""

import contextlib
import importlib
import io
import re
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import streamlit
from hypothesis import given, settings
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from core import attention, encoders, nvae, optimization, similarity, vae
from core.formula import BadFormula, parse
from core.knobs import Config, Text, knobs
from core.knobs import parse as parse_knob
from core.similarity.lines import BYTES, CHARACTERS, LINES, Unreadable, read_lines
from core.store import Store
from tests.conftest import ROOT
from tests.pages.app import BUILT, open_page, widget
from tests.security import BAD, hostile
from tests.security.test_words import kinds
from ui import address


@cache
def configs() -> list[type[Config]]:
    """Every Config of every topic that stands behind a panel or a box: not those of trainings."""
    packages = [importlib.import_module(f"core.{slug}") for slug in BUILT]
    trainings = {task.config for package in packages for task in package.TASKS.values()}
    found, todo = [], [Config]
    while todo:
        below = todo.pop().__subclasses__()
        todo += below
        found += [config for config in below if config.__module__.startswith(("core.", "ui."))]
    return [config for config in found if config not in trainings]


def test_any_parameter_of_an_address_becomes_a_legal_setting() -> None:
    every = configs()
    assert len(every) > 40
    for config in every:
        for knob in knobs(config):
            for text in BAD:
                value, problem = parse_knob(knob, text)
                config(**{knob.name: value})  # raises if it is not legal
                assert problem or str(value).lower() == text.lower() or float(text) == value


def test_every_text_of_a_reader_is_tried_here() -> None:
    texts = {
        f"{config.__module__}.{knob.name}"
        for config in configs()
        for knob in knobs(config)
        if isinstance(knob.domain, Text)
    }
    tried = {
        "core.attention.heads.text", "core.initialization.stability.formula",
        "core.initialization.words.model",
        "core.nvae.own.first", "core.nvae.own.picture", "core.nvae.own.second",
        "core.optimization.density.formula", "core.optimization.race.formula",
                "core.similarity.judged.model", "core.similarity.nearest.model",
        "core.similarity.nearest.query", "core.similarity.nearest.texts",
        "core.similarity.pair.first", "core.similarity.pair.model", "core.similarity.pair.p",
        "core.similarity.pair.q", "core.similarity.pair.second", "core.vae.world.ellipses",
        "ui.ledger.word",
    }  # fmt: skip
    assert texts == tried, "a new text box: see that its words are tried in this file"


Use = Callable[[str], Any]
BOXES: dict[str, tuple[Use, tuple[type[ValueError], ...]]] = {
    "a formula of one variable": (lambda text: parse(text), (BadFormula,)),
    "a formula of two": (lambda text: parse(text, ("x", "y")), (BadFormula,)),
    "ellipses": (lambda text: vae.parse_ellipses(text), (ValueError,)),
    "masses": (
        lambda text: similarity.plan(similarity.PlanConfig(p=text)),
        (similarity.BadText,),
    ),
    "a picture in the address": (
        lambda text: nvae.own(nvae.OwnConfig(picture=text)),
        (nvae.Unreadable,),
    ),
    "a character": (lambda text: nvae.typed(text, "glyphs", 0), (nvae.Unreadable,)),
    "the digest of texts": (
        lambda text: similarity.nearest(similarity.SearchConfig(texts=text)),
        (similarity.Gone,),
    ),
}
SENTENCES: dict[str, tuple[Use, tuple[type[ValueError], ...]]] = {
    "a sentence of a pair": (
        lambda text: similarity.plan(similarity.PlanConfig(second=text)),
        (similarity.BadText,),
    ),
    "a sentence for a head": (
        lambda text: attention.heads(attention.HeadsConfig(text=text)),
        (attention.NoWord,),
    ),
}


@pytest.mark.parametrize("box", BOXES)
def test_a_box_answers_or_refuses_in_words(box: str) -> None:
    use, refusals = BOXES[box]
    for text in filter(None, BAD) if box == "the digest of texts" else BAD:
        answers_or_refuses(use, legal(text), refusals)


@pytest.mark.parametrize("box", SENTENCES)
@settings(max_examples=4, deadline=None)
@given(texts=st.lists(st.sampled_from(BAD), min_size=1, max_size=3))
def test_a_sentence_of_bad_words_is_read_or_refused(box: str, texts: list[str]) -> None:
    use, refusals = SENTENCES[box]
    answers_or_refuses(use, legal(" ".join(texts), 120), refusals)


def legal(text: str, length: int = 60) -> str:
    """What the page makes of a text before any Config takes it."""
    return Text(length).nearest(text)


def answers_or_refuses(use: Use, text: str, refusals: tuple[type[ValueError], ...]) -> None:
    with contextlib.suppress(*refusals):
        use(text)


def test_both_pages_with_formulas_use_the_one_parser() -> None:
    for topic in ("initialization", "optimization"):
        sources = [file.read_text() for file in (ROOT / "core" / topic).glob("*.py")]
        assert any("from core.formula import" in text for text in sources)


# ---- paths and models


@hostile
def test_no_name_leads_out_of_the_store(text: str, tmp_path: Path) -> None:
    store = tmp_path / "store"
    if re.fullmatch("[0-9a-f]{1,64}", text):  # a name like any other
        Store(store).put(f"similarity/{text}", {}, {})
    else:
        with pytest.raises(ValueError, match="must be"):
            Store(store).put(f"similarity/{text}", {}, {})
    assert not similarity.is_here(text) or not text
    assert {path.parent for path in tmp_path.rglob("*")} <= {tmp_path, store, *store.rglob("*")}


@pytest.mark.parametrize("name", ["../../etc", "/etc", "~", "owner/model", "https://evil.example"])
def test_a_stranger_names_no_folder_and_no_download(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_ANY_MODEL", "off")
    monkeypatch.setattr(
        encoders, "_foreign", lambda name, digest: pytest.fail(f"{name} was opened")
    )
    found = encoders.encoder(name)
    assert found.name == encoders.EMBEDDED
    assert found.notice is not None
    assert found.notice.code == "model-closed"
    assert encoders._may_have("owner/model") is False
    monkeypatch.setenv("LAB_MODEL", "owner/model")
    assert encoders._may_have("owner/model") is True  # the owner's choice


# ---- files


def zipped(size: int) -> bytes:
    """A zip bomb: that many zeros in a small file."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.txt", bytes(size))
    return file.getvalue()


FILES = {
    "a zip bomb": zipped(50_000_000),
    "a gzip's head": b"\x1f\x8b\x08\x00" + bytes(100),
    "a PNG that says it is gigantic": b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
    + b"\xff" * 8
    + b"\x08\x06",
    "an ELF": b"\x7fELF" + bytes(60),
    "a pickle": b"\x80\x04\x95cos\nsystem\n(S'id'\ntR.",
    "half a UTF-16 letter": b"\xff\xfea",
    "nothing": b"",
    "too much": b"a" * (BYTES + 1),
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("table", [False, True])
def test_a_file_that_is_no_text_is_refused(name: str, table: bool) -> None:
    with pytest.raises(Unreadable):
        read_lines(FILES[name], table=table)


@settings(max_examples=60)
@given(content=st.binary(max_size=300), table=st.booleans())
def test_any_bytes_are_lines_or_are_refused(content: bytes, table: bool) -> None:
    try:
        found = read_lines(content, table=table)
    except Unreadable:
        return
    assert 0 < len(found.texts) <= LINES
    assert all(0 < len(text) <= CHARACTERS and "\n" not in text for text in found.texts)


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_no_picture_is_refused(name: str) -> None:
    with pytest.raises(nvae.Unreadable):
        nvae.read_image(FILES[name], "glyphs")


@settings(max_examples=60)
@given(content=st.binary(max_size=300))
def test_any_bytes_are_a_picture_or_are_refused(content: bytes) -> None:
    for head in (b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0"):
        with contextlib.suppress(nvae.Unreadable):
            assert nvae.read_image(head + content, "glyphs").shape == (1, 32, 32)


def test_one_page_takes_texts_and_one_takes_pictures() -> None:
    sources = {file.name: file.read_text() for file in (ROOT / "pages").glob("*.py")}
    takes = [name for name, text in sources.items() if "_uploader(" in text or "camera" in text]
    assert sorted(takes) == ["nvae.py", "similarity.py"]
    assert '["txt", "csv", "tsv"]' in sources["similarity.py"]
    assert '["png", "jpg", "jpeg"]' in sources["nvae.py"]


# ---- a page


def alive(page: AppTest) -> None:
    assert not page.exception
    assert page.title


def test_an_address_full_of_bad_words_is_told_as_code() -> None:
    wrong = {"claims.filter.verdict": BAD[0], "claims.filter.word": BAD[5] * 9, BAD[1]: BAD[2]}
    page = open_page("claims", **wrong)
    alive(page)
    (info,) = page.info
    lines = info.value.splitlines()
    assert len(lines) == 3
    for line in lines:
        assert {kind for kind, _ in kinds(line.removeprefix("- "))} <= {"text", "code_inline"}


def test_a_box_of_a_page_takes_bad_words_and_the_page_lives() -> None:
    page = open_page("claims")
    for text in (BAD[0], BAD[4], "(" * 80, "‮"):
        widget(page, "claims.filter.word").set_value(text)
        page.run()
        alive(page)


def test_a_choice_of_something_else_than_the_options_is_the_default() -> None:
    def script() -> None:
        import streamlit as st

        from core.attention import ScalesConfig
        from core.knobs import knobs
        from ui import address

        for knob in knobs(ScalesConfig):
            st.session_state[address.key("attention", "scales", knob.name)] = None
        st.text(repr(address.read("attention", "scales", ScalesConfig)))

    page = AppTest.from_function(script).run()
    assert page.text[0].value == repr(attention.ScalesConfig())


# ---- what a component of a page says: whoever speaks to the server says anything

SAID = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inside: st.lists(inside, max_size=4) | st.dictionaries(st.text(max_size=3), inside),
    max_leaves=8,
)


@given(SAID | st.lists(SAID, min_size=3, max_size=3))
def test_whatever_a_component_says_a_legal_setting_comes_of_it(said: Any) -> None:
    names = ("x", "y", "log_alpha")
    controls = address.controls("optimization", "density", optimization.DensityConfig, names)
    for name, knob in controls.items():
        streamlit.session_state[name] = knob.default
    address.take(controls, said)
    found = {knob.name: streamlit.session_state[name] for name, knob in controls.items()}
    taken = optimization.DensityConfig(**found)  # raises if one is not legal
    if not (isinstance(said, list) and len(said) == 3):
        assert taken == optimization.DensityConfig()


def test_what_a_component_says_is_taken_as_it_is_where_it_is_legal() -> None:
    controls = address.controls("vae", "walk", vae.WalkConfig, ("x", "y"))
    address.take(controls, [0.25, -3])
    assert [streamlit.session_state[name] for name in controls] == [0.25, -3.0]
