"""The post's reference implementations, step by step, and the corrected form of one of them.

They are here to be looked at and compared with: the rest uses `transport`. Two habits of the
post's code are kept, since the page shows what follows from them: its Euclidean cost is a mean
over the dimensions where eq. 3 has a sum, which makes WMD/√d of it, and a zero vector divides by
zero.

Source: https://kexue.fm/archives/7388, the reference implementation of each section.
"""

from typing import Any

import numpy as np
from scipy.optimize import linprog

from core.numerics import NoConvergence
from core.similarity.transport import problem


def wasserstein_linprog(p: Any, q: Any, cost: Any) -> float:
    """The least cost of moving p [m] to q [n] with cost [m, n], as a linear program (eq. 2).

    One constraint per mass but the last, which follows from the others: rounding could make it
    contradict them. Raises ValueError if the numbers don't fit, NoConvergence if there is no plan.
    """
    p, q, cost = problem(p, q, cost)
    rows = np.kron(np.eye(len(p)), np.ones(len(q)))  # Σ_j γ_ij = p_i
    columns = np.kron(np.ones(len(p)), np.eye(len(q)))  # Σ_i γ_ij = q_j
    constraints, masses = np.vstack([rows, columns])[:-1], np.concatenate([p, q])[:-1]
    found = linprog(cost.ravel(), A_eq=constraints, b_eq=masses)
    if not found.success:
        raise NoConvergence(found.message)
    return float(found.fun)


def post_word_mover_distance(x: np.ndarray, y: np.ndarray) -> float:
    """The post's code for eq. 3: a mean over the dimensions, so WMD/√d."""
    cost = np.sqrt(((x[:, None] - y[None]) ** 2).mean(axis=2))
    return wasserstein_linprog(np.full(len(x), 1 / len(x)), np.full(len(y), 1 / len(y)), cost)


def corrected_word_mover_distance(x: np.ndarray, y: np.ndarray) -> float:
    """Eq. 3 itself: a sum over the dimensions."""
    cost = np.sqrt(((x[:, None] - y[None]) ** 2).sum(axis=2))
    return wasserstein_linprog(np.full(len(x), 1 / len(x)), np.full(len(y), 1 / len(y)), cost)


def post_word_rotator_distance(x: np.ndarray, y: np.ndarray) -> float:
    """The post's code for eq. 5 to 7."""
    x_norm = np.sqrt((x**2).sum(axis=1, keepdims=True))
    y_norm = np.sqrt((y**2).sum(axis=1, keepdims=True))
    cost = 1 - (x / x_norm) @ (y / y_norm).T
    return wasserstein_linprog(x_norm[:, 0] / x_norm.sum(), y_norm[:, 0] / y_norm.sum(), cost)
