"""The chart verbs that pages share: one look, fixed colors, titles as arguments.

A verb takes tables and words and returns a Figure. The Vega-Lite specification depends on the
words and options alone, so it is built once and kept; a moving control only changes the data.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import altair as alt
import numpy as np
import pandas as pd

from ui.catalogue import cells

# The same thing has the same color on every page. Each is at least 3 : 1 against both themes.
BLUE, VERMILION, GREEN, PINK, OLIVE, GRAY, VIOLET = (
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#c26d9c",
    "#8a7a2f",
    "#7a7f87",
    "#9922ee",
)
PALETTE = (BLUE, VERMILION, GREEN, PINK, OLIVE, GRAY, VIOLET)
COLORS: Mapping[str, str] = {
    "exact": GRAY,
    "tanh": BLUE,
    "sigmoid": VERMILION,
    "error": BLUE,
    "polynomial": BLUE,
    "logit": GRAY,
    "rounding": GRAY,
    "silu": GREEN,
    "relu": PINK,
    "own": OLIVE,
    "tanh-fused": PINK,
    "silu-fused": GREEN,
    "scipy-exact": OLIVE,
    "sample": BLUE,
    "law": GRAY,
    "words": BLUE,
    "isotropic": GRAY,
    "expected": GRAY,
    "laplace": VERMILION,
    "better": GREEN,
    "normal-cosine": GREEN,
    "entrywise": BLUE,
    "entrywise-theory": BLUE,
    "frobenius": VERMILION,
    "frobenius-theory": VERMILION,
    "spectral": GREEN,
    "spectral-theory": GREEN,
    "forward": BLUE,
    "forward-theory": BLUE,
    "backward": VERMILION,
    "backward-theory": VERMILION,
    "cosine": BLUE,
    "cosine-theory": BLUE,
    "map": BLUE,
    "diagonal": GRAY,
    "cosine-map": BLUE,
    "unmoved": GRAY,
    "path": VERMILION,
    "start": BLUE,
    "linear": BLUE,
    "fused": VERMILION,
    "written": PINK,
    "cumulative": GREEN,
    "left": GREEN,
    "steps": GRAY,
    "crossing": OLIVE,
    "softmax": GRAY,
    "uniform": GRAY,
    "elu": VERMILION,
    "taylor2": GREEN,
    "taylor4": OLIVE,
    "favor": PINK,
    "sum": OLIVE,
    "identity-rms": OLIVE,
    "decay": PINK,
    "delta": BLUE,
    "parallel": GRAY,
    "recurrent": BLUE,
    "random": VERMILION,
    "cut": GRAY,
    "trained": BLUE,
    "paraphrase": BLUE,
    "negation": VERMILION,
    "swapped": PINK,
    "topic": OLIVE,
    "unrelated": GRAY,
    "train": BLUE,
    "test": VERMILION,
    "prior": GRAY,
    "code": BLUE,
    "l2": BLUE,
    "l1": VERMILION,
    "share": GRAY,
    "kl": BLUE,
    "simple": VERMILION,
    "box": GREEN,
    "variance": BLUE,
    "threshold": GRAY,
    "chance": GRAY,
    "irregular": PINK,
    "line": OLIVE,
    "ring": VERMILION,
    "disc": BLUE,
    "mean": VERMILION,
    "gradient": GREEN,
    "slope": GREEN,
    "newton": PINK,
    "zero": GRAY,
    "density": BLUE,
    "loss": GRAY,
    "closed": BLUE,
    "proportional": GREEN,
    "clip": GRAY,
    "guided": GREEN,
    "mixed": BLUE,
    "unguided": GRAY,
    "honest": VERMILION,
    "unit": BLUE,
    "mgs": VERMILION,
    "mgs-honest": VIOLET,
    "cross-entropy": GRAY,
    "evolution-strategies": OLIVE,
    "policy-gradient": BLUE,
    "policy-gradient-baseline": GREEN,
    "minimum-risk": PINK,
    "first-order": VIOLET,
    "cma-es": GRAY,
    "lowest": GRAY,
    "heavy": BLUE,
    "light": GRAY,
    "estimate": VERMILION,
    "truth": GREEN,
    "guide": PINK,
    "plain": VERMILION,
    "normalized": BLUE,
    "noisy": GREEN,
    "edge": GRAY,
    "level": GRAY,
    "gap": BLUE,
    "raw": VERMILION,
    "centered": GREEN,
    "rms": PINK,
    "standardized": BLUE,
    "whitened": OLIVE,
    "smoothness": VERMILION,
    "factor": BLUE,
    "none": VERMILION,
    "batch-before": GREEN,
    "batch-after": BLUE,
    "layer-after": PINK,
    "wire": BLUE,
    "eval": VERMILION,
}
HEIGHT = 360
TALL = 450  # of a matrix with long names on two sides
TILE = 64  # height of a picture in a grid
ScaleKind = Literal["linear", "log", "symlog"]


@dataclass(frozen=True)
class Figure:
    """A chart: a Vega-Lite specification and the tables that it names."""

    spec: Mapping[str, Any]
    tables: Mapping[str, pd.DataFrame]

    def to_dict(self) -> dict[str, Any]:
        """The specification with its tables as records, complete in itself."""
        records = {name: table.to_dict("records") for name, table in self.tables.items()}
        return {**self.spec, "datasets": records}

    def save(self, path: str | Path) -> None:
        """Write the chart as a file that a browser opens (.html) or Vega reads (.json)."""
        chart = alt.Chart.from_dict({**self.to_dict(), "width": 640})
        chart.save(str(path))


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
    band: tuple[str, str] | None = None,
) -> Figure:
    """Curves over x, one per value of `series`, named by `names` (code -> word).

    What is measured is drawn as dots: the codes in `points`. Those in `paths` go from row to row
    instead of from left to right. `band` names the columns between which a curve's surroundings are
    shaded. Scales are Vega's: linear, log, symlog. A curve has a gap where its y is NaN. Raises
    ValueError if the other curves do not share their x.
    """
    gaps = bool(table[y].isna().any())  # looking for them in the browser takes time
    spec = _lines(
        x, y, x_title, y_title, series, _pairs(names), x_scale, y_scale, x_domain, y_domain, points,
        paths, band, gaps,
    )  # fmt: skip
    curves = table if series is None else table[~table[series].isin([*points, *paths])]
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
    return Figure(_bars(x, y, x_title, y_title, y_domain), {"table": table})


def histogram(
    table: pd.DataFrame, *, low: str, high: str, count: str, x_title: str, y_title: str
) -> Figure:
    """Counts over bins that are already made: each row has its bin's edges."""
    return Figure(_histogram(low, high, count, x_title, y_title), {"table": table})


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
    names: Mapping[str, str] | None = None,
) -> Figure:
    """One colored cell per row; `domain` fixes the colors, so that pictures can be compared.

    Numbers on an axis rise; words stand in the order of the table, as they are read. `near`: the
    strong color is for small values. `names`: the words of the codes on the y axis.
    """
    words = not pd.api.types.is_numeric_dtype(table[x])
    named = _pairs(names)
    spec = _heatmap(x, y, value, x_title, y_title, value_title, domain, near, words, named)
    return Figure(spec, {"table": table})


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
    spec = _matrix(x, y, value, x_title, y_title, value_title, domain, wide)
    return Figure(spec, {"table": table})


