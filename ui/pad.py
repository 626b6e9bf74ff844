"""A sheet to draw on: what was drawn comes back as a PNG."""

import base64
import binascii
from collections.abc import Callable, Mapping
from pathlib import Path

import streamlit as st

_HERE = Path(__file__).parent
_component = st.components.v2.component(
    "executable_claims.pad",
    html='<div class="pad"><canvas role="img"></canvas>'
    '<div><button class="take"></button><button class="wipe"></button></div></div>',
    css=(_HERE / "pad.css").read_text(encoding="utf-8"),
    js=(_HERE / "pad.js").read_text(encoding="utf-8"),
)


def sheet(key: str, words: Mapping[str, str], taken: Callable[[bytes], None]) -> None:
    """Dark ink on white, by mouse, pen or finger; `taken` gets the file where the reader is done.

    `words`: draw (the sheet's accessible name), take and wipe (its buttons). What is no base 64
    comes as no bytes at all.
    """
    name = f"_pad.{key}"

    def done() -> None:
        taken(_content(st.session_state[name]["drawn"]))

    _component(key=name, data={"words": dict(words)}, default={"drawn": ""}, on_drawn_change=done)


def _content(address: object) -> bytes:
    """Of a browser's data address."""
    try:
        return base64.b64decode(str(address).partition(",")[2], validate=True)
    except (binascii.Error, ValueError):
        return b""
