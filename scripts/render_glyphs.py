"""Render the data set "glyphs": 3755 characters in the open fonts of FONTS, all OFL-1.1.

Writes pretrained/glyphs. Needs only Pillow, which Streamlit brings. Run from the repository root
(about four minutes), with the fonts in a folder of your choice, here fonts:

    mkdir fonts && cd fonts
    npm install --prefix . @fontsource/{ma-shan-zheng@5.3.1,zhi-mang-xing@5.3.0,long-cang@5.3.0} \
        @fontsource/zcool-{kuaile,xiaowei,qingke-huangyou}@5.3.0 \
        @fontsource-variable/noto-{sans,serif}-sc@5.3.1
    apt-get download fonts-lxgw-wenkai fonts-smiley-sans    # Debian 12
    for deb in fonts-*.deb; do dpkg-deb -R $deb ${deb%%_*}; done
    cd .. && python scripts/render_glyphs.py fonts

A glyph is drawn four times as large and averaged down. All glyphs of a font have one scale and one
offset: the font's ink boxes are centred on average, nothing is stretched. A character that a font
lacks, or draws as another one, is left out of that style. A font of another version is refused.
"""

import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import PIL
from PIL import Image, ImageDraw, ImageFont, features

from core.glyphs import CHARACTERS, FOLDER, LEVELS, SIZE, characters, write

