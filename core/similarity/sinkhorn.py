"""Transport with an entropy: Sinkhorn's sweeps, and Newton's method where they crawl.

The plan that minimizes ⟨plan, cost⟩ − ε·entropy is exp((f_i + g_j − cost_ij)/ε) for potentials f
and g. Sinkhorn's method fits the rows and the columns in turn, and needs the more sweeps the
smaller ε is, soon more than a reader waits for. `entropic` reaches the same plan by Newton's
method on f alone (g follows from it), from a large ε down to the one asked for. Both stay in the
log domain, where a small ε underflows nothing.

Sources: Cuturi 2013, arXiv:1306.0895; Cuturi and Peyré 2018, arXiv:1812.05189 (the semi-dual).
Axes: m masses p, n masses q.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from core.numerics import NoConvergence

TOLERANCE = 1e-10  # what rows may miss of a total mass of 1
_STEPS = 2000
_ON_THE_WAY = 1e-3  # precise enough for the next, smaller regularization
_REACH = 5.0  # regularizations that a step may move a potential: beyond, its model is far off
_SHORTEST = 1e-4  # the least share of a step that is tried

P = Float64[np.ndarray, " m"]
Q = Float64[np.ndarray, " n"]
Matrix = Float64[np.ndarray, "m n"]


@dataclass(frozen=True)
class _Problem:
    p: np.ndarray  # without zeros, total 1
    q: np.ndarray
    cost: np.ndarray


@dataclass(frozen=True)
class _State:
    """Potentials at one regularization; the columns of the plan are right, the rows may not be."""

    f: np.ndarray
    g: np.ndarray
    plan: np.ndarray
    value: float  # of the dual, which the potentials maximize
    missing: np.ndarray  # p minus the sums of the rows

    @property
    def violation(self) -> float:
        return float(np.abs(self.missing).sum())


def sinkhorn(p: P, q: Q, cost: Matrix, epsilon: float, limit: int) -> tuple[Matrix, int]:
    """Sinkhorn's method as published: the plan after it converged, and after how many sweeps.

    It gives up after `limit` sweeps, with the plan that it has reached. Potentials are in units of
    epsilon; the sums that the next fit of the rows divides by tell what the rows miss now.
    """
    problem, place, total = _compact(p, q, cost)
    log_p, log_q, exponents = np.log(problem.p), np.log(problem.q), -problem.cost / epsilon
    f, sweeps = np.zeros(len(problem.p)), 0
    while True:
        g = log_q - _log_sum(f[:, None] + exponents, 0)
        log_rows = _log_sum(exponents + g, 1)
        violation = np.abs(problem.p - np.exp(f + log_rows)).sum()
        if not violation > TOLERANCE or sweeps >= limit:
            plan = np.exp(f[:, None] + exponents + g)
            return _expanded(plan, place, total, cost.shape), sweeps
        f, sweeps = log_p - log_rows, sweeps + 1


def entropic(p: P, q: Q, cost: Matrix, epsilon: float) -> tuple[Matrix, int]:
    """The plan that Sinkhorn's method converges to, and the steps of Newton's that it took.

    Raises NoConvergence if it is not reached.
    """
    problem, place, total = _compact(p, q, cost)
    current, steps, f = max(float(np.ptp(cost)), epsilon), 0, np.zeros(len(problem.p))
    while True:
        state = _state(problem, f, current)
        tolerance = TOLERANCE if current == epsilon else _ON_THE_WAY
        while state.violation > tolerance:
            state, steps = _newton(problem, state, current), steps + 1
            if steps > _STEPS:
                raise NoConvergence(f"rows miss {state.violation:.1e} after {steps} steps")
        if current == epsilon:
            return _expanded(state.plan, place, total, cost.shape), steps
        current, f = max(current / 2, epsilon), state.f


def _state(problem: _Problem, f: np.ndarray, epsilon: float) -> _State:
    """Fit the columns to f."""
    exponents = (f[:, None] - problem.cost) / epsilon
    log_scale = np.log(problem.q) - _log_sum(exponents, 0)
    plan, g = np.exp(exponents + log_scale), epsilon * log_scale
    return _State(f, g, plan, float(f @ problem.p + g @ problem.q), problem.p - plan.sum(axis=1))


def _swept(problem: _Problem, state: _State, epsilon: float) -> _State:
    """Fit the rows, then the columns."""
    f = epsilon * (np.log(problem.p) - _log_sum((state.g - problem.cost) / epsilon, 1))
    return _state(problem, f, epsilon)


def _newton(problem: _Problem, state: _State, epsilon: float) -> _State:
    """A step of Newton's method on the dual, shortened until it gains; else a sweep.

    Where parts of the plan hardly touch, the whole step leads thousands of regularizations away.
    """
    direction = _direction(problem, state)
    step = epsilon * direction * min(1.0, _REACH / np.abs(direction).max())
    slope, share = float(step @ state.missing), 1.0
    while share > _SHORTEST:
        tried = _state(problem, state.f + share * step, epsilon)
        gains = tried.value > state.value + 0.01 * share * slope
        if gains or tried.violation < state.violation / 2:
            return tried
        share /= 2
    return _swept(problem, state, epsilon)


def _direction(problem: _Problem, state: _State) -> np.ndarray:
    """Solve (diag(rows) − plan diag(1/q) planᵀ) x = missing; the matrix is blind to constants."""
    weight = 1 / np.sqrt(problem.p)
    hessian = np.diag(state.plan.sum(axis=1)) - (state.plan / problem.q) @ state.plan.T
    scaled = weight[:, None] * hessian * weight
    return weight * np.linalg.lstsq(scaled, weight * state.missing, rcond=1e-14)[0]


def _log_sum(exponents: np.ndarray, axis: int) -> np.ndarray:
    """log Σ exp along an axis; scipy's does the same in five times the time."""
    top = exponents.max(axis=axis, keepdims=True)
    return np.log(np.exp(exponents - top).sum(axis=axis)) + top.squeeze(axis)


def _compact(p: P, q: Q, cost: Matrix) -> tuple[_Problem, tuple, float]:
    """Without the masses of 0, whose logarithms are infinite, and with totals of 1."""
    place, total = np.ix_(p > 0, q > 0), float(p.sum())
    return _Problem(p[p > 0] / total, q[q > 0] / q.sum(), cost[place]), place, total


def _expanded(plan: np.ndarray, place: tuple, total: float, shape: tuple[int, ...]) -> Matrix:
    full = np.zeros(shape)
    full[place] = total * plan
    return full
