"""Open pages of the dashboard without a browser."""

import contextlib
import io
import json
import runpy
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
from streamlit.testing.v1 import AppTest

from core.topics import TOPICS, built
from tests.conftest import ROOT

BUILT = [topic.slug for topic in TOPICS if built(topic.slug)]


def open_page(page: str, language: str = "en", **params: str) -> AppTest:
    """A page as a reader finds it who follows a link with these parameters."""
    test = AppTest.from_file(str(ROOT / "app.py"), default_timeout=300)
    for name, value in {"lang": language, **params}.items():
        test.query_params[name] = value
    return test.switch_page(f"pages/{page}.py").run()


@cache
def opened(page: str, language: str = "en") -> AppTest:
    """The page as it opens, one for all tests that only look at it."""
    return open_page(page, language)


def linked(slug: str, language: str = "en", **knobs: Any) -> AppTest:
    """A topic's page from a link that sets controls: panel__knob stands for slug.panel.knob."""
    params = {f"{slug}.{name.replace('__', '.')}": str(value) for name, value in knobs.items()}
    return open_page(slug, language, **params)


def widget(test: AppTest, key: str) -> Any:
    """The control of that key."""
    return test.get_by_key(key)


def text(test: AppTest) -> str:
    """All text of the page."""
    kinds = (test.title, test.header, test.markdown, test.caption, test.info, test.warning)
    return "\n".join(element.value for kind in kinds for element in kind)


def charts(test: AppTest) -> list[Any]:
    """The charts of the page: each has .spec (JSON), .alt and .datasets (Arrow)."""
    return [element.proto for element in test.get("vega_lite_chart")]


def table(chart: Any) -> pd.DataFrame:
    """The first table that a chart draws."""
    return pa.ipc.open_stream(io.BytesIO(chart.datasets[0].data.data)).read_pandas()


def axis_titles(chart: Any) -> set[str]:
    """Every axis title of a chart."""
    found: set[str] = set()

    def walk(node: Any) -> None:
        if isinstance(node, dict):
            found.update(
                node[axis]["title"] for axis in ("x", "y") if "title" in node.get(axis, {})
            )
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(json.loads(chart.spec).get("layer"))
    return found


def make_again(page: AppTest, slug: str, panels: Sequence[str], folder: Path) -> None:
    """Run the script that each panel hands out; what it writes lies in a folder of its name."""
    for panel in panels:
        page.session_state[f"_take.{slug}.{panel}"] = True
    page.run()
    programs = [c.value for c in page.code if c.value.startswith('"""Executable Claims')]
    for panel, program in zip(panels, programs, strict=True):
        (folder / panel).mkdir()
        (folder / panel / "figure.py").write_text(program, encoding="utf-8")
        with contextlib.chdir(folder / panel), contextlib.redirect_stdout(io.StringIO()):
            runpy.run_path("figure.py")
