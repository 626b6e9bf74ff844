"""Word Mover's and Word Rotator's Distance between two texts, and bounds without a solver.

Sources: https://kexue.fm/archives/7388, eq. 3 to 8; Kusner et al. 2015 (WMD and its bounds);
Yokoi et al. 2020, arXiv:2004.15003 (WRD). The upper bounds are the cost of the plan p qᵀ.
Axes: x [m, d] and y [n, d] are the word vectors of two texts, any strides, float32 or float64.
A zero row has no mass. Every function raises ValueError if a text has no word, only zero rows or
a number that is not finite.
"""

from typing import Any

import numpy as np
from jaxtyping import Float64

from core.similarity.transport import solve
from core.similarity.vectors import Words, pair_of, squared_distances


def wmd(x: Any, y: Any) -> float:
    """Word Mover's Distance: Euclidean costs, every word the same mass (eq. 3)."""
    a, b = pair_of(x, y)
    return solve(a.uniform, b.uniform, euclidean(a, b))[1]


def wcd(x: Any, y: Any) -> float:
    """Word centroid distance, ‖mean x − mean y‖ ≤ WMD (eq. 4)."""
    return _centroid_distance(*pair_of(x, y))


def rwmd(x: Any, y: Any) -> float:
    """Relaxed WMD: every word to its nearest, the larger of the two directions; ≤ WMD."""
    return _relaxed(euclidean(*pair_of(x, y)))


def wmd_bounds(x: Any, y: Any) -> tuple[float, float]:
    """max(WCD, RWMD) ≤ WMD ≤ the mean distance of all pairs of words."""
    a, b = pair_of(x, y)
    cost = euclidean(a, b)
    return max(_centroid_distance(a, b), _relaxed(cost)), float(cost.mean())


def wrd(x: Any, y: Any) -> float:
    """Word Rotator's Distance: 1 − cosine as cost, norms as masses (eq. 7); in [0, 2]."""
    a, b = pair_of(x, y)
    return max(0.0, solve(a.shares, b.shares, rotation(a, b))[1])


def wrd_similarity(x: Any, y: Any) -> float:
    """1 − WRD, in [−1, 1]."""
    return 1.0 - wrd(x, y)


def wrd_bounds(x: Any, y: Any) -> tuple[float, float]:
    """½‖a − b‖² ≤ WRD ≤ 1 − a·b, where a and b are the texts' sums over their norms (eq. 8)."""
    a, b = (text.vectors.sum(axis=0) / text.norms.sum() for text in pair_of(x, y))
    return float(((a - b) ** 2).sum() / 2), float(1.0 - a @ b)


def euclidean(a: Words, b: Words) -> Float64[np.ndarray, "m n"]:
    """‖w_i − w'_j‖, the cost of WMD."""
    sizes = (a.norms * a.norms)[:, None] + b.norms * b.norms
    return np.sqrt(squared_distances(a.vectors, b.vectors, sizes))


def rotation(a: Words, b: Words) -> Float64[np.ndarray, "m n"]:
    """1 − cosine, the cost of WRD (eq. 6): half the squared distance of the unit vectors."""
    return squared_distances(a.units, b.units, 2.0) / 2


def _centroid_distance(a: Words, b: Words) -> float:
    return float(np.linalg.norm(a.vectors.mean(axis=0) - b.vectors.mean(axis=0)))


def _relaxed(cost: Float64[np.ndarray, "m n"]) -> float:
    return float(max(cost.min(axis=1).mean(), cost.min(axis=0).mean()))
