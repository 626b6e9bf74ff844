"""What the networks learn from: a synthetic task with badly scaled inputs, and real images.

"synthetic": two classes, 20 inputs with random means and scales, labels from a random net.
"digits": scikit-learn's. "glyphs": which of ten fonts, on characters never seen in training.
"mnist" and "fashion-mnist" where LAB_DATA has them, 4000 and 1000 of them.

Source: https://kexue.fm/archives/6992, section 2.4: raw inputs against normalized ones.
"""

import hashlib
from dataclasses import dataclass
from functools import lru_cache

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from core import datasets
from core.batchnorm.inputs import shifted_inputs

DATA = ("synthetic", "digits", "glyphs", "mnist", "fashion-mnist")
SIZES = {"train": 4000, "test": 1000}  # at most
DIM = 20
GLYPHS_SIDE = 16


@dataclass(frozen=True, eq=False)
class Split:
    """Inputs as rows and their classes."""

    x: Float[Tensor, "n d"]
    y: Int[Tensor, " n"]
    classes: int
    side: int  # of the images; 0: none
    digest: str


def load(name: str, split: str = "train", standardized: bool = False) -> Split:
    """Read-only, one object for everybody; standardized: by the training set's mean and std.

    Raises ValueError for an unknown name or split, and where files are missing.
    """
    if name not in DATA:
        raise ValueError(f"data is {name!r}, but must be one of {DATA}")
    return _load(name, split, standardized)


@lru_cache(maxsize=16)
def _load(name: str, split: str, standardized: bool) -> Split:
    if not standardized:
        return _synthetic(split) if name == "synthetic" else _images(name, split)
    found, train = load(name, split), load(name, "train").x
    scale = train.std(0, correction=0)
    x = (found.x - train.mean(0)) / torch.where(scale > 1e-3 * scale.max(), scale, 1.0)
    return Split(x, found.y, found.classes, found.side, found.digest)


def available(name: str) -> bool:
    """Whether the data is here."""
    return name == "synthetic" or datasets.available(name)


def _synthetic(split: str) -> Split:
    """2000 rows for training, 1000 for testing; the labels ignore shift and scale."""
    generator = torch.Generator().manual_seed(6992)
    count = 3000
    x = shifted_inputs(count, DIM, generator)
    standard = (x - x.mean(0)) / x.std(0)
    first = torch.randn(DIM, 16, generator=generator, dtype=x.dtype) / DIM**0.5
    second = torch.randn(16, generator=generator, dtype=x.dtype)
    score = torch.tanh(2 * standard @ first) @ second
    y = (score > score.median()).long()
    rows = slice(0, 2000) if split == "train" else slice(2000, count)
    digest = hashlib.sha256(x.numpy().tobytes()).hexdigest()
    return Split(x[rows].float(), y[rows], 2, 0, digest)


def _images(name: str, split: str) -> Split:
    found = datasets.load(name, split)
    generator = torch.Generator().manual_seed(0)
    order = torch.randperm(len(found.labels), generator=generator)
    chosen = found.chosen(order[: SIZES[split]])
    images, labels, classes = chosen.images, chosen.labels, len(found.names)
    if name == "glyphs":
        assert chosen.style is not None
        labels, classes = chosen.style, len(found.styles)
        images = F.avg_pool2d(images, images.shape[-1] // GLYPHS_SIDE)
    return Split(images.flatten(1), labels, classes, images.shape[-1], found.digest)
