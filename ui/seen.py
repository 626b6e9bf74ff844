"""A panel is drawn when the reader comes near it, so that the first picture waits for no other."""

from functools import partial
from pathlib import Path

import streamlit as st

from ui import address
from ui.i18n import t

_place = st.components.v2.component(
    "executable_claims.seen",
    html='<div class="place"></div>',
    # About a panel's height, so that little moves when it is drawn; on paper it leaves no gap.
    css=".place { height: 900px; } .place::after { content: attr(data-word); display: none; }"
    " @media print { .place { height: auto; } .place::after { display: block; } }",
    js=Path(__file__).with_name("seen.js").read_text(encoding="utf-8"),
)


def in_a_browser() -> bool:
    """Whether somebody looks: not a notebook, a test or a crawler."""
    return "Mozilla" in st.context.headers.get("User-Agent", "")


def near(slug: str, panel: str) -> bool:
    """Whether to draw a panel: the page's first, one that the link names, one come near to.

    Without a browser (a notebook, a test, a crawler) nobody would say so: everything is drawn.
    """
    came = address.arrival()
    came.first = came.first or panel
    if came.whole or panel in came.seen or panel == came.first or not in_a_browser():
        return True
    name, come = f"_place.{slug}.{panel}", partial(came.seen.add, panel)
    data = {"word": t("app.not_drawn")}
    _place(key=name, data=data, default={"seen": 0}, on_seen_change=come)
    return False
