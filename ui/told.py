"""What a chart shows, in numbers: for a reader who hears it."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from ui.i18n import t
from ui.numbers import pretty

MOST = 6  # curves; who wants more takes the data along
DIGITS = 3


def told(table: pd.DataFrame, options: Mapping[str, Any]) -> str:
    """Where each curve of a chart goes, or where its extremes lie; "" of pictures and shapes.

    `options` are those of the verb of `ui.charts` that draws the table.
    """
    if table.empty:
        return ""
    if "value" in options:
        return _extremes(table, options["value"], options["y"], options["x"])
    if "count" in options:
        return _extremes(table, options["count"], options["low"])
    if "item" in options or not {"x", "y", "y_title"} <= options.keys():
        return ""
    if isinstance(table[options["y"]].iat[0], str):
        return _extremes(table, options["x"], options["y"], words=options.get("names"))
    return " ".join(_curves(table, options))


def _curves(table: pd.DataFrame, options: Mapping[str, Any]) -> Iterator[str]:
    x, y = table[options["x"]].to_numpy(), table[options["y"]].to_numpy(float)
    if options.get("series") is None:
        yield _curve(options["y_title"], x, y)
        return
    codes = table[options["series"]].to_numpy()
    unread = {*options.get("paths", ()), options.get("ground", "")}
    read = [code for code in options["names"] if code not in unread]  # in the legend's order
    for code in read[:MOST]:
        mine = codes == code
        if mine.any():
            yield _curve(options["names"][code], x[mine], y[mine])


def _curve(name: str, x: np.ndarray, y: np.ndarray) -> str:
    """Its two ends, and its least and greatest value where those lie between."""
    known = ~np.isnan(y)
    if not known.any():
        return ""
    x, y = x[known], y[known]
    low, high = int(y.argmin()), int(y.argmax())
    places = {"first": 0, "last": len(y) - 1, "low": low, "high": high}
    said = {key: _word(y[at]) for key, at in places.items()}
    said |= {f"at_{key}": _word(x[at]) for key, at in places.items()}
    if len(y) == 1:
        return t("app.told.point", name=name, **said)
    ends = {y[0], y[-1]}
    way = "way" if {y[low], y[high]} <= ends else "curve"
    return t(f"app.told.{way}", name=name, **said)


def _extremes(
    table: pd.DataFrame, value: str, *where: str, words: Mapping[str, str] | None = None
) -> str:
    numbers = table[value].to_numpy(float)
    if np.isnan(numbers).all():
        return ""
    said: dict[str, str] = {}
    for key, at in (("low", int(np.nanargmin(numbers))), ("high", int(np.nanargmax(numbers)))):
        place = [_word(table[column].iat[at], words) for column in where]
        said |= {key: _word(numbers[at]), f"at_{key}": ", ".join(place)}
    return t("app.told.extremes", **said)


def _word(value: Any, words: Mapping[str, str] | None = None) -> str:
    if isinstance(value, str):
        return (words or {}).get(value, value)
    return pretty(float(value), DIGITS)
