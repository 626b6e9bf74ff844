"""Areas: a plan of transport as ribbons, outlines in the plane."""

from collections.abc import Mapping
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
    places = {
        side: _stacked(table.groupby(word, sort=False)[mass].sum())
        for side, word in (("left", source), ("right", target))
    }
    moved = table[table[mass] > LEAST_MASS]
    tables = {
        "ribbons": _bands(moved, source, target, mass, cost, places),
        "words": _blocks(places),
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
