"""Measures of how near two sentences are, side by side. Each is a similarity: larger is nearer.

Distances come with a minus sign. Bag of words and TF-IDF compare how often each term comes, brought
to a sum of 1 and by the sum of absolute differences: a baseline without it flatters WMD (Sato et
al. 2022, arXiv:2105.14403). Terms are words in English and pairs of characters in Chinese;
document frequencies are those of the sentences that ship.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

import numpy as np
from jaxtyping import Float64

from core.encoders import TokenEncoder
from core.similarity.distances import rwmd, wmd, wrd
from core.similarity.embedding import CorpusConfig, embedded, encoder_of
from core.similarity.texts import shipped

_RUNS = re.compile(r"[a-z0-9']+|[\u4e00-\u9fff]+")

Score = Callable[["Sight", str, str], float]


@dataclass(eq=False)
class Sight:
    """Texts as an encoder sees them, each encoded once."""

    name: str = ""  # of the encoder; "": the embedded one
    seen: dict[tuple[str, bool], np.ndarray] = field(default_factory=dict)

    def vectors(
        self, text: str, *, contextual: bool = True, centred: bool = True
    ) -> Float64[np.ndarray, "n d"]:
        """The word vectors of a text; centred: without the mean of all words that ship."""
        key = (text, contextual)
        if key not in self.seen:
            found = self.model.encode(text, contextual=contextual).vectors
            self.seen[key] = found.astype(np.float64)
        return self.seen[key] - self.means[contextual] if centred else self.seen[key]

    @cached_property
    def model(self) -> TokenEncoder:
        """The encoder of that name. Raises ValueError if it can't be had."""
        return encoder_of(self.name)

    @cached_property
    def means(self) -> dict[bool, Float64[np.ndarray, " d"]]:
        """The mean vector of all words of the sentences that ship, in context (True) and static."""
        return {True: self._mean("contextual"), False: self._mean("static")}

    def _mean(self, vectors: str) -> Float64[np.ndarray, " d"]:
        config = CorpusConfig(vectors=vectors, model=self.name)
        return embedded(config, centered=False).corpus.mean

    def sentence(self, first: str, second: str) -> float:
        """The encoder's own score: the cosine of its sentence vectors."""
        return float(self.model.sentence(first) @ self.model.sentence(second))


def _of_vectors(
    measure: Callable[[np.ndarray, np.ndarray], float], *, contextual: bool, centred: bool
) -> Score:
    def score(sight: Sight, first: str, second: str) -> float:
        x, y = (
            sight.vectors(text, contextual=contextual, centred=centred) for text in (first, second)
        )
        return measure(x, y)

    return score


def mean_cosine(x: Float64[np.ndarray, "m d"], y: Float64[np.ndarray, "n d"]) -> float:
    """The cosine of the two mean vectors."""
    a, b = x.mean(axis=0), y.mean(axis=0)
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))


def terms(text: str) -> Counter[str]:
    """How often each term comes: English words, pairs of Chinese characters."""
    found: Counter[str] = Counter()
    for run in _RUNS.findall(text.lower()):
        is_latin = run[0] < "\u4e00" or len(run) == 1
        found.update([run] if is_latin else [run[i : i + 2] for i in range(len(run) - 1)])
    return found


def overlap(first: Mapping[str, int | float], second: Mapping[str, int | float]) -> float:
    """1 − ½ Σ|p − q| of two bags, each brought to a sum of 1: from 0 to 1."""
    totals = sum(first.values()), sum(second.values())
    if not all(totals):
        return 0.0
    shared = first.keys() & second.keys()
    return float(sum(min(first[t] / totals[0], second[t] / totals[1]) for t in shared))


def _bag(_: Sight, first: str, second: str) -> float:
    return overlap(terms(first), terms(second))


def _tfidf(_: Sight, first: str, second: str) -> float:
    return overlap(
        *({t: n * rarity(t) for t, n in terms(text).items()} for text in (first, second))
    )


def rarity(term: str) -> float:
    """log((1 + n) / (1 + how many of the n sentences that ship have the term)) + 1."""
    return float(np.log((1 + len(shipped())) / (1 + _frequencies()[term])) + 1)


@lru_cache(maxsize=1)
def _frequencies() -> Counter[str]:
    return Counter(term for text in shipped() for term in terms(text))


MEASURES: dict[str, Score] = {
    "wrd": _of_vectors(lambda x, y: -wrd(x, y), contextual=True, centred=False),
    "wrd-centred": _of_vectors(lambda x, y: -wrd(x, y), contextual=True, centred=True),
    "wrd-static": _of_vectors(lambda x, y: -wrd(x, y), contextual=False, centred=True),
    "wmd": _of_vectors(lambda x, y: -wmd(x, y), contextual=True, centred=False),
    "wmd-static": _of_vectors(lambda x, y: -wmd(x, y), contextual=False, centred=False),
    "rwmd": _of_vectors(lambda x, y: -rwmd(x, y), contextual=True, centred=False),
    "mean": _of_vectors(mean_cosine, contextual=True, centred=False),
    "mean-centred": _of_vectors(mean_cosine, contextual=True, centred=True),
    "sentence": lambda sight, first, second: sight.sentence(first, second),
    "bag": _bag,
    "tf-idf": _tfidf,
}
