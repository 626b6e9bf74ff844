"""What it costs to move one word onto another: four costs of vectors, and one of places.

Axes: m words of one text, n of the other. Zero vectors have no direction: they are at a right angle
to everything.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float64

from core.similarity.vectors import squared_distances

Rows = Float64[np.ndarray, "m d"]
Columns = Float64[np.ndarray, "n d"]
Matrix = Float64[np.ndarray, "m n"]


def euclidean(x: Rows, y: Columns) -> Matrix:
    """‖w_i − w'_j‖, the cost of WMD (eq. 3)."""
    return np.sqrt(squared(x, y))


def squared(x: Rows, y: Columns) -> Matrix:
    """‖w_i − w'_j‖²."""
    return squared_distances(x, y, np.vecdot(x, x)[:, None] + np.vecdot(y, y))


def cosine(x: Rows, y: Columns) -> Matrix:
    """1 − cosine, the cost of WRD (eq. 6); in [0, 2]."""
    a, b = _units(x), _units(y)
    return squared(a, b) / 2 + (2 - np.vecdot(a, a)[:, None] - np.vecdot(b, b)) / 2


def angle(x: Rows, y: Columns) -> Matrix:
    """The angle in right angles, a metric; in [0, 2]. From the sine, which keeps small angles."""
    return 4 / np.pi * np.arcsin(np.sqrt(np.clip(cosine(x, y) / 2, 0, 1)))


COSTS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "euclidean": euclidean,
    "squared": squared,
    "cosine": cosine,
    "angle": angle,
}


def position(m: int, n: int) -> Matrix:
    """How far apart two words stand, each place as a share of its text's length; in [0, 1]."""
    return np.abs(np.subtract.outer(_places(m), _places(n)))


def _places(count: int) -> np.ndarray:
    return np.linspace(0, 1, count) if count > 1 else np.array([0.5])


def _units(x: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(x, axis=1, keepdims=True)
    return np.divide(x, norms, out=np.zeros_like(x), where=norms > 0)
