"""The attention of a trained encoder, and what kernels make of its own queries and keys.

The queries and keys of two sentences ship (`python scripts/ship_attention_heads.py`), so that the
first picture waits for no model; any other sentence is read by the encoder.

Source: https://kexue.fm/archives/7546, eq. (2), (3).
"""

import json
import os
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any

import numpy as np
import safetensors
import safetensors.numpy
import torch

from core.attention.matrices import KINDS, Matrices, compare, every_kind, scaled
from core.attention.shipped import FOLDER
from core.encoders import EMBEDDED, Layer, Notice, encoder
from core.knobs import Choice, Config, Range, Text

ENGLISH = "The animal didn't cross the street because it was too tired."
CHINESE = "小猫没有过马路，因为它太累了。"
SENTENCES = {"en": ENGLISH, "zh": CHINESE}
TENSORS, CARD = FOLDER / "heads.safetensors", FOLDER / "heads.json"


class NoWord(ValueError):
    """A text in which the encoder finds no word."""


@dataclass(frozen=True)
class HeadsConfig(Config):
    """A sentence, a head of the encoder, and the kernel that takes the softmax's place."""

    kernel: Annotated[str, Choice(*KINDS)] = "elu"
    layer: Annotated[int, Range(1, 12)] = 4
    head: Annotated[int, Range(1, 12)] = 1
    scale: Annotated[float, Range(0.1, 10.0, 0.1)] = 1.0  # of the model's own q·k / sqrt(d)
    text: Annotated[str, Text(120)] = ENGLISH


@dataclass(frozen=True)
class Heads(Matrices):
    """The matrices of a head, as in `Matrices`; at scale 1 `softmax` is what the model does."""

    unknown: tuple[str, ...]  # tokens that are not in the model's vocabulary
    truncated: bool  # the text is longer than what the model reads
    reachable: bool  # whether the model shows its q and k; if not, both matrices are its own
    layer: int  # shown, counted from 1: the last one if the model has fewer
    head: int
    notice: Notice | None  # what a reader has to know of the encoder that came


def heads(config: HeadsConfig) -> Heads:
    """A head on a sentence. Raises NoWord if it has none, ValueError if the encoder is damaged."""
    found, index, notice = _read(config.text, config.layer - 1)
    head = min(config.head, len(found.weights)) - 1
    names = [f"{place} {token}" for place, token in enumerate(found.tokens, start=1)]
    return Heads(
        **vars(_compared(found, head, names, config)),
        unknown=tuple(t for t, known in zip(found.tokens, found.known, strict=True) if not known),
        truncated=found.truncated,
        reachable=found.queries is not None,
        layer=index + 1,
        head=head + 1,
        notice=notice,
    )


def _compared(found: Layer, head: int, names: list[str], config: HeadsConfig) -> Matrices:
    if found.queries is None or found.keys is None:
        own = torch.from_numpy(found.weights[head]).double()
        return compare({"softmax": own}, names, "softmax")
    q, k = (torch.from_numpy(x[head]).double() for x in (found.queries, found.keys))
    return compare(every_kind(*scaled(q, k, config.scale)), names, config.kernel)


def _read(text: str, index: int) -> tuple[Layer, int, Notice | None]:
    """A layer at work on a text, which layer it is, and what there is to say of the encoder."""
    if text in SENTENCES.values() and os.environ.get("LAB_MODEL", EMBEDDED) == EMBEDDED:
        return _shipped(text, index), index, None
    model = encoder()
    index = min(index, model.layers - 1)
    try:
        return model.layer(text, index), index, model.notice
    except ValueError as error:
        raise NoWord(str(error)) from error


def _shipped(text: str, index: int) -> Layer:
    """The layer as it was kept. Raises ValueError if a file is missing or damaged."""
    tensors, tokens = _files()
    code = next(code for code, sentence in SENTENCES.items() if sentence == text)
    q, k = (tensors[f"{code}.{name}"][index].astype(np.float32) for name in ("queries", "keys"))
    scores = torch.from_numpy(q @ k.swapaxes(-1, -2) / np.sqrt(q.shape[-1]))
    known = np.ones(len(tokens[code]), dtype=bool)
    return Layer(tuple(tokens[code]), known, False, scores.softmax(dim=-1).numpy(), q, k)


@lru_cache(maxsize=1)
def _files() -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    try:
        card = json.loads(CARD.read_text(encoding="utf-8"))
        return safetensors.numpy.load_file(TENSORS), card["tokens"]
    except OSError as error:
        raise ValueError(f"{TENSORS.name} or its card is missing: {error.strerror}") from error
    except (ValueError, KeyError, safetensors.SafetensorError) as error:
        raise ValueError(f"{TENSORS.name} or its card is damaged: {error}") from error
