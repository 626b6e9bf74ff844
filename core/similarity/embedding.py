"""Texts turned into word vectors in the background: with progress, kept, gone on with after a stop.

Static vectors are looked up, thousands of texts a second, and kept once a word in single
precision. Contextual ones take a run of the encoder for every text and are kept in half
precision, which halves the disk and the memory that they take.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Annotated

import numpy as np
import torch

from core.encoder_file import read_card
from core.encoders import EMBEDDED, TokenEncoder, content_of, encoder
from core.knobs import Choice, Config, Text
from core.runs import trained
from core.similarity.corpus import Corpus
from core.similarity.texts import digest_of, texts_of
from core.store import Tensors
from core.training import Snapshot, Task

TOKENS = 1_000_000  # contextual vectors that are kept of a corpus: 0.8 GB at width 384
BATCH = {"static": 2048, "contextual": 64}  # texts a step


@dataclass(frozen=True)
class CorpusConfig(Config):
    """Which texts, by digest ("": those that ship), and whose vectors."""

    texts: Annotated[str, Text(64)] = ""
    vectors: Annotated[str, Choice("static", "contextual")] = "contextual"
    model: Annotated[str, Text(120)] = ""  # an encoder's name or folder; "": the embedded one


AT_ONCE = CorpusConfig(vectors="static")  # looked up in 0.2 s: worth no job, and no megabytes


@dataclass
class _Found:
    """What has been embedded so far. `vectors` is empty for static ones: `ids` are rows."""

    lengths: list[np.ndarray] = field(default_factory=list)  # int64, a batch each
    ids: list[np.ndarray] = field(default_factory=list)  # int32
    vectors: list[np.ndarray] = field(default_factory=list)  # float16
    done: int = 0  # batches
    tokens: int = 0
    unknown: int = 0

    def tensors(self) -> Tensors:
        """For a checkpoint."""
        found = {"lengths": _joined(self.lengths), "ids": _joined(self.ids)}
        if self.vectors:
            found["vectors"] = np.concatenate(self.vectors)
        found["counts"] = np.array([self.done, self.tokens, self.unknown])
        return {name: torch.from_numpy(values) for name, values in found.items()}

    @classmethod
    def of(cls, tensors: Tensors) -> "_Found":
        """From a checkpoint."""
        found = {name: values.numpy() for name, values in tensors.items()}
        vectors = [found["vectors"]] if "vectors" in found else []
        counts = (int(count) for count in found["counts"])
        return cls([found["lengths"]], [found["ids"]], vectors, *counts)


def embed(config: CorpusConfig, state: Tensors | None = None) -> Iterator[Snapshot]:
    """Embed the texts a batch at a time, one snapshot a batch.

    Raises ValueError if the texts are gone, the model can't be had, no text has a word, or there
    are more than TOKENS contextual vectors.
    """
    texts, model = texts_of(config.texts), encoder_of(config.model)
    size = BATCH[config.vectors]
    total, found = -(-len(texts) // size), _Found.of(state) if state else _Found()
    for number in range(found.done, total):
        _add(found, model, texts[number * size : (number + 1) * size], config.vectors)
        found.done = number + 1
        if number + 1 == total and not found.tokens:
            raise ValueError("the texts have no word that the encoder could read")
        yield Snapshot(
            done=min((number + 1) * size, len(texts)),
            total=len(texts),
            metrics={"tokens": float(found.tokens), "unknown": found.unknown / (found.tokens or 1)},
            weights=lambda: _weights(found, model),
            state=found.tensors,
        )


def _data(config: CorpusConfig) -> str:
    """The digests of the texts and of the encoder."""
    return f"{digest_of(config.texts)} {digest_of_encoder(config.model)}".strip()


CORPUS = Task("similarity.corpus", 1, CorpusConfig, _data, embed)


@dataclass(frozen=True, eq=False)
class Embedded:
    """A corpus, and what its numbers stand for."""

    corpus: Corpus
    texts: tuple[str, ...]  # those that have a word: the members of the corpus
    pieces: tuple[str, ...]
    names: np.ndarray  # int [t]: of each word of the corpus, its place in `pieces`
    mean: np.ndarray  # [d], taken out of every vector
    seconds: float  # that embedding took
    unknown: float  # share of words that the encoder does not know

    def words(self, member: int) -> tuple[str, ...]:
        """The words of a member."""
        starts = self.corpus.starts
        return tuple(self.pieces[i] for i in self.names[starts[member] : starts[member + 1]])


def embedded(config: CorpusConfig, centered: bool) -> Embedded:
    """The texts' vectors; they are embedded here and now, if they never were."""
    kept = _own if config.texts else _ours
    return kept(CORPUS.key(config), config, centered)


