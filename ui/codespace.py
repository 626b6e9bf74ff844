"""A plane of codes to touch, decoded in the browser: ellipses to drag, a map to walk on.

Python hears of a place or an ellipse when the reader lets go, not on the way.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import streamlit as st

from core.knobs import Knob
from ui import address

_HERE = Path(__file__).parent
_CSS = (_HERE / "codespace.css").read_text(encoding="utf-8")
_PLANE = '<div class="plane"><canvas></canvas><svg role="img"></svg></div>'
_ellipses = st.components.v2.component(
    "executable_claims.ellipses",
    html=f'<div class="codespace">{_PLANE}<div class="side"><canvas></canvas>'
    "<output></output></div></div>",
    css=_CSS,
    js=(_HERE / "ellipses.js").read_text(encoding="utf-8"),
)
_walk = st.components.v2.component(
    "executable_claims.walk",
    html=f'<div class="codespace">{_PLANE}<div class="side"><canvas></canvas>'
    '<output></output><button type="button"></button></div></div>',
    css=_CSS,
    js=(_HERE / "walk.js").read_text(encoding="utf-8"),
)


def ellipses(
    control: Mapping[str, Knob], value: str, world: Mapping[str, Any], words: Mapping[str, str]
) -> None:
    """Pictures with an ellipse each, "x,y,a,b;..."; the session entry gets it on release.

    `control`: that entry with its knob. `world`: pictures (rows of levels to 255), names, nodes (x,
    y, weight of a quadrature), reach, stds (the least and the largest half axis).
    """
    rows = [[float(cell) for cell in part.split(",")] for part in value.split(";")]
    data = {**world, "ellipses": rows, "words": dict(words)}
    _component(_ellipses, control, "ellipses", value, data)


def walk(
    controls: Mapping[str, Knob],
    place: tuple[float, float],
    decoder: Mapping[str, Any],
    words: Mapping[str, str],
    reach: float,
) -> None:
    """The map of a decoder; the session entries get x and y where the reader lets go.

    `controls`: the two entries with their knobs.
    """
    data = {**decoder, "place": list(place), "reach": reach, "words": dict(words)}
    _component(_walk, controls, "place", list(place), data)


def _component(
    mounted: Any, controls: Mapping[str, Knob], state: str, value: Any, data: Mapping[str, Any]
) -> None:
    """Mount a component whose `state` goes into the session on release."""
    name = f"_codespace.{next(iter(controls))}"

    def released() -> None:
        said = st.session_state[name][state]
        address.take(controls, said if len(controls) > 1 else [said])

    mounted(key=name, data=dict(data), default={state: value}, **{f"on_{state}_change": released})
