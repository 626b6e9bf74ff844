"""A folded box: what is in it is made only once a reader opens it."""

from collections.abc import Callable

import streamlit as st
from streamlit.elements.lib.mutable_popover_container import PopoverContainer


@st.fragment
def folded(
    label: Callable[[], str], key: str, content: Callable[[], None], *, icon: str | None = None
) -> None:
    """Draw `content` behind `label` when it is opened; the rest of the page does not run again."""
    with st.expander(label(), icon=icon, key=key, on_change="rerun") as box:
        if box.open:
            content()


def closed(label: str, icon: str, key: str) -> PopoverContainer:
    """A box behind a button; what stands under `if box.open` is made once it is opened."""
    return st.popover(label, icon=icon, type="tertiary", key=key, on_change="rerun")
