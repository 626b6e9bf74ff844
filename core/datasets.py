"""Small images with labels, and 2-D toys: what the topics train on.

"glyphs" ships (core/glyphs.py), "digits" comes with scikit-learn, "mnist" and "fashion-mnist" are
read from the folder in the environment variable LAB_DATA: `mnist/train-images-idx3-ubyte.gz`, ...
Every character of the glyphs is in one split only, so a test image shows an unseen character.
"""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from core import glyphs, idx
from core.toys import TOYS, toy

__all__ = ["TOYS", "ImageSet", "available", "load", "names", "toy"]

GLYPHS_TEST_EVERY = 10  # each tenth character is for testing
DIGITS_TEST_EVERY = 5  # each fifth image
SPLITS = {"train": "train", "test": "t10k"}  # and their names in MNIST's files
FIGURES = tuple("0123456789")
GARMENTS = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
    "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Images, what they show, and where they come from. The last three fields: glyphs only."""

    grays: UInt8[Tensor, "n c h w"]  # 0 is the ground
    white: int  # the gray of full ink
    labels: Int[Tensor, " n"]
    names: tuple[str, ...]  # of each label, also of those that are only in the other split
    licence: str
    source: str
    digest: str  # SHA-256 of the data that this set is cut from
    styles: tuple[str, ...] = ()  # the fonts
    style: Int[Tensor, " n"] | None = None  # which of them
    weight: Float[Tensor, " n"] | None = None  # of the font: 100 thin, 400 regular, 900 black

    @property
    def images(self) -> Float[Tensor, "n c h w"]:
        """As float32 from 0 to 1, four times as large; new at each call."""
        return self.grays.float().div_(self.white)

    def chosen(self, index: Int[Tensor, " m"]) -> "ImageSet":
        """Some of the images."""
        style = None if self.style is None else self.style[index]
        weight = None if self.weight is None else self.weight[index]
        return replace(
            self, grays=self.grays[index], labels=self.labels[index], style=style, weight=weight
        )


def names() -> list[str]:
    """The data sets that `load` knows, those that ship first."""
    return list(_SETS)


def available(name: str) -> bool:
    """Whether `load` finds the data set here; nothing is read. ValueError on an unknown name."""
    _check("name", name, names())
    if name == "digits":
        return find_spec("sklearn") is not None
    if name == "glyphs":
        return (glyphs.FOLDER / "images.xz").exists()
    return not any(_missing(name, split) for split in SPLITS)


def load(name: str, split: str = "train") -> ImageSet:
    """One half of a data set, "train" or "test", as new tensors.

    Raises ValueError for an unknown name or split, and where files are missing or damaged.
    """
    _check("name", name, names())
    _check("split", split, list(SPLITS))
    return _SETS[name](split)


def _glyphs(split: str) -> ImageSet:
    """All variants of a character in a row, in the order of the characters' codes."""
    found = glyphs.read(glyphs.FOLDER)
    kept = _every(glyphs.CHARACTERS, GLYPHS_TEST_EVERY, split) & (found.weights > 0)
    label, variant = kept.T.nonzero()
    styles = tuple(dict.fromkeys(found.styles))
    style = np.array([styles.index(name) for name in found.styles])
    return ImageSet(
        grays=torch.from_numpy(found.chosen(variant, label)).unsqueeze(1),
        white=glyphs.LEVELS - 1,
        labels=torch.tensor(label),
        names=glyphs.characters(),
        licence="rendered from fonts under the SIL Open Font License 1.1",
        source="pretrained/glyphs/meta.json names the fonts",
        digest=found.digest,
        styles=styles,
        style=torch.tensor(style[variant]),
        weight=torch.tensor(found.weights[variant, label].astype(np.float32)),
    )


def _digits(split: str) -> ImageSet:
    images, targets, digest = _all_digits()
    chosen = _every(len(targets), DIGITS_TEST_EVERY, split)
    return ImageSet(
        grays=torch.tensor(images[chosen], dtype=torch.uint8).unsqueeze(1),
        white=16,
        labels=torch.tensor(targets[chosen]),
        names=FIGURES,
        licence="CC BY 4.0",
        source="UCI Optical Recognition of Handwritten Digits, as in scikit-learn",
        digest=digest,
    )


@lru_cache(maxsize=1)
def _all_digits() -> tuple[np.ndarray, np.ndarray, str]:
    """Read once: the key of every model that learns from them needs the digest."""
    rows = np.loadtxt(_digits_file(), delimiter=",")
    images, targets = rows[:, :-1].reshape(-1, 8, 8), rows[:, -1].astype(np.int64)
    return images, targets, _digest(images, targets)


def _digits_file() -> Path:
    """scikit-learn's own file; importing scikit-learn to read it takes a second and more."""
    found = find_spec("sklearn")
    if found is None or found.origin is None:
        raise ValueError("digits needs scikit-learn, which is not installed")
    return Path(found.origin).parent / "datasets" / "data" / "digits.csv.gz"


def _idx(split: str, *, name: str, labels: tuple[str, ...], licence: str, source: str) -> ImageSet:
    missing = _missing(name, split)
    if missing:
        raise ValueError(
            f"{missing[0]} is missing: set LAB_DATA to the folder that has {name}/ with the four "
            "files of the data set"
        )
    images_file, labels_file = _files(name, split)
    images, targets = idx.read(images_file, axes=3), idx.read(labels_file, axes=1)
    if images.shape != (len(targets), 28, 28) or targets.max(initial=0) >= len(labels):
        raise ValueError(
            f"{images_file.parent} is damaged: images {images.shape}, {len(targets)} labels up to "
            f"{targets.max(initial=0)}, but must be n images of 28 x 28 and n labels up to 9"
        )
    return ImageSet(
        grays=torch.tensor(images).unsqueeze(1),
        white=255,
        labels=torch.tensor(targets).long(),
        names=labels,
        licence=licence,
        source=source,
        digest=_digest(images, targets),
    )


def _files(name: str, split: str) -> tuple[Path, Path]:
    """Where the images and the labels lie."""
    folder = Path(os.environ.get("LAB_DATA") or "$LAB_DATA") / name
    prefix = SPLITS[split]
    return folder / f"{prefix}-images-idx3-ubyte.gz", folder / f"{prefix}-labels-idx1-ubyte.gz"


def _missing(name: str, split: str) -> list[Path]:
    return [path for path in _files(name, split) if not path.exists()]


def _every(count: int, period: int, split: str) -> np.ndarray:
    """Which of `count` are in the split: every `period`-th, from the first on, is for testing."""
    return (np.arange(count) % period == 0) == (split == "test")


def _digest(*arrays: np.ndarray) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _check(argument: str, value: str, accepted: list[str]) -> None:
    if value not in accepted:
        raise ValueError(f"{argument} is {value!r}, but must be one of {accepted}")


_SETS: dict[str, Callable[[str], ImageSet]] = {
    "glyphs": _glyphs,
    "digits": _digits,
    "mnist": partial(
        _idx,
        name="mnist",
        labels=FIGURES,
        licence="CC BY-SA 3.0",
        source="MNIST handwritten digits",
    ),
    "fashion-mnist": partial(
        _idx, name="fashion-mnist", labels=GARMENTS, licence="MIT", source="Fashion-MNIST"
    ),
}
