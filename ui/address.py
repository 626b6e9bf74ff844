"""The address is the experiment: every control of a page stands in its URL.

Streamlit's own binding puts the *translated* label of an option into the address and drops what
it can't read without a word. So this module reads the address itself, once on arrival and before
any widget does, and writes it back from the browser side without a rerun or a history entry.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode

import streamlit as st

from core.knobs import Config, Knob, Text, Value, knobs, parse
from ui.catalogue import shows
from ui.i18n import KEY as LANGUAGE
from ui.i18n import language

AnyConfig = TypeVar("AnyConfig", bound=Config)

TOUR = "tour"  # where a reader stands on a guided tour has its place among the panels
_HERE = Path(__file__).parent
_writer = st.components.v2.component(
    "executable_claims.address", js=(_HERE / "address.js").read_text(encoding="utf-8")
)


@dataclass
class Mended:
    """A value in the address that could not be taken as it stood."""

    panel: str
    knob: str
    text: str
    value: Value
    problem: str  # "unknown", "outside" or "rounded"


@dataclass
class Arrival:
    """What the address said when the reader came to a page."""

    slug: str
    params: dict[str, str]  # those that no control has taken yet
    exact: bool  # a link names a state: what it leaves out is at its default
    settled: set[str] = field(default_factory=set)  # panels whose controls have been set
    seen: set[str] = field(default_factory=set)  # panels that the reader has come near
    whole: bool = False  # every panel is to be drawn, near or not: for paper
    first: str | None = None  # the page's first panel, once it is known
    mended: list[Mended] = field(default_factory=list)
    notice: Any = None  # the place in the header where a word about them goes


def key(slug: str, panel: str, knob: str) -> str:
    """The name of a control, in the session and in the address."""
    return f"{slug}.{panel}.{knob}"


def controls(
    slug: str, panel: str, config_type: type[Config], names: Sequence[str]
) -> dict[str, Knob]:
    """Some controls of a panel, in that order, by their names in the session."""
    known = {knob.name: knob for knob in knobs(config_type)}
    return {key(slug, panel, name): known[name] for name in names}


def arrive(slug: str) -> None:
    """Read the address when the reader comes to a page; later runs of it keep what was read."""
    came = st.session_state.get("_arrival")
    if came is None or came.slug != slug:
        params = st.query_params.to_dict()
        params.pop(LANGUAGE, None)
        asked = {name.split(".")[1] for name in params if name.startswith(f"{slug}.")}
        st.session_state["_arrival"] = Arrival(slug, params, exact=bool(asked), seen=asked)


def arrival() -> Arrival:
    """What the address said on arrival at the current page."""
    return st.session_state["_arrival"]


def settle(slug: str, panel: str, config_type: type[Config]) -> None:
    """Set a panel's controls once per arrival: from the link, else as the reader left them.

    Later only those that Streamlit has forgotten, as it does where a run ends before it draws them.
    """
    came = arrival()
    known = panel in came.settled
    came.settled.add(panel)
    left = st.session_state.get(_kept(slug, panel), config_type())
    for knob in knobs(config_type):
        name = key(slug, panel, knob.name)
        if known:
            if name not in st.session_state:
                st.session_state[name] = getattr(left, knob.name)
        elif name in came.params:
            text = came.params.pop(name)
            st.session_state[name], problem = parse(knob, text)
            if problem:
                value = st.session_state[name]
                came.mended.append(Mended(panel, knob.name, text, value, problem))
        elif name not in st.session_state:
            st.session_state[name] = knob.default if came.exact else getattr(left, knob.name)


def read(slug: str, panel: str, config_type: type[AnyConfig]) -> AnyConfig:
    """The panel's Config as its controls stand, kept for the reader's return to the page."""
    config = config_type(**{knob.name: _value(slug, panel, knob) for knob in knobs(config_type)})
    st.session_state[_kept(slug, panel)] = config
    return config


def set_controls(slug: str, panel: str, config: Config) -> None:
    """Move a panel's controls to a Config. Only for callbacks, before the widgets are drawn."""
    for knob in knobs(type(config)):
        st.session_state[key(slug, panel, knob.name)] = getattr(config, knob.name)


