"""The post's own recipe for eq. (12)-(13): the largest error on a grid, minimized by Powell.

Source: https://kexue.fm/archives/7309, eq. (12)-(15) and the code under eq. (13). The post takes
the maximum in a Python loop; here the same numbers come from one array.
"""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from scipy.optimize import minimize
from scipy.special import erf, expit

from core.gelu.fit import fit
from core.gelu.functions import LINEAR
from core.numerics import NoConvergence

OPTIONS = {"xtol": 1e-10, "ftol": 1e-10, "maxiter": 100_000}
STALLED = 1.01  # a result this many times worse than the true optimum has not arrived


def grid_objective(b: int | float, step: int | float = 0.001) -> float:
    """max |erf(x / sqrt 2) - tanh(a x + b x^3)| over the grid 0, step, ... below 4: eq. (12)."""
    x, target = _grid(step)
    return float(np.abs(target - np.tanh(LINEAR * x + b * x**3)).max())


def grid_objective_sigmoid(slope: int | float, step: int | float = 0.001) -> float:
    """max |Phi(x) - sigma(slope x)| over the same grid: eq. (14)."""
    x, target = _grid(step)
    return float(np.abs((1 + target) / 2 - expit(slope * x)).max())


def post_fit(step: int | float = 0.001, start: int | float = 0.0) -> float:
    """b of eq. (13). Raises NoConvergence where Powell's method stalls far from the optimum."""
    best = 2 * _least_error("tanh-cubic")  # erf spans twice what Phi does
    return _powell(grid_objective, step, start, best)


def post_fit_sigmoid(step: int | float = 0.001, start: int | float = 0.0) -> float:
    """The slope of eq. (15), by the same recipe. Raises NoConvergence where Powell stalls."""
    return _powell(grid_objective_sigmoid, step, start, _least_error("sigmoid"))


def _powell(
    objective: Callable[[float, float], float],
    step: int | float,
    start: int | float,
    best: int | float,
) -> float:
    if not 0 < step <= 1:
        raise ValueError(f"step is {step}, but must be above 0 and at most 1")
    found = minimize(lambda v: objective(v[0], step), start, method="Powell", options=OPTIONS)
    if found.fun > STALLED * best:
        raise NoConvergence(f"Powell's method, started at {start:g}, stalled at {found.x[0]:.6g}")
    return float(found.x[0])


def _least_error(form: str) -> float:
    return fit(form, target="cdf", criterion="minimax").max_error


@lru_cache(maxsize=8)
def _grid(step: int | float) -> tuple[np.ndarray, np.ndarray]:
    x = np.arange(0, 4, step)
    return x, erf(x / np.sqrt(2))
