"""Are real word vectors "any two vectors"? Their angles beside the law for no preferred direction.

The vectors are rows of a trained word embedding, 400 frequent words each of English and Chinese
(`pretrained/initialization/words.json` says whose); `python scripts/ship_word_vectors.py` picks
them.

Source: https://kexue.fm/archives/7076, its closing remark on vectors in high dimension.
"""

import hashlib
import json
import math
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import safetensors.numpy

from core.initialization.angles import angle_density, angle_variance
from core.initialization.law import within
from core.knobs import Choice, Config

FOLDER = Path(__file__).parents[2] / "pretrained" / "initialization"
BINS = np.linspace(60, 120, 61)  # degrees
CLOSEST = 6  # pairs in the table


@dataclass(frozen=True)
class WordsConfig(Config):
    """Which words, and whether their mean is taken out."""

    language: Annotated[str, Choice("en", "zh", "both")] = "both"
    centered: bool = False


@dataclass(frozen=True)
class Words:
    """The angles of all pairs, in degrees."""

    densities: (
        pd.DataFrame
    )  # x (middle of a bin), curve in {"words", "isotropic"}, value: per degree
    closest: pd.DataFrame  # first, second, angle
    count: int  # of words
    dim: int
    mean: float
    spread: float  # standard deviation
    expected_spread: float  # of vectors without a preferred direction
    within: float  # share of pairs within 5 degrees of a right angle
    expected_within: float


def words(config: WordsConfig) -> Words:
    """Every angle between two of the chosen words. Raises ValueError if the file is damaged."""
    names, vectors = _chosen(config.language)
    if config.centered:
        vectors = vectors - vectors.mean(axis=0)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    first, second = np.triu_indices(len(unit), 1)
    angles = np.degrees(np.arccos(np.clip((unit @ unit.T)[first, second], -1, 1)))
    near, dim = np.argsort(angles)[:CLOSEST], vectors.shape[1]
    return Words(
        densities=_densities(angles, dim),
        closest=pd.DataFrame(
            {
                "first": [names[i] for i in first[near]],
                "second": [names[i] for i in second[near]],
                "angle": angles[near],
            }
        ),
        count=len(names),
        dim=dim,
        mean=float(angles.mean()),
        spread=float(angles.std()),
        expected_spread=math.degrees(math.sqrt(angle_variance(dim))),
        within=float((np.abs(angles - 90) <= 5).mean()),
        expected_within=within(dim, math.radians(5)),
    )


@lru_cache(maxsize=1)
def word_vectors() -> tuple[dict[str, list[str]], np.ndarray]:
    """The words by language, and the vectors of all in that order, float64 [words, dim].

    Raises ValueError if the files are missing or damaged.
    """
    try:
        card = json.loads((FOLDER / "words.json").read_text(encoding="utf-8"))
        content = (FOLDER / "words.safetensors").read_bytes()
        whole = hashlib.sha256(content).hexdigest() == card["sha256"]
    except OSError as error:
        raise ValueError(f"{error.filename} is missing: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"words.json is damaged: {error}") from error
    if not whole:
        raise ValueError("words.safetensors is damaged: not the vectors of its card")
    return card["words"], safetensors.numpy.load(content)["vectors"].astype(np.float64)


def _chosen(language: str) -> tuple[list[str], np.ndarray]:
    by_language, vectors = word_vectors()
    names = [(code, name) for code, found in by_language.items() for name in found]
    chosen = [i for i, (code, _) in enumerate(names) if language in ("both", code)]
    return [names[i][1] for i in chosen], vectors[chosen]


def _densities(angles: np.ndarray, dim: int) -> pd.DataFrame:
    x = (BINS[1:] + BINS[:-1]) / 2
    counts, _ = np.histogram(angles, BINS)
    curves = {
        "words": counts / len(angles) / np.diff(BINS),
        "isotropic": angle_density(np.radians(x), dim) * math.pi / 180,
    }
    tables = [pd.DataFrame({"x": x, "curve": k, "value": v}) for k, v in curves.items()]
    return pd.concat(tables, ignore_index=True)
