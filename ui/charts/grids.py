"""Rows and columns: heat maps, matrices, pictures."""

import json
from collections.abc import Mapping
from typing import Any

import altair as alt
import pandas as pd

from ui.charts.parts import (
    HEIGHT,
    SHADE,
    Figure,
    filled,
    framed,
    height_of,
    kept,
    number,
    pairs,
    shade_of,
)

TALL = 450  # of a matrix with long names on two sides
TILE = 64  # height of a picture in a grid


def heatmap(
    table: pd.DataFrame,
    *,
    x: str,
    y: str,
    value: str,
    x_title: str,
    y_title: str,
    value_title: str,
    domain: tuple[float, float],
    near: bool = False,
    signed: bool = False,
    height: int = HEIGHT,
    names: Mapping[str, str] | None = None,
) -> Figure:
    """One colored cell per row, none where the value is NaN; `domain` fixes the colors.

    Numbers on an axis rise; words stand in the order of the table, as they are read. `near`: the
    strong color is for small values; `signed`: colors diverge from 0. `names`: the words of the
    codes on the y axis.
    """
    words = not pd.api.types.is_numeric_dtype(table[x])
    # Where rows have names, a row or column without any value keeps its place.
    listed = tuple(tuple(table[axis].unique().tolist()) for axis in (x, y)) if names else ((), ())
    how = (near, signed, height, words, pairs(names), listed)
    spec = _heatmap(x, y, value, x_title, y_title, value_title, *how)
    return Figure(filled(spec, {SHADE: domain}), {"table": table})


def matrix(
    table: pd.DataFrame,
    *,
    x: str,
    y: str,
    value: str,
    x_title: str,
    y_title: str,
    value_title: str,
    domain: tuple[float, float],
) -> Figure:
    """The cells of a matrix, first row on top, rows and columns in the order of the table.

    `domain` fixes the colors. From 0 on they follow the square root, so that small weights are
    seen beside large ones; a domain with both signs diverges from 0, and clamps.
    """
    wide = bool(table[x].str.len().max() > 3)  # labels that do not fit beside each other
    spec = _matrix(x, y, value, x_title, y_title, value_title, domain[0] < 0, wide)
    return Figure(filled(spec, {SHADE: domain}), {"table": table})


def image_grid(
    table: pd.DataFrame,
    *,
    row: str,
    column: str,
    image: str,
    row_title: str,
    column_title: str,
    names: Mapping[str, str] | None = None,
) -> Figure:
    """Pictures in rows and columns; `image` is a data URL, `names` the words of the rows."""
    count = int(table[row].nunique())
    spec = _image_grid(row, column, image, row_title, column_title, pairs(names), count)
    return Figure(spec, {"table": table})


@kept
def _heatmap(
    x: str, y: str, value: str, x_title: str, y_title: str, value_title: str, near: bool,
    signed: bool, height: int, words: bool, names: tuple, listed: tuple[tuple, tuple],
) -> dict[str, Any]:  # fmt: skip
    # Numbers by themselves: so the place of a cell that has no value stays.
    order: Any = None if words else alt.EncodingSortField(x, op="min")
    slant: Any = alt.ExprRef("width < 48 * domain('x').length ? -60 : 0") if words else 0
    columns, rows = (alt.Scale(domain=list(p)) if p else alt.Undefined for p in listed)
    across = alt.X(
        x, type="ordinal", title=x_title, sort=order, axis=alt.Axis(labelAngle=slant), scale=columns
    )
    word = f"({json.dumps(dict(names))})[datum.label]" if names else "datum.label"
    side = alt.Axis(labelExpr=word, labelOverlap=not (words or names), labelLimit=190)
    up = alt.Y(
        y, type="ordinal", title=y_title, sort=None if words else "descending", axis=side,
        scale=rows,
    )  # fmt: skip
    shade = shade_of(value, value_title, near, signed)
    pair = [alt.Tooltip(n, type="nominal", title=s) for n, s in ((y, y_title), (x, x_title))]
    tip = pair if words else [number(x, x_title), number(y, y_title)]
    cells = alt.Chart(alt.NamedData("table")).mark_rect()
    told = [*tip, number(value, value_title)]
    shape = cells.encode(across, up, shade, tooltip=told)
    return framed(shape, height=max(height, height_of(names)))


@kept
def _matrix(
    x: str, y: str, value: str, x_title: str, y_title: str, value_title: str, both_signs: bool,
    wide: bool,
) -> dict[str, Any]:  # fmt: skip
    kind: dict[str, Any] = {"domainMid": 0} if both_signs else {"type": "sqrt"}
    label: dict[str, Any] = {"labelOverlap": "greedy", "labelLimit": 90}
    below = alt.Axis(labelAngle=-90 if wide else 0, **label)
    across = alt.X(x, type="nominal", title=x_title, sort=None, axis=below)
    down = alt.Y(y, type="nominal", title=y_title, sort=None, axis=alt.Axis(**label))
    shade = alt.Color(
        value, type="quantitative", scale=alt.Scale(domain=[SHADE], clamp=True, **kind),
        legend=alt.Legend(title=value_title, titleOrient="left", gradientLength=160, tickCount=4),
    )  # fmt: skip
    tip = [
        alt.Tooltip(y, type="nominal", title=y_title),
        alt.Tooltip(x, type="nominal", title=x_title),
        number(value, value_title),
    ]
    cells = alt.Chart(alt.NamedData("table")).mark_rect()
    return framed(cells.encode(across, down, shade, tooltip=tip)) | {
        "height": TALL if wide else HEIGHT
    }


@kept
def _image_grid(
    row: str, column: str, image: str, row_title: str, column_title: str, names: tuple, count: int
) -> dict[str, Any]:
    word = f"({json.dumps(dict(names))})[datum.label] || datum.label"
    side = alt.Axis(labelExpr=word, domain=False, ticks=False, labelLimit=190, labelPadding=6)
    below = alt.Axis(labelAngle=0, domain=False, ticks=False, labelOverlap=True)
    tight = alt.Scale(paddingInner=0.06, paddingOuter=0)
    room: dict[str, Any] = {
        "width": alt.ExprRef("bandwidth('x')"),
        "height": alt.ExprRef("bandwidth('y')"),
    }
    tiles = alt.Chart(alt.NamedData("table")).mark_image(aspect=True, **room)
    return framed(
        tiles.encode(
            alt.X(column, type="ordinal", sort=None, title=column_title, axis=below, scale=tight),
            alt.Y(row, type="ordinal", sort=None, title=row_title, axis=side, scale=tight),
            url=alt.Url(image, type="nominal"),
        ),
        height=count * TILE + 76,  # the figure, with the axis and its title below
    )
