"""What the chart verbs are made of: the figure, axes, scales, colors, tooltips."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, wraps
from pathlib import Path
from typing import Any, Literal

import altair as alt
import pandas as pd
from altair.utils.schemapi import debug_mode

from ui.catalogue import cells
from ui.charts.palette import BLUE, COLORS, PALETTE, ramp

HEIGHT = 360
ROW = 24  # of a picture with a word a row
AROUND = 120  # legend, axis and title of such a picture
INK = "luminance(background) < 0.2 ? '#e4e2dc' : '#22262b'"  # of words on either theme
# Of axes and legends: the themes' gray of words. Streamlit's own is too pale to read on paper.
PALE = "luminance(background) < 0.2 ? '#a3a9b1' : '#5c626a'"
ScaleKind = Literal["linear", "log", "symlog"]
Domain = tuple[float, float]
# They hold the places of domains, which move with the controls, in a specification that is kept.
ACROSS, UP, SHADE = "@across", "@up", "@shade"


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


def shade_of(value: str, title: str, near: bool, signed: bool = False) -> alt.Color:
    """A color scale that does not move; `near`: strong where the value is small; `signed`: it
    diverges from 0.
    """
    middle: dict[str, Any] = {"domainMid": 0, "interpolate": "rgb"} if signed else {}
    scale = alt.Scale(domain=[SHADE], clamp=True, reverse=near, **middle)
    key = alt.Legend(title=title, titleOrient="left", gradientLength=160)
    return alt.Color(value, type="quantitative", scale=scale, legend=key)


def framed(*layers: alt.Chart, height: int = HEIGHT) -> dict[str, Any]:
    """Layers on top of each other, the legend above them.

    Marks have no tooltip that they don't ask for, and no words for a screen reader, whom the
    picture's own text tells: both would be written anew for every point at every change.
    """
    chart = alt.layer(*layers).properties(height=height)
    words: dict[str, Any] = {"labelColor": alt.ExprRef(PALE), "titleColor": alt.ExprRef(PALE)}
    legend = alt.LegendConfig(orient="top", title=None, labelLimit=0, **words)
    mark = alt.MarkConfig(tooltip=None, aria=False)
    axis = alt.AxisConfig(**words)
    chart = chart.configure(aria=False, axis=axis, legend=legend, mark=mark)
    return chart.to_dict(validate=False)  # half the time; the tests validate


def kept(build: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """The function with its specifications kept: each is made once for its words and options."""

    @lru_cache(maxsize=512)
    @wraps(build)
    def once(*arguments: Any) -> dict[str, Any]:
        with debug_mode(False):  # nor are its parts validated
            return build(*arguments)

    return once


def place(holder: str, domain: Domain | None) -> str | None:
    """What holds the place of a domain, if there is one."""
    return holder if domain else None


def filled(node: Any, domains: Mapping[str, Domain | None]) -> Any:
    """A kept specification with the domains in their places; the same one if there are none."""
    if not any(domains.values()):
        return node
    if isinstance(node, Mapping):
        return {key: filled(value, domains) for key, value in node.items()}
    if not isinstance(node, list):
        return node
    holder = node[0] if len(node) == 1 else None
    domain = domains.get(holder) if isinstance(holder, str) else None
    return list(domain) if domain else [filled(item, domains) for item in node]


def height_of(names: tuple) -> int:
    """Room for a word a row."""
    return max(HEIGHT, ROW * len(names) + AROUND)


def bare(spec: Mapping[str, Any], height: int) -> dict[str, Any]:
    """A specification without axes and legends, for a small picture."""
    return {**_undressed(spec), "height": height}


def _undressed(node: Any) -> Any:
    if isinstance(node, list):
        return [_undressed(item) for item in node]
    if not isinstance(node, Mapping):
        return node
    plain = {key: _undressed(value) for key, value in node.items()}
    for channel, dress in (("x", "axis"), ("y", "axis"), ("color", "legend")):
        if "type" in plain.get(channel, ()):
            plain[channel] = {**plain[channel], dress: None}
    return plain


def y_axis(y: str, title: str, scale: ScaleKind, domain: str | None) -> alt.Y:
    """A number upward, with its axis and scale."""
    return alt.Y(
        y, type="quantitative", title=title, axis=axis_of(scale, "y"), scale=scale_of(scale, domain)
    )


def axis_of(scale: ScaleKind, channel: str = "x", whole: bool = False) -> alt.Axis:
    """A log axis draws and names whole powers; over less than a decade, 2 and 5 of them, too.

    Between `whole` numbers there are no ticks.
    """
    if scale != "log":
        return alt.Axis(tickCount=7, tickMinStep=1, format=",d") if whole else alt.Axis(tickCount=7)
    digit = "round(datum.value / pow(10, floor(log(datum.value) / LN10 + 1e-9)))"
    named = f"(domain('{channel}')[1] < 20 * domain('{channel}')[0] ? [1, 2, 5] : [1])"
    plain = "datum.value >= 0.01 && datum.value < 10000"
    words = f"{plain} ? format(datum.value, '~g') : {_power(digit)}"
    return alt.Axis(
        labelExpr=f"indexof({named}, {digit}) < 0 ? '' : {words}",
        gridOpacity={"condition": {"test": f"{digit} == 1", "value": 1}, "value": 0},
        tickCount=6,
    )


def _power(digit: str) -> str:
    """A Vega expression for digit × 10ⁿ, as numbers in the text are written."""
    size = "abs(round(log(datum.value / DIGIT) / LN10))".replace("DIGIT", digit)
    raised = [
        f"substring('⁰¹²³⁴⁵⁶⁷⁸⁹', {at}, {at} + 1)"
        for at in (f"floor({size} / 10) % 10", f"{size} % 10")
    ]
    tens = f"({size} < 10 ? '' : {raised[0]})"
    sign = "(datum.value < 1 ? '⁻' : '')"
    factor = f"({digit} == 1 ? '' : {digit} + '×')"
    exponent = f"{sign} + {tens} + {raised[1]}"
    return f"{size} > 99 ? format(datum.value, '.0e') : {factor} + '10' + {exponent}"


def scale_of(kind: ScaleKind, domain: str | None) -> alt.Scale:
    """A scale; with a domain it does not move."""
    options: dict[str, Any] = {"type": kind, "zero": False} if kind == "linear" else {"type": kind}
    if kind == "symlog":
        options["constant"] = 1e-3
    if domain:
        options |= {"domain": [domain], "nice": False}
    return alt.Scale(**options)


def color_of(series: str | None, names: tuple, symbol: str = "stroke") -> Any:
    """Fixed colors per code; the legend shows the words."""
    if series is None:
        return alt.value(BLUE)
    codes = [code for code, _ in names]
    taken = {COLORS.get(code) for code in codes}
    spare = [color for color in PALETTE if color not in taken]
    missing = [code for code in codes if code not in COLORS]
    own = zip(missing, spare if len(missing) <= len(spare) else ramp(len(missing)), strict=False)
    found = {**COLORS, **dict(own)}
    colors = [found[code] for code in codes]
    label = f"({json.dumps(dict(names))})[datum.label]"
    # On a phone the words stand below each other instead of running out of the picture.
    longest = max((cells(word) for _, word in names), default=1)
    columns = alt.ExprRef(f"clamp(floor((width - 30) / {30 + 7.7 * longest:.0f}), 1, 4)")
    # One entry a color: what is measured and what is expected of it share theirs.
    listed = [code for at, code in enumerate(codes) if colors[at] not in colors[:at]]
    key = alt.Legend(
        labelExpr=label, symbolType=symbol, symbolOpacity=1, columns=columns, values=listed
    )
    return alt.Color(
        series, type="nominal", scale=alt.Scale(domain=codes, range=colors), legend=key
    )


def tooltip_of(x: str, x_title: str, y: str, y_title: str) -> list[alt.Tooltip]:
    """Both coordinates."""
    return [number(x, x_title), number(y, y_title)]


def number(field: str, title: str) -> alt.Tooltip:
    """A number to five digits."""
    return alt.Tooltip(field, type="quantitative", title=title, format=".5~g")


def pairs(names: Mapping[str, str] | None) -> tuple[tuple[str, str], ...]:
    """Codes and words as what a cache can hold."""
    return tuple((names or {}).items())
