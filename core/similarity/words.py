"""How frequent words are, and which of them carry little: what weights and stop words rest on.

Frequencies are those of the package wordfreq (Robyn Speer; data CC BY-SA 4.0), its small lists: in
written English and Chinese together, every word that stands in a million others. A rarer word, or
a piece of one, counts as just below the list's least.

Source of the weights a/(a + f): Arora et al. 2017 (SIF), a = 1e-3.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float64

RAREST = 1e-6
SIF = 1e-3
STOP = 1e-3  # a word more frequent than this is a stop word; so is what has no letter or digit

Norms = Float64[np.ndarray, " n"]
MASSES: dict[str, Callable[[Sequence[str], Norms], np.ndarray]] = {
    "uniform": lambda words, norms: np.ones(len(words)),
    "norm": lambda words, norms: norms,
    "idf": lambda words, norms: -np.log(frequencies(words)),
    "sif": lambda words, norms: SIF / (SIF + frequencies(words)),
}


def masses(kind: str, words: Sequence[str], norms: Norms) -> Float64[np.ndarray, " n"]:
    """The share of each word by one of MASSES; the shares sum to 1.

    "uniform" (eq. 3), "norm" of the word's vector (eq. 5), "idf" −log f, "sif" a/(a + f).
    """
    weights = np.asarray(MASSES[kind](words, norms), dtype=np.float64)
    return weights / weights.sum()


def frequencies(words: Sequence[str]) -> Float64[np.ndarray, " n"]:
    """How large a share of all words each is, in the language that it is more frequent in."""
    lists = _lists()
    return np.array([max(one.get(word.lower(), RAREST) for one in lists) for word in words])


def stop_words(words: Sequence[str]) -> Bool[np.ndarray, " n"]:
    """Which words are too frequent to tell texts apart, or only marks."""
    marks = np.array([not any(letter.isalnum() for letter in word) for word in words], dtype=bool)
    return marks | (frequencies(words) > STOP)


@lru_cache(maxsize=1)
def _lists() -> tuple[dict[str, float], dict[str, float]]:
    import wordfreq  # half a second: only where somebody asks

    english, chinese = (wordfreq.get_frequency_dict(code, "small") for code in ("en", "zh"))
    return english, chinese