def ribbons(
    table: pd.DataFrame,
    *,
    source: str,
    target: str,
    mass: str,
    cost: str,
    x_title: str,
    y_title: str,
    mass_title: str,
    cost_title: str,
    domain: tuple[float, float],
) -> Figure:
    """A plan of transport: each word on the left gives its mass to words on the right.

    One row per pair; a ribbon is as wide as the mass that moves, and the stronger in color the
    less it costs, within `domain`. Pointing at a word leaves its own ribbons.
    """
    spec = _ribbons(source, target, mass, cost, x_title, y_title, mass_title, cost_title, domain)
    places = {
        side: _stacked(table.groupby(word, sort=False)[mass].sum())
        for side, word in (("left", source), ("right", target))
    }
    moved = table[table[mass] > LEAST_MASS]
    tables = {
        "ribbons": _bands(moved, source, target, mass, cost, places),
        "words": _blocks(places),
    }
    return Figure(spec, tables)


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
    spec = _intervals(x, low, high, y, x_title, y_title, series, _pairs(names), x_scale, y_scale)
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
        x, y, _pairs(names), x_title, y_title, x_domain, spread, series, _pairs(series_names)
    )
    return Figure(spec, {"table": table})


def regions(
    table: pd.DataFrame,
    *,
    x: str,
    y: str,
    item: str,
    label: str,
    series: str,
    names: Mapping[str, str],
    x_title: str,
    y_title: str,
    reach: float,
) -> Figure:
    """Closed outlines, one per `item`, rows in the order of their vertices, on equal axes.

    In the middle of each stands its `label`, or a dot where that is empty. The square from -reach
    to reach is in the picture.
    """
    spec = _regions(x, y, item, label, series, _pairs(names), x_title, y_title, reach)
    return Figure(spec, {"table": table})


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
    spec = _image_grid(row, column, image, row_title, column_title, _pairs(names), count)
    return Figure(spec, {"table": table})


