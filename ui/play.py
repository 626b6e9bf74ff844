"""A slider that moves by itself: step, play, pause. Step and play share one advance.

Motion is only ever asked for. A reader whose system asks for less of it gets no play button: step
and slider show the same states.
"""

from collections.abc import Callable
from typing import Any

import streamlit as st

from core.knobs import Knob
from ui.i18n import t

EVERY = 0.6  # seconds between two steps
# Streamlit names an element's class after its key; what is not displayed is not read out either.
_LESS_MOTION = """<style>
@media (prefers-reduced-motion: reduce) { [class*="st-key-_play-"] { display: none } }
</style>"""


def play(key: str, label: str, knob: Knob, frame: Callable[[], None]) -> None:
    """The buttons and the slider of a knob, and below them what `frame` draws of its value.

    `key` is the knob's entry in the session. While it plays the slider makes way for a bar, since
    a browser that lags would send its old values back; bar and picture are a fragment of their own.
    """
    st.html(_LESS_MOTION)
    playing = _playing(key) in st.session_state
    _buttons(key, knob, playing)
    if not playing:
        _slider(key, label, knob)
        frame()
        return
    first = [True]  # drawn with the buttons, not by the clock

    @st.fragment(run_every=EVERY)
    def moving() -> None:
        if not first:
            st.session_state[_playing(key)] = advanced(st.session_state[_playing(key)], knob)
        first.clear()
        _to_where_it_plays(key)
        _bar(key, label, knob)
        frame()
        if st.session_state[key] >= knob.range.high:
            del st.session_state[_playing(key)]
            st.rerun()

    moving()


def advanced(value: Any, knob: Knob) -> Any:
    """One step on; from the end nowhere."""
    return knob.type(knob.range.nearest(value + (knob.range.step or 1)))


def _buttons(key: str, knob: Knob, playing: bool) -> None:
    with st.container(horizontal=True):
        word, icon = ("pause", "pause") if playing else ("play", "play_arrow")
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
            on_click=_step,
            args=(key, knob),
        )


def _step(key: str, knob: Knob) -> None:
    _stop(key)
    st.session_state[key] = advanced(st.session_state[key], knob)


def _toggle(key: str, knob: Knob, play: bool) -> None:
    """Play or pause; from the end it plays from the beginning."""
    if not play:
        _stop(key)
        return
    value, at_the_end = st.session_state[key], st.session_state[key] >= knob.range.high
    st.session_state[_playing(key)] = knob.type(knob.range.low) if at_the_end else value


def _stop(key: str) -> None:
    """Leave the knob where the playing has come to."""
    if _playing(key) in st.session_state:
        _to_where_it_plays(key)
        del st.session_state[_playing(key)]


def _to_where_it_plays(key: str) -> None:
    st.session_state[key] = st.session_state[_playing(key)]


def _bar(key: str, label: str, knob: Knob) -> None:
    value, low, high = st.session_state[key], knob.range.low, knob.range.high
    st.progress((value - low) / (high - low), text=f"{label}: {value} / {high}")


def _slider(key: str, label: str, knob: Knob) -> None:
    low, high = (knob.type(bound) for bound in (knob.range.low, knob.range.high))
    now, step = st.session_state[key], knob.type(knob.range.step or 1)
    st.slider(label, low, high, now, step=step, key=key)


def _playing(key: str) -> str:
    """The session's entry for where the playing is; there while it plays."""
    return f"_playing.{key}"
