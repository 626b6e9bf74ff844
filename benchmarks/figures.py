"""A measured quantity beside the target that it has to meet."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

STATISTICS = ("n", "min", "median", "p95", "max")


@dataclass(frozen=True)
class Target:
    """The largest value that a statistic of a figure may take."""

    statistic: str  # one of STATISTICS
    at_most: float


@dataclass(frozen=True)
class Figure:
    """One quantity, all its samples, and its target if it has one."""

    name: str
    unit: str
    samples: Sequence[float]
    target: Target | None = None

    @property
    def summary(self) -> dict[str, float]:
        """The statistics of the samples; without samples, only that there are none."""
        return summarize(self.samples)

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None without a target, False without a measurement."""
        if self.target is None:
            return None
        return self.summary.get(self.target.statistic, float("inf")) <= self.target.at_most

    def to_dict(self) -> dict[str, Any]:
        """The figure as it stands in the results file."""
        goal = self.target and {"statistic": self.target.statistic, "at_most": self.target.at_most}
        rounded = {name: round(value, 4) for name, value in self.summary.items()}
        return {"name": self.name, "unit": self.unit, **rounded, "target": goal, "met": self.met}


def summarize(samples: Sequence[float]) -> dict[str, float]:
    """How many, the extremes, the median and the 95th percentile."""
    if not samples:
        return {"n": 0}
    ordered = sorted(samples)
    values = (
        len(ordered),
        ordered[0],
        quantile(ordered, 0.5),
        quantile(ordered, 0.95),
        ordered[-1],
    )
    return dict(zip(STATISTICS, values, strict=True))


def quantile(ordered: Sequence[float], share: float) -> float:
    """The value below which `share` of the sorted samples lie, linear between two of them."""
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def table(figures: Sequence[Figure]) -> str:
    """Every figure on a line beside its target; a missed one says so."""
    header = ["", "unit", *STATISTICS, "target", ""]
    rows = [header, *(_row(figure) for figure in figures)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(header))]
    return "\n".join(_aligned(row, widths).rstrip() for row in rows)


def _row(figure: Figure) -> list[str]:
    cells = [_number(figure.summary.get(name)) for name in STATISTICS]
    goal = f"{figure.target.statistic} ≤ {figure.target.at_most:g}" if figure.target else ""
    verdict = {None: "", True: "met", False: "MISSED"}[figure.met]
    return [figure.name, figure.unit, *cells, goal, verdict]


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.0f}" if value == int(value) or value >= 100 else f"{value:.3g}"


def _aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    words = f"{row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}"
    numbers = "  ".join(
        f"{cell:>{width}}" for cell, width in zip(row[2:7], widths[2:7], strict=True)
    )
    return f"{words}  {numbers}  {row[7]:<{widths[7]}}  {row[8]}"
