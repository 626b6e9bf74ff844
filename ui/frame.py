"""The house around every page: start-up, navigation, and the guard for deep links."""

import contextlib
import ctypes
import gc
import os
import runpy
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import streamlit as st
from streamlit.navigation.page import Page
from streamlit.runtime import exists
from streamlit.runtime.scriptrunner import StopException

from core.topics import TOPICS, built
from ui import address, mended
from ui.i18n import t

ROOT = Path(__file__).parent.parent
EVIDENCE = ("claims", "models")  # the pages that show what stands behind the topics
LOCAL = ("localhost", "127.0.0.1", "::1")  # addresses that only this machine reaches
M_MMAP_THRESHOLD, M_ARENA_MAX, LARGE = -3, -8, 1 << 20  # malloc.h; bytes
BETWEEN_TRIMS = 10.0  # seconds
STYLE = ROOT / "ui" / "page.css"
ICON = ROOT / "ui" / "icon.svg"  # a named icon would be fetched from elsewhere


@st.cache_resource(show_spinner=False)
def boot() -> None:
    """Import what is heavy once, and take it out of the garbage collector's sight.

    With torch loaded, a walk over everything imported costs more than a page itself; during the
    imports such walks are a seventh of the time, and find twenty objects. Jobs that the last
    process left unfinished go on.
    """
    _keep_no_convolutions()
    gc.disable()
    try:
        import altair  # noqa: F401
        import pandas  # noqa: F401
        import scipy.optimize  # noqa: F401
        import torch

        from core import jobs
    finally:
        gc.freeze()
        gc.enable()
    torch.set_num_threads(1)
    _give_memory_back()
    _close_to_strangers()
    mended.mend()
    jobs.resume()


def _keep_no_convolutions() -> None:
    """Have oneDNN, which torch convolves with, forget the code that it makes for each shape.

    It would keep a thousand such programs: 70 MB once NVAE has drawn batches of some dozen sizes.
    Made anew they are a fifth to a half of a pass. Before torch's import; workers, who repeat one
    shape, keep theirs.
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "0")


def _give_memory_back() -> None:
    """Large arrays get pages of their own, which go back when they are freed (glibc).

    Every run has a thread of its own, whose arena would keep the largest array it ever held. What
    is free between smaller ones goes back from time to time.
    """
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(M_MMAP_THRESHOLD, LARGE)
        libc.mallopt(M_ARENA_MAX, 2)
        threading.Thread(target=_trim, args=(libc.malloc_trim,), daemon=True).start()


def _trim(malloc_trim: Callable[[int], int]) -> None:
    while True:
        time.sleep(BETWEEN_TRIMS)
        malloc_trim(0)


def _close_to_strangers() -> None:
    """Whom the network lets in names no folder of this machine and no download of its own."""
    if exists() and st.get_option("server.address") not in LOCAL:
        os.environ.setdefault("LAB_ANY_MODEL", "off")


def ensure_frame() -> None:
    """Draw the frame first if Streamlit ran a page by itself; a page begins with this.

    The first request to a fresh server runs `pages/<slug>.py` without `app.py`: pages/ is
    discovered until some session has called `st.navigation`. What ends the page here is not
    `st.stop`, which would drop a click that came while the page was drawn.
    """
    if st.session_state.pop("_framed", False):
        return
    runpy.run_path(str(ROOT / "app.py"), run_name="__main__")
    raise StopException


def navigation() -> Page:
    """The menu: home, topics, ledger, models. Returns the page that the address asks for."""
    home = st.Page("pages/home.py", title=t("home.nav"), default=True)
    topics = {topic.slug: topic_page(topic.slug) for topic in TOPICS}
    evidence = [st.Page(f"pages/{name}.py", title=t(f"{name}.nav")) for name in EVIDENCE]
    menu = {"": [home], t("app.topics"): list(topics.values()), t("app.evidence"): evidence}
    return st.navigation(menu, expanded=True)


def topic_page(slug: str) -> Page:
    """The page of a topic; announced topics share one."""
    file = f"pages/{slug}.py" if built(slug) else "pages/announced.py"
    return st.Page(file, title=t(f"topics.{slug}.nav"), url_path=slug)


def current() -> str:
    """The slug of the page that the frame is running."""
    return str(st.session_state["_page"])


def run(page: Page) -> None:
    """Run the chosen page inside the frame; its title stands before anything heavy is imported."""
    st.session_state["_page"] = page.url_path
    address.arrive(page.url_path)
    st.html(STYLE)
    st.title(t(_TITLES.get(page.url_path, f"topics.{page.url_path}.question")), anchor=False)
    aside = st.sidebar.empty()
    if "torch" not in sys.modules:  # a fresh server
        aside.vega_lite_chart(_NOTHING)
    boot()
    aside.empty()
    st.session_state["_framed"] = True
    page.run()


# A chart without a mark: it has the browser fetch what draws charts while this side imports.
_NOTHING = {"data": {"values": []}, "mark": "point", "width": 1, "height": 1}
_TITLES = {"": "app.name", **{name: f"{name}.question" for name in EVIDENCE}}  # not of topics
