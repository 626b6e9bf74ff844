"""What the models learn from: images as rows of pixels, and what is known about each.

"characters" are ten characters of the glyphs in every font and weight; every seventh image is for
testing, so a test image shows a combination of character and font that training left out. "glyphs"
are all of them, and a test image shows a character that training never saw.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from core import datasets, glyphs

SIDES = {"characters": 32, "glyphs": 32, "digits": 8, "mnist": 28, "fashion-mnist": 28}
TEN = "十人大口日山水田中木"
TEST_EVERY = 7


@dataclass(frozen=True, eq=False)
class Images:
    """Gray images in [0, 1] as rows, and their factors. Style and weight: glyphs only."""

    pixels: Float[Tensor, "n pixels"]
    label: Int[Tensor, " n"]
    names: tuple[str, ...]  # of the labels
    digest: str
    style: Int[Tensor, " n"] | None = None  # the font
    styles: tuple[str, ...] = ()
    weight: Float[Tensor, " n"] | None = None  # of the font: 100 thin, 900 black

    def __len__(self) -> int:
        return len(self.pixels)

    def chosen(self, index: Tensor) -> "Images":
        """Some of the images."""
        style = None if self.style is None else self.style[index]
        weight = None if self.weight is None else self.weight[index]
        return Images(
            self.pixels[index], self.label[index], self.names, self.digest, style, self.styles,
            weight,
        )  # fmt: skip


def load(name: str, split: str = "train") -> Images:
    """A data set of SIDES, "train" or "test"; read-only, one object for everybody.

    Only the glyphs are read anew each time: as floats they take 200 MB, which nobody should keep.
    Raises ValueError for an unknown name or split, and where files are missing or damaged.
    """
    return _read(name, split) if name == "glyphs" else _kept(name, split)


@lru_cache(maxsize=4)
def _kept(name: str, split: str) -> Images:
    return _read(name, split)


def _read(name: str, split: str) -> Images:
    return _ten(split) if name == "characters" else _rows(datasets.load(name, split))


def _rows(found: datasets.ImageSet) -> Images:
    return Images(
        found.images.flatten(1), found.labels, found.names, found.digest, found.style,
        found.styles, found.weight,
    )  # fmt: skip


def some(name: str, count: int) -> Images:
    """Images to train on; of more than that many an even selection, the rest is never a number."""
    if name != "glyphs":
        images = load(name)
        return images if len(images) <= count else images.chosen(_evenly(len(images), count))
    found = datasets.load(name)
    return _rows(found.chosen(_evenly(len(found.labels), count)))


def _evenly(total: int, count: int) -> Int[Tensor, " count"]:
    return torch.linspace(0, total - 1, count).long()


@lru_cache(maxsize=2)
def everything(name: str) -> Images:
    """Both halves of a data set, those to train on first."""
    train, test = load(name), load(name, "test")
    both = [train.style, test.style], [train.weight, test.weight]
    style, weight = (_joined(*part) for part in both)
    return Images(
        torch.cat([train.pixels, test.pixels]), torch.cat([train.label, test.label]),
        train.names, train.digest, style, train.styles, weight,
    )  # fmt: skip


def _joined(first: Tensor | None, second: Tensor | None) -> Tensor | None:
    return None if first is None or second is None else torch.cat([first, second])


def digest(name: str) -> str:
    """What identifies the data: the SHA-256 of what they are cut from."""
    if name in ("characters", "glyphs"):
        return glyphs.digest(glyphs.FOLDER)
    return load(name).digest


def _ten(split: str) -> Images:
    if split not in datasets.SPLITS:
        raise ValueError(f"split is {split!r}, but must be one of {list(datasets.SPLITS)}")
    found = glyphs.read(glyphs.FOLDER)
    places = np.array([glyphs.characters().index(character) for character in TEN])
    fonts = tuple(dict.fromkeys(found.styles))
    variants = len(found.styles)
    grays = found.chosen(*np.broadcast_arrays(np.arange(variants)[:, None], places))
    pixels = torch.tensor(grays).float() / (glyphs.LEVELS - 1)
    style = torch.tensor([fonts.index(name) for name in found.styles])
    weight = torch.tensor(found.weights[:, places].astype("float32"))
    label = torch.arange(len(TEN)).expand(variants, -1)
    number = torch.arange(variants * len(TEN))
    kept = (number % TEST_EVERY == 0) == (split == "test")
    kept &= weight.flatten() > 0  # weight 0: the font lacks this character
    return Images(
        pixels.flatten(0, 1).flatten(1)[kept], label.flatten()[kept], tuple(TEN), found.digest,
        style[:, None].expand(-1, len(TEN)).flatten()[kept], fonts, weight.flatten()[kept],
    )  # fmt: skip
