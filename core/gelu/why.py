"""Why a cubic inside works: logit Phi is nearly cubic; and why a longer polynomial needs a clamp.

Source: https://kexue.fm/archives/7309, eq. (5)-(8).
"""

import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import pandas as pd
from jaxtyping import Float

from core.gelu.family import (
    FAR,
    Problem,
    gate_error,
    logit_cdf,
    odd_polynomial,
    polynomial_form,
)
from core.gelu.fit import best_theta
from core.knobs import Choice, Config, Range

CLAMP = 7.0  # beyond it the polynomial's argument stands still; degrees 5 and 7 are fitted up to it
POINTS = 400


@dataclass(frozen=True)
class WhyConfig(Config):
    """An odd polynomial for logit Phi, and how far out it is shown."""

    degree: Annotated[str, Choice("1", "3", "5", "7")] = "3"
    criterion: Annotated[str, Choice("taylor", "minimax")] = "minimax"
    reach: Annotated[float, Range(3.0, 14.0, 0.5)] = 6.0
    clamp: bool = False


@dataclass(frozen=True)
class Why:
    """The exact inner function beside the polynomial, on (0, reach], and the error of GELU."""

    inner: pd.DataFrame  # x, curve in {"logit", "polynomial"}, value
    ratio: pd.DataFrame  # x, curve, value: the inner function divided by x
    errors: pd.DataFrame  # x in [-reach, reach], error of x sigma(polynomial)
    max_error: float  # over [-reach, reach]
    sign_flip: float  # x > 0 where the polynomial turns negative; NaN if never
    coefficients: pd.DataFrame  # power, value


def why(config: WhyConfig) -> Why:
    """The polynomial of that degree, fitted to Phi, and the GELU that it makes."""
    polynomial = inner_polynomial(int(config.degree), config.criterion)
    end = CLAMP if config.clamp else math.inf
    x = np.linspace(0, config.reach, POINTS + 1)[1:]
    curves = {"logit": logit_cdf(x), "polynomial": odd_polynomial(np.minimum(x, end), polynomial)}
    both = np.linspace(-config.reach, config.reach, 2 * POINTS + 1)
    errors = clamped_error(both, polynomial, end)
    powers = 2 * np.arange(len(polynomial)) + 1
    return Why(
        inner=_long(x, curves),
        ratio=_long(x, {name: value / x for name, value in curves.items()}),
        errors=pd.DataFrame({"x": both, "error": errors}),
        max_error=float(np.abs(errors).max()),
        sign_flip=sign_flip(polynomial),
        coefficients=pd.DataFrame({"power": powers, "value": polynomial}),
    )


def inner_polynomial(degree: int, criterion: str) -> Float[np.ndarray, " orders"]:
    """b1, b3, ... of that degree, by Taylor at 0 or minimax for Phi."""
    form = polynomial_form(degree, CLAMP if degree > 3 else FAR)
    return form.polynomial(best_theta(Problem(form, "cdf"), criterion))


def clamped_error(
    x: Float[np.ndarray, " n"], polynomial: Float[np.ndarray, " orders"], end: float
) -> Float[np.ndarray, " n"]:
    """x sigma(p(x)) - GELU(x), where p's argument stops at -end and end."""
    return x * gate_error(x, odd_polynomial(np.clip(x, -end, end), polynomial))


def sign_flip(polynomial: Float[np.ndarray, " orders"]) -> float:
    """The first x > 0 where b1 x + b3 x^3 + ... changes sign; NaN if it never does."""
    roots = np.roots(polynomial[::-1])  # in x^2
    squares = roots[(np.abs(roots.imag) < 1e-12) & (roots.real > 0)].real
    return float(np.sqrt(squares.min())) if len(squares) else math.nan


def _long(x: np.ndarray, by_curve: dict[str, np.ndarray]) -> pd.DataFrame:
    tables = [pd.DataFrame({"x": x, "curve": k, "value": v}) for k, v in by_curve.items()]
    return pd.concat(tables, ignore_index=True)
