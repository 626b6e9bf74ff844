"""The exact conditions of a best fit, solved by Newton from nearby parameters, and checked.

L2, L1: the derivative of the integral vanishes.
Minimax (Kuhn-Tucker): some extrema share the largest height, and multipliers >= 0 exist with
which the derivatives of those heights cancel. With one extremum more than parameters this is
equioscillation; with fewer, as for GELU', the largest ripple itself is at its minimum.

Source: https://kexue.fm/archives/7309, eq. (9)-(12), (14).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.optimize import root

from core.gelu.family import Problem
from core.gelu.ripples import Extrema, extrema, nodes, nodes_between_zeros
from core.numerics import NoConvergence

HELD = 0.02  # an extremum with a smaller share of the weights does not hold the optimum
TOLERANCE = 1e-9  # of the conditions, in units of the error's own size


@dataclass(frozen=True)
class _Active:
    """The extrema that hold a minimax optimum, and their shares of the weight."""

    x: np.ndarray
    sign: np.ndarray
    share: np.ndarray
    height: float

    def without_weakest(self) -> "_Active":
        kept = np.arange(len(self.x)) != self.share.argmin()
        return _Active(self.x[kept], self.sign[kept], self.share[kept], self.height)


def stationary(
    problem: Problem,
    criterion: str,
    density: Callable[[np.ndarray], np.ndarray],
    start: Float[np.ndarray, " parameters"],
) -> Float[np.ndarray, " parameters"]:
    """theta near `start` at which the weighted integral of error^2 or |error| is stationary."""
    scale = np.abs(_integrand(problem, criterion, density, start)).sum(axis=0)
    solution = root(
        lambda theta: _integrand(problem, criterion, density, theta).sum(axis=0) / scale,
        start,
        tol=1e-14,
    )
    if not np.abs(solution.fun).max() < TOLERANCE:
        raise NoConvergence(f"the {criterion} integral of {problem.form.name} is not stationary")
    return solution.x


def level(
    problem: Problem,
    start: Float[np.ndarray, " parameters"],
    weights: Float[np.ndarray, " n"],
) -> Float[np.ndarray, " parameters"]:
    """theta near `start` that minimizes max |error|; `weights` at `nodes` say which extrema count.

    If the extrema that seem to count fail the check, the weakest is dropped and the rest tried.
    """
    active = _active(extrema(problem, start), nodes(problem.form.reach)[0], weights, len(start))
    while len(active.x):
        theta = _kuhn_tucker(problem, start, active)
        if theta is not None:
            return theta
        active = active.without_weakest()
    raise NoConvergence(f"no set of extrema of {problem.form.name} passes the minimax conditions")


def _integrand(
    problem: Problem,
    criterion: str,
    density: Callable[[np.ndarray], np.ndarray],
    theta: np.ndarray,
) -> np.ndarray:
    """(n, parameters): what sums to the derivative of the integral."""
    split = criterion == "l1"
    x, step = nodes_between_zeros(problem, theta) if split else nodes(problem.form.reach)
    error = problem.error(x, theta)
    pull = np.sign(error) if split else error
    return (step * density(x) * pull)[:, None] * problem.gradient(x, theta)


def _active(peaks: Extrema, x: np.ndarray, weights: np.ndarray, n_parameters: int) -> _Active:
    nearest = np.abs(x[:, None] - peaks.x).argmin(axis=1)
    share = np.bincount(nearest, weights, minlength=len(peaks.x)) / weights.sum()
    held = np.sort(np.argsort(-share)[: n_parameters + 1])
    held = held[share[held] > HELD]
    return _Active(peaks.x[held], np.sign(peaks.error[held]), share[held], peaks.largest)


def _kuhn_tucker(problem: Problem, start: np.ndarray, active: _Active) -> np.ndarray | None:
    """theta, extrema, multipliers and height in one system; None if the solution is no optimum."""
    n, m = len(start), len(active.x)
    at_end = active.x == problem.form.reach

    def conditions(unknowns: np.ndarray) -> np.ndarray:
        theta, x, multipliers, height = np.split(unknowns, [n, n + m, n + 2 * m])
        level = active.sign * problem.error(x, theta) / active.height - height
        turn = np.where(at_end, x - problem.form.reach, problem.slope(x, theta) / active.height)
        pull = (multipliers * active.sign) @ problem.gradient(x, theta) * np.abs(start)
        return np.concatenate([level, turn, pull / active.height, [multipliers.sum() - 1]])

    first = np.concatenate([start, active.x, active.share, [1.0]])
    solution = root(conditions, first, tol=1e-14, options={"maxfev": 10 * len(first)})
    theta, _, multipliers, height = np.split(solution.x, [n, n + m, n + 2 * m])
    solved = np.abs(solution.fun).max() < TOLERANCE and multipliers.min() >= 0
    largest = active.height * height[0]
    return theta if solved and extrema(problem, theta).largest <= largest * (1 + 1e-9) else None
