"""A coefficient to drag: the error curve moves in the browser, Python hears of it on release."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import streamlit as st

from core.knobs import Knob, decimals
from ui import address

_HERE = Path(__file__).parent
_component = st.components.v2.component(
    "executable_claims.drag",
    html='<div class="drag"><output></output><input type="range"><svg role="img"></svg></div>',
    css=(_HERE / "drag.css").read_text(encoding="utf-8"),
    js=(_HERE / "drag.js").read_text(encoding="utf-8"),
)


def coefficient(
    key: str, knob: Knob, value: float, curve: Mapping[str, Any], words: Mapping[str, str]
) -> None:
    """A slider for a knob above the error curve that follows it while it is dragged.

    `curve`: basis (lists x, exact, p, q, dp, dq), target, best (the least possible error), limit
    (the largest error on the axis) and reach (the end of the x axis). The knob's session entry
    `key` gets the value on release.
    """
    domain = knob.range
    step = domain.step or 0.0
    data = {
        **curve,
        "words": dict(words),
        "value": value,
        "low": domain.low,
        "high": domain.high,
        "step": step,
        "digits": decimals(step),
    }
    name = f"_drag.{key}"

    def released() -> None:
        address.take({key: knob}, [st.session_state[name]["value"]])

    _component(key=name, data=data, default={"value": value}, on_value_change=released)