LICENCE = "OFL-1.1"
FACTOR = 4  # drawn this many times as large
CANVAS = 2 * SIZE * FACTOR  # of one drawing, pixels
ORIGIN = (CANVAS // 4, CANVAS * 3 // 4)  # left end of the base line
GOLDEN = (5**0.5 - 1) / 2


@dataclass(frozen=True)
class Font:
    """A font, where it comes from, and the weights to draw it at."""

    style: str
    package: str
    version: str  # of the package
    files: str = "files/*.woff2"  # in the package's folder; a web font has about a hundred
    weights: tuple[int | None, ...] = (400,)  # None: another one for every character
    em: float = 30.0  # pixels of the image; less where the largest glyph would not fit
    wrong: str = ""  # drawn as another character, in an old form or as a block; found by eye


FONTS = (
    Font("wenkai", "fonts-lxgw-wenkai", "1.250+repack-1", "**/LXGWWenKai-Regular.ttf"),
    Font("smiley-sans", "fonts-smiley-sans", "1.1.1-1", "**/SmileySans-Oblique.ttf", wrong="藩"),
    Font("ma-shan-zheng", "@fontsource/ma-shan-zheng", "5.3.1"),
    Font("zhi-mang-xing", "@fontsource/zhi-mang-xing", "5.3.0"),
    Font("long-cang", "@fontsource/long-cang", "5.3.0", em=27.5, wrong="闪煽汇叁时"),
    Font("zcool-kuaile", "@fontsource/zcool-kuaile", "5.3.0"),
    Font("zcool-xiaowei", "@fontsource/zcool-xiaowei", "5.3.0", wrong="棘圃旦灭庭回蛔"),
    Font("zcool-qingke-huangyou", "@fontsource/zcool-qingke-huangyou", "5.3.0"),
    Font(
        "noto-sans-sc", "@fontsource-variable/noto-sans-sc", "5.3.1", weights=(100, None, 900)
    ),
    Font(
        "noto-serif-sc", "@fontsource-variable/noto-serif-sc", "5.3.1", weights=(200, None, 900)
    ),
)  # fmt: skip


def main(fonts: Path) -> None:
    """Draw every variant of every font."""
    variants, images, weights = [], [], []
    left_out: dict[str, str] = {}
    for font in FONTS:
        faces, offset = open_faces(font, fonts), None
        left_out[font.style] = "".join(one for one in characters() if one not in faces)
        for weight in variant_weights(font):
            drawings = draw_all(font, faces, weight)
            offset = offset or centre(list(drawings.values()))
            images.append(image_rows(drawings, offset))
            weights.append([w if k in drawings else 0 for k, w in enumerate(weight)])
            variants.append(font.style)
            print(f"{font.style} {min(weight)}-{max(weight)}: {len(drawings)} characters")
    write(FOLDER, np.stack(images), np.array(weights, np.uint16), card(variants, left_out))
    print({path.name: path.stat().st_size for path in FOLDER.iterdir()})


def open_faces(font: Font, fonts: Path) -> dict[str, ImageFont.FreeTypeFont]:
    """The file that draws each character. Raises ValueError if the font is not the one named."""
    found: dict[str, ImageFont.FreeTypeFont] = {}
    for path in sorted(package_folder(font, fonts).glob(font.files)):
        face = ImageFont.truetype(path, font.em * FACTOR, layout_engine=ImageFont.Layout.BASIC)
        absent = bytes(face.getmask("\uffff"))  # what the font shows for a character it lacks
        wanted = [one for one in characters() if one not in found and one not in font.wrong]
        found |= {one: face for one in wanted if bytes(face.getmask(one)) != absent}
    return found


def package_folder(font: Font, fonts: Path) -> Path:
    """Where the font's package lies, its version and licence checked."""
    if font.package.startswith("@"):
        folder = fonts / "node_modules" / font.package
        package = json.loads((folder / "package.json").read_text(encoding="utf-8"))
        version, licence = package["version"], package["license"]
    else:
        folder = fonts / font.package
        control = (folder / "DEBIAN" / "control").read_text(encoding="utf-8")
        copyright_file = folder / "usr" / "share" / "doc" / font.package / "copyright"
        version = first(r"^Version: (.*)$", control)
        licence = first(r"^Files: \*\n(?:.+\n)*?License: (.*)$", copyright_file.read_text("utf-8"))
    if (version, licence) != (font.version, LICENCE):
        raise ValueError(f"{font.package} is {version}, {licence}, not {font.version}, {LICENCE}")
    return folder


def first(pattern: str, text: str) -> str:
    """What the pattern's group matches first."""
    match = re.search(pattern, text, re.MULTILINE)
    return match[1] if match else "unknown"


def variant_weights(font: Font) -> list[list[int]]:
    """For each variant of a font the weight of each character.

    Where it changes from character to character, by the golden ratio: even over the font's range,
    and unrelated to the characters' order.
    """
    low, high = font.weights[0] or 0, font.weights[-1] or 0
    spread = [low + round((high - low) * (k * GOLDEN % 1)) for k in range(1, CHARACTERS + 1)]
    return [spread if weight is None else [weight] * CHARACTERS for weight in font.weights]


def draw_all(
    font: Font, faces: dict[str, ImageFont.FreeTypeFont], weights: list[int]
) -> dict[int, Image.Image]:
    """Characters by number, white on black, on a canvas with room on all sides."""
    drawings = {}
    for k, (character, weight) in enumerate(zip(characters(), weights, strict=True)):
        if character not in faces:
            continue
        if len(font.weights) > 1:
            faces[character].set_variation_by_axes([weight])
        canvas = Image.new("L", (CANVAS, CANVAS))
        ImageDraw.Draw(canvas).text(ORIGIN, character, 255, faces[character], anchor="ls")
        drawings[k] = canvas
    return drawings


def image_rows(drawings: dict[int, Image.Image], offset: tuple[int, int]) -> np.ndarray:
    """One image a character, blank where there is no drawing."""
    images = np.zeros((CHARACTERS, SIZE, SIZE), np.uint8)
    for k, drawing in drawings.items():
        images[k] = shrink(drawing, offset)
    return images


def ink_box(drawing: Image.Image) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of the ink. Raises ValueError for a blank drawing."""
    box = drawing.getbbox()
    if box is None:
        raise ValueError("a glyph is blank")
    return box


def centre(drawings: list[Image.Image]) -> tuple[int, int]:
    """Left and top of the frame in which the drawings' ink boxes are centred on average."""
    left, top, right, bottom = np.mean([ink_box(drawing) for drawing in drawings], axis=0)
    half = SIZE * FACTOR / 2
    return round((left + right) / 2 - half), round((top + bottom) / 2 - half)


def shrink(drawing: Image.Image, offset: tuple[int, int]) -> np.ndarray:
    """The frame at `offset`, averaged down to 16 gray levels; moved as far as the ink sticks out.

    Raises ValueError if the ink is larger than the frame.
    """
    left, top, right, bottom = ink_box(drawing)
    frame = SIZE * FACTOR
    if max(right - left, bottom - top) > frame:
        raise ValueError(f"a glyph is {right - left} x {bottom - top}, larger than {frame}")
    x, y = min(max(offset[0], right - frame), left), min(max(offset[1], bottom - frame), top)
    pixels = np.asarray(drawing.crop((x, y, x + frame, y + frame)), np.float64)
    means = pixels.reshape(SIZE, FACTOR, SIZE, FACTOR).mean(axis=(1, 3))
    return np.rint(means / 255 * (LEVELS - 1)).astype(np.uint8)


def card(variants: list[str], left_out: dict[str, str]) -> dict[str, Any]:
    """What goes into meta.json: the fonts, their licences, what drew them."""
    rows = [
        {
            "style": font.style,
            "package": font.package,
            "version": font.version,
            "licence": LICENCE,
            "weights": [weight or "between" for weight in font.weights],
            "em": font.em,
            "left_out": left_out[font.style],
        }
        for font in FONTS
    ]
    versions = {"pillow": PIL.__version__, "freetype": features.version("freetype2")}
    return {
        "size": SIZE,
        "levels": LEVELS,
        "variants": variants,
        "fonts": rows,
        "versions": versions,
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]))
