"""GELU inside the sentence encoder that ships: what a swap does to a trained transformer.

`python scripts/swap_encoder_gelu.py` runs every swap and keeps the tables that the page shows
first. Source: https://kexue.fm/archives/7309, eq. (1), (3), (4).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from jaxtyping import Float, Float32
from torch import Tensor

from core.encoder_file import SHIPPED as ENCODER
from core.encoders import EMBEDDED, encoder
from core.gelu.functions import gelu, gelu_sigmoid, gelu_tanh
from core.knobs import Choice, Config, Range
from core.tables import load_table

FOLDER = Path(__file__).parents[2] / "pretrained" / "gelu"
BEST_SLOPE = 1.773  # least maximum for GELU, to the knob's step; tested against core.fit
PLACES = ("all", "first", "last")


@dataclass(frozen=True)
class EncoderConfig(Config):
    """In which layers GELU is swapped, and the slope of x sigma(slope x), one of the swaps."""

    layers: Annotated[str, Choice(*PLACES)] = "all"
    slope: Annotated[float, Range(1.0, 2.5, 0.001)] = BEST_SLOPE


@dataclass(frozen=True)
class EncoderDrift:
    """How far the encoder with a swapped activation is from itself, on the shipped sentences."""

    by_layer: pd.DataFrame  # activation, layer (from 1), relative_drift = ||h' - h|| / ||h||
    vectors: pd.DataFrame  # activation, cosine_mean, cosine_least: of sentence vectors, old and new
    # neighbors: share of sentences whose nearest other sentence is another one after the swap


def encoder_drift(config: EncoderConfig, texts: Sequence[str] | None = None) -> EncoderDrift:
    """Run the encoder with exact GELU and with every swap; about twenty seconds of one core.

    The default `texts` are the sentences that ship with the encoder, half of them Chinese.
    """
    model, found = encoder(EMBEDDED), texts or sentences()
    run = partial(model.hidden_states, found, where=swapped_layers(config.layers, model.layers))
    exact = _run_of(run(gelu))
    runs = {name: _run_of(run(swap)) for name, swap in _swaps(config.slope).items()}
    return EncoderDrift(
        by_layer=pd.concat([_by_layer(name, exact, new) for name, new in runs.items()]),
        vectors=pd.DataFrame([_vectors(name, exact, new) for name, new in runs.items()]),
    )


def shipped_encoder_drift(layers: str) -> EncoderDrift:
    """What ships for one place of the swap, with the best slope. Raises ValueError if damaged."""
    columns = {"by_layer": ["activation", "layer", "relative_drift"]}
    columns |= {"vectors": ["activation", "cosine_mean", "cosine_least", "neighbors"]}
    return EncoderDrift(**{name: load_table(kept(layers, name), columns[name]) for name in columns})


def kept(layers: str, table: str) -> Path:
    """The file of a table that ships."""
    return FOLDER / f"encoder-{layers}-{table}.json"


def sentences() -> list[str]:
    """The sentences that ship with the encoder."""
    return (ENCODER / "sentences.txt").read_text(encoding="utf-8").splitlines()


def swapped_layers(place: str, count: int) -> range:
    """The layers, from 0, that "all", "first" (half) or "last" (half) names."""
    return range(count // 2 if place == "last" else 0, count // 2 if place == "first" else count)


def _swaps(slope: float) -> Mapping[str, Callable[[Tensor], Tensor]]:
    own = partial(gelu_sigmoid, slope=slope)
    return {"tanh": gelu_tanh, "sigmoid": gelu_sigmoid, "own": own, "silu": F.silu, "relu": F.relu}


@dataclass(frozen=True)
class _Run:
    """The tokens of all texts after every layer, and the texts' vectors: means, of length 1."""

    states: Float[Tensor, "layers tokens d"]
    vectors: Float[Tensor, "texts d"]


def _run_of(texts: Sequence[Float32[np.ndarray, "layers _ d"]]) -> _Run:
    """The vectors are means over the tokens, as the encoder's own pooling."""
    means = torch.stack([torch.from_numpy(text[-1].mean(axis=0)) for text in texts])
    states = torch.from_numpy(np.concatenate(texts, axis=1))
    return _Run(states, F.normalize(means, dim=1))


def _by_layer(name: str, old: _Run, new: _Run) -> pd.DataFrame:
    drift = (new.states - old.states).norm(dim=(1, 2)) / old.states.norm(dim=(1, 2))
    rows = {"activation": name, "layer": range(1, len(drift)), "relative_drift": drift[1:].tolist()}
    return pd.DataFrame(rows)


def _vectors(name: str, old: _Run, new: _Run) -> dict[str, str | float]:
    cosine = (old.vectors * new.vectors).sum(dim=1)
    moved = _nearest(old.vectors) != _nearest(new.vectors)
    return {
        "activation": name,
        "cosine_mean": float(cosine.mean()),
        "cosine_least": float(cosine.min()),
        "neighbors": float(moved.double().mean()),
    }


def _nearest(vectors: Float[Tensor, "texts d"]) -> Tensor:
    """The other text that is most similar to each."""
    return (vectors @ vectors.T).fill_diagonal_(-1).argmax(dim=1)
