"""The verbs of a page: header, panel, player, chart, formula, claims, source, take_away."""

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextvars import ContextVar
from functools import cache, partial, wraps
from threading import BoundedSemaphore
from typing import Any

import pandas as pd
import streamlit as st
from streamlit.elements.lib.mutable_popover_container import PopoverContainer

from core.claims import all_claims
from core.encoders import Notice, content_of
from core.knobs import Config, Knob, knobs
from core.numerics import NoConvergence
from core.topics import topic
from ui import address, controls, ledger, paper, play, reading, seen, takeaway, tour
from ui.catalogue import live_formula
from ui.charts import Figure
from ui.fold import closed
from ui.i18n import has, t
from ui.numbers import pretty
from ui.reading import equations as equations  # verbs of pages, too
from ui.reading import source as source
from ui.told import told

IN_THE_ROW = 3  # controls beside each other above a picture; the others stand behind "more"

Draw = Callable[[Any], None]

_recorder: ContextVar[takeaway.Recorder] = ContextVar("recorder")
_turns = BoundedSemaphore(os.cpu_count() or 1)  # computations at once: one a core


def header(slug: str) -> None:
    """What is at stake, the post and papers, how many of its claims hold."""
    st.markdown(t(f"{slug}.stake"))
    st.markdown(" · ".join([_post(slug), *_papers(slug)]))
    st.markdown(ledger.tally(slug))
    address.arrival().notice = st.empty()
    tour.settle(slug)
    with st.container(horizontal=True):
        tour.offer(slug)
        reading.beside(slug)


def announced(slug: str) -> None:
    """The page of a topic that is not built yet: that it is not here, and its post."""
    st.markdown(t("app.announced"))
    st.markdown(" · ".join([_post(slug), *_papers(slug)]))


def panel(
    slug: str,
    config_type: type[Config],
    draw: Draw,
    *,
    presets: controls.Presets | None = None,
    own: Sequence[str] = (),
) -> None:
    """One experiment: heading, what to notice, controls made from the Config, the picture.

    Only this panel runs again when one of its controls moves. `presets` are named states, each a
    function of the present Config; `own` names the fields whose control `draw` supplies itself.
    """
    name = draw.__name__
    st.header(t(f"{slug}.{name}.title"), anchor=name, divider="gray")
    st.markdown(t(f"{slug}.{name}.notice"), help=reading.meanings(slug, name))
    _panel(slug, name, config_type, draw, presets or {}, tuple(own))


@st.fragment
def _panel(
    slug: str,
    name: str,
    config_type: type[Config],
    draw: Draw,
    presets: controls.Presets,
    own: tuple[str, ...],
) -> None:
    address.settle(slug, name, config_type)
    if not seen.near(slug, name):
        address.read(slug, name, config_type)
        return
    tour.guide(slug, name)
    shown = [knob for knob in knobs(config_type) if knob.name not in own]
    controls.row(slug, name, shown[:IN_THE_ROW])
    actions = st.container(horizontal=True, vertical_alignment="center")
    with actions:
        controls.more(slug, name, shown[IN_THE_ROW:])
    config = address.read(slug, name, config_type)
    with actions:
        controls.presets(slug, name, config, presets)
    recorder = takeaway.Recorder(name, config)
    token = _recorder.set(recorder)
    try:
        draw(config)
    finally:
        _recorder.reset(token)
    with actions:
        _take(slug, recorder)
    address.write(slug, name, config)


