"""What a chart says to a reader who does not see it."""

from typing import Any

import pandas as pd
import pytest

from ui import charts
from ui.told import MOST, told

TITLES = {"x_title": "x", "y_title": "error"}


def test_a_curve_is_told_by_its_ends_and_its_extremes() -> None:
    table = pd.DataFrame({"x": [-1.0, 0.0, 1.0, 2.0], "y": [0.5, -2.0, 1e-4, 0.25]})
    said = told(table, {"x": "x", "y": "y", **TITLES})
    assert said == "error: from 0.5 at −1 to 0.25 at 2, least −2 at 0, most 0.5 at −1."


def test_extremes_at_the_ends_are_not_told_twice() -> None:
    table = pd.DataFrame({"x": [1, 2, 3], "y": [3.0, 2.0, 1.0]})
    assert told(table, {"x": "x", "y": "y", **TITLES}) == "error: from 3 at 1 to 1 at 3."


def test_every_series_has_its_word_and_gaps_are_left_out() -> None:
    rows = [("a", 0, 1.0), ("a", 1, float("nan")), ("b", 0, 5.0), ("level", 0, 9.0)]
    table = pd.DataFrame(rows, columns=["s", "x", "y"])
    names = {"b": "second", "a": "first", "level": "equal loss", "none": "not there"}
    said = told(
        table, {"x": "x", "y": "y", "series": "s", "names": names, "paths": ("level",), **TITLES}
    )
    assert said == "second: 5 at 0. first: 1 at 0."


def test_of_many_curves_the_first_are_told() -> None:
    codes = [f"c{number}" for number in range(9)]
    table = pd.DataFrame({"s": codes, "x": 0.0, "y": 1.0})
    options = {"x": "x", "y": "y", "series": "s", "names": {code: code for code in codes}}
    assert told(table, options | TITLES).count(":") == MOST


@pytest.mark.parametrize(
    ("table", "options", "said"),
    [
        (
            {"q": ["I", "we"], "k": ["a", "b"], "w": [0.25, 0.75]},
            {"x": "k", "y": "q", "value": "w", "x_title": "k", "y_title": "q"},
            "Least 0.25 at I, a, most 0.75 at we, b.",
        ),
        (
            {"kind": ["one", "two"], "score": [2.0, 1.0]},
            {"x": "score", "y": "kind", "names": {"one": "eins", "two": "zwei"}, **TITLES},
            "Least 1 at zwei, most 2 at eins.",
        ),
        (
            {"low": [0.0, 1.0], "high": [1.0, 2.0], "n": [3, 4]},
            {"low": "low", "high": "high", "count": "n", **TITLES},
            "Least 3 at 0, most 4 at 1.",
        ),
        ({"image": ["data:"], "row": ["a"]}, {"image": "image", "row": "row"}, ""),
        ({"x": [], "y": []}, {"x": "x", "y": "y", **TITLES}, ""),
    ],
)
def test_other_charts_tell_where_their_extremes_lie(table: dict, options: dict, said: str) -> None:
    assert told(pd.DataFrame(table), options) == said


def test_it_reads_the_options_that_verbs_take() -> None:
    table = pd.DataFrame({"x": [0.0, 1.0], "y": [1.0, 2.0]})
    options: dict[str, Any] = {"x": "x", "y": "y", **TITLES}
    assert charts.lines(table, **options).spec
    assert told(table, options).startswith("error: from 1")
