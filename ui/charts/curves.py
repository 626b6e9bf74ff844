"""Curves, bars and points: one number over another."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
from pandas.api.types import is_integer_dtype

from ui.charts.palette import BLUE, GRAY
from ui.charts.parts import (
    ACROSS,
    HEIGHT,
    INK,
    UP,
    Figure,
    ScaleKind,
    axis_of,
    color_of,
    filled,
    framed,
    height_of,
    kept,
    number,
    pairs,
    place,
    scale_of,
    tooltip_of,
    y_axis,
)

UNNUMBERED = {"labels": False, "ticks": False, "grid": False}


def lines(
    table: pd.DataFrame,
    *,
    x: str,
    y: str,
    x_title: str,
    y_title: str,
    series: str | None = None,
    names: Mapping[str, str] | None = None,
    x_scale: ScaleKind = "linear",
    y_scale: ScaleKind = "linear",
    x_domain: tuple[float, float] | None = None,
    y_domain: tuple[float, float] | None = None,
    points: tuple[str, ...] = (),
    paths: tuple[str, ...] = (),
    ground: str = "",
    band: tuple[str, str] | None = None,
    height: int = HEIGHT,
    numbers: bool = True,
) -> Figure:
    """Curves over x, one per value of `series`, named by `names` (code -> word).

    What is measured is drawn as dots: the codes in `points`. Those in `paths` go from row to row
    instead of from left to right; so does the code `ground`, faintly and below all others, with no
    place in the legend. `band` names the columns between which a curve's surroundings are
    shaded. Scales are Vega's: linear, log, symlog. Without `numbers` the axes have titles only: a
    body seen from the side has no quantity there. A curve has a gap where its y is NaN. Raises
    ValueError if the other curves do not share their x.
    """
    gaps = bool(table[y].isna().any())  # looking for them in the browser takes time
    spec = _lines(
        x, y, x_title, y_title, series, pairs(names), x_scale, y_scale, place(ACROSS, x_domain),
        place(UP, y_domain), points, paths, ground, band, gaps, is_integer_dtype(table[x]), height,
    )  # fmt: skip
    spec = filled(spec, {ACROSS: x_domain, UP: y_domain})
    if not numbers:
        axis = spec["config"]["axis"] | UNNUMBERED
        spec = {**spec, "config": {**spec["config"], "axis": axis}}
    curves = table if series is None else table[~table[series].isin([*points, *paths, ground])]
    return Figure(spec, {"table": table, "places": _places(curves, x, y, series)})


def bars(
    table: pd.DataFrame,
    *,
    x: str,
    y: str,
    x_title: str,
    y_title: str,
    y_domain: tuple[float, float] | None = None,
) -> Figure:
    """One bar per row."""
    spec = _bars(x, y, x_title, y_title, place(UP, y_domain))
    return Figure(filled(spec, {UP: y_domain}), {"table": table})


def histogram(
    table: pd.DataFrame, *, low: str, high: str, count: str, x_title: str, y_title: str
) -> Figure:
    """Counts over bins that are already made: each row has its bin's edges."""
    return Figure(_histogram(low, high, count, x_title, y_title), {"table": table})


def intervals(
    table: pd.DataFrame,
    *,
    x: str,
    low: str,
    high: str,
    y: str,
    x_title: str,
    y_title: str,
    series: str,
    names: Mapping[str, str],
    x_scale: ScaleKind = "linear",
    y_scale: ScaleKind = "linear",
) -> Figure:
    """Measured points with their spread in x, one per row of the table."""
    spec = _intervals(x, low, high, y, x_title, y_title, series, pairs(names), x_scale, y_scale)
    return Figure(spec, {"table": table})


def ranked(
    table: pd.DataFrame,
    *,
    x: str,
    y: str,
    names: Mapping[str, str],
    x_title: str,
    y_title: str,
    x_domain: tuple[float, float] | None = None,
    low: str | None = None,
    high: str | None = None,
    series: str | None = None,
    series_names: Mapping[str, str] | None = None,
) -> Figure:
    """A place on x for every code of `y`, named by `names` and in the table's order.

    With `low` and `high` a point with its interval; with `series` a point for each of its codes; a
    bar with its number where there is neither.
    """
    spread = (low, high) if low and high else None
    spec = _ranked(
        x, y, pairs(names), x_title, y_title, place(ACROSS, x_domain), spread, series,
        pairs(series_names),
    )  # fmt: skip
    return Figure(filled(spec, {ACROSS: x_domain}), {"table": table})


