"""A corpus split among workers: each searches its part, and the nearest of all are merged.

A distance is computed from the two texts alone, so the answer is that of the whole corpus, to the
last digit and in the same order. Centre the corpus before it is split: its mean is that of all.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from core.similarity.corpus import Corpus
from core.similarity.search import SearchResult


def split(corpus: Corpus, parts: int) -> list[Corpus]:
    """The texts in order, in that many parts of nearly equal size, each with its own vocabulary.

    Raises ValueError unless there are from 1 to len(corpus) parts.
    """
    if not 1 <= parts <= len(corpus):
        raise ValueError(f"parts is {parts}, but must be from 1 to {len(corpus)}, one a text")
    bounds = [round(len(corpus) * number / parts) for number in range(parts + 1)]
    return [_part(corpus, first, last) for first, last in pairwise(bounds)]


def merge(found: Sequence[SearchResult], sizes: Sequence[int], k: int) -> SearchResult:
    """The k nearest of all parts; `sizes` are the numbers of texts of the parts, in order."""
    offsets = np.cumsum([0, *sizes[:-1]])
    texts = np.concatenate([one.indices + at for one, at in zip(found, offsets, strict=True)])
    distances = np.concatenate([one.distances for one in found])
    best = np.lexsort((texts, distances))[:k]  # ties in the order of the texts
    bounds = found[0].left
    left = {name: sum(one.left[name] for one in found if name in one.left) for name in bounds}
    return SearchResult(texts[best], distances[best], sum(one.solved for one in found), left)


def _part(corpus: Corpus, first: int, last: int) -> Corpus:
    starts = corpus.starts[first : last + 1]
    used, ids = np.unique(corpus.ids[starts[0] : starts[-1]], return_inverse=True)
    return Corpus(corpus.vocabulary[used], ids.astype(corpus.ids.dtype), starts - starts[0])
