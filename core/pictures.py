"""Small gray images as data that a chart can draw: PNG in a data URL, dark ink on light paper."""

import base64
import struct
import zlib
from collections.abc import Sequence

import numpy as np
import pandas as pd


def png_url(image: np.ndarray) -> str:
    """A gray image [h, w] as a data URL; 0 is paper, 1 ink, what lies outside is clipped.

    Raises ValueError if the image has other than two axes.
    """
    if image.ndim != 2:
        raise ValueError(f"image has shape {image.shape}, but must be [h, w]")
    gray = (255 * (1 - np.nan_to_num(image).clip(0, 1))).round().astype(np.uint8)
    height, width = gray.shape
    rows = b"".join(b"\0" + row.tobytes() for row in gray)  # 0: no filter
    parts = [
        _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)),
        _chunk(b"IDAT", zlib.compress(rows, 9)),
        _chunk(b"IEND", b""),
    ]
    png = b"\x89PNG\r\n\x1a\n" + b"".join(parts)
    return "data:image/png;base64," + base64.b64encode(png).decode()


def picture_table(
    images: Sequence[np.ndarray], rows: Sequence[str], columns: Sequence[int | float]
) -> pd.DataFrame:
    """One image a row: "row" and "column" say where it stands, "image" is its data URL."""
    urls = [png_url(np.asarray(image)) for image in images]
    return pd.DataFrame({"row": list(rows), "column": list(columns), "image": urls})


def _chunk(kind: bytes, content: bytes) -> bytes:
    check = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + check
