"""The search and the judged pairs on their page: numbers react, a reader's texts are taken in."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from core import similarity as core
from core.knobs import Config
from core.runs import run
from core.similarity import embedding
from core.training import Task
from tests.pages.app import charts, open_page, table, text, widget
from ui import jobs
from ui.catalogue import words

SEARCH, JUDGED = "similarity.search", "similarity.judged"


def drawn(page: AppTest, column: str, length: int) -> pd.DataFrame:
    """The first chart of the page whose table has that column and that many rows."""
    tables = [table(chart) for chart in charts(page)]
    return next(found for found in tables if column in found and len(found) == length)


def tables(page: AppTest) -> str:
    return "\n".join(found.value.to_csv() for found in page.table)


def test_the_search_and_the_measures_react_to_their_controls() -> None:
    page = open_page("similarity", **{f"{SEARCH}.vectors": "static", f"{SEARCH}.k": "3"})
    assert not page.exception
    config = core.SearchConfig(vectors="static", k=3)
    expected = core.nearest(config)
    pd.testing.assert_frame_equal(drawn(page, "stage", 5), expected.cascade, check_dtype=False)
    assert "cat brought a live mouse" in tables(page)
    before = drawn(page, "low", len(core.MEASURES))
    widget(page, f"{SEARCH}.query").set_value("I like eating red apples")
    widget(page, f"{JUDGED}.languages").set_value("across")
    page.run()
    assert not page.exception
    assert "cat brought a live mouse" not in tables(page)
    after = drawn(page, "low", len(core.MEASURES))
    assert not before.equals(after)
    again = core.judged(core.JudgedConfig(languages="across")).correlations
    pd.testing.assert_frame_equal(after, again, check_dtype=False)


def test_brute_force_says_that_it_agrees_and_a_query_without_a_word_is_a_sentence() -> None:
    page = open_page("similarity", "zh", **{f"{SEARCH}.checked": "true"})
    assert words("zh")["similarity.search.agrees"].split("{")[0] in text(page)
    widget(page, f"{SEARCH}.query").set_value(" ")
    page.run()
    assert not page.exception
    assert words("zh")["similarity.bad.empty"] in [error.value for error in page.error]


def test_texts_that_are_gone_are_a_sentence() -> None:
    page = open_page("similarity", **{f"{SEARCH}.texts": "0123456789abcdef"})
    assert not page.exception
    assert words("en")["similarity.search.gone"] in text(page)


def test_pasted_texts_are_taken_in_and_searched(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def at_once(task: Task, config: Config) -> Any:
        return run(task, config)

    monkeypatch.setattr(jobs, "start", at_once)
    embedding._own.cache_clear()
    page = open_page("similarity", **{f"{SEARCH}.vectors": "static"})
    widget(page, "_own.pasted").set_value("...")
    page.run()
    assert words("en")["similarity.own.unreadable.no-text"][:20] in page.error[0].value
    widget(page, "_own.pasted").set_value("A *small* mouse.\nThe harbor at noon.\n\n猫在睡觉。")
    page.run()
    assert "3 sentences" in text(page)
    widget(page, "_own.take").click()
    page.run()
    assert not page.exception
    assert r"A \*small\* mouse\." in tables(page)
    widget(page, "_own.back").click()
    page.run()
    assert "cat brought a live mouse" in tables(page)
