"""What an NVAE learns from: images of core.datasets, binarized anew whenever they are asked for."""

from dataclasses import dataclass
from functools import lru_cache

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from core import datasets, glyphs
from core.images import Gallery
from core.nvae.config import HERE, ImagesConfig


def load(name: str, split: str = "train") -> Float[Tensor, "n c h w"]:
    """The images of a data set.

    Raises ValueError for a data set that is not here, and where files are missing or damaged.
    """
    if name not in HERE:
        raise ValueError(f"data is {name!r}, but only {HERE} can be loaded")
    return datasets.load(name, split).images


@lru_cache(maxsize=16)
def held_out(name: str, count: int) -> Float[Tensor, "n c h w"]:
    """That many images for testing, evenly spread; read-only, one object for everybody."""
    found = datasets.load(name, "test")
    return found.chosen(torch.linspace(0, len(found.labels) - 1, count).long()).images


@dataclass(frozen=True)
class Known:
    """Images and what they show; as numbers those of the glyphs would fill 200 MB."""

    names: tuple[str, ...]
    labels: Int[Tensor, " n"]
    images: Gallery


@lru_cache(maxsize=4)
def known(name: str, split: str) -> Known:
    """Half of a data set, to look for a character and for the nearest image.

    The first time this takes a second: the glyphs are unpacked.
    """
    _KNOWN.add(name)
    found = datasets.load(name, split)
    return Known(found.names, found.labels, Gallery.of(found.grays, found.white))


def at_hand(name: str) -> bool:
    """Whether `known` has been asked for these images before."""
    return name in _KNOWN


def available(name: str) -> bool:
    """Whether `load` finds them here."""
    return name in HERE and datasets.available(name)


def digest(name: str) -> str:
    """What identifies the data: the SHA-256 of what they are cut from.

    Of what does not ship it is known beforehand, so that a trained model is found without them.
    """
    if name == "glyphs":
        return glyphs.digest(glyphs.FOLDER)
    return DIGESTS.get(name) or datasets.load(name).digest


def binarized(
    config: ImagesConfig, x: Float[Tensor, "n c h w"], generator: Generator | None = None
) -> Float[Tensor, "n c h w"]:
    """What the likelihood is of: every pixel drawn 0 or 1 by its gray; for mixtures, x itself."""
    return torch.bernoulli(x, generator=generator) if config.output == "bernoulli" else x


_KNOWN: set[str] = set()
DIGESTS = {"mnist": "edc0d1098aa497be14ace79ddd5171e5a3dcf9c4d196c015389203eb3ba1f59b"}
