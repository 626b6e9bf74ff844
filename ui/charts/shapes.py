"""Areas: a plan of transport as ribbons, outlines in the plane."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from ui.charts.palette import GRAY
from ui.charts.parts import (
    INK,
    SHADE,
    Figure,
    color_of,
    filled,
    framed,
    kept,
    number,
    pairs,
    shade_of,
)


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
    spec = _ribbons(source, target, mass, cost, x_title, y_title, mass_title, cost_title)
    moved = (table[mass] > LEAST_MASS).to_numpy()
    sides = {"left": _side(table[source], table[mass]), "right": _side(table[target], table[mass])}
    tables = {
        "ribbons": _bands(table[[mass, cost]].to_numpy(float)[moved], moved, mass, cost, sides),
        "words": _blocks(sides),
    }
    return Figure(filled(spec, {SHADE: domain}), tables)


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
    """Closed outlines, one per `item`, its rows together in the order of vertices, on equal axes.

    In the middle of each stands its `label`, or a dot where that is empty. The square from -reach
    to reach is in the picture.
    """
    spec = _regions(x, y, label, series, pairs(names), x_title, y_title, reach)
    starts = _starts(table[item])
    return Figure(
        spec,
        {
            "outlines": _closed(table, starts, x, y, series),
            "middles": _middles(table, starts, x, y, series, label),
        },
    )


def _starts(items: pd.Series) -> np.ndarray:
    """The first row of every outline."""
    codes = pd.factorize(items)[0]
    return np.flatnonzero(np.diff(codes, prepend=-1))


def _closed(table: pd.DataFrame, starts: np.ndarray, x: str, y: str, series: str) -> pd.DataFrame:
    """Each outline back to its first vertex, then a row that breaks the path.

    So the outlines of a series are one path: hundreds of paths take the browser half a second.
    """
    ends = np.append(starts[1:], len(table))
    again = np.repeat(starts, 2)  # for the vertex that closes, and for the break
    rows = np.insert(np.arange(len(table)), np.repeat(ends, 2), again)
    breaks = ends + 2 * np.arange(1, len(ends) + 1) - 1
    places = table[[x, y]].to_numpy(float)[rows]
    places[breaks] = np.nan
    words = table[series].to_numpy()[rows]
    columns = {x: places[:, 0], y: places[:, 1], series: words, "vertex": np.arange(len(rows))}
    return pd.DataFrame(columns)


def _middles(table: pd.DataFrame, starts: np.ndarray, x: str, y: str, *words: str) -> pd.DataFrame:
    """The mean of every outline's vertices, and the words of its first."""
    sizes = np.diff(starts, append=len(table))
    means = {name: np.add.reduceat(table[name].to_numpy(float), starts) / sizes for name in (x, y)}
    return pd.DataFrame(means | {name: table[name].to_numpy()[starts] for name in words})


LEAST_MASS = 1e-6  # below it a ribbon is thinner than anybody sees


_GAP = 0.03  # between two words, as a share of the height


_ALONG = np.linspace(0, 1, 17)


