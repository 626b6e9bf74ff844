"""Prefetch and prune: the exact nearest texts, with a run of the solver for few of them.

Three bounds, each dearer and closer than the one before, are set against the k-th best distance
so far: a text is solved only if none of them exceeds it. A bound that equals it does not exclude,
so ties are decided by the order of the texts, as they are without pruning.

Source: Kusner et al. 2015, section 4.3; for WRD with the bound of post 7388, eq. 8.
"""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float64, Int64

from core.similarity.distances import euclidean, rotation
from core.similarity.index import Index
from core.similarity.transport import solve
from core.similarity.vectors import Words

FIRST, LARGEST = 32, 2048  # texts whose costs are computed at once: at first, and at most


@dataclass(frozen=True, eq=False)
class SearchResult:
    """The nearest texts, and what it took to find them."""

    indices: Int64[np.ndarray, " k"]
    distances: Float64[np.ndarray, " k"]  # ascending; ties in the order of the texts
    solved: int  # texts whose distance was computed exactly
    left: dict[str, int]  # texts that "centroid", then "words" (where words come again), then
    # "both" could not exclude


@dataclass
class _Best:
    """The k nearest of the texts solved so far."""

    index: Index
    query: Words
    k: int
    solved: int = 0
    heap: list[tuple[float, int]] = field(default_factory=list)  # the worst first, both negated

    @property
    def limit(self) -> float:
        """The distance that a text must not exceed to be among the k."""
        return -self.heap[0][0] if len(self.heap) == self.k else np.inf

    def solve(self, text: int) -> None:
        """Compute the distance of a text, and keep it if it is among the k nearest."""
        found = (-distance(self.index, self.query, text), -text)
        self.solved += 1
        if len(self.heap) < self.k:
            heapq.heappush(self.heap, found)
        else:
            heapq.heappushpop(self.heap, found)

    def result(self, left: dict[str, int]) -> SearchResult:
        """The nearest first."""
        ordered = sorted((-value, -text) for value, text in self.heap)
        indices = np.array([text for _, text in ordered], dtype=np.int64)
        distances = np.array([value for value, _ in ordered])
        return SearchResult(indices, distances, self.solved, left)


def search(index: Index, query: Words, k: int, *, prune: bool) -> SearchResult:
    """The k texts nearest to the query. prune False: every text is solved."""
    best = _Best(index, query, min(k, len(index.corpus)))
    if prune:
        return best.result(_pruned(best))
    for text in range(len(index.corpus)):
        best.solve(text)
    return best.result({})


def distance(index: Index, query: Words, text: int) -> float:
    """WRD or WMD between the query and a text: to the last digit what `wrd` and `wmd` return."""
    words = index.corpus.words(text)
    if index.metric == "wmd":
        return solve(query.uniform, words.uniform, euclidean(query, words))[1]
    return max(0.0, solve(query.shares, words.shares, rotation(query, words))[1])


def _pruned(best: _Best) -> dict[str, int]:
    """Solve what the bounds leave; how many texts each of them left."""
    index, query = best.index, best.query
    centroid = index.below_by_centroid(query)
    costs = index.costs(query) if index.repeats else None
    words = centroid
    if costs is not None:
        words = np.maximum(centroid, index.below_by_words(costs, query))
    both = words.copy()
    for block in _blocks(np.argsort(words, kind="stable")):
        if words[block[0]] > best.limit:
            break
        near = block[words[block] <= best.limit]
        both[near] = np.maximum(words[near], index.below_by_both(near, query, costs))
        for text in near[np.argsort(both[near], kind="stable")]:
            if both[text] > best.limit:
                break
            best.solve(int(text))
    bounds = {"centroid": centroid, "words": words, "both": both}
    if costs is None:
        del bounds["words"]
    return {name: int((bound <= best.limit).sum()) for name, bound in bounds.items()}


def _blocks(order: Int64[np.ndarray, " n"]) -> Iterator[Int64[np.ndarray, " b"]]:
    """The texts in order, few at first, since the limit falls fast."""
    start, size = 0, FIRST
    while start < len(order):
        yield order[start : start + size]
        start, size = start + size, min(2 * size, LARGEST)
