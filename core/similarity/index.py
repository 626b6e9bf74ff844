"""What stands below every distance of a corpus: bounds that are proven, also after rounding.

A bound is computed in single precision, where a product of two vectors of width d is off by less
than (d + 2) 2⁻²⁴ of the product of their lengths (Higham, Accuracy and Stability of Numerical
Algorithms, 3.5). Twice that and more is taken off, so that no bound ever exceeds the distance
that the solver returns; what can't be bounded (overflow) is bounded by 0.

- centroids: ‖mean x − mean y‖ ≤ WMD; ½‖a − b‖² ≤ WRD (post 7388, eq. 4 and 8);
- relaxed: every word goes to the nearest one of the other text, in either direction (Kusner 2015).

Axes: n texts, v distinct vectors, t words, d width; m words of the query.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse
from jaxtyping import Bool, Float, Float32, Float64, Integer

from core.similarity.vectors import Words

if TYPE_CHECKING:
    from core.similarity.corpus import Corpus

METRICS = ("wrd", "wmd")

BLOCK = 4096  # texts whose words are gathered at once
SOLVER = 1e-12  # what the exact solver's value may be off, relative to the greatest cost
REPEATED = 2  # words a distinct vector, from which on the vocabulary's costs are all computed


@dataclass(frozen=True, eq=False)
class Index:
    """Of a corpus, for one metric: masses, centroids, lengths."""

    metric: str
    corpus: "Corpus"
    masses: Float64[np.ndarray, " t"]  # of the words, 1 a text
    centroids: Float32[np.ndarray, "n d"]  # around their mean
    center: Float64[np.ndarray, " d"]  # their mean
    squares: Float64[np.ndarray, " n"]  # ‖centroid‖² around the mean
    reach: Float64[np.ndarray, " n"]  # the longest vector of a text; 1 for WRD

    @classmethod
    def of(cls, corpus: "Corpus", metric: str) -> "Index":
        """Made of a corpus; takes seconds for a million words."""
        masses = _masses(corpus, metric)
        means = _centroids(corpus, metric, masses)
        center = means.mean(axis=0)
        means -= center
        squares = np.einsum("nd,nd->n", means, means)
        longest = np.maximum.reduceat(corpus.norms[corpus.ids], corpus.starts[:-1])
        reach = longest if metric == "wmd" else np.ones(len(corpus))
        with np.errstate(over="ignore"):  # what single precision can't hold is not used
            around = means.astype(np.float32)
        return cls(metric, corpus, masses, around, center, squares, reach)

    @property
    def repeats(self) -> bool:
        """Whether words come again: then costs are computed once for each distinct vector."""
        return len(self.corpus.ids) >= REPEATED * len(self.corpus.vocabulary)

    def below_by_centroid(self, query: Words) -> Float64[np.ndarray, " n"]:
        """A bound for every text, from the distance of the centroids."""
        point = _centroid(query, self.metric) - self.center
        size = float(point @ point)
        lengths = np.sqrt(self.squares) + np.sqrt(size)
        with np.errstate(over="ignore", invalid="ignore"):
            products = (self.centroids @ point.astype(np.float32)).astype(np.float64)
        gaps = self.squares + size - 2 * products - _slack(self.corpus.width) * lengths**2
        gaps = np.where(_representable(lengths), np.maximum(gaps, 0.0), 0.0)
        return self._proven(np.sqrt(gaps) if self.metric == "wmd" else gaps / 2, query)

    def costs(self, query: Words) -> Float32[np.ndarray, "v m"]:
        """At most the cost from each distinct vector of the corpus to each word of the query."""
        return self._costs(self.corpus.vocabulary, self.corpus.norms, query)

    def below_by_words(
        self, costs: Float32[np.ndarray, "v m"], query: Words
    ) -> Float64[np.ndarray, " n"]:
        """A bound for every text: its words go to the nearest of the query."""
        with np.errstate(invalid="ignore"):
            nearest = costs.min(axis=1).astype(np.float64)
        return self._proven(self._weights @ nearest, query)

    def below_by_both(
        self,
        texts: Integer[np.ndarray, " b"],
        query: Words,
        costs: Float32[np.ndarray, "v m"] | None,
    ) -> Float64[np.ndarray, " b"]:
        """A bound for some texts, the larger of the two directions; costs None: computed here."""
        places, starts = _places(self.corpus.starts, texts)
        ids = self.corpus.ids[places]
        rows, norms = self.corpus.vocabulary, self.corpus.norms
        found = self._costs(rows[ids], norms[ids], query) if costs is None else costs[ids]
        there = np.add.reduceat(found.min(axis=1) * self.masses[places], starts)
        back = np.minimum.reduceat(found, starts, axis=0) @ _query_masses(query, self.metric)
        return self._proven(np.maximum(there, back), query, texts)

    def _costs(
        self, rows: Float[np.ndarray, "i d"], norms: Float64[np.ndarray, " i"], query: Words
    ) -> Float32[np.ndarray, "i m"]:
        """By one matrix product, so much less that rounding makes no cost too great."""
        slack = _slack(self.corpus.width)
        with np.errstate(over="ignore", invalid="ignore"):
            rows = rows.astype(np.float32, copy=False)
            if self.metric == "wrd":
                found = rows @ query.units.astype(np.float32).T
                found /= -np.where(norms > 0, norms, 1.0).astype(np.float32)[:, None]
                found += np.float32(1 - slack)
                return _not_below_zero(found, _representable(norms)[:, None])
            lengths = norms[:, None] + query.norms
            found = rows @ (-2 * query.vectors).astype(np.float32).T
            found += (norms[:, None] ** 2 + query.norms**2 - slack * lengths**2).astype(np.float32)
            found = _not_below_zero(found, _representable(lengths))
            return np.sqrt(found, out=found)

    def _proven(
        self,
        bounds: Float[np.ndarray, " b"],
        query: Words,
        texts: Integer[np.ndarray, " b"] | None = None,
    ) -> Float64[np.ndarray, " b"]:
        """Less what rounding may have added, and what the solver's own value may lack."""
        reach = self.reach if texts is None else self.reach[texts]
        scale = reach + (query.norms.max() if self.metric == "wmd" else 1.0)
        safe = bounds * (1 - 1e-6) - SOLVER * scale
        return np.where(np.isfinite(safe), np.maximum(safe, 0.0), 0.0)

    @property
    def _weights(self) -> scipy.sparse.csr_array:
        corpus = self.corpus
        shape = (len(corpus), len(corpus.vocabulary))
        return scipy.sparse.csr_array((self.masses, corpus.ids, corpus.starts), shape=shape)


