"""Images as PNG: what another library reads is what was written."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from core.pictures import picture_table, png_url


def read(url: str) -> np.ndarray:
    content = base64.b64decode(url.removeprefix("data:image/png;base64,"))
    return np.asarray(Image.open(io.BytesIO(content)))


def test_a_picture_is_what_another_reader_sees() -> None:
    image = np.linspace(0, 1, 35).reshape(5, 7)
    np.testing.assert_array_equal(read(png_url(image)), np.round(255 * (1 - image)))


def test_what_is_outside_of_gray_is_clipped() -> None:
    assert read(png_url(np.array([[-1.0, 2.0, np.nan]]))).tolist() == [[255, 0, 255]]


def test_a_picture_has_two_axes() -> None:
    with pytest.raises(ValueError, match=r"image has shape \(3,\)"):
        png_url(np.zeros(3))


def test_a_table_has_a_picture_a_row() -> None:
    table = picture_table([np.zeros((2, 2))] * 2, ["a", "b"], [1, 1])
    assert table.columns.tolist() == ["row", "column", "image"]