@kept
def _lines(
    x: str, y: str, x_title: str, y_title: str, series: str | None, names: tuple,
    x_scale: ScaleKind, y_scale: ScaleKind, x_domain: str | None,
    y_domain: str | None, points: tuple[str, ...], paths: tuple[str, ...],
    ground: str, band: tuple[str, str] | None, gaps: bool, whole: bool, height: int,
) -> dict[str, Any]:  # fmt: skip
    reach: dict[str, Any] = {"domain": [x_domain]} if x_domain else {}
    reach |= {"constant": 0.1} if x_scale == "symlog" else {}
    across = alt.X(
        x, type="quantitative", title=x_title, axis=axis_of(x_scale, whole=whole),
        scale=alt.Scale(type=x_scale, nice=False, padding=6 if points else 0, **reach),
    )  # fmt: skip
    up = y_axis(y, y_title, y_scale, y_domain)
    names = tuple(pair for pair in names if pair[0] != ground)
    drawn = tuple(pair for pair in names if pair[0] not in (*points, *paths))
    color = color_of(series, names, "circle" if points and not drawn else "stroke")
    base = alt.Chart(alt.NamedData("table")).encode(across, up, color=color)
    lines = base.mark_line(
        strokeWidth=2, clip=True, invalid="break-paths-show-domains" if gaps else "show"
    )
    shade = [_surroundings(base, band, y_title, y_scale, y_domain)] if band else []
    if not points and not paths:
        return framed(*shade, lines, _pointer(x, across, x_title, y, y_title, names), height=height)
    dots = base.mark_point(filled=True, size=36, opacity=0.85, clip=True)
    tip = tooltip_of(x, x_title, y, y_title)
    path = _in_order(base.mark_line(strokeWidth=1.5, clip=True))
    faint = base.mark_line(strokeWidth=1, opacity=0.35, clip=True).encode(color=alt.value(GRAY))
    layers = [
        *shade,
        _only(_in_order(faint), series, [ground]) if ground else None,
        _only(lines, series, [code for code, _ in drawn]),
        _only(path, series, paths),
        _pointer(x, across, x_title, y, y_title, drawn) if drawn else None,
        _only(dots.encode(tooltip=tip), series, points),
    ]
    return framed(*(layer for layer in layers if layer is not None), height=height)


def _in_order(chart: alt.Chart) -> alt.Chart:
    """From row to row."""
    rows = chart.transform_window(row="row_number()")
    return rows.encode(order=alt.Order("row", type="quantitative"))


def _surroundings(
    base: alt.Chart, band: tuple[str, str], title: str, scale: ScaleKind,
    domain: str | None,
) -> alt.Chart:  # fmt: skip
    """Shade from one column to another, in the curve's color."""
    low, high = band
    return base.mark_area(opacity=0.15, clip=True).encode(
        y=y_axis(low, title, scale, domain), y2=alt.Y2(high)
    )


def _only(chart: alt.Chart, series: str | None, codes: Sequence[str]) -> alt.Chart | None:
    """A layer of these series; none if there are none."""
    if not codes or series is None:
        return None
    return chart.transform_filter(alt.FieldOneOfPredicate(field=series, oneOf=list(codes)))


def _pointer(x: str, across: alt.X, x_title: str, y: str, y_title: str, names: tuple) -> alt.Chart:
    """Unseen verticals that say the values of every curve where the reader points."""
    values = [number(code, name) for code, name in names] or [number(y, y_title)]
    rule = alt.Chart(alt.NamedData("places")).mark_rule(strokeWidth=18, opacity=0)
    return rule.encode(across, tooltip=[number(x, x_title), *values])


