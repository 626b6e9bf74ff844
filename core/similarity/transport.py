"""Optimal transport: the cheapest way to move masses p onto masses q (post 7388, eq. 1 and 2).

`transport` checks what it is given; `solve` is the bare solver below it, POT's network simplex,
for callers whose numbers are sound already. POT answers 0 to a cost that is not a number and
warns where it gives up: here the one is a ValueError, the other NoConvergence.

Axes: m masses p, n masses q; a plan and a cost are [m, n].
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from jaxtyping import Float64

from core.numerics import NoConvergence
from core.similarity.sinkhorn import entropic

PIVOTS = 10_000_000  # of the network simplex; sentences of 1000 tokens need some ten thousand
SLACK = 1e-6  # relative: what rounding may do to a total, or to a mass of 0
_OPTIMAL = 1  # the solver's code of success


@dataclass(frozen=True)
class Transport:
    """A plan and what it costs."""

    value: float  # ⟨plan, cost⟩
    plan: Float64[np.ndarray, "m n"]  # rows sum to p, columns to q
    iterations: int  # of the method with entropy; 0 for the exact one


def transport(
    p: Any,
    q: Any,
    cost: Any,
    *,
    method: str = "exact",
    regularization: float | None = None,
) -> Transport:
    """The plan of least cost from masses p [m] to masses q [n] with cost [m, n].

    method "sinkhorn": of least cost minus `regularization` (in units of cost) times entropy.
    Raises ValueError if a number is not finite, a mass negative, the shapes don't fit or the
    totals differ, NoConvergence if the solver gives up.
    """
    p, q, cost = problem(p, q, cost)
    if method == "sinkhorn":
        plan, iterations = entropic(p, q, cost, _positive(regularization))
        return Transport(float((plan * cost).sum()), plan, iterations)
    if method != "exact":
        raise ValueError(f"method is {method!r}, but must be 'exact' or 'sinkhorn'")
    if regularization is not None:
        raise ValueError("regularization is of the method 'sinkhorn': the exact one has none")
    plan, value = solve(p, q, cost)
    return Transport(value, plan, 0)


def solve(
    p: Float64[np.ndarray, " m"], q: Float64[np.ndarray, " n"], cost: Float64[np.ndarray, "m n"]
) -> tuple[Float64[np.ndarray, "m n"], float]:
    """The exact plan and its cost, without checks: float64, finite, equal totals.

    `cost` must be contiguous, row by row. Raises NoConvergence if the solver gives up.
    """
    plan, value, _, _, code = _network_simplex()(p, q, cost, PIVOTS, 1)
    if code != _OPTIMAL:
        raise NoConvergence(f"the network simplex ended without a plan (code {code})")
    return plan, value


def distribution(name: str, masses: Any) -> Float64[np.ndarray, " n"]:
    """Masses as float64, without the tiny negatives of rounding. Raises ValueError if unfit."""
    found = np.array(masses, dtype=np.float64)
    if found.ndim != 1 or not found.size:
        raise ValueError(f"{name} has shape {found.shape}, but must be one row of masses")
    total = found.sum()
    if not np.isfinite(total) or total <= 0:
        raise ValueError(f"{name} sums to {total}, but must have a positive, finite total")
    if found.min() < -SLACK * total:
        raise ValueError(f"{name} has {found.min()}, but no mass may be negative")
    return np.maximum(found, 0.0, out=found)


def problem(p: Any, q: Any, cost: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Masses with equal totals and a contiguous cost. Raises ValueError if they don't fit."""
    p, q = distribution("p", p), distribution("q", q)
    cost = np.ascontiguousarray(cost, dtype=np.float64)
    if cost.shape != (len(p), len(q)):
        raise ValueError(f"cost has shape {cost.shape}, but must have {(len(p), len(q))}")
    if not np.isfinite(cost).all():
        raise ValueError("cost has NaN or infinity, but must be finite everywhere")
    total = p.sum()
    if abs(q.sum() - total) > SLACK * total:
        raise ValueError(f"q sums to {q.sum()}, but must sum to {total} as p does")
    return p, q * (total / q.sum()), cost


def _positive(regularization: float | None) -> float:
    if regularization is None or not 0 < regularization < np.inf:
        raise ValueError(f"regularization is {regularization}, but must be positive and finite")
    return float(regularization)


@lru_cache(maxsize=1)
def _network_simplex() -> Callable[..., Any]:
    """POT's solver itself: around it `ot.emd2` spends ten times its time on ten tokens."""
    # Half a second of imports: only where something is solved.
    from ot.lp.emd_wrap import emd_c

    solver: Callable[..., Any] = emd_c
    return solver