@cache
def memo(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function with its results kept for all readers. Arguments: a Config and small scalars.

    A Config that names a folder's model finds what was kept of the folder's present content. What
    is not kept yet waits for its turn: fifty computations at once would only take each
    other's time, and memory fifty times.
    """

    @st.cache_data(max_entries=64, show_spinner=False)
    @wraps(function)
    def in_turn(contents: list[str], *arguments: Any) -> Any:
        with _turns:
            return function(*arguments)

    return lambda *arguments: in_turn([_content(one) for one in arguments], *arguments)


def _content(argument: Any) -> str:
    """What decides a result beside the argument: the content of the folder that it names."""
    name = getattr(argument, "model", "")
    return content_of(name) if isinstance(name, str) else ""


def compute(function: Callable[[Any], Any], config: Config) -> Any:
    """The result of a core function; where it finds none, the last good one, and a word."""
    last_good = f"_last_good.{function.__module__}.{function.__name__}"
    try:
        result = memo(function)(config)
    except NoConvergence:
        config = st.session_state.get(last_good, type(config)())
        result = memo(function)(config)
        st.warning(t("app.no_convergence"), icon=":material/sync_problem:")
    st.session_state[last_good] = config
    return note(function, config, result)


def note(function: Callable[[Any], Any], config: Config, result: Any) -> Any:
    """Say what the panel shows, for the script and the data that a reader takes along."""
    recorder = _recorder.get()
    recorder.config, recorder.compute, recorder.result = config, function, result
    return result


def shown() -> Any:
    """The Config behind the picture: the controls' own, or the last one that gave a result."""
    return _recorder.get().config


def chart(verb: Callable[..., Figure], table: pd.DataFrame, *, alt: str, **options: Any) -> None:
    """Draw a table of the computed result with a verb of `charts`.

    `alt` states the finding; the numbers of its curves are told after it.
    """
    _recorder.get().drawings.append(takeaway.Drawing(verb, table, options))
    live(verb, table, alt=alt, **options)


def live(verb: Callable[..., Figure], table: pd.DataFrame, *, alt: str, **options: Any) -> None:
    """The same of a result that still grows: there is nothing to take along yet."""
    _draw(verb(table, **options), f"{alt} {told(table, options)}".rstrip())


def player(slug: str, config: Config, knob: str, draw: Draw) -> None:
    """A control of the panel that moves by itself: step, play, pause, or drag it.

    `draw(config)` draws each state. While it plays only this part of the panel runs again; link
    and script follow when it pauses. Call it from a panel that keeps `knob` as its own.
    """
    name = _recorder.get().panel

    def frame() -> None:
        token = None if _recorder.get(None) else _recorder.set(takeaway.Recorder(name, config))
        try:
            draw(address.read(slug, name, type(config)))
        finally:
            if token:
                _recorder.reset(token)

    play.play(address.key(slug, name, knob), t(f"{slug}.{name}.{knob}"), _knob(config, knob), frame)


def table(rows: pd.DataFrame, slug: str, *, digits: int = 10) -> None:
    """A small table in the reader's words: columns, codes and numbers."""
    first, *others = ([_cell(cell, slug, digits) for cell in cells] for _, cells in rows.items())
    corner, *words = (t(f"{slug}.columns.{column}") for column in rows.columns)
    cells = pd.DataFrame(dict(enumerate(others)), index=pd.Index(first, name=corner))
    st.table(cells.set_axis(words, axis=1))


def formula(slug: str, name: str, **numbers: str) -> None:
    """A formula of the catalogue with the current numbers in the place of @names."""
    st.latex(re.sub(r"@(\w+)", lambda name: numbers[name[1]], live_formula(slug, name)))


def claims(slug: str) -> None:
    """The post's claims with their evidence."""
    st.header(t("claims.title"), anchor=ledger.CLAIMS, divider="gray")
    st.markdown(t("claims.how"))
    _claims(slug)


@st.fragment
def _claims(slug: str) -> None:
    if seen.near(slug, ledger.CLAIMS):
        tour.guide(slug, ledger.CLAIMS)
        for claim in all_claims():
            if claim.topic == slug:
                ledger.row(claim)


def series(slug: str, codes: Iterable[str]) -> dict[str, str]:
    """The reader's words for codes of a table's column: a series of the topic, or an option."""
    found = dict.fromkeys(pd.unique(codes) if isinstance(codes, pd.Series) else codes)
    keys = {code: f"{slug}.series.{code}" for code in found}
    return {code: t(key if has(key) else f"{slug}.options.{code}") for code, key in keys.items()}


def encoder_notice(notice: Notice | None) -> None:
    """What a reader has to know of the encoder that came, if anything."""
    if notice:
        st.warning(t(f"app.encoder.{notice.code}", detail=quoted(notice.detail)))


def take_away(slug: str) -> None:
    """The link to the whole page as it stands, and how to run its claims elsewhere."""
    st.header(t("app.take_away"), anchor="take-away", divider="gray")
    st.markdown(t("app.take_away_page", command=f"`python -m core.claims --topic {slug}`"))
    st.markdown(t("app.cite", post=_post(slug)))
    paper.offer(slug)
    tell_what_was_mended(slug)
    address.write_page(slug)


def take_list(slug: str, data: Mapping[str, Callable[[], bytes]], command: str) -> None:
    """For a page that is a list: its link, the command that makes it, its data by file ending."""
    with _take_box(f"_take.{slug}") as box:
        if box.open:
            st.caption(t("app.link"))
            st.code(address.link(slug), language=None, wrap_lines=True)
            st.caption(t("app.command"))
            st.code(command, language=None)
            for ending, content in data.items():
                _download(f"{slug}.{ending}", content)


def tell_what_was_mended(slug: str) -> None:
    """Say once what in the address could not be taken as it stood."""
    came = address.arrival()
    said = [_mending(slug, item) for item in came.mended]
    if came.params:
        said.append(t("app.mended.unread", names=quoted(", ".join(sorted(came.params)))))
    if said:
        came.notice.info("\n".join(f"- {line}" for line in said), icon=":material/link:")
    came.mended.clear()
    came.params.clear()


# ---- parts of a panel


def _draw(figure: Figure, alt: str) -> None:
    spec = {**figure.spec, "datasets": dict(figure.tables)}
    st.vega_lite_chart(spec, alt=alt, width="stretch")


def _knob(config: Config, name: str) -> Knob:
    return next(knob for knob in knobs(type(config)) if knob.name == name)


def _cell(cell: Any, slug: str, digits: int) -> str:
    """A code becomes its word if the topic has one; a number gets the digits asked for."""
    if isinstance(cell, str):
        keys = (f"{slug}.series.{cell}", f"{slug}.options.{cell}")
        return next((t(key) for key in keys if has(key)), cell)
    return pretty(float(cell), digits)


def _take(slug: str, recorder: takeaway.Recorder) -> None:
    """Link, script and data of the figure as it stands, made when the reader asks for them."""
    if recorder.compute is None:
        return
    with _take_box(f"_take.{slug}.{recorder.panel}") as box:
        if box.open:
            _taken(slug, recorder)


def _take_box(key: str) -> PopoverContainer:
    return closed(t("app.take_away"), ":material/ios_share:", key)


def _taken(slug: str, recorder: takeaway.Recorder) -> None:
    name, program = f"{slug}-{recorder.panel}", takeaway.script(recorder)
    st.caption(t("app.link"))
    st.code(f"{address.link(slug)}#{recorder.panel}", language=None, wrap_lines=True)
    st.caption(t("app.script"))
    st.code(program, height=220)
    _download(f"{name}.py", lambda: program.encode())
    for field, table in recorder.tables().items():
        _download(f"{name}-{field}.csv", partial(takeaway.csv, table))
    st.caption(t("app.picture"))


def _download(file: str, content: Callable[[], bytes]) -> None:
    st.download_button(t("app.download", file=file), content, file, on_click="ignore")


# ---- words of the frame


def _post(slug: str) -> str:
    row = topic(slug)
    return f"[{t('app.post', date=row.date)}]({row.url})"


def _papers(slug: str) -> list[str]:
    return [f"[{paper.citation}]({paper.url})" for paper in topic(slug).papers]


def _mending(slug: str, item: address.Mended) -> str:
    value = item.value
    if isinstance(value, str):  # words of the reader's own, cut to their length, or an option
        value = quoted(value) if item.problem == "outside" else controls.word(slug, value)
    knob = t(f"{slug}.{item.panel}.{item.knob}")
    return t(f"app.mended.{item.problem}", knob=knob, text=quoted(item.text), value=value)


def quoted(text: str) -> str:
    """Text from outside, short and as code: no Markdown of it is obeyed."""
    return "`" + text[:60].replace("`", "").replace("\n", " ") + "`"


def plain(text: str) -> str:
    """Text from outside as it is, in a table or a sentence: its Markdown is not obeyed."""
    return re.sub(r"([\\`*_{}\[\]()#+\-.!|<>~$:])", r"\\\1", text)
