"""Is the norm of a word's vector its importance? Norms of real vectors over how rare a word is.

The norms ship (`python scripts/measure_word_norms.py` makes them): of the most frequent words that
are one piece of the encoder's vocabulary, from its word embedding; and of the words of the shipped
sentences after its last layer, the mean over their occurrences.

Source: https://kexue.fm/archives/7388, section on WRD (norm as importance).
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from core.knobs import Choice, Config
from core.similarity.ranks import counts_of, resampled_spearman
from core.similarity.reading import FOLDER
from core.similarity.words import STOP
from core.tables import load_table

NORMS = FOLDER / "norms.json"
CUTS = FOLDER / "norm_cuts.json"
SHORTEST = 12  # words in the table
RESAMPLES = 400


@dataclass(frozen=True)
class ImportanceConfig(Config):
    """Whose norms."""

    language: Annotated[str, Choice("en", "zh")] = "en"
    vectors: Annotated[str, Choice("static", "contextual")] = "static"


@dataclass(frozen=True)
class Importance:
    """Norm over rarity, word by word."""

    points: pd.DataFrame  # x (−log10 of the frequency), curve in {"stop", "content"}, value, word
    cuts: pd.DataFrame  # count, correlation: of the word embedding, among so many frequent words
    shortest: pd.DataFrame  # word, norm, rarity: those of the smallest norms
    count: int
    correlation: float  # Spearman's, of norm and rarity
    low: float  # of its 95 % bootstrap interval
    high: float
    stop: float  # mean norm of the stop words
    content: float  # of all others
    variation: float  # standard deviation of the norms over their mean


def importance(config: ImportanceConfig) -> Importance:
    """The words of one language. Raises ValueError if the shipped table is damaged."""
    rows = words_of(config.language, config.vectors)
    rarity, norm = -np.log10(rows["frequency"].to_numpy()), rows["norm"].to_numpy()
    stop = rows["frequency"].to_numpy() > STOP
    curve = np.where(stop, "stop", "content")
    points = pd.DataFrame({"x": rarity, "curve": curve, "value": norm, "word": rows["word"]})
    first = np.argsort(norm)[:SHORTEST]
    low, high = _interval(rarity, norm)
    return Importance(
        points=points.reset_index(drop=True),
        cuts=cuts(config.language),
        shortest=pd.DataFrame(
            {"word": rows["word"].to_numpy()[first], "norm": norm[first], "rarity": rarity[first]}
        ),
        count=len(rows),
        correlation=correlation(rows),
        low=low,
        high=high,
        stop=float(norm[stop].mean()),
        content=float(norm[~stop].mean()),
        variation=float(norm.std() / norm.mean()),
    )


def words_of(language: str, vectors: str) -> pd.DataFrame:
    """The words measured: word, frequency, norm."""
    rows = _table()
    chosen = (rows["language"] == language) & (rows["vectors"] == vectors)
    return rows.loc[chosen, ["word", "frequency", "norm"]]


def cuts(language: str) -> pd.DataFrame:
    """count, correlation: among the most frequent words of the word embedding, up to all of them.

    Raises ValueError if the shipped table is damaged.
    """
    rows = load_table(CUTS, ("language", "count", "correlation"))
    return rows.loc[rows["language"] == language, ["count", "correlation"]].reset_index(drop=True)


def correlation(rows: pd.DataFrame) -> float:
    """Spearman's rank correlation of norm and rarity: 1 if the norm rises with rarity."""
    return float(spearmanr(-rows["frequency"], rows["norm"]).statistic)


def _interval(rarity: np.ndarray, norm: np.ndarray) -> tuple[float, float]:
    """What 95 % of resampled vocabularies give."""
    generator = np.random.default_rng(0)
    drawn = generator.integers(0, len(norm), (RESAMPLES, len(norm)))
    found = resampled_spearman(norm[:, None], rarity, counts_of(drawn, len(norm)))
    low, high = np.quantile(found, [0.025, 0.975])
    return float(low), float(high)


@lru_cache(maxsize=1)
def _table() -> pd.DataFrame:
    return load_table(NORMS, ("word", "language", "vectors", "frequency", "norm"))