# ---- specifications: built once per set of words and options


@lru_cache(maxsize=512)
def _lines(
    x: str, y: str, x_title: str, y_title: str, series: str | None, names: tuple,
    x_scale: ScaleKind, y_scale: ScaleKind, x_domain: tuple[float, float] | None,
    y_domain: tuple[float, float] | None, points: tuple[str, ...], paths: tuple[str, ...],
    band: tuple[str, str] | None, gaps: bool,
) -> dict[str, Any]:  # fmt: skip
    reach: dict[str, Any] = {"domain": list(x_domain)} if x_domain else {}
    reach |= {"constant": 0.1} if x_scale == "symlog" else {}
    across = alt.X(
        x, type="quantitative", title=x_title, axis=_axis(x_scale),
        scale=alt.Scale(type=x_scale, nice=False, padding=6 if points else 0, **reach),
    )  # fmt: skip
    up = _up(y, y_title, y_scale, y_domain)
    drawn = tuple(pair for pair in names if pair[0] not in (*points, *paths))
    color = _color(series, names, "circle" if points and not drawn else "stroke")
    base = alt.Chart(alt.NamedData("table")).encode(across, up, color=color)
    lines = base.mark_line(
        strokeWidth=2, clip=True, invalid="break-paths-show-domains" if gaps else "show"
    )
    shade = [_surroundings(base, band, y_title, y_scale, y_domain)] if band else []
    if not points and not paths:
        return _framed(*shade, lines, _pointer(x, across, x_title, y, y_title, names))
    dots = base.mark_point(filled=True, size=36, opacity=0.85, clip=True)
    tip = _tooltip(x, x_title, y, y_title)
    path = base.mark_line(strokeWidth=1.5, clip=True).transform_window(row="row_number()")
    layers = [
        *shade,
        _only(lines, series, [code for code, _ in drawn]),
        _only(path.encode(order=alt.Order("row", type="quantitative")), series, paths),
        _pointer(x, across, x_title, y, y_title, drawn) if drawn else None,
        _only(dots.encode(tooltip=tip), series, points),
    ]
    return _framed(*(layer for layer in layers if layer is not None))


def _surroundings(
    base: alt.Chart, band: tuple[str, str], title: str, scale: ScaleKind,
    domain: tuple[float, float] | None,
) -> alt.Chart:  # fmt: skip
    """Shade from one column to another, in the curve's color."""
    low, high = band
    return base.mark_area(opacity=0.15, clip=True).encode(
        y=_up(low, title, scale, domain), y2=alt.Y2(high)
    )