def _places(table: pd.DataFrame, x: str, y: str, series: str | None) -> pd.DataFrame:
    """About twenty-five places on the x axis with the value of every curve: one row each.

    Raises ValueError if the curves do not share their x.
    """
    if table.empty:
        return table
    codes, names = (np.zeros(len(table)), [y]) if series is None else pd.factorize(table[series])
    rows = [np.flatnonzero(codes == code) for code in range(len(names))]
    across, heights = table[x].to_numpy(), table[y].to_numpy()
    if any(not np.array_equal(across[rows[0]], across[other]) for other in rows[1:]):
        raise ValueError(f"the curves of {series} must share their values of {x}")
    every = max(1, len(rows[0]) // 25)
    curves = {name: heights[mine[::every]] for name, mine in zip(names, rows, strict=True)}
    return pd.DataFrame({x: across[rows[0][::every]], **curves})


@kept
def _bars(x: str, y: str, x_title: str, y_title: str, y_domain: str | None) -> dict[str, Any]:
    across = alt.X(x, type="ordinal", title=x_title, sort=None, axis=alt.Axis(labelAngle=0))
    up = y_axis(y, y_title, "linear", y_domain)
    bars = alt.Chart(alt.NamedData("table")).mark_bar(clip=True, color=BLUE)
    return framed(bars.encode(across, up, tooltip=tooltip_of(x, x_title, y, y_title)))


@kept
def _histogram(low: str, high: str, count: str, x_title: str, y_title: str) -> dict[str, Any]:
    bins = alt.Chart(alt.NamedData("table")).mark_rect(stroke=None, color=BLUE)
    across = alt.X(
        low, type="quantitative", title=x_title, axis=axis_of("linear"), scale=alt.Scale(zero=False)
    )
    base = alt.Y("zero", type="quantitative", title=y_title, axis=axis_of("linear"))
    tip = tooltip_of(low, x_title, count, y_title)
    shape = bins.transform_calculate(zero="0").encode(across, alt.X2(high), base, tooltip=tip)
    return framed(shape.encode(alt.Y2(count)))


@kept
def _intervals(
    x: str, low: str, high: str, y: str, x_title: str, y_title: str, series: str, names: tuple,
    x_scale: ScaleKind, y_scale: ScaleKind,
) -> dict[str, Any]:  # fmt: skip
    base = alt.Chart(alt.NamedData("table")).encode(
        y_axis(y, y_title, y_scale, None),
        color=color_of(series, names),
    )
    across = alt.X(
        x, type="quantitative", title=x_title, axis=axis_of(x_scale), scale=alt.Scale(type=x_scale)
    )
    return framed(
        base.mark_rule(strokeWidth=2).encode(alt.X(low, type="quantitative"), alt.X2(high)),
        base.mark_point(filled=True, size=80, opacity=1).encode(
            across, tooltip=tooltip_of(x, x_title, y, y_title)
        ),
    )


@kept
def _ranked(
    x: str, y: str, names: tuple, x_title: str, y_title: str,
    x_domain: str | None, spread: tuple[str, str] | None, series: str | None,
    series_names: tuple,
) -> dict[str, Any]:  # fmt: skip
    label = f"({json.dumps(dict(names))})[datum.label]"
    up = alt.Y(
        y, type="nominal", title=y_title, sort=None,
        axis=alt.Axis(labelExpr=label, labelLimit=190, labelOverlap=False),
    )  # fmt: skip
    axis = axis_of("linear")
    axis["titleAnchor"] = "end"  # beside long names the title is wider than the plot
    across = alt.X(
        x, type="quantitative", title=x_title, axis=axis, scale=scale_of("linear", x_domain)
    )
    height = height_of(names)
    tip = [alt.Tooltip(y, type="nominal", title=y_title), number(x, x_title)]
    base = alt.Chart(alt.NamedData("table")).encode(up, tooltip=tip)
    dots = base.mark_point(filled=True, size=80, opacity=1).encode(
        across, color=color_of(series, series_names, "circle")
    )
    if spread:
        ends = alt.X(spread[0], type="quantitative", title=x_title), alt.X2(spread[1])
        rule = base.mark_rule(strokeWidth=2).encode(*ends, color=color_of(series, series_names))
        return framed(rule, dots, height=height)
    if series:
        return framed(dots, height=height)
    bars = base.mark_bar(color=BLUE).encode(across)
    text = base.mark_text(align="left", dx=4, color=alt.ExprRef(INK)).encode(
        across, alt.Text(x, type="quantitative", format=",")
    )
    return framed(bars, text, height=height)
