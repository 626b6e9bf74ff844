"""The word vectors of a text as the distances need them: checked, measured, brought to length 1.

Axes: m and n tokens, d width. Only float64 inside.
"""

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float64

_CLOSE = 1e-6  # a squared distance below this share of the squared norms is computed again


class Words(NamedTuple):
    """The vectors of a text that are not zero."""

    vectors: Float64[np.ndarray, "n d"]
    norms: Float64[np.ndarray, " n"]

    @property
    def units(self) -> Float64[np.ndarray, "n d"]:
        """The vectors, each of length 1."""
        return self.vectors / self.norms[:, None]

    @property
    def uniform(self) -> Float64[np.ndarray, " n"]:
        """The same mass for every word (eq. 3); not to be written to."""
        return _uniform(len(self.norms))

    @property
    def shares(self) -> Float64[np.ndarray, " n"]:
        """Masses in proportion to the norms (eq. 5)."""
        return self.norms / self.norms.sum()


@lru_cache(maxsize=1024)
def _uniform(n: int) -> Float64[np.ndarray, " n"]:
    """Made once for a length: a twentieth of what a pair of ten tokens takes."""
    masses = np.full(n, 1 / n)
    masses.setflags(write=False)
    return masses


def pair_of(x: Any, y: Any) -> tuple[Words, Words]:
    """Both texts, of equal width. Raises ValueError as `words_of` does, or if widths differ."""
    with np.errstate(over="ignore"):  # said in words
        first, second = _words("x", x), _words("y", y)
    widths = first.vectors.shape[1], second.vectors.shape[1]
    if widths[0] != widths[1]:
        raise ValueError(f"x has vectors of width {widths[0]}, but y of width {widths[1]}")
    return first, second


def words_of(name: str, vectors: Any) -> Words:
    """A text's vectors [n, d] without zero rows, which have no direction and get no mass.

    Raises ValueError if there is none left, or a number that is not finite.
    """
    with np.errstate(over="ignore"):  # said in words
        return _words(name, vectors)


def _words(name: str, vectors: Any) -> Words:
    """A pair of ten tokens takes 50 µs: hence a product for a sum, and nonzero ones counted."""
    rows = np.ascontiguousarray(vectors, dtype=np.float64)
    if rows.ndim != 2 or not rows.size:
        raise ValueError(f"{name} has shape {rows.shape}, but must be [n, d] with a word at least")
    norms = np.sqrt(np.vecdot(rows, rows))
    if not norms @ norms < np.inf:  # NaN, an infinity, or squares that overflow
        raise ValueError(f"{name} has vectors that are NaN, infinite or longer than 1e154")
    alive = np.count_nonzero(norms)
    if not alive:
        raise ValueError(f"{name} has only zero vectors, but must have one that is not zero")
    if alive < len(norms):
        rows, norms = rows[norms > 0], norms[norms > 0]
    return Words(rows, norms)


def squared_distances(
    x: Float64[np.ndarray, "m d"],
    y: Float64[np.ndarray, "n d"],
    sizes: Float64[np.ndarray, "m n"] | float,
) -> Float64[np.ndarray, "m n"]:
    """‖x_i − y_j‖² of all pairs by one matrix product, given ‖x_i‖² + ‖y_j‖².

    Where x_i and y_j nearly agree the product's digits cancel: those pairs are subtracted first.
    """
    squares = x @ y.T
    squares *= -2.0
    squares += sizes
    close = squares <= _CLOSE * sizes
    if np.count_nonzero(close):  # faster than any()
        i, j = np.nonzero(close)
        apart = x[i] - y[j]
        squares[i, j] = np.vecdot(apart, apart)
    return squares