def take(controls: Mapping[str, Knob], said: Any) -> None:
    """Move controls, named as in the session, to what a component of the page said of them.

    For callbacks. Whoever writes to the server says anything: it becomes legal settings as in a
    link, and what is no list of as many moves nothing.
    """
    values = said if isinstance(said, list) else []
    if len(values) == len(controls):
        for (name, knob), value in zip(controls.items(), values, strict=True):
            st.session_state[name] = parse(knob, str(value))[0]


def put(slug: str, panel: str, controls: Mapping[str, str]) -> None:
    """Have a panel drawn at its defaults and these controls, as if a link had said so.

    For callbacks, and before the panel's widgets are drawn.
    """
    came = arrival()
    for name in [str(name) for name in st.session_state]:
        if name.startswith(f"{slug}.{panel}."):
            del st.session_state[name]
    st.session_state.pop(_kept(slug, panel), None)
    came.params |= {key(slug, panel, name): text for name, text in controls.items()}
    came.settled.discard(panel)
    came.seen.add(panel)


def asked(slug: str, panel: str) -> dict[str, str]:
    """What the link says of a panel that is not settled yet."""
    start, params = key(slug, panel, ""), arrival().params
    return {name.removeprefix(start): params[name] for name in params if name.startswith(start)}


def parameters(slug: str, panel: str, config: Config) -> dict[str, str]:
    """What the address says of a panel: every control that is not at its default."""
    return {
        key(slug, panel, knob.name): _text(getattr(config, knob.name))
        for knob in knobs(type(config))
        if getattr(config, knob.name) != knob.default
    }


def write(slug: str, panel: str, config: Config) -> None:
    """Put a panel's controls into the browser's address, silently."""
    prefix = f"{slug}.{panel}."
    _mount(f"_address.{slug}.{panel}", prefix, parameters(slug, panel, config), page=slug)


def write_page(slug: str) -> None:
    """Put every panel's controls into the browser's address, those not drawn yet included."""
    _mount(f"_address.{slug}", f"{slug}.", _as_they_stand(slug), page=slug)


def write_language(page: str) -> None:
    """Put the language into the address of a page and on the document."""
    _mount("_address.frame", LANGUAGE, {LANGUAGE: language()}, page=page, lang=language())


def link(slug: str) -> str:
    """The address of the page exactly as it stands, language included."""
    query = {LANGUAGE: language()} | _as_they_stand(slug)
    return f"{_base()}?{urlencode(query)}"


def link_to_claim(slug: str, claim: str) -> str:
    """The address of a claim, which brings its panel and state along, relative to the server."""
    query = {LANGUAGE: language(), key(slug, TOUR, "claim"): claim}
    return f"{slug}?{urlencode(query)}#{shows(slug, claim)[0]}"


def _value(slug: str, panel: str, knob: Knob) -> Value:
    """What a control says; a reader may paste into a text what no Config takes.

    A choice that a client makes of something else than the options arrives as None.
    """
    said = st.session_state[key(slug, panel, knob.name)]
    value: Value = knob.default if said is None else said
    return knob.domain.nearest(str(value)) if isinstance(knob.domain, Text) else value


def _as_they_stand(slug: str) -> dict[str, str]:
    """The parameters of every panel; of one that has not been reached yet, those of the link."""
    query = {name: text for name, text in arrival().params.items() if name.startswith(f"{slug}.")}
    for name, config in st.session_state.items():
        panel = str(name).removeprefix(_kept(slug, ""))
        if isinstance(config, Config) and panel != name:
            query |= parameters(slug, panel, config)
    return query


def _mount(name: str, prefix: str, params: Mapping[str, str], **more: Any) -> None:
    _writer(key=name, data={"prefix": prefix, "params": dict(params), **more}, height=1)


def _kept(slug: str, panel: str) -> str:
    return f"_kept.{slug}.{panel}"


def _base() -> str:
    return (st.context.url or "").partition("?")[0].partition("#")[0]


def _text(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
