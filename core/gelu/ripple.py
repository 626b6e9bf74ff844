"""One coefficient by hand: watch two extrema of the error level, and what leveling is worth.

Source: https://kexue.fm/archives/7309, eq. (11)-(15).
"""

import dataclasses
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

import numpy as np
import pandas as pd

from core.gelu.family import FORMS, TARGETS, Problem, exact, odd_polynomial
from core.gelu.fit import Fit, equal_ripple, evaluate, fit
from core.gelu.functions import PUBLISHED
from core.knobs import Choice, Config, Range, knobs

REACH = 5.0
POINTS = 400
BASIS_POINTS = 240
FIELDS = {"tanh-cubic": "c", "sigmoid": "slope"}  # the coefficient that each form moves


@dataclass(frozen=True)
class RippleConfig(Config):
    """A form, what it approximates, and the coefficient of either form."""

    form: Annotated[str, Choice(*FIELDS)] = "tanh-cubic"
    target: Annotated[str, Choice(*TARGETS)] = "cdf"
    c: Annotated[float, Range(0.040, 0.050, 1e-6)] = 0.04554
    slope: Annotated[float, Range(1.5, 1.9, 1e-4)] = 1.5958

    @property
    def coefficient(self) -> float:
        """The coefficient of the chosen form."""
        return self.c if self.form == "tanh-cubic" else self.slope


@dataclass(frozen=True)
class Ripple:
    """The error at the chosen coefficient, and the two special ones."""

    coefficient: float
    errors: pd.DataFrame  # x > 0, error
    extrema: pd.DataFrame  # x, error: local extrema on x > 0
    max_error: float
    optimum: float  # coefficient of the minimax fit
    optimum_error: float
    equal_ripple: float  # coefficient at which the two largest extrema are level
    equal_ripple_error: float


@dataclass(frozen=True)
class RippleBasis:
    """Arrays from which the error at any coefficient theta follows by arithmetic.

    s = sigma(p + theta q). "cdf": s - exact. "gelu": x s - exact.
    "gelu-derivative": s + x s (1 - s) (dp + theta dq) - exact.
    """

    target: str
    coefficient: str  # its name
    low: float
    high: float
    step: float
    x: list[float]
    exact: list[float]
    p: list[float]
    q: list[float]
    dp: list[float]
    dq: list[float]


def ripple(config: RippleConfig) -> Ripple:
    """The error of one form at one coefficient, beside the best and the level one."""
    chosen = evaluate(config.form, config.target, config.coefficient)
    best, even = _best(config.form, config.target), _even(config.form, config.target)
    field = FIELDS[config.form]
    x = _grid(POINTS)
    error = Problem(FORMS[config.form], config.target).error(x, np.array([config.coefficient]))
    return Ripple(
        coefficient=config.coefficient,
        errors=pd.DataFrame({"x": x, "error": error}),
        extrema=pd.DataFrame(chosen.extrema, columns=["x", "error"]),
        max_error=chosen.max_error,
        optimum=best.coefficients[field],
        optimum_error=best.max_error,
        equal_ripple=even.coefficients[field],
        equal_ripple_error=even.max_error,
    )


def ripple_basis(form: str, target: str) -> RippleBasis:
    """What a browser needs to redraw the error itself while a coefficient is dragged."""
    if form not in FIELDS:
        raise ValueError(f"form is {form!r}, but must be one of {tuple(FIELDS)}")
    x, base = _grid(BASIS_POINTS), FORMS[form].polynomial(np.zeros(1))
    direction = FORMS[form].polynomial(np.ones(1)) - base
    domain = _range(form)
    return RippleBasis(
        target=target,
        coefficient=FIELDS[form],
        low=float(domain.low),
        high=float(domain.high),
        step=float(domain.step or 0),
        x=x.tolist(),
        exact=exact(x, target).tolist(),
        p=odd_polynomial(x, base).tolist(),
        q=odd_polynomial(x, direction).tolist(),
        dp=odd_polynomial(x, base, 1).tolist(),
        dq=odd_polynomial(x, direction, 1).tolist(),
    )


def at_optimum(config: RippleConfig) -> RippleConfig:
    """The same form at its minimax coefficient, rounded to the knob's grid."""
    best = _best(config.form, config.target)
    return _at(config, best.coefficients[FIELDS[config.form]])


def at_equal_ripple(config: RippleConfig) -> RippleConfig:
    """The same form where its two largest extrema are level, rounded to the knob's grid."""
    even = _even(config.form, config.target)
    return _at(config, even.coefficients[FIELDS[config.form]])


def at_published(config: RippleConfig) -> RippleConfig:
    """The same form at 0.044715 or 1.702."""
    return _at(config, PUBLISHED[config.form])


def at_local(config: RippleConfig) -> RippleConfig:
    """The same form at its Taylor coefficient, rounded to the knob's grid."""
    local = fit(config.form, target=config.target, criterion="taylor")
    return _at(config, local.coefficients[FIELDS[config.form]])


@lru_cache
def _best(form: str, target: str) -> Fit:
    """The minimax fit, once for all the coefficients that are held against it."""
    return fit(form, target=target, criterion="minimax")


@lru_cache
def _even(form: str, target: str) -> Fit:
    return equal_ripple(form, target)


def _at(config: RippleConfig, coefficient: float) -> RippleConfig:
    nearest = _range(config.form).nearest(coefficient)
    if config.form == "tanh-cubic":
        return dataclasses.replace(config, c=nearest)
    return dataclasses.replace(config, slope=nearest)


def _range(form: str) -> Range:
    return {knob.name: knob for knob in knobs(RippleConfig)}[FIELDS[form]].range


def _grid(points: int) -> np.ndarray:
    """Points on (0, REACH]."""
    return np.linspace(0, REACH, points + 1)[1:]