def _slack(width: int) -> float:
    """The rounding of a product of two vectors, relative to their lengths, and as much again."""
    return 2 * (width + 16) * 2.0**-24


def _representable(lengths: Float64[np.ndarray, "..."]) -> Bool[np.ndarray, "..."]:
    """Where the squares of these lengths neither overflow in single precision nor underflow."""
    found: np.ndarray = (lengths > 1e-15) & (lengths < 1e18)
    return found


def _not_below_zero(
    costs: Float32[np.ndarray, "i m"], sound: Bool[np.ndarray, "#i #m"]
) -> Float32[np.ndarray, "i m"]:
    """What is negative or not sound becomes 0, which is below every cost."""
    if not sound.all():
        costs = np.where(sound, costs, np.float32(0))
    return np.maximum(costs, np.float32(0), out=costs)


def _masses(corpus: "Corpus", metric: str) -> Float64[np.ndarray, " t"]:
    norms = corpus.norms[corpus.ids]
    masses = norms if metric == "wrd" else (norms > 0).astype(np.float64)
    totals = np.add.reduceat(masses, corpus.starts[:-1])
    return masses / np.repeat(totals, np.diff(corpus.starts))


def _query_masses(query: Words, metric: str) -> Float64[np.ndarray, " m"]:
    return query.shares if metric == "wrd" else query.uniform


def _centroid(query: Words, metric: str) -> Float64[np.ndarray, " d"]:
    rows = query.units if metric == "wrd" else query.vectors
    found: np.ndarray = _query_masses(query, metric) @ rows
    return found


def _centroids(
    corpus: "Corpus", metric: str, masses: Float64[np.ndarray, " t"]
) -> Float64[np.ndarray, "n d"]:
    """The mean of every text's vectors, of length 1 for WRD, weighted by their masses."""
    found = np.empty((len(corpus), corpus.width))
    if metric == "wrd":
        norms = corpus.norms[corpus.ids]
        masses = masses / np.where(norms > 0, norms, 1.0)
    for first in range(0, len(corpus), BLOCK):
        starts = corpus.starts[first : first + BLOCK + 1]
        words = slice(starts[0], starts[-1])
        ids, places = np.unique(corpus.ids[words], return_inverse=True)
        shape = (len(starts) - 1, len(ids))
        weights = scipy.sparse.csr_array((masses[words], places, starts - starts[0]), shape=shape)
        found[first : first + BLOCK] = weights @ corpus.vocabulary[ids].astype(np.float64)
    return found


def _places(
    starts: Integer[np.ndarray, " bounds"], texts: Integer[np.ndarray, " b"]
) -> tuple[Integer[np.ndarray, " w"], Integer[np.ndarray, " b"]]:
    """Where the words of some texts stand, and where each of these texts begins among them."""
    lengths = starts[texts + 1] - starts[texts]
    begins = np.cumsum(lengths) - lengths
    return np.arange(lengths.sum()) + np.repeat(starts[texts] - begins, lengths), begins
