"""The sentences of a corpus nearest to a query, how few were solved, and the best one's plan.

Source: https://kexue.fm/archives/7388, eq. 4 and 8, which bound what need not be solved.
"""

import time
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import pandas as pd

from core.encoders import EMBEDDED
from core.knobs import Choice, Config, Range, Text
from core.similarity.distances import euclidean, rotation
from core.similarity.embedding import CorpusConfig, Embedded, embedded
from core.similarity.reading import EXAMPLES, Layer, Source, read, source
from core.similarity.search import SearchResult, distance
from core.similarity.transport import solve
from core.similarity.vectors import words_of

LENGTH = 200  # characters of a query
CHECKED = 20_000  # texts up to which brute force is offered: some seconds


@dataclass(frozen=True)
class SearchConfig(Config):
    """What is looked for, where, and by which distance."""

    query: Annotated[str, Text(LENGTH)] = EXAMPLES["order-en"][0]
    metric: Annotated[str, Choice("wrd", "wmd")] = "wrd"
    vectors: Annotated[str, Choice("contextual", "static")] = "contextual"
    k: Annotated[int, Range(1, 50, 1)] = 8
    centred: bool = True
    checked: bool = False  # by brute force
    texts: Annotated[str, Text(64)] = ""  # the digest of a reader's own; "": those that ship
    model: Annotated[str, Text(120)] = ""  # an encoder's name or folder; "": the embedded one

    @property
    def corpus(self) -> CorpusConfig:
        """What has to be embedded first."""
        return CorpusConfig(self.texts, self.vectors, self.model)


@dataclass(frozen=True)
class Nearest:
    """What was found, and what it took."""

    hits: pd.DataFrame  # rank, distance, text
    cascade: pd.DataFrame  # stage in {"all", "centroid", "words", "both", "solved"}, texts
    cells: pd.DataFrame  # of the best hit: first, second (words, each once), mass, cost
    highest: float  # of the best hit's costs
    words: tuple[tuple[str, ...], tuple[str, ...]]  # of the query and of the best hit
    count: int  # texts
    solved: int
    milliseconds: float
    agrees: bool | None  # with brute force; None if that was not asked for or would take long
    brute_milliseconds: float
    unknown: int  # words of the query that the encoder does not know
    unknown_share: float  # of the corpus's words
    size: int  # bytes of the corpus's vectors
    seconds: float  # that embedding them took
    made_by: Source  # of the vectors


def nearest(config: SearchConfig) -> Nearest:
    """Search. Raises BadText if the query can't be read, Gone if the texts are not kept."""
    layer = Layer(contextual=config.vectors == "contextual")
    query, found = read(config.query, config.model or EMBEDDED, layer), _embedded(config)
    x, corpus = query.vectors - found.mean, found.corpus
    result, milliseconds = _timed(found, x, config, prune=True)
    agrees, brute = None, 0.0
    if config.checked and len(corpus) <= CHECKED:
        slow, brute = _timed(found, x, config, prune=False)
        agrees = slow.indices.tolist() == result.indices.tolist()
    second = _labels(found.words(int(result.indices[0])))
    cells = _cells(found, config.metric, x, int(result.indices[0]), query.labels, second)
    return Nearest(
        hits=_hits(found, result),
        cascade=_cascade(result, len(corpus)),
        cells=cells,
        highest=float(cells["cost"].max()),
        words=(query.labels, second),
        count=len(corpus),
        solved=result.solved,
        milliseconds=milliseconds,
        agrees=agrees,
        brute_milliseconds=brute,
        unknown=query.unknown,
        unknown_share=found.unknown,
        size=corpus.size,
        seconds=found.seconds,
        made_by=source(config.model or EMBEDDED),
    )


def _embedded(config: SearchConfig) -> Embedded:
    return embedded(config.corpus, config.centred)


def _timed(
    found: Embedded, x: np.ndarray, config: SearchConfig, *, prune: bool
) -> tuple[SearchResult, float]:
    query = words_of("x", x)
    distance(found.corpus.index(config.metric), query, 0)  # what is made once, is made now
    started = time.perf_counter()
    result = found.corpus.search(x, config.k, metric=config.metric, prune=prune)
    return result, 1000 * (time.perf_counter() - started)


def _hits(found: Embedded, result: SearchResult) -> pd.DataFrame:
    texts = [found.texts[i] for i in result.indices]
    ranks = range(1, len(texts) + 1)
    return pd.DataFrame({"rank": ranks, "distance": result.distances, "text": texts})


def _cascade(result: SearchResult, count: int) -> pd.DataFrame:
    """How many texts were left after each bound."""
    stages = {"all": count, **result.left, "solved": result.solved}
    return pd.DataFrame({"stage": list(stages), "texts": list(stages.values())})


def _cells(
    found: Embedded, metric: str, x: np.ndarray, hit: int, first: tuple, second: tuple
) -> pd.DataFrame:
    """The cheapest plan from the query to the best hit."""
    a, b = words_of("x", x), found.corpus.words(hit)
    if metric == "wmd":
        cost = euclidean(a, b)
        plan, _ = solve(a.uniform, b.uniform, cost)
    else:
        cost = rotation(a, b)
        plan, _ = solve(a.shares, b.shares, cost)
    columns = np.meshgrid(first, second, indexing="ij")
    cells = {"first": columns[0], "second": columns[1], "mass": plan, "cost": cost}
    return pd.DataFrame({name: values.ravel() for name, values in cells.items()})


def _labels(words: tuple[str, ...]) -> tuple[str, ...]:
    """The words, each a name of its own: a repeated one is counted."""
    counts = [words[: i + 1].count(word) for i, word in enumerate(words)]
    pairs = zip(words, counts, strict=True)
    return tuple(f"{word} ({count})" if count > 1 else word for word, count in pairs)
