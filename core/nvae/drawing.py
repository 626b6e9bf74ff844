"""A reader's own picture: a typed character, or an image file, as a model can take it.

A picture is black and white and travels as a short text, so a link can carry it. A file is PNG or
JPEG of a bounded size; of it counts what is ink, centered and scaled as the data are.
"""

import base64
import binascii
import io

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from core.nvae import data
from core.nvae.config import IMAGES

BYTES = 2_000_000  # of a file, at most
SIDES = (8, 4000)  # of its image, in pixels
FORMATS = ("PNG", "JPEG")
FAINT = 0.1  # of full contrast: below it there is nothing to see
THRESHOLD = 0.5  # of full ink, from which on a pixel is ink
INKED = {"glyphs": 28, "digits": 8, "mnist": 20}  # pixels that the ink of an image spans
CODE = 4 * -(-(32 * 32 // 8) // 3)  # letters of the longest picture as text


class Unreadable(ValueError):
    """What can't be taken as a picture; `code` says why, `detail` is what came."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code, self.detail = code, detail


def read_image(content: bytes, name: str) -> Float[Tensor, "1 h w"]:
    """A file's ink as an image of a data set's size, 0 or 1. Raises Unreadable.

    Light strokes on a dark ground are turned round; the border says which is the ground.
    """
    ink = _ink(_opened(content))
    rows, columns = (np.flatnonzero((ink > THRESHOLD).any(axis)) for axis in (1, 0))
    cut = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    side, span = IMAGES[name][0], INKED[name]
    scale = span / max(cut.shape)
    height, width = (max(1, round(scale * length)) for length in cut.shape)
    small = Image.fromarray(cut.astype(np.float32)).resize((width, height), Image.Resampling.BOX)
    found = np.zeros((1, side, side), np.float32)
    top, left = (side - height) // 2, (side - width) // 2
    found[0, top : top + height, left : left + width] = np.asarray(small)
    binary = torch.tensor(found > THRESHOLD).float()
    if not binary.any():
        raise Unreadable("thin")
    return binary


def encode_picture(picture: Float[Tensor, "1 h w"]) -> str:
    """A black and white picture as letters that an address can carry."""
    bits = np.packbits(picture.numpy().astype(bool).ravel())
    return base64.urlsafe_b64encode(bits.tobytes()).decode().rstrip("=")


def decode_picture(text: str, name: str) -> Float[Tensor, "1 h w"]:
    """The picture again. Raises Unreadable for letters that are none of this size."""
    side = IMAGES[name][0]
    try:
        found = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise Unreadable("code", text) from error
    if len(found) != side * side // 8:
        raise Unreadable("code", text)
    bits = np.unpackbits(np.frombuffer(found, np.uint8))
    return torch.tensor(bits, dtype=torch.float32).reshape(1, side, side)


def typed(text: str, name: str, variant: int) -> tuple[Float[Tensor, "1 h w"], bool]:
    """A character of the data, and whether training saw it; `variant` counts its pictures round.

    Raises Unreadable for what the data do not have.
    """
    side = IMAGES[name][0]
    for split in ("test", "train"):
        known = data.known(name, split)
        if text in known.names:
            of_it = (known.labels == known.names.index(text)).nonzero().flatten()
            if len(of_it):
                ink = known.images[of_it[variant % len(of_it)][None]] > THRESHOLD
                return ink.float().reshape(1, side, side), split == "train"
    raise Unreadable("unknown", text)


def _opened(content: bytes) -> np.ndarray:
    """The gray of a file, 0 to 1, on white where it is transparent; its size is read first."""
    if not content:
        raise Unreadable("empty")
    if len(content) > BYTES:
        raise Unreadable("large", f"{len(content) / 1e6:.1f} MB")
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            width, height = image.size
            if not all(SIDES[0] <= length <= SIDES[1] for length in (width, height)):
                raise Unreadable("size", f"{width} × {height}")
            colors = image.convert("RGBA")
    except Unreadable:
        raise
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise Unreadable("format") from error
    paper = Image.new("RGBA", colors.size, "white")
    gray = Image.alpha_composite(paper, colors).convert("L")
    return np.asarray(gray, np.float32) / 255


def _ink(gray: np.ndarray) -> np.ndarray:
    """1 where there is most ink, 0 the ground. Raises Unreadable where there is nothing."""
    low, high = float(gray.min()), float(gray.max())
    if high - low < FAINT:
        raise Unreadable("blank")
    border = np.concatenate([gray[0], gray[-1], gray[:, 0], gray[:, -1]])
    scaled = (gray - low) / (high - low)
    return scaled if np.median(border) < (low + high) / 2 else 1 - scaled
