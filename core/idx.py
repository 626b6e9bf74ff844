"""Arrays in the IDX format of MNIST, gzip-compressed.

Two zero bytes, the type (8: unsigned byte), the number of axes, each axis as a big-endian 32-bit
length, then the values, last axis fastest.
"""

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

LIMIT = 1 << 28  # bytes; MNIST's largest file has 47 million


def read(path: Path, axes: int) -> UInt8[np.ndarray, "..."]:
    """The array in a file. Raises ValueError if it is missing, damaged or has not so many axes.

    Reads one byte more than the header declares at most, whatever the file would unpack to.
    """
    try:
        with gzip.open(path) as stream:
            shape = _shape(stream.read(4 + 4 * axes), axes)
            values = stream.read(math.prod(shape) + 1)
    except (OSError, EOFError, zlib.error, ValueError) as error:
        problem = "missing" if isinstance(error, FileNotFoundError) else f"damaged: {error}"
        raise ValueError(f"{path} is {problem}") from error
    if len(values) != math.prod(shape):
        more = "more" if len(values) > math.prod(shape) else "less"
        raise ValueError(f"{path} is damaged: {more} than the {math.prod(shape)} bytes it declares")
    return np.frombuffer(values, np.uint8).reshape(shape)


def _shape(header: bytes, axes: int) -> tuple[int, ...]:
    if header[:4] != bytes((0, 0, 8, axes)):
        raise ValueError(f"it begins with {header[:4].hex()}, not with 000008{axes:02x}")
    if len(header) != 4 + 4 * axes:
        raise ValueError("its header is cut off")
    shape = struct.unpack(f">{axes}I", header[4:])
    if math.prod(shape) > LIMIT:
        raise ValueError(f"it declares {math.prod(shape)} bytes, more than {LIMIT}")
    return shape
