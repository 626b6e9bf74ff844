"""A text as the measures see it: its words, their vectors, and the vector of the whole.

The example texts of the page ship with their vectors, so that its first picture waits for no
encoder (`python scripts/ship_similarity_vectors.py` makes them). All token vectors of a sentence
encoder point in much the same direction; `centred` takes out their mean over a set of sentences.

Axes: n words, d width.
"""

import hashlib
import json
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import safetensors.numpy
from jaxtyping import Bool, Float64

from core.encoders import EMBEDDED, Notice, TokenEncoder, encoder
from core.similarity.words import stop_words

FOLDER = Path(__file__).parents[2] / "pretrained" / "similarity"
VECTORS = FOLDER / "examples.safetensors"
CARD = FOLDER / "examples.json"
EVERY = 4  # of the shipped sentences, these make the mean

# The pairs of texts that the page opens with, by name; codes, whose words stand in `content`.
EXAMPLES: dict[str, tuple[str, str]] = {
    "bilingual": ("我喜欢吃红苹果", "I like eating red apples"),
    "paraphrase": ("The president greets the press", "Our leader welcomes the reporters"),
    "order-zh": ("狗咬人", "人咬狗"),
    "order-en": ("The cat chased the mouse", "The mouse chased the cat"),
    "negation-zh": ("我喜欢这部电影", "我不喜欢这部电影"),
    "negation-en": ("The film was good", "The film was not good"),
    "unrelated": ("The train leaves at noon", "She paints small birds"),
}


class BadText(ValueError):
    """A text that can't be compared; the page has the words for `code`."""

    def __init__(self, code: str, part: str = "") -> None:
        super().__init__(f"{code}: {part}" if part else code)
        self.code, self.part = code, part


@dataclass(frozen=True)
class Layer:
    """Which vectors of an encoder."""

    contextual: bool = True  # else the rows of its word embedding, the same in every text
    depth: int = -1  # after which layer; -1 the last


@dataclass(frozen=True)
class Reading:
    """A text with its vectors."""

    words: tuple[str, ...]  # or the pieces that an encoder's vocabulary cuts them into
    vectors: Float64[np.ndarray, "n d"]
    known: Bool[np.ndarray, " n"]  # False: not in the encoder's vocabulary
    begins: Bool[np.ndarray, " n"]  # False: goes on with the word that the piece before is of
    truncated: bool  # the text goes on, beyond what the encoder reads
    sentence: Float64[np.ndarray, " d"]  # the encoder's own vector of the whole text

    @property
    def norms(self) -> Float64[np.ndarray, " n"]:
        """The lengths of the vectors."""
        return np.linalg.norm(self.vectors, axis=1)

    @property
    def unknown(self) -> int:
        """How many words are not in the vocabulary."""
        return int((~self.known).sum())

    @property
    def labels(self) -> tuple[str, ...]:
        """The words, each a name of its own: a repeated one is counted, an unknown one marked."""
        marked = [
            word if known else f"⍰ {word}"
            for word, known in zip(self.words, self.known, strict=True)
        ]
        counts = [marked[: i + 1].count(word) for i, word in enumerate(marked)]
        return tuple(
            f"{word} ({count})" if count > 1 else word
            for word, count in zip(marked, counts, strict=True)
        )

    def joined(self) -> "Reading":
        """Whole words: each the mean of its pieces, and known if all of them are."""
        starts = np.flatnonzero(self.begins | (np.arange(len(self.words)) == 0))
        ends = [*starts[1:], len(self.words)]
        counts = np.diff([*starts, len(self.words)])[:, None]
        return replace(
            self,
            words=tuple("".join(self.words[a:b]) for a, b in zip(starts, ends, strict=True)),
            vectors=np.add.reduceat(self.vectors, starts, axis=0) / counts,
            known=np.logical_and.reduceat(self.known, starts),
            begins=np.ones(len(starts), dtype=bool),
        )

    def without_stop_words(self) -> "Reading":
        """The words that carry the text. Raises BadText if there are none."""
        kept = ~stop_words(self.words)
        if not kept.any():
            raise BadText("only-stop-words", " ".join(self.words))
        words = tuple(word for word, keep in zip(self.words, kept, strict=True) if keep)
        return replace(
            self,
            words=words,
            vectors=self.vectors[kept],
            known=self.known[kept],
            begins=self.begins[kept],
        )

    def centred(self, mean: Float64[np.ndarray, " d"]) -> "Reading":
        """The vectors without what all words of the encoder share."""
        return replace(self, vectors=self.vectors - mean)


@dataclass(frozen=True)
class Source:
    """Who made the vectors."""

    name: str
    licence: str | None
    notice: Notice | None
    foreign: bool  # not the encoder that ships


def read(text: str, model: str = EMBEDDED, layer: Layer = Layer()) -> Reading:
    """A text's pieces and vectors. Raises BadText if it has no word, or none that is known."""
    text = text.strip()
    if not any(letter.isprintable() and not letter.isspace() for letter in text):
        raise BadText("empty")
    found = _shipped(text, layer) if model == EMBEDDED else None
    found = found or _encoded(text, encoder(model), layer)
    if not found.known.any():
        raise BadText("only-unknown", text[:40])
    return found


