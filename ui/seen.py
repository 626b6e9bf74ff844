"""A panel is drawn when the reader comes near it, so that the first picture waits for no other."""

from pathlib import Path

import streamlit as st

from ui import address

_place = st.components.v2.component(
    "executable_claims.seen",
    html='<div class="place"></div>',
    css=".place { height: 900px; }",  # about a panel's, so that little moves when it is drawn
    js=Path(__file__).with_name("seen.js").read_text(encoding="utf-8"),
)


def near(slug: str, panel: str) -> bool:
    """Whether to draw a panel: it is the page's first, or the reader has come near it.

    Without a browser (a notebook, a test, a crawler) nobody would say so: everything is drawn.
    """
    seen = address.arrival().seen
    if not seen or panel in seen or not st.context.headers:
        seen.add(panel)
        return True
    _place(key=f"_place.{slug}.{panel}", on_seen_change=lambda: seen.add(panel))
    return False
