"""Refit either formula under another criterion, weight or target: the freedom behind a constant.

Source: https://kexue.fm/archives/7309, eq. (9)-(15).
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

import numpy as np
import pandas as pd

from core.gelu.family import FORMS, TARGETS, Problem
from core.gelu.fit import CRITERIA, WEIGHTS, Fit, fit
from core.gelu.functions import PUBLISHED
from core.gelu.ripples import extrema
from core.knobs import Choice, Config, Range

REACH = 7.0
POINTS = 400
MAIN = {"tanh-cubic": "c", "tanh-cubic-free": "c", "sigmoid": "slope", "sigmoid-quintic": "b1"}
POST = {"tanh-cubic": 0.04471491123850965, "sigmoid": 1.7017449256323682}  # eq. (13), (15)


@dataclass(frozen=True)
class RefitConfig(Config):
    """A form, what it approximates, and what "best" means."""

    form: Annotated[str, Choice(*FORMS)] = "tanh-cubic"
    target: Annotated[str, Choice(*TARGETS)] = "cdf"
    criterion: Annotated[str, Choice(*CRITERIA)] = "minimax"
    weight: Annotated[str, Choice(*WEIGHTS)] = "uniform"
    max_iterations: Annotated[int, Range(1, 100)] = 100


@dataclass(frozen=True)
class Refit:
    """The fit that was asked for, and every other one of the same form and target."""

    errors: pd.DataFrame  # x > 0, error
    coefficients: pd.DataFrame  # coefficient, fitted, published, post; NaN where there is none
    table: pd.DataFrame  # criterion, weight, coefficient, error_cdf, error_gelu, error_gelu_...
    max_error: float
    extrema: list[tuple[float, float]]


def refit(config: RefitConfig) -> Refit:
    """The best coefficients. Raises NoConvergence if `max_iterations` ends first."""
    best = _best(config.form, config.target, config.criterion, config.weight, config.max_iterations)
    x = np.linspace(0, REACH, POINTS + 1)[1:]
    problem = Problem(FORMS[config.form], config.target)
    return Refit(
        errors=pd.DataFrame({"x": x, "error": problem.error(x, _theta(best))}),
        coefficients=_coefficients(best),
        table=_table(config.form, config.target).copy(),
        max_error=best.max_error,
        extrema=best.extrema,
    )


def criteria_and_weights() -> list[tuple[str, str]]:
    """Every pair that means something: only integrals have a weight."""
    single = [("taylor", "uniform"), ("minimax", "uniform")]
    return single + [(criterion, weight) for criterion in ("l2", "l1") for weight in WEIGHTS]


@lru_cache(maxsize=512)
def _best(form: str, target: str, criterion: str, weight: str, max_iterations: int = 100) -> Fit:
    """Each fit once: the table of all criteria has most of those that a reader asks for next."""
    return fit(
        form, target=target, criterion=criterion, weight=weight, max_iterations=max_iterations
    )


@lru_cache
def _table(form: str, target: str) -> pd.DataFrame:
    return pd.DataFrame([_row(form, target, *pair) for pair in criteria_and_weights()])


def _row(form: str, target: str, criterion: str, weight: str) -> dict[str, str | float]:
    best = _best(form, target, criterion, weight)
    errors = {
        f"error_{meter.replace('-', '_')}": extrema(
            Problem(FORMS[form], meter), _theta(best)
        ).largest
        for meter in TARGETS
    }
    coefficient = best.coefficients[MAIN[form]]
    return {"criterion": criterion, "weight": weight, "coefficient": coefficient, **errors}


def _theta(best: Fit) -> np.ndarray:
    return np.array([best.coefficients[name] for name in FORMS[best.form].coefficients])


def _coefficients(best: Fit) -> pd.DataFrame:
    main = MAIN[best.form]
    rows = [
        (
            name,
            value,
            PUBLISHED.get(best.form, math.nan) if name == main else math.nan,
            POST.get(best.form, math.nan) if name == main else math.nan,
        )
        for name, value in best.coefficients.items()
    ]
    return pd.DataFrame(rows, columns=["coefficient", "fitted", "published", "post"])
