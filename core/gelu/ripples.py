"""Where an error turns and where it vanishes, located to rounding; and integrals between.

x >= 0 throughout: every error here is odd or even.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float
from scipy.optimize import brentq

from core.gelu.family import FAR, Problem

RIPPLE = 1e-3  # a local extremum below this share of the largest one is not listed


@dataclass(frozen=True)
class Extrema:
    """Local extrema of an error on x > 0, and the end of a form's reach where it counts."""

    x: Float[np.ndarray, " k"]
    error: Float[np.ndarray, " k"]

    @property
    def largest(self) -> float:
        """max |error|."""
        return float(np.abs(self.error).max())


def extrema(problem: Problem, theta: Float[np.ndarray, " parameters"]) -> Extrema:
    """The local extrema of the error of a form with these parameters."""
    x, _ = nodes(problem.form.reach)
    slope = problem.slope(x, theta)
    turns = np.flatnonzero(slope[:-1] * slope[1:] < 0)
    found = [_turn(problem, theta, x[i], x[i + 1]) for i in turns]
    if problem.form.reach < FAR:
        found.append(problem.form.reach)
    error = problem.error(np.array(found), theta)
    listed = np.abs(error) > RIPPLE * np.abs(error).max()
    return Extrema(np.array(found)[listed], error[listed])


def zeros(
    problem: Problem, theta: Float[np.ndarray, " parameters"]
) -> Float[np.ndarray, " crossings"]:
    """Where the error changes sign: the secant between neighbors, then Newton within them."""
    x, _ = nodes(problem.form.reach)
    error = problem.error(x, theta)
    at = np.flatnonzero((error[:-1] * error[1:] < 0) & (np.abs(error[1:]) > 1e-15))
    low, high = x[at], x[at + 1]
    root = low - error[at] * (high - low) / (error[at + 1] - error[at])
    for _ in range(4):
        step = problem.error(root, theta) / problem.slope(root, theta)
        root = np.clip(root - step, low, high)
    return root


@lru_cache
def nodes(reach: float) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """Points and weights of a Gauss-Legendre rule on [0, reach], dense where errors live."""
    return _rule(_knots(reach))


def nodes_between_zeros(
    problem: Problem, theta: Float[np.ndarray, " parameters"]
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """The rule of `nodes`, split where the error changes sign: |error| is smooth on each piece."""
    return _rule(np.union1d(_knots(problem.form.reach), zeros(problem, theta)))


def _turn(problem: Problem, theta: np.ndarray, low: float, high: float) -> float:
    return brentq(lambda x: problem.slope(np.array([x]), theta).item(), low, high, xtol=1e-14)


def _knots(reach: float) -> np.ndarray:
    near = np.arange(0, min(reach, 8) + 0.25, 0.5)
    return np.append(near, np.arange(10, reach + 1, 2))


def _rule(knots: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    points, weights = np.polynomial.legendre.leggauss(12)
    half = np.diff(knots)[:, None] / 2
    return (knots[:-1, None] + half + half * points).ravel(), (half * weights).ravel()