@kept
def _ribbons(
    source: str, target: str, mass: str, cost: str, x_title: str, y_title: str, mass_title: str,
    cost_title: str,
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
    tip = [pair, number(mass, mass_title), number(cost, cost_title)]
    bands = alt.Chart(alt.NamedData("ribbons")).mark_area(stroke=GRAY, strokeWidth=0.5)
    drawn = bands.encode(
        across, **ends, color=shade_of(cost, cost_title, near=True), detail="ribbon:N",
        opacity=alt.condition(own, alt.value(0.85), alt.value(0.06)), tooltip=tip,
    )  # fmt: skip
    words = alt.Chart(alt.NamedData("words"))
    say = [alt.Tooltip("word", type="nominal", title=y_title), number("mass", mass_title)]
    block = words.mark_rect(color=GRAY).encode(across, alt.X2("x2"), **ends)
    touch = words.mark_rect(opacity=0).encode(
        alt.X("reach", type="quantitative", title=x_title), alt.X2("x2"), **ends, tooltip=say
    )
    return framed(
        drawn, block, *(_words(words, across, y_title, side) for side in ("left", "right")),
        touch.add_params(pointed),
    )  # fmt: skip


def _words(words: alt.Chart, across: alt.X, y_title: str, side: str) -> alt.Chart:
    """The words of one side, beside their blocks."""
    left = side == "left"
    label = words.transform_filter(f"datum.side == '{side}'").mark_text(
        align="right" if left else "left", dx=-6 if left else 6, baseline="middle", fontSize=14,
        limit=alt.ExprRef("width * 0.21"), color=alt.ExprRef(INK),
    )  # fmt: skip
    middle = alt.Y("middle", type="quantitative", title=y_title)
    return label.encode(across, middle, text="word:N")


@dataclass(frozen=True)
class _Side:
    """The words of one side below each other, as high as their masses: low and high in [0, 1]."""

    words: np.ndarray  # strings
    codes: np.ndarray  # of every row of the plan: which word
    mass: np.ndarray  # of every word
    low: np.ndarray
    high: np.ndarray
    scale: float  # height by mass


def _side(words: pd.Series, masses: pd.Series) -> _Side:
    codes, names = pd.factorize(words)
    mass = np.bincount(codes, masses, len(names))
    gap = _GAP if len(mass) < 12 else _GAP * 12 / len(mass) / 2
    scale = (1 - gap * (len(mass) - 1)) / mass.sum()
    high = scale * mass.cumsum() + gap * np.arange(len(mass))
    return _Side(np.array(names, dtype=object), codes, mass, high - scale * mass, high, scale)


def _blocks(sides: Mapping[str, _Side]) -> pd.DataFrame:
    """A block for each word, and how far its label reaches."""
    edges = {"left": (0, 0.02, -0.4), "right": (1, 0.98, 1.4)}
    side = np.repeat(list(edges), [len(sides[name].words) for name in edges])
    x, inward, reach = np.array([edges[name] for name in side]).T
    word, mass, low, high = (
        np.concatenate([getattr(sides[name], column) for name in edges])
        for column in ("words", "mass", "low", "high")
    )
    keys = [f"{name}:{one}" for name, one in zip(side, word, strict=True)]
    return pd.DataFrame(
        {
            "word": word, "low": low, "high": high, "mass": mass, "side": side, "key": keys,
            "x": x, "x2": inward, "reach": reach, "middle": (low + high) / 2,
        }
    )  # fmt: skip


def _bands(
    numbers: np.ndarray, moved: np.ndarray, mass: str, cost: str, sides: Mapping[str, _Side]
) -> pd.DataFrame:
    """The outline of every ribbon: a smooth step from its place on the left to that on the right.

    At both ends ribbons lie in the order of the words they come from or go to. `numbers`: mass and
    cost of those that are `moved`.
    """
    width, ends = numbers[:, 0], {}
    for name, side in sides.items():
        codes = side.codes[moved]
        low = side.low[codes] + side.scale * _before(codes, width)
        ends[name] = low, low + side.scale * width
    step = _ALONG**2 * (3 - 2 * _ALONG)
    (low0, high0), (low1, high1) = ends["left"], ends["right"]
    first, second = (side.words[side.codes[moved]].tolist() for side in sides.values())
    rows = np.repeat(np.arange(len(width)), len(_ALONG))
    said = {
        "left": [f"left:{word}" for word in first],
        "right": [f"right:{word}" for word in second],
        "pair": [f"{a} → {b}" for a, b in zip(first, second, strict=True)],
    }
    return pd.DataFrame(
        {
            "ribbon": rows,
            "x": np.tile(0.02 + 0.96 * _ALONG, len(width)),
            "low": (low0[:, None] + (low1 - low0)[:, None] * step).ravel(),
            "high": (high0[:, None] + (high1 - high0)[:, None] * step).ravel(),
            **{name: pd.array(texts, dtype="str").take(rows) for name, texts in said.items()},
            mass: width[rows],
            cost: numbers[rows, 1],
        }
    )


def _before(codes: np.ndarray, width: np.ndarray) -> np.ndarray:
    """How much of the same word comes before each row."""
    order = np.argsort(codes, kind="stable")
    total = width[order].cumsum() - width[order]
    _, first, counts = np.unique(codes[order], return_index=True, return_counts=True)
    found = np.empty(len(width))
    found[order] = total - np.repeat(total[first], counts)
    return found


@kept
def _regions(
    x: str, y: str, label: str, series: str, names: tuple, x_title: str, y_title: str, reach: float
) -> dict[str, Any]:  # fmt: skip
    # As many units to a pixel across as up, whatever the width of the page.
    ends = [alt.ExprRef(f"{sign}{reach} * max(1, width / height)") for sign in ("-", "")]
    ups = [alt.ExprRef(f"{sign}{reach} * max(1, height / width)") for sign in ("-", "")]
    color = color_of(series, names)
    place = {
        "x": alt.X(x, type="quantitative", title=x_title, scale=alt.Scale(domain=ends, nice=False)),
        "y": alt.Y(y, type="quantitative", title=y_title, scale=alt.Scale(domain=ups, nice=False)),
        "color": color,
    }
    areas = alt.Chart(alt.NamedData("outlines")).mark_line(
        filled=True, fillOpacity=0.14, strokeWidth=1, strokeOpacity=0.8, clip=True,
        invalid="break-paths-show-domains",
    ).encode(
        **place,
        stroke=alt.Stroke(series, type="nominal", scale=color["scale"], legend=None),
        order=alt.Order("vertex", type="quantitative"),
    )  # fmt: skip
    middle = alt.Chart(alt.NamedData("middles")).encode(**place)
    named = f"datum['{label}'] != ''"
    words = middle.encode(text=alt.Text(label, type="nominal")).transform_filter(named)
    dots = middle.transform_filter(f"!({named})").mark_point(filled=True, size=14, clip=True)
    return framed(areas, dots, words.mark_text(fontSize=11, clip=True), height=440)