def _embedded(key: str, config: CorpusConfig, centered: bool) -> Embedded:
    """The key keeps apart what a folder held before and holds now."""
    artefact = trained(CORPUS, config)
    found = {name: tensor.numpy() for name, tensor in artefact.tensors.items()}
    corpus = Corpus(found["vocabulary"], found["ids"], found["starts"])
    texts = texts_of(config.texts)
    return Embedded(
        corpus=corpus.centered() if centered else corpus,
        texts=tuple(texts[i] for i in found["members"]),
        pieces=tuple(found["pieces"].tobytes().decode().split("\n")),
        names=found["names"],
        mean=corpus.mean if centered else np.zeros(corpus.width),
        seconds=artefact.meta["seconds"],
        unknown=artefact.meta["metrics"]["unknown"],
    )


_own = lru_cache(maxsize=2)(_embedded)  # 100 000 texts take up to 2 GB, with their indexes
_ours = lru_cache(maxsize=4)(_embedded)  # some MB each: both kinds of vectors, centered or not


def digest_of_encoder(name: str) -> str:
    """What decides an encoder's vectors beside its name; "" for a model of the hub."""
    return content_of(name) if name else str(read_card()["sha256"][:16])


def encoder_of(name: str) -> TokenEncoder:
    """The encoder of that name and no other. Raises ValueError if it can't be had."""
    found = encoder(name or EMBEDDED)
    if found.name != (name or EMBEDDED):
        detail = found.notice.detail if found.notice else name
        raise ValueError(f"model is {name!r}, but it can't be had: {detail}")
    return found


def _add(found: _Found, model: TokenEncoder, texts: tuple[str, ...], vectors: str) -> None:
    """Embed some texts; one without a word gets no vector."""
    numbers = model.numbered(texts)
    found.lengths.append(np.array([len(ids) for ids in numbers]))
    found.ids.append(np.concatenate(numbers))
    found.tokens += len(found.ids[-1])
    found.unknown += int((found.ids[-1] == model.unknown_id).sum())
    if vectors == "contextual":
        if found.tokens > TOKENS:
            raise ValueError(
                f"the texts have more than {TOKENS} words, too many contextual vectors"
            )
        readable = [text for text, ids in zip(texts, numbers, strict=True) if len(ids)]
        encoded = [text.vectors for text in model.encode_many(readable)]
        found.vectors.append(
            np.concatenate([*encoded, np.zeros((0, model.dim))]).astype(np.float16)
        )


def _weights(found: _Found, model: TokenEncoder) -> Tensors:
    """The corpus as tensors: `members` are the texts that have a word."""
    lengths = _joined(found.lengths)
    rows, names = np.unique(_joined(found.ids), return_inverse=True)
    names = names.astype(np.int32)
    in_context = bool(found.vectors)
    pieces = "\n".join(model.pieces(rows.tolist())).encode()
    tensors = {
        "vocabulary": np.concatenate(found.vectors) if in_context else model.static(rows),
        "ids": np.arange(len(names), dtype=np.int32) if in_context else names,
        "starts": np.cumsum([0, *lengths[lengths > 0]]),
        "members": np.flatnonzero(lengths),
        "names": names,
        "pieces": np.frombuffer(pieces, dtype=np.uint8).copy(),
    }
    return {name: torch.from_numpy(values) for name, values in tensors.items()}


def _joined(batches: list[np.ndarray]) -> np.ndarray:
    return np.concatenate(batches)
