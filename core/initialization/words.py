"""Are real word vectors "any two vectors"? Their angles beside the law for no preferred direction.

400 frequent words each of English and Chinese, as rows of a trained word embedding: of that which
ships (`pretrained/initialization/words.json` says whose; `python scripts/ship_word_vectors.py`
picks them), or of any encoder's, where a word of several pieces is their mean.

Source: https://kexue.fm/archives/7076, its closing remark on vectors in high dimension.
"""

import hashlib
import json
import math
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import safetensors.numpy

from core.encoders import EMBEDDED, Notice, encoder
from core.initialization.angles import angle_density, angle_variance
from core.initialization.law import within
from core.knobs import Choice, Config, Text

FOLDER = Path(__file__).parents[2] / "pretrained" / "initialization"
BINS = np.linspace(60, 120, 61)  # degrees
CLOSEST = 6  # pairs in the table


@dataclass(frozen=True)
class WordsConfig(Config):
    """Which words, whether their mean is taken out, and whose vectors."""

    language: Annotated[str, Choice("en", "zh", "both")] = "both"
    centered: bool = False
    model: Annotated[str, Text(120)] = ""  # an encoder's name or folder; nothing: those that ship


class TooFewWords(ValueError):
    """The encoder knows too few of the words for a picture."""


@dataclass(frozen=True)
class Words:
    """The angles of all pairs, in degrees."""

    densities: pd.DataFrame  # x (middle of a bin), curve "words" or "isotropic", value per degree
    closest: pd.DataFrame  # first, second, angle
    count: int  # of words
    dim: int
    mean: float
    spread: float  # standard deviation
    expected_spread: float  # of vectors without a preferred direction
    within: float  # share of pairs within 5 degrees of a right angle
    expected_within: float
    encoder: str
    licence: str | None
    notice: Notice | None


@dataclass(frozen=True)
class _Vectors:
    """The words that an encoder knows, and whose they are."""

    names: list[str]
    vectors: np.ndarray  # float64 [words, dim]
    encoder: str
    licence: str | None
    notice: Notice | None


def words(config: WordsConfig) -> Words:
    """Every angle between two of the chosen words.

    Raises ValueError if the file that ships is damaged, TooFewWords if the encoder knows too few.
    """
    found = _shipped(config.language) if not config.model else _of(config.model, config.language)
    names, vectors = found.names, found.vectors
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
        encoder=found.encoder,
        licence=found.licence,
        notice=found.notice,
    )


def word_vectors() -> tuple[dict[str, list[str]], np.ndarray]:
    """The words by language, and the vectors of all in that order, float64 [words, dim].

    Raises ValueError if the files are missing or damaged.
    """
    card, vectors = _files()
    return card["words"], vectors


@lru_cache(maxsize=1)
def _files() -> tuple[dict[str, Any], np.ndarray]:
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
    return card, safetensors.numpy.load(content)["vectors"].astype(np.float64)


def _shipped(language: str) -> _Vectors:
    card, vectors = _files()
    names = [(code, name) for code, found in card["words"].items() for name in found]
    chosen = [i for i, (code, _) in enumerate(names) if language in ("both", code)]
    shown = [names[i][1] for i in chosen]
    return _Vectors(shown, vectors[chosen], card["model"], card["licence"], None)


def _of(name: str, language: str) -> _Vectors:
    """The same words in another encoder's word embedding, those that it knows whole."""
    model, shipped = encoder(name), _shipped(language)
    if model.name == EMBEDDED:  # it stands in
        return replace(shipped, notice=model.notice)
    read = model.encode_many(shipped.names, contextual=False)
    known = [i for i, one in enumerate(read) if one.known.all()]
    if len(known) < 2 * CLOSEST:
        raise TooFewWords(f"{name} knows {len(known)} of {len(read)} words")
    vectors = np.stack([read[i].vectors.mean(axis=0, dtype=np.float64) for i in known])
    names = [shipped.names[i] for i in known]
    return _Vectors(names, vectors, model.name, model.licence, model.notice)


def _densities(angles: np.ndarray, dim: int) -> pd.DataFrame:
    x = (BINS[1:] + BINS[:-1]) / 2
    counts, _ = np.histogram(angles, BINS)
    curves = {
        "words": counts / len(angles) / np.diff(BINS),
        "isotropic": angle_density(np.radians(x), dim) * math.pi / 180,
    }
    tables = [pd.DataFrame({"x": x, "curve": k, "value": v}) for k, v in curves.items()]
    return pd.concat(tables, ignore_index=True)
