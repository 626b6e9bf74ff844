"""A slider that moves by itself: step, play, pause. Step and play share one advance.

Motion is only ever asked for. A reader whose system asks for less of it gets no play button: step
and slider show the same states.
"""

from collections.abc import Callable

import streamlit as st

from core.knobs import Knob
from ui.i18n import t

EVERY = 0.6  # seconds between two steps
_motion = st.components.v2.component(
    "executable_claims.motion",
    js="""export default function ({ setStateValue }) {
      if (matchMedia("(prefers-reduced-motion: reduce)").matches) setStateValue("less", true);
    }""",
)


def play(key: str, label: str, knob: Knob, frame: Callable[[], None]) -> None:
    """The buttons and the slider of a knob, and below them what `frame` draws of its value.

    `key` is the knob's entry in the session. While it plays, slider and picture are a fragment of
    their own, which advances before it draws unless the reader has moved the slider.
    """
    less = _motion(key=f"_motion.{key}", default={"less": False}, on_less_change=_heard).less
    playing = bool(st.session_state.get(_playing(key))) and not less
    _buttons(key, knob, playing, offer=not less)
    drawn: list[int] = []  # the values that have been drawn since the buttons were

    def moving() -> None:
        if drawn and drawn[-1] == st.session_state[key]:
            advance(key, knob)
        drawn.append(st.session_state[key])
        _slider(key, label, knob)
        frame()
        if drawn[-1] >= knob.range.high:
            st.session_state[_playing(key)] = False
            st.rerun()

    if playing:
        st.fragment(moving, run_every=EVERY)()
    else:
        _slider(key, label, knob)
        frame()


def advance(key: str, knob: Knob) -> None:
    """One step on; from the end nowhere."""
    step = knob.range.step or 1
    st.session_state[key] = knob.type(knob.range.nearest(st.session_state[key] + step))


def _buttons(key: str, knob: Knob, playing: bool, *, offer: bool) -> None:
    with st.container(horizontal=True):
        word, icon = ("pause", "pause") if playing else ("play", "play_arrow")
        if offer:
            st.button(
                t(f"app.{word}"),
                icon=f":material/{icon}:",
                key=f"_play.{key}",
                on_click=_toggle,
                args=(key, knob, not playing),
            )
        st.button(
            t("app.step"),
            icon=":material/skip_next:",
            key=f"_step.{key}",
            disabled=st.session_state[key] >= knob.range.high,
            on_click=advance,
            args=(key, knob),
        )


def _toggle(key: str, knob: Knob, playing: bool) -> None:
    """Play or pause; from the end it plays from the beginning."""
    st.session_state[_playing(key)] = playing
    if playing and st.session_state[key] >= knob.range.high:
        st.session_state[key] = knob.type(knob.range.low)


def _slider(key: str, label: str, knob: Knob) -> None:
    low, high = (knob.type(bound) for bound in (knob.range.low, knob.range.high))
    st.slider(label, low, high, step=knob.type(knob.range.step or 1), key=key)


def _heard() -> None:
    """The browser has said what the reader's system asks for: draw again with it."""


def _playing(key: str) -> str:
    return f"_playing.{key}"
