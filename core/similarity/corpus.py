"""Many texts as word vectors, and the ones nearest to a query by WRD or WMD.

A word that stands in several texts with the same vector is kept once, so that static vectors of
100 000 sentences take no more than their vocabulary. Contextual vectors are each their own.

Axes: n texts, v distinct word vectors of width d, t words of all texts together.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Float64, Integer

from core.encoders import TokenEncoder
from core.similarity.index import METRICS, Index
from core.similarity.search import SearchResult, search
from core.similarity.vectors import Words, words_of

SAMPLE = 20_000  # words after which it is known whether words come again
KINDS = (np.float16, np.float32, np.float64)  # precisions in which vectors are kept as they come
BATCH = 256  # texts that are encoded at once

Precision = Literal["half", "single"]


@dataclass(frozen=True, eq=False)
class Corpus:
    """Texts as word vectors. Read-only: one object serves all threads."""

    vocabulary: Float[np.ndarray, "v d"]  # distinct vectors
    ids: Integer[np.ndarray, " t"]  # of each word of each text, one text after the other
    starts: Integer[np.ndarray, " bounds"]  # where each text begins in `ids`, and the end

    def __post_init__(self) -> None:
        """Raises ValueError if a text has no word, only zero vectors, or NaN or infinity."""
        _check(self)

    @classmethod
    def from_vectors(cls, vectors: Iterable[Any]) -> "Corpus":
        """The corpus of texts given as arrays [n_i, d]: float16, float32 or float64, all alike.

        Raises ValueError, naming the text, if one has no row, a row of another width, only zero
        rows, or a number that is not finite.
        """
        rows = [_rows(index, text) for index, text in enumerate(vectors)]
        if not rows:
            raise ValueError("vectors has no text, but must have one at least")
        _same_width(rows)
        precision = np.result_type(*{text.dtype for text in rows})
        vocabulary, ids = _numbered([text.astype(precision, copy=False) for text in rows])
        return cls(vocabulary, ids, _starts(len(text) for text in rows))

    @classmethod
    def from_texts(
        cls,
        texts: Sequence[str],
        encoder: TokenEncoder,
        *,
        layer: int = -1,
        contextual: bool = True,
        precision: Precision = "single",
    ) -> "Corpus":
        """The corpus of texts as an encoder sees them, with the same options as `encode`.

        precision "half" halves the memory of contextual vectors; distances move by about 1e-4 of
        their size (`benchmarks/similarity.py` measures it). Raises ValueError, naming the text,
        if one has no word.
        """
        kind = {"half": np.float16, "single": np.float32}[precision]
        found: list[np.ndarray] = []
        for start in range(0, len(texts), BATCH):
            batch = texts[start : start + BATCH]
            encoded = _encoded(encoder, batch, start, layer, contextual)
            found += [text.astype(kind, copy=False) for text in encoded]
        return cls.from_vectors(found)

    def __len__(self) -> int:
        return len(self.starts) - 1

    def vectors(self, index: int) -> Float[np.ndarray, "n_i d"]:
        """The word vectors of a text, as they are kept."""
        return self.vocabulary[self.ids[self.starts[index] : self.starts[index + 1]]]

    def words(self, index: int) -> Words:
        """The word vectors of a text, as the distances need them: checked long ago."""
        ids = self.ids[self.starts[index] : self.starts[index + 1]]
        rows, norms = self.vocabulary[ids].astype(np.float64), self.norms[ids]
        return Words(rows, norms) if norms.all() else Words(rows[norms > 0], norms[norms > 0])

    def search(self, x: Any, k: int, *, metric: str = "wrd", prune: bool = True) -> SearchResult:
        """The k texts nearest to a text with word vectors x [m, d], the nearest first.

        prune False solves every text; the result is the same. Raises ValueError if x has no word,
        a number that is not finite or another width, if k is below 1 or the metric unknown.
        """
        query = words_of("x", x)
        if query.vectors.shape[1] != self.width:
            raise ValueError(f"x has width {query.vectors.shape[1]}, but the corpus {self.width}")
        if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
            raise ValueError(f"k is {k!r}, but must be a whole number of at least 1")
        return search(self.index(metric), query, int(k), prune=prune)

    def index(self, metric: str) -> Index:
        """What the bounds need of this corpus, made once for each metric."""
        if metric not in METRICS:
            raise ValueError(f"metric is {metric!r}, but must be one of {METRICS}")
        if metric not in self._indexes:
            self._indexes[metric] = Index.of(self, metric)
        return self._indexes[metric]

    @property
    def width(self) -> int:
        """Width d of the vectors."""
        return int(self.vocabulary.shape[1])

    @property
    def size(self) -> int:
        """Bytes of the vectors and of the texts' lists of words, without the indexes."""
        return int(self.vocabulary.nbytes + self.ids.nbytes + self.starts.nbytes)

    @cached_property
    def norms(self) -> Float64[np.ndarray, " v"]:
        """The length of every vector."""
        found = np.empty(len(self.vocabulary))
        for start in range(0, len(found), SAMPLE):
            rows = self.vocabulary[start : start + SAMPLE].astype(np.float64)
            with np.errstate(over="ignore"):  # infinite: refused
                found[start : start + SAMPLE] = np.sqrt(np.vecdot(rows, rows))
        return found

    @cached_property
    def mean(self) -> Float64[np.ndarray, " d"]:
        """The mean of all words of all texts."""
        counts = np.bincount(self.ids, minlength=len(self.vocabulary)).astype(np.float64)
        total = np.zeros(self.width)
        for start in range(0, len(counts), SAMPLE):
            rows = self.vocabulary[start : start + SAMPLE].astype(np.float64)
            total += counts[start : start + SAMPLE] @ rows
        return total / len(self.ids)

    def centered(self) -> "Corpus":
        """The same texts with the mean of all words taken out of every vector."""
        kind = self.vocabulary.dtype
        return Corpus(self.vocabulary - self.mean.astype(kind), self.ids, self.starts)

    @cached_property
    def _indexes(self) -> dict[str, Index]:
        return {}


