"""The variance map of an activation as a cobweb: is the second moment 1 kept, and does it hold?

Source: https://kexue.fm/archives/7180, "another summary" (tanh, relu, and what to do otherwise).
"""

import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import pandas as pd

from core.formula import LENGTH, parse
from core.initialization.activations import (
    ACTIVATIONS,
    Function,
    gain,
    gradient_factor,
    moments_by_layer,
    second_moment,
    variance_map,
    variance_slope,
)
from core.knobs import Choice, Config, Range, Text

POINTS = 121
STARTS = {"quarter": 0.25, "below": 0.8, "four": 4.0}
LARGEST = 1e12  # what a second moment is drawn up to
SAME = 1e-9  # a slope this near to 1 is 1


@dataclass(frozen=True)
class StabilityConfig(Config):
    """An activation, or a formula of one's own, and the gain as a multiple of the tuned one."""

    activation: Annotated[str, Choice(*ACTIVATIONS, "own")] = "gelu"
    multiple: Annotated[float, Range(0.0, 4.0, 0.01)] = 1.0
    start: Annotated[float, Range(0.1, 4.0, 0.05)] = 1.25
    layers: Annotated[int, Range(5, 100)] = 20
    formula: Annotated[str, Text(LENGTH)] = "x * sigmoid(1.702 * x)"

    @property
    def function(self) -> str | Function:
        """The activation's name, or the reader's formula. Raises BadFormula if it is none."""
        return parse(self.formula) if self.activation == "own" else self.activation


@dataclass(frozen=True)
class Stability:
    """The map, the path over it, and how deviations from 1 fare."""

    cobweb: pd.DataFrame  # q, curve in {"map", "diagonal", "path"}, value
    layers: pd.DataFrame  # layer, curve ("start" or one of STARTS), q: NaN where not drawn
    second_moment: float  # E[phi(z)^2], z ~ N(0, 1)
    gain: float  # tuned: 1 / sqrt of the former
    slope: float  # d log V / d log q at q = 1 with the tuned gain
    kind: str  # "stable", "marginal" or "unstable": what the slope says
    gradient_factor: float  # of a layer with the tuned gain
    last: float  # q after the last layer


def stability(config: StabilityConfig) -> Stability:
    """V(q) against q with the chosen gain, and the second moments layer by layer.

    Raises ValueError if the formula is none, or its second moment is 0 or not finite.
    """
    phi, tuned = config.function, gain(config.function)
    now = config.multiple * tuned
    path = moments_by_layer(phi, config.start, config.layers, now)
    slope = variance_slope(phi)
    return Stability(
        cobweb=_cobweb(phi, now, path),
        layers=_layers(config, now, path),
        second_moment=second_moment(phi),
        gain=tuned,
        slope=slope,
        kind=kind(slope),
        gradient_factor=gradient_factor(phi),
        last=float(path[-1]),
    )


def kind(slope: float) -> str:
    """Whether a deviation from the fixed point shrinks, stays or grows from layer to layer."""
    if abs(abs(slope) - 1) < SAME:
        return "marginal"
    return "stable" if abs(slope) < 1 else "unstable"


def _cobweb(phi: str | Function, now: float, path: np.ndarray) -> pd.DataFrame:
    """The map and the diagonal over q, and the path between them, corner by corner."""
    inside = path[np.isfinite(path)]
    end = min(max(2.0, 1.05 * float(inside[: min(len(inside), 20)].max())), 50.0)
    q = np.linspace(0, end, POINTS)
    values = variance_map(phi, q, now)
    corners = np.repeat(inside[inside <= end], 2)
    curves = {
        "map": (q, np.where(values <= 1.5 * end, values, math.nan)),
        "diagonal": (q, q),
        "path": (corners[:-1], np.array([0.0, *corners[2:], 0.0])[: len(corners) - 1]),
    }
    tables = [pd.DataFrame({"q": a, "curve": k, "value": b}) for k, (a, b) in curves.items()]
    return pd.concat(tables, ignore_index=True)


def _layers(config: StabilityConfig, now: float, path: np.ndarray) -> pd.DataFrame:
    """The chosen start, and three more."""
    paths = {"start": path} | {
        name: moments_by_layer(config.function, start, config.layers, now)
        for name, start in STARTS.items()
    }
    layer = np.arange(config.layers + 1)
    tables = [
        pd.DataFrame({"layer": layer, "curve": name, "q": np.where(q < LARGEST, q, math.nan)})
        for name, q in paths.items()
    ]
    return pd.concat(tables, ignore_index=True)