def _only(chart: alt.Chart, series: str | None, codes: Sequence[str]) -> alt.Chart | None:
    """A layer of these series; none if there are none."""
    if not codes or series is None:
        return None
    return chart.transform_filter(alt.FieldOneOfPredicate(field=series, oneOf=list(codes)))


def _pointer(x: str, across: alt.X, x_title: str, y: str, y_title: str, names: tuple) -> alt.Chart:
    """Unseen verticals that say the values of every curve where the reader points."""
    values = [_number(code, name) for code, name in names] or [_number(y, y_title)]
    rule = alt.Chart(alt.NamedData("places")).mark_rule(strokeWidth=18, opacity=0)
    return rule.encode(across, tooltip=[_number(x, x_title), *values])


def _places(table: pd.DataFrame, x: str, y: str, series: str | None) -> pd.DataFrame:
    """About twenty-five places on the x axis with the value of every curve: one row each.

    Raises ValueError if the curves do not share their x.
    """
    curves = {y: table} if series is None else dict(list(table.groupby(series, sort=False)))
    if table.empty:
        return table
    across = [curve[x].to_numpy() for curve in curves.values()]
    if any(not np.array_equal(across[0], other) for other in across[1:]):
        raise ValueError(f"the curves of {series} must share their values of {x}")
    every = max(1, len(across[0]) // 25)
    heights = {name: curve[y].to_numpy()[::every] for name, curve in curves.items()}
    return pd.DataFrame({x: across[0][::every], **heights})


@lru_cache(maxsize=512)
def _bars(
    x: str, y: str, x_title: str, y_title: str, y_domain: tuple[float, float] | None
) -> dict[str, Any]:
    across = alt.X(x, type="ordinal", title=x_title, sort=None, axis=alt.Axis(labelAngle=0))
    up = _up(y, y_title, "linear", y_domain)
    bars = alt.Chart(alt.NamedData("table")).mark_bar(clip=True, color=BLUE)
    return _framed(bars.encode(across, up, tooltip=_tooltip(x, x_title, y, y_title)))


@lru_cache(maxsize=512)
def _histogram(low: str, high: str, count: str, x_title: str, y_title: str) -> dict[str, Any]:
    bins = alt.Chart(alt.NamedData("table")).mark_rect(stroke=None, color=BLUE)
    across = alt.X(
        low, type="quantitative", title=x_title, axis=_axis("linear"), scale=alt.Scale(zero=False)
    )
    base = alt.Y("zero", type="quantitative", title=y_title, axis=_axis("linear"))
    tip = _tooltip(low, x_title, count, y_title)
    shape = bins.transform_calculate(zero="0").encode(across, alt.X2(high), base, tooltip=tip)
    return _framed(shape.encode(alt.Y2(count)))


@lru_cache(maxsize=512)
def _heatmap(
    x: str, y: str, value: str, x_title: str, y_title: str, value_title: str,
    domain: tuple[float, float], near: bool, words: bool, names: tuple,
) -> dict[str, Any]:  # fmt: skip
    order: Any = {"sort": None} if words else {}
    slant: Any = alt.ExprRef("width < 48 * domain('x').length ? -60 : 0") if words else 0
    across = alt.X(x, type="ordinal", title=x_title, axis=alt.Axis(labelAngle=slant), **order)
    word = f"({json.dumps(dict(names))})[datum.label]" if names else "datum.label"
    side = alt.Axis(labelExpr=word, labelOverlap=not (words or names))
    up = alt.Y(y, type="ordinal", title=y_title, sort=None if words else "descending", axis=side)
    shade = _shade(value, value_title, domain, near)
    pair = [alt.Tooltip(n, type="nominal", title=s) for n, s in ((y, y_title), (x, x_title))]
    tip = pair if words else [_number(x, x_title), _number(y, y_title)]
    cells = alt.Chart(alt.NamedData("table")).mark_rect()
    return _framed(cells.encode(across, up, shade, tooltip=[*tip, _number(value, value_title)]))


def _shade(value: str, title: str, domain: tuple[float, float], near: bool) -> alt.Color:
    """A color scale that does not move; `near`: strong where the value is small."""
    scale = alt.Scale(domain=list(domain), clamp=True, reverse=near)
    key = alt.Legend(title=title, titleOrient="left", gradientLength=160)
    return alt.Color(value, type="quantitative", scale=scale, legend=key)


# ---- ribbons: laid out here, so that the browser only draws

LEAST_MASS = 1e-6  # below it a ribbon is thinner than anybody sees
_GAP = 0.03  # between two words, as a share of the height
_ALONG = np.linspace(0, 1, 17)
_INK = "luminance(background) < 0.2 ? '#e4e2dc' : '#22262b'"


@lru_cache(maxsize=512)
def _ribbons(
    source: str, target: str, mass: str, cost: str, x_title: str, y_title: str, mass_title: str,
    cost_title: str, domain: tuple[float, float],
) -> dict[str, Any]:  # fmt: skip
    bare = alt.Axis(labels=False, ticks=False, grid=False, domain=False)
    across = alt.X(
        "x", type="quantitative", title=x_title, axis=bare, scale=alt.Scale(domain=[-0.4, 1.4])
    )
    up = alt.Y(
        "low", type="quantitative", title=y_title, axis=bare,
        scale=alt.Scale(domain=[0, 1], reverse=True, nice=False),
    )  # fmt: skip
    ends = {"y": up, "y2": alt.Y2("high")}
    pointed = alt.selection_point(
        name="pointed", on="pointerover", clear="pointerout", fields=["key"]
    )
    own = "!isValid(pointed.key) || indexof([datum.left, datum.right], pointed.key[0]) >= 0"
    pair = alt.Tooltip("pair", type="nominal", title=x_title)
    tip = [pair, _number(mass, mass_title), _number(cost, cost_title)]
    bands = alt.Chart(alt.NamedData("ribbons")).mark_area(stroke=GRAY, strokeWidth=0.5)
    drawn = bands.encode(
        across, **ends, color=_shade(cost, cost_title, domain, near=True), detail="ribbon:N",
        opacity=alt.condition(own, alt.value(0.85), alt.value(0.06)), tooltip=tip,
    )  # fmt: skip
    words = alt.Chart(alt.NamedData("words"))
    say = [alt.Tooltip("word", type="nominal", title=y_title), _number("mass", mass_title)]
    block = words.mark_rect(color=GRAY).encode(across, alt.X2("x2"), **ends)
    touch = words.mark_rect(opacity=0).encode(
        alt.X("reach", type="quantitative", title=x_title), alt.X2("x2"), **ends, tooltip=say
    )
    return _framed(
        drawn, block, *(_words(words, across, y_title, side) for side in ("left", "right")),
        touch.add_params(pointed),
    )  # fmt: skip


def _words(words: alt.Chart, across: alt.X, y_title: str, side: str) -> alt.Chart:
    """The words of one side, beside their blocks."""
    left = side == "left"
    label = words.transform_filter(f"datum.side == '{side}'").mark_text(
        align="right" if left else "left", dx=-6 if left else 6, baseline="middle", fontSize=14,
        limit=alt.ExprRef("width * 0.21"), color=alt.ExprRef(_INK),
    )  # fmt: skip
    middle = alt.Y("middle", type="quantitative", title=y_title)
    return label.encode(across, middle, text="word:N")


def _stacked(masses: pd.Series) -> pd.DataFrame:
    """The words of one side below each other, as high as their masses: low and high in [0, 1]."""
    gap = _GAP if len(masses) < 12 else _GAP * 12 / len(masses) / 2
    height = (1 - gap * (len(masses) - 1)) / masses.sum()
    high = height * masses.cumsum() + gap * np.arange(len(masses))
    return pd.DataFrame({"low": high - height * masses, "high": high, "mass": masses})


def _blocks(places: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """A block for each word, and how far its label reaches."""
    found = []
    for side, edge, inward, reach in (("left", 0, 0.02, -0.4), ("right", 1, 0.98, 1.4)):
        place = places[side].rename_axis("word").reset_index()
        keys = side + ":" + place["word"].astype(str)
        middle = (place["low"] + place["high"]) / 2
        found.append(
            place.assign(side=side, key=keys, x=edge, x2=inward, reach=reach, middle=middle)
        )
    return pd.concat(found, ignore_index=True)


def _bands(
    table: pd.DataFrame, source: str, target: str, mass: str, cost: str,
    places: Mapping[str, pd.DataFrame],
) -> pd.DataFrame:  # fmt: skip
    """The outline of every ribbon: a smooth step from its place on the left to that on the right.

    At both ends ribbons lie in the order of the words they come from or go to.
    """
    ends = {}
    for side, word in (("left", source), ("right", target)):
        place = places[side].loc[table[word]]
        scale = float(((places[side]["high"] - places[side]["low"]) / places[side]["mass"]).max())
        before = table.groupby(word, sort=False)[mass].cumsum() - table[mass]
        low = place["low"].to_numpy() + scale * before.to_numpy()
        ends[side] = low, low + scale * table[mass].to_numpy()
    step = _ALONG**2 * (3 - 2 * _ALONG)
    (low0, high0), (low1, high1) = ends["left"], ends["right"]
    count = len(_ALONG)
    return pd.DataFrame(
        {
            "ribbon": np.repeat(np.arange(len(table)), count),
            "x": np.tile(0.02 + 0.96 * _ALONG, len(table)),
            "low": (low0[:, None] + (low1 - low0)[:, None] * step).ravel(),
            "high": (high0[:, None] + (high1 - high0)[:, None] * step).ravel(),
            "left": np.repeat(("left:" + table[source].astype(str)).to_numpy(), count),
            "right": np.repeat(("right:" + table[target].astype(str)).to_numpy(), count),
            "pair": np.repeat((table[source] + " → " + table[target]).to_numpy(), count),
            mass: np.repeat(table[mass].to_numpy(), count),
            cost: np.repeat(table[cost].to_numpy(), count),
        }
    )


@lru_cache(maxsize=512)
def _matrix(
    x: str, y: str, value: str, x_title: str, y_title: str, value_title: str,
    domain: tuple[float, float], wide: bool,
) -> dict[str, Any]:  # fmt: skip
    kind: dict[str, Any] = {"domainMid": 0} if domain[0] < 0 else {"type": "sqrt"}
    label: dict[str, Any] = {"labelOverlap": "greedy", "labelLimit": 90}
    below = alt.Axis(labelAngle=-90 if wide else 0, **label)
    across = alt.X(x, type="nominal", title=x_title, sort=None, axis=below)
    down = alt.Y(y, type="nominal", title=y_title, sort=None, axis=alt.Axis(**label))
    shade = alt.Color(
        value, type="quantitative", scale=alt.Scale(domain=list(domain), clamp=True, **kind),
        legend=alt.Legend(title=value_title, titleOrient="left", gradientLength=160, tickCount=4),
    )  # fmt: skip
    tip = [
        alt.Tooltip(y, type="nominal", title=y_title),
        alt.Tooltip(x, type="nominal", title=x_title),
        _number(value, value_title),
    ]
    cells = alt.Chart(alt.NamedData("table")).mark_rect()
    return _framed(cells.encode(across, down, shade, tooltip=tip)) | {
        "height": TALL if wide else HEIGHT
    }


@lru_cache(maxsize=512)
def _intervals(
    x: str, low: str, high: str, y: str, x_title: str, y_title: str, series: str, names: tuple,
    x_scale: ScaleKind, y_scale: ScaleKind,
) -> dict[str, Any]:  # fmt: skip
    base = alt.Chart(alt.NamedData("table")).encode(
        _up(y, y_title, y_scale, None),
        color=_color(series, names),
    )
    place = alt.X(
        x, type="quantitative", title=x_title, axis=_axis(x_scale), scale=alt.Scale(type=x_scale)
    )
    return _framed(
        base.mark_rule(strokeWidth=2).encode(alt.X(low, type="quantitative"), alt.X2(high)),
        base.mark_point(filled=True, size=80, opacity=1).encode(
            place, tooltip=_tooltip(x, x_title, y, y_title)
        ),
    )


@lru_cache(maxsize=512)
def _ranked(
    x: str, y: str, names: tuple, x_title: str, y_title: str,
    x_domain: tuple[float, float] | None, spread: tuple[str, str] | None, series: str | None,
    series_names: tuple,
) -> dict[str, Any]:  # fmt: skip
    label = f"({json.dumps(dict(names))})[datum.label]"
    up = alt.Y(
        y, type="nominal", title=y_title, sort=None, axis=alt.Axis(labelExpr=label, labelLimit=190)
    )
    across = alt.X(
        x, type="quantitative", title=x_title, axis=_axis("linear"),
        scale=_scale("linear", x_domain),
    )  # fmt: skip
    tip = [alt.Tooltip(y, type="nominal", title=y_title), _number(x, x_title)]
    base = alt.Chart(alt.NamedData("table")).encode(up, tooltip=tip)
    dots = base.mark_point(filled=True, size=80, opacity=1).encode(
        across, color=_color(series, series_names, "circle")
    )
    if spread:
        ends = alt.X(spread[0], type="quantitative", title=x_title), alt.X2(spread[1])
        rule = base.mark_rule(strokeWidth=2).encode(*ends, color=_color(series, series_names))
        return _framed(rule, dots)
    if series:
        return _framed(dots)
    bars = base.mark_bar(color=BLUE).encode(across)
    text = base.mark_text(align="left", dx=4, color=alt.ExprRef(_INK)).encode(
        across, alt.Text(x, type="quantitative", format=",")
    )
    return _framed(bars, text)


@lru_cache(maxsize=512)
def _regions(
    x: str, y: str, item: str, label: str, series: str, names: tuple, x_title: str, y_title: str,
    reach: float,
) -> dict[str, Any]:  # fmt: skip
    # As many units to a pixel across as up, whatever the width of the page.
    ends = [alt.ExprRef(f"{sign}{reach} * max(1, width / height)") for sign in ("-", "")]
    ups = [alt.ExprRef(f"{sign}{reach} * max(1, height / width)") for sign in ("-", "")]
    across: dict[str, Any] = {"scale": alt.Scale(domain=ends, nice=False), "title": x_title}
    up: dict[str, Any] = {"scale": alt.Scale(domain=ups, nice=False), "title": y_title}
    color = _color(series, names)
    base = alt.Chart(alt.NamedData("table")).encode(detail=f"{item}:N")
    vertices = base.transform_window(vertex="row_number()").encode(
        alt.X(x, type="quantitative", **across),
        alt.Y(y, type="quantitative", **up),
        color=color,
        order=alt.Order("vertex", type="quantitative"),
    )
    closed: dict[str, Any] = {"interpolate": "linear-closed", "clip": True}
    outline = vertices.mark_line(strokeWidth=1, strokeOpacity=0.8, **closed)
    inside = vertices.mark_line(filled=True, fillOpacity=0.14, **closed)
    middle = base.encode(
        alt.X(f"mean({x})", type="quantitative", **across),
        alt.Y(f"mean({y})", type="quantitative", **up),
        color=color,
    )
    named = f"datum['{label}'] != ''"
    words = middle.encode(text=alt.Text(label, type="nominal")).transform_filter(named)
    dots = middle.transform_filter(f"!({named})").mark_point(filled=True, size=14, clip=True)
    return _framed(inside, outline, dots, words.mark_text(fontSize=11, clip=True), height=440)


@lru_cache(maxsize=512)
def _image_grid(
    row: str, column: str, image: str, row_title: str, column_title: str, names: tuple, count: int
) -> dict[str, Any]:
    word = f"({json.dumps(dict(names))})[datum.label] || datum.label"
    side = alt.Axis(labelExpr=word, domain=False, ticks=False, labelLimit=110, labelPadding=6)
    below = alt.Axis(labelAngle=0, domain=False, ticks=False, labelOverlap=True)
    tight = alt.Scale(paddingInner=0.06, paddingOuter=0)
    room: dict[str, Any] = {
        "width": alt.ExprRef("bandwidth('x')"),
        "height": alt.ExprRef("bandwidth('y')"),
    }
    tiles = alt.Chart(alt.NamedData("table")).mark_image(aspect=True, **room)
    return _framed(
        tiles.encode(
            alt.X(column, type="ordinal", sort=None, title=column_title, axis=below, scale=tight),
            alt.Y(row, type="ordinal", sort=None, title=row_title, axis=side, scale=tight),
            url=alt.Url(image, type="nominal"),
        ),
        height=count * TILE + 20,
    )


def _framed(*layers: alt.Chart, height: int = HEIGHT) -> dict[str, Any]:
    chart = alt.layer(*layers).properties(height=height)
    return chart.configure_legend(orient="top", title=None, labelLimit=0).to_dict()


def _up(y: str, title: str, scale: ScaleKind, domain: tuple[float, float] | None) -> alt.Y:
    return alt.Y(
        y, type="quantitative", title=title, axis=_axis(scale, "y"), scale=_scale(scale, domain)
    )


def _axis(scale: ScaleKind, channel: str = "x") -> alt.Axis:
    """A log axis draws and names whole powers; over less than a decade, 2 and 5 of them, too."""
    if scale != "log":
        return alt.Axis(tickCount=7)
    digit = "round(datum.value / pow(10, floor(log(datum.value) / LN10 + 1e-9)))"
    named = f"(domain('{channel}')[1] < 20 * domain('{channel}')[0] ? [1, 2, 5] : [1])"
    plain = "datum.value >= 0.01 && datum.value < 10000"
    words = f"{plain} ? format(datum.value, '~g') : format(datum.value, '.0e')"
    return alt.Axis(
        labelExpr=f"indexof({named}, {digit}) < 0 ? '' : {words}",
        gridOpacity={"condition": {"test": f"{digit} == 1", "value": 1}, "value": 0},
        tickCount=6,
    )


def _scale(kind: ScaleKind, domain: tuple[float, float] | None) -> alt.Scale:
    options: dict[str, Any] = {"type": kind, "zero": False} if kind == "linear" else {"type": kind}
    if kind == "symlog":
        options["constant"] = 1e-3
    if domain:
        options |= {"domain": list(domain), "nice": False}
    return alt.Scale(**options)


def _color(series: str | None, names: tuple, symbol: str = "stroke") -> Any:
    """Fixed colors per code; the legend shows the words."""
    if series is None:
        return alt.value(BLUE)
    codes = [code for code, _ in names]
    taken = {COLORS.get(code) for code in codes}
    spare = (color for color in PALETTE if color not in taken)
    colors = [COLORS.get(code) or next(spare) for code in codes]
    label = f"({json.dumps(dict(names))})[datum.label]"
    # On a phone the words stand below each other instead of running out of the picture.
    longest = max((cells(word) for _, word in names), default=1)
    columns = alt.ExprRef(f"clamp(floor(width / {30 + 7 * longest}), 1, 4)")
    # One entry a color: what is measured and what is expected of it share theirs.
    listed = [code for at, code in enumerate(codes) if colors[at] not in colors[:at]]
    key = alt.Legend(
        labelExpr=label, symbolType=symbol, symbolOpacity=1, columns=columns, values=listed
    )
    return alt.Color(
        series, type="nominal", scale=alt.Scale(domain=codes, range=colors), legend=key
    )


def _tooltip(x: str, x_title: str, y: str, y_title: str) -> list[alt.Tooltip]:
    return [_number(x, x_title), _number(y, y_title)]


def _number(field: str, title: str) -> alt.Tooltip:
    return alt.Tooltip(field, type="quantitative", title=title, format=".5~g")


def _pairs(names: Mapping[str, str] | None) -> tuple[tuple[str, str], ...]:
    return tuple((names or {}).items())
