"""The controls of a panel, made from the fields of its Config: widgets, presets, reset.

A control's value stands in the session; the widget has it as its default, too. A browser that is
still fetching a widget's code when the panel is drawn again shows the default, and says it as if
the reader had: a link's value would be lost on a slow line.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import streamlit as st

from core.knobs import Choice, Config, Knob, Text, decimals
from ui import address
from ui.catalogue import LANGUAGES, button_width, cells, words
from ui.i18n import has, t

# Letters that fit into a third of a page, into half of one or a phone; those that a button's frame
# takes. A window of 1280 pixels is meant.
THIRD, HALF, GAP = 32, 47, 4.3

Presets = Mapping[str, Callable[[Any], Config]]  # name -> the present Config to another


def row(slug: str, panel_name: str, few: Sequence[Knob]) -> None:
    """Widgets beside each other."""
    if not few:
        return
    room = HALF if len(few) < 3 else THIRD
    for column, knob in zip(st.columns(len(few), gap="medium"), few, strict=True):
        with column:
            _widget(slug, panel_name, knob, room)


def more(slug: str, panel_name: str, rest: Sequence[Knob]) -> None:
    """Widgets behind a button."""
    if not rest:
        return
    with st.popover(t("app.more"), icon=":material/tune:"):
        for knob in rest:
            _widget(slug, panel_name, knob, THIRD)


def _widget(slug: str, panel_name: str, knob: Knob, room: int) -> None:
    label, name = t(f"{slug}.{panel_name}.{knob.name}"), address.key(slug, panel_name, knob.name)
    now = st.session_state[name]
    if isinstance(knob.domain, Choice):
        _choice(label, name, knob.domain.options, slug, room)
    elif isinstance(knob.domain, Text):
        st.text_input(label, now, key=name, max_chars=knob.domain.length)
    elif knob.domain is None:
        st.toggle(label, now, key=name)
    else:
        _slider(label, name, knob)


def _choice(label: str, name: str, options: Sequence[str], slug: str, room: int) -> None:
    """Buttons where they fit beside each other, a list where they don't."""
    named = {option: word(slug, option) for option in options}
    now = st.session_state[name] if st.session_state[name] in options else options[0]
    if _width(slug, tuple(options)) <= room:
        st.segmented_control(
            label, options, default=now, key=name, format_func=named.__getitem__, required=True
        )
    else:
        st.selectbox(label, options, options.index(now), key=name, format_func=named.__getitem__)


@cache
def _width(slug: str, options: tuple[str, ...]) -> float:
    """How many letters wide buttons with these words are in the wordier language."""
    widths = [
        sum(
            cells(option if _number(option) else words(code)[_key(slug, option)]) + GAP
            for option in options
        )
        for code in LANGUAGES
    ]
    return max(widths)


def word(slug: str, option: str) -> str:
    """The reader's word for an option. A number is its own word in every language."""
    return option if _number(option) else t(_key(slug, option))


def _number(option: str) -> bool:
    return option.replace(".", "", 1).isdigit()


def _key(slug: str, option: str) -> str:
    own, topic = f"{slug}.options.{option}", f"topics.{option}.nav"
    return topic if has(topic) and not has(own) else own


def _slider(label: str, name: str, knob: Knob) -> None:
    domain, step = knob.range, knob.range.step or 1
    digits = f"%.{decimals(step)}f" if knob.type is float else "%d"
    low, high, by = (knob.type(bound) for bound in (domain.low, domain.high, step))
    st.slider(label, low, high, st.session_state[name], step=by, key=name, format=digits)


def presets(slug: str, panel_name: str, config: Config, states: Presets) -> None:
    """A button for each named state, and one that puts every control back."""
    for name, preset in states.items():
        label = t(f"{slug}.{panel_name}.presets.{name}")
        st.button(
            label,
            width=button_width(label),
            key=f"_preset.{slug}.{panel_name}.{name}",
            on_click=_go,
            args=(slug, panel_name, preset, config),
        )
    st.button(
        t("app.reset"),
        width=button_width(t("app.reset")),
        key=f"_reset.{slug}.{panel_name}",
        icon=":material/restart_alt:",
        type="tertiary",
        on_click=_go,
        args=(slug, panel_name, lambda now: type(now)(), config),
    )


def _go(slug: str, panel_name: str, preset: Callable[[Any], Config], config: Config) -> None:
    address.set_controls(slug, panel_name, preset(config))
