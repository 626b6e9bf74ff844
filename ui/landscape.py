"""A point to drag in a landscape: the density of updates and its mean follow in the browser."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import streamlit as st

_HERE = Path(__file__).parent
_component = st.components.v2.component(
    "executable_claims.landscape",
    html='<div class="landscape"><div class="ground"><canvas></canvas><svg></svg></div>'
    "<dl></dl></div>",
    css=(_HERE / "landscape.css").read_text(encoding="utf-8"),
    js=(_HERE / "landscape.js").read_text(encoding="utf-8"),
)


def point(
    keys: tuple[str, str],
    theta: tuple[float, float],
    field: Mapping[str, Any],
    density: Mapping[str, Any],
    words: Mapping[str, str],
) -> None:
    """A place in a field of losses; the session entries `keys` get x and y on release.

    `field`: numbers (losses on a square grid, float32 in base 64, row by row from the top), cells,
    reach, window. `density`: alpha, radius (0: the whole plane), gibbs (where updates on the whole
    plane end, or None), lowest (x and y of the least loss).
    """
    name = f"_landscape.{keys[0]}"
    data = {"field": dict(field), **density, "theta": list(theta), "words": dict(words)}

    def released() -> None:
        for key, value in zip(keys, st.session_state[name]["theta"], strict=True):
            st.session_state[key] = float(value)

    _component(key=name, data=data, default={"theta": list(theta)}, on_theta_change=released)
