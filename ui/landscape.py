"""A point to drag in a landscape, a temperature to slide: the browser draws what follows."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import streamlit as st

from core.knobs import Knob
from ui import address

_HERE = Path(__file__).parent
_component = st.components.v2.component(
    "executable_claims.landscape",
    html='<div class="landscape"><div class="ground"><canvas></canvas><svg></svg></div>'
    '<div class="side"><label><output></output><input type="range"></label><dl></dl></div></div>',
    css=(_HERE / "landscape.css").read_text(encoding="utf-8"),
    js=(_HERE / "landscape.js").read_text(encoding="utf-8"),
)


def point(
    controls: Mapping[str, Knob],
    at: tuple[float, float, float],
    field: Mapping[str, Any],
    density: Mapping[str, Any],
    words: Mapping[str, str],
) -> None:
    """A place in a field of losses and a temperature; on release the session entries get x, y and
    log10 alpha.

    `controls`: the three entries with their knobs. `field`: numbers (losses on a square grid,
    float32 in base 64, row by row from the top), cells, reach, window, contours (polygons of x and
    y).
    `density`: radius (0: the whole plane), gibbs (where updates on the whole plane end at this
    alpha, or None), lowest (x and y of the least loss).
    """
    name = f"_landscape.{next(iter(controls))}"
    *_, temperature = controls.values()
    domain = temperature.range
    data = {
        **density, "field": dict(field), "at": list(at), "words": dict(words),
        "low": domain.low, "high": domain.high, "step": domain.step,
    }  # fmt: skip

    def released() -> None:
        address.take(controls, st.session_state[name]["at"])

    _component(key=name, data=data, default={"at": list(at)}, on_at_change=released)
