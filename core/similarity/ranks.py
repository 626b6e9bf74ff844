"""Spearman's rank correlation of many resamples at once, without a sort for each.

A resample is told by how often it holds each value. Equal values share the mean of their places,
so the ranks follow from running sums over the values in order.

Axes: n values, r resamples.
"""

import numpy as np
from jaxtyping import Float64, Int64


def counts_of(rows: Int64[np.ndarray, "r drawn"], n: int) -> Int64[np.ndarray, "r n"]:
    """How often each of n values is among those drawn."""
    apart = rows + n * np.arange(len(rows))[:, None]
    return np.bincount(apart.ravel(), minlength=n * len(rows)).reshape(len(rows), n)


def ranks(
    values: Float64[np.ndarray, " n"], counts: Int64[np.ndarray, "r n"]
) -> Float64[np.ndarray, "r n"]:
    """The rank, from 1, of every value in every resample; of no meaning where it is not held."""
    distinct, place = np.unique(values, return_inverse=True)
    order = np.argsort(values)
    held = np.add.reduceat(counts[:, order], np.searchsorted(values[order], distinct), axis=1)
    found: np.ndarray = held.cumsum(axis=1) - (held - 1) / 2
    return found[:, place]


def resampled_spearman(
    columns: Float64[np.ndarray, "n k"],
    target: Float64[np.ndarray, " n"],
    counts: Int64[np.ndarray, "r n"],
) -> Float64[np.ndarray, "r k"]:
    """The rank correlation of every column with the target; 0 if one tells no two rows apart."""
    middle = (counts.sum(axis=1, keepdims=True) + 1) / 2
    goal = ranks(target, counts) - middle
    weighted, size = counts * goal, np.vecdot(counts * goal, goal)
    found = np.zeros((len(counts), columns.shape[1]))
    for k, column in enumerate(columns.T):
        places = ranks(column, counts) - middle
        sizes = np.sqrt(size * np.vecdot(counts * places, places))
        np.divide(np.vecdot(weighted, places), sizes, out=found[:, k], where=sizes > 0)
    return found