def mean_vector(model: str = EMBEDDED, layer: Layer = Layer()) -> Float64[np.ndarray, " d"]:
    """What the words of the shipped sentences have in common, on average."""
    if model == EMBEDDED:
        means, key = _tensors(), _key("mean", layer)
        return means.get(key, means[_key("mean", Layer())]).astype(np.float64)  # beyond: the last
    return _measured_mean(encoder(model), layer)


def source(model: str = EMBEDDED) -> Source:
    """Who makes the vectors; the embedded encoder is not loaded for it."""
    if model == EMBEDDED:
        card = _card()
        return Source(card["model"], card["licence"], None, foreign=False)
    found = encoder(model)
    if found.name == EMBEDDED:  # it stands in
        return Source(_card()["model"], found.licence, found.notice, foreign=False)
    return Source(found.name, found.licence, found.notice, foreign=True)


def centring_texts() -> list[str]:
    """Some of the shipped sentences, of all themes and both languages."""
    themes = tomllib.loads((FOLDER / "corpus.toml").read_text(encoding="utf-8"))["themes"]
    every = [text for theme in themes.values() for code in ("en", "zh") for text in theme[code]]
    return every[::EVERY]


def example_texts() -> list[str]:
    """Every text of the examples, once."""
    return list(dict.fromkeys(text for pair in EXAMPLES.values() for text in pair))


def write_examples(model: TokenEncoder, card: dict[str, object]) -> None:
    """Ship the examples' vectors, and the means of every layer."""
    tensors = {_key("mean", layer): _measured_mean(model, layer) for layer in every_layer(model)}
    texts = {}
    for text in example_texts():
        digest = _digest(text)
        for layer in (Layer(), Layer(contextual=False)):
            found = _encoded(text, model, layer)
            tensors[_key(digest, layer)] = found.vectors
            tensors[f"{digest}.sentence"] = found.sentence
            begins = found.begins.tolist()
            texts[text] = list(zip(found.words, begins, strict=True))
    content = safetensors.numpy.save({k: v.astype(np.float32) for k, v in tensors.items()})
    VECTORS.write_bytes(content)
    card = {**card, "sha256": hashlib.sha256(content).hexdigest(), "texts": texts}
    CARD.write_text(json.dumps(card, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def every_layer(model: TokenEncoder) -> Iterable[Layer]:
    """The word embedding, and every layer by its number; the last one is -1, too."""
    depths = [*range(model.layers + 1), -1]
    return [Layer(contextual=False), *(Layer(depth=depth) for depth in depths)]


@lru_cache(maxsize=32)  # a text stays while its words' masses or costs are changed
def _encoded(text: str, model: TokenEncoder, layer: Layer) -> Reading:
    depth = min(layer.depth, model.layers)
    try:
        found = model.encode(text, layer=depth, contextual=layer.contextual)
    except ValueError as error:  # characters that leave no token
        raise BadText("empty", text[:40]) from error
    vectors, whole = found.vectors.astype(np.float64), _sentence(text, model)
    return Reading(found.tokens, vectors, found.known, found.begins, found.truncated, whole)


@lru_cache(maxsize=32)
def _sentence(text: str, model: TokenEncoder) -> Float64[np.ndarray, " d"]:
    return model.sentence(text).astype(np.float64)


def _shipped(text: str, layer: Layer) -> Reading | None:
    pieces = _card()["texts"].get(text)
    key = _key(_digest(text), layer)
    if pieces is None or key not in _tensors():
        return None
    words, begins = zip(*pieces, strict=True)
    vectors = _tensors()[key].astype(np.float64)
    whole = _tensors()[f"{_digest(text)}.sentence"].astype(np.float64)
    known = np.ones(len(words), dtype=bool)
    return Reading(words, vectors, known, np.array(begins), False, whole)


@lru_cache(maxsize=32)
def _measured_mean(model: TokenEncoder, layer: Layer) -> Float64[np.ndarray, " d"]:
    depth = min(layer.depth, model.layers)
    found = model.encode_many(centring_texts(), layer=depth, contextual=layer.contextual)
    return np.vstack([one.vectors for one in found]).mean(axis=0, dtype=np.float64)


def _key(name: str, layer: Layer) -> str:
    return f"{name}.{layer.depth if layer.contextual else 'static'}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@lru_cache(maxsize=1)
def _card() -> dict:
    """The card of the shipped vectors. Raises ValueError if it is missing or damaged."""
    try:
        card = json.loads(CARD.read_text(encoding="utf-8"))
        return {key: card[key] for key in ("model", "licence", "sha256", "texts")}
    except OSError as error:
        raise ValueError(f"{CARD.name} is missing: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{CARD.name} is damaged: {error}") from error


@lru_cache(maxsize=1)
def _tensors() -> dict[str, np.ndarray]:
    """The shipped vectors. Raises ValueError if the file is missing or damaged."""
    try:
        content = VECTORS.read_bytes()
    except OSError as error:
        raise ValueError(f"{VECTORS.name} is missing: {error.strerror}") from error
    if hashlib.sha256(content).hexdigest() != _card()["sha256"]:
        raise ValueError(f"{VECTORS.name} is damaged: not the vectors of its card")
    return safetensors.numpy.load(content)
