"""What is slow to load is loaded beside the page, once a process, while a reader looks at it."""

from collections.abc import Callable
from threading import Thread
from typing import Any

import streamlit as st

from ui import seen


def warm(load: Callable[[], Any]) -> None:
    """Call `load` on a thread of its own; only where somebody looks, not in a test or a crawler."""
    if seen.in_a_browser():
        _started(load.__qualname__, load)


@st.cache_resource(show_spinner=False)
def _started(name: str, _load: Callable[[], Any]) -> Thread:
    thread = Thread(target=_load, daemon=True)
    thread.start()
    return thread