def _rows(index: int, vectors: Any) -> np.ndarray:
    rows = np.asarray(vectors)
    if rows.ndim != 2 or not rows.size:
        raise ValueError(
            f"vectors[{index}] has shape {rows.shape}, but must be [n, d] with a word at least"
        )
    return np.ascontiguousarray(rows, dtype=None if rows.dtype in KINDS else np.float64)


def _same_width(rows: Sequence[np.ndarray]) -> None:
    width = rows[0].shape[1]
    for index, text in enumerate(rows):
        if text.shape[1] != width:
            raise ValueError(
                f"vectors[{index}] has width {text.shape[1]}, but vectors[0] has {width}"
            )


def _numbered(texts: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The distinct rows [v, d] of all texts, and the number of each row [t] among them."""
    numbers: dict[bytes, int] = {}
    distinct: list[np.ndarray] = []
    ids: list[int] = []
    for text in texts:
        if len(ids) > SAMPLE and len(distinct) > 0.9 * len(ids):  # contextual: none comes again
            rows = np.concatenate(texts)
            return rows, np.arange(len(rows), dtype=np.int32)
        for row in text:
            key = blake2b(row, digest_size=16).digest()
            number = numbers.setdefault(key, len(distinct))
            if number == len(distinct):
                distinct.append(row)
            ids.append(number)
    return np.stack(distinct), np.array(ids, dtype=np.int32)


def _starts(lengths: Iterable[int]) -> np.ndarray:
    return np.cumsum([0, *lengths], dtype=np.int64)


def _check(corpus: Corpus) -> None:
    """Raises ValueError for the first text that no distance is defined for."""
    if len(corpus) < 1 or (np.diff(corpus.starts) < 1).any():
        raise ValueError("the corpus must have one text at least, and every text a word")
    norms = corpus.norms[corpus.ids]
    for unfit, why in (
        (np.logical_or.reduceat(~np.isfinite(norms), corpus.starts[:-1]), "NaN or infinity"),
        (np.maximum.reduceat(norms, corpus.starts[:-1]) == 0, "only zero vectors"),
    ):
        if unfit.any():
            raise ValueError(f"vectors[{int(unfit.argmax())}] has {why}: it has no distance")


def _encoded(
    encoder: TokenEncoder, batch: Sequence[str], start: int, layer: int, contextual: bool
) -> list[np.ndarray]:
    try:
        found = encoder.encode_many(batch, layer=layer, contextual=contextual)
    except ValueError:
        for number, text in enumerate(batch, start):
            _named(encoder, text, number)
        raise
    return [text.vectors for text in found]


def _named(encoder: TokenEncoder, text: str, number: int) -> None:
    """Raise again what a text can't be encoded for, with its number."""
    try:
        encoder.encode(text, contextual=False)
    except ValueError as error:
        raise ValueError(f"texts[{number}]: {error}") from error
