"""A point to drag in a landscape, a temperature to slide: the browser draws what follows."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import streamlit as st

from core.knobs import Knob

_HERE = Path(__file__).parent
_component = st.components.v2.component(
    "executable_claims.landscape",
    html='<div class="landscape"><div class="ground"><canvas></canvas><svg></svg></div>'
    '<div class="side"><label><output></output><input type="range"></label><dl></dl></div></div>',
    css=(_HERE / "landscape.css").read_text(encoding="utf-8"),
    js=(_HERE / "landscape.js").read_text(encoding="utf-8"),
)


def point(
    keys: tuple[str, str, str],
    at: tuple[float, float, float],
    temperature: Knob,
    field: Mapping[str, Any],
    density: Mapping[str, Any],
    words: Mapping[str, str],
) -> None:
    """A place in a field of losses and a temperature; on release the session entries `keys` get x,
    y and log10 alpha.

    `temperature`: the knob of log10 alpha. `field`: numbers (losses on a square grid, float32 in
    base 64, row by row from the top), cells, reach, window, contours (polygons of x and y).
    `density`: radius (0: the whole plane), gibbs (where updates on the whole plane end at this
    alpha, or None), lowest (x and y of the least loss).
    """
    name = f"_landscape.{keys[0]}"
    domain = temperature.range
    data = {
        **density, "field": dict(field), "at": list(at), "words": dict(words),
        "low": domain.low, "high": domain.high, "step": domain.step,
    }  # fmt: skip

    def released() -> None:
        for key, value in zip(keys, st.session_state[name]["at"], strict=True):
            st.session_state[key] = float(value)

    _component(key=name, data=data, default={"at": list(at)}, on_at_change=released)
