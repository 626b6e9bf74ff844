"""The whole page on paper: what has not been drawn is drawn first."""

from pathlib import Path

import streamlit as st

from ui import address
from ui.i18n import t

_printer = st.components.v2.component(
    "executable_claims.paper", js=Path(__file__).with_name("paper.js").read_text(encoding="utf-8")
)


def offer(slug: str) -> None:
    """A button that draws every panel of the page and then opens the browser's print dialog."""
    asked = f"_printed.{slug}"
    st.button(
        t("app.print"), icon=":material/print:", key=f"_print.{slug}", on_click=_ask, args=(asked,)
    )
    _printer(key=f"_paper.{slug}", data={"times": st.session_state.get(asked, 0)}, height=1)


def _ask(asked: str) -> None:
    address.arrival().whole = True
    st.session_state[asked] = st.session_state.get(asked, 0) + 1
