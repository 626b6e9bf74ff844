"""The glyphs that ship: 3755 Chinese characters, 32 x 32, in open fonts and at known weights.

The characters are level 1 of GB 2312, rows 16 to 55, in the order of their codes. A variant is one
font at one weight, or at a weight that changes from character to character (a variable font). An
image has 16 gray levels; a stroke is 15, the ground 0.

`python scripts/render_glyphs.py FONTS` makes pretrained/glyphs: meta.json (the fonts, their
licences, the SHA-256 of the other file) and images.xz, which unpacks to the weights, 16-bit
little-endian [variants, 3755], and the pixels, two rows to a byte [variants, 3755, 16, 32].
"""

import hashlib
import json
import lzma
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int64, UInt8, UInt16

FOLDER = Path(__file__).parents[1] / "pretrained" / "glyphs"
SIZE = 32  # pixels, both ways
LEVELS = 16
CHARACTERS = 3755

# The bits of two pixels take turns, high ones first: xz predicts a byte from the high bits of the
# byte before it, here those of both pixels to the left. Saves 2 to 3 percent.
_SPREAD = np.array([sum((v >> i & 1) << 2 * i for i in range(4)) for v in range(LEVELS)], np.uint8)
_PAIRS = _SPREAD[:, None] << 1 | _SPREAD  # upper and lower pixel -> byte, each byte once
_UPPER, _LOWER = (half.astype(np.uint8) for half in divmod(np.argsort(_PAIRS, axis=None), LEVELS))
_FILTERS = [
    {
        "id": lzma.FILTER_LZMA2,
        "preset": 9 | lzma.PRESET_EXTREME,
        "dict_size": 1 << 25,
        "lc": 4,
        "lp": 0,
        "pb": 4,
    }
]


@dataclass(frozen=True, eq=False)
class Glyphs:
    """Every character in every variant; the arrays are read-only. Weight 0: left out, blank.

    Some fonts draw a few characters wrongly; meta.json names them.
    """

    packed: UInt8[np.ndarray, "variants 3755 16 32"]  # two grays a byte: all images fill 29 MB
    weights: UInt16[np.ndarray, "variants 3755"]  # of the font: 100 is thin, 400 regular, 900 black
    styles: tuple[str, ...]  # the font of each variant
    digest: str  # SHA-256 of images.xz

    @property
    def images(self) -> UInt8[np.ndarray, "variants 3755 32 32"]:
        """All of them, 0 to 15; new at each call."""
        return _unpack(self.packed)

    def chosen(
        self, variant: Int64[np.ndarray, "*n"], character: Int64[np.ndarray, "*n"]
    ) -> UInt8[np.ndarray, "*n 32 32"]:
        """Some of the images, 0 to 15."""
        return _unpack(self.packed[variant, character])


@lru_cache(maxsize=1)
def characters() -> tuple[str, ...]:
    """Level 1 of GB 2312: rows 16 to 55 of 94 cells, the last row without its last five."""
    cells = (bytes((row, cell)) for row in range(0xB0, 0xD8) for cell in range(0xA1, 0xFF))
    return tuple(filter(None, (cell.decode("gb2312", errors="ignore") for cell in cells)))


@lru_cache(maxsize=1)
def read(folder: Path) -> Glyphs:
    """The glyphs in a folder. Raises ValueError if a file is missing or damaged."""
    content, styles = _content(folder / "images.xz"), tuple(_card(folder / "meta.json")["variants"])
    known = digest(folder)
    weights, pixels = _split(np.frombuffer(lzma.decompress(content), np.uint8), len(styles))
    return Glyphs(pixels, weights, styles, known)


@lru_cache(maxsize=1)
def digest(folder: Path) -> str:
    """The SHA-256 of a folder's images, not unpacked. Raises ValueError as `read` does."""
    found = hashlib.sha256(_content(folder / "images.xz")).hexdigest()
    if found != _card(folder / "meta.json").get("sha256"):
        raise ValueError(f"{folder.name}/images.xz is damaged: not the images of its meta.json")
    return found


def write(
    folder: Path,
    images: UInt8[np.ndarray, "variants 3755 32 32"],
    weights: UInt16[np.ndarray, "variants 3755"],
    card: dict[str, Any],
) -> None:
    """Keep the glyphs and their card, with the hash added to it.

    The card's "variants" are the names of the variants' styles.
    """
    packed = weights.astype("<u2").tobytes() + _pack(images).tobytes()
    content = lzma.compress(packed, filters=_FILTERS)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "images.xz").write_bytes(content)
    card = {**card, "sha256": hashlib.sha256(content).hexdigest()}
    text = json.dumps(card, indent=1, ensure_ascii=False) + "\n"
    (folder / "meta.json").write_text(text, encoding="utf-8")


def _split(
    unpacked: UInt8[np.ndarray, " bytes"], variants: int
) -> tuple[UInt16[np.ndarray, "variants 3755"], UInt8[np.ndarray, "variants 3755 16 32"]]:
    shape = (variants, CHARACTERS)
    weights, pixels = np.split(unpacked, [2 * variants * CHARACTERS])
    return weights.view("<u2").reshape(shape), pixels.reshape(*shape, SIZE // 2, SIZE)


def _pack(images: UInt8[np.ndarray, "*b 32 32"]) -> UInt8[np.ndarray, "*b 16 32"]:
    return _PAIRS[images[..., ::2, :], images[..., 1::2, :]]


def _unpack(pixels: UInt8[np.ndarray, "*b 16 32"]) -> UInt8[np.ndarray, "*b 32 32"]:
    images = np.empty((*pixels.shape[:-2], SIZE, SIZE), np.uint8)
    images[..., ::2, :], images[..., 1::2, :] = _UPPER[pixels], _LOWER[pixels]
    return images


def _card(path: Path) -> dict[str, Any]:
    try:
        card = json.loads(_content(path))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path.parent.name}/{path.name} is damaged: {error}") from error
    if not isinstance(card, dict) or "variants" not in card:
        raise ValueError(f"{path.parent.name}/{path.name} is damaged: it names no variants")
    return card


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path.parent.name}/{path.name} is missing: {error.strerror}") from error
