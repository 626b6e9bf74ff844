"""The exact function and its two published approximations, side by side.

Source: https://kexue.fm/archives/7309, eq. (1)-(4).
"""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import pandas as pd
from scipy.special import expit, ndtr

from core.gelu.family import FORMS, TARGETS, approximation_error, exact, odd_polynomial
from core.gelu.functions import PUBLISHED
from core.knobs import Choice, Config, Range

POINTS = 160  # even, so that x = 0 is no grid point: a relative error is 0/0 there
DENSE = 20_000

# The inner polynomial of either published approximation, by the code of its curve.
CURVES = {
    "tanh": FORMS["tanh-cubic"].polynomial(np.array([PUBLISHED["tanh-cubic"]])),
    "sigmoid": FORMS["sigmoid"].polynomial(np.array([PUBLISHED["sigmoid"]])),
}


@dataclass(frozen=True)
class CurvesConfig(Config):
    """What is approximated, how its error is counted, and how far out."""

    meter: Annotated[str, Choice(*TARGETS)] = "gelu"
    scale: Annotated[str, Choice("absolute", "relative")] = "absolute"
    reach: Annotated[float, Range(2.0, 8.0, 0.5)] = 5.0


@dataclass(frozen=True)
class Curves:
    """Long tables; `curve` is "exact", "tanh" or "sigmoid"."""

    functions: pd.DataFrame  # x, curve, value
    errors: pd.DataFrame  # x, curve, error = approximation - exact, relative if asked
    worst: pd.DataFrame  # curve, x, error: where |error| is largest


@dataclass(frozen=True)
class TailsConfig(Config):
    """How far to the left."""

    reach: Annotated[float, Range(2.0, 8.0, 0.5)] = 6.0


@dataclass(frozen=True)
class Tails:
    """Phi where it vanishes, and what stands for it; `curve` is "exact", "tanh" or "sigmoid"."""

    curves: pd.DataFrame  # x <= 0, curve, value: never 0
    factors: dict[str, float]  # approximation / Phi at the left end, by curve


def curves(config: CurvesConfig) -> Curves:
    """The three curves on [-reach, reach], and their errors."""
    x = np.linspace(-config.reach, config.reach, POINTS)
    true = exact(x, config.meter)
    gaps = {name: approximation_error(x, p, config.meter) for name, p in CURVES.items()}
    return Curves(
        functions=_long(x, "value", {"exact": true, **{k: true + gap for k, gap in gaps.items()}}),
        errors=_long(x, "error", {name: _error(config, x, p) for name, p in CURVES.items()}),
        worst=_worst(config),
    )


def tails(config: TailsConfig) -> Tails:
    """The left tail of Phi and of both approximations: they decay as another power of e."""
    x = np.linspace(-config.reach, 0, POINTS)
    stand_ins = {name: expit(odd_polynomial(x, p)) for name, p in CURVES.items()}
    return Tails(
        curves=_long(x, "value", {"exact": ndtr(x), **stand_ins}),
        factors={name: float(values[0] / ndtr(x[0])) for name, values in stand_ins.items()},
    )


def _error(config: CurvesConfig, x: np.ndarray, polynomial: np.ndarray) -> np.ndarray:
    error = approximation_error(x, polynomial, config.meter)
    return error / exact(x, config.meter) if config.scale == "relative" else error


def _worst(config: CurvesConfig) -> pd.DataFrame:
    x = np.linspace(-config.reach, config.reach, DENSE)
    rows = []
    for name, polynomial in CURVES.items():
        error = _error(config, x, polynomial)
        at = np.abs(error).argmax()
        rows.append((name, x[at], error[at]))
    return pd.DataFrame(rows, columns=["curve", "x", "error"])


def _long(x: np.ndarray, column: str, by_curve: dict[str, np.ndarray]) -> pd.DataFrame:
    tables = [pd.DataFrame({"x": x, "curve": k, column: v}) for k, v in by_curve.items()]
    return pd.concat(tables, ignore_index=True)
