"""README's pictures: the home page, and a constant dragged until its error's extrema are level.

Needs requirements-dev.txt and Chromium. Run from the repository's root:
python -m scripts.record_dashboard [home] [gelu]
"""

import io
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from benchmarks.browser import FLAGS, chromium
from benchmarks.server import serving

DOCS = Path("docs")
HOME = (1280, 1560)  # pixels on screen and in the picture
SIZE, SHOWN = (1200, 760), (900, 570)  # pixels on screen, in the picture
FROM, TO, FRAMES = 0.0462, 0.044715, 30
DRAG = "(input, value) => { input.value = value; input.dispatchEvent(new Event('input')); }"


def main(names: list[str]) -> None:
    """Take these pictures, or both."""
    with serving() as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        page = browser.new_context(locale="en-US").new_page()
        for name, record in {"home": home, "gelu": gelu}.items():
            if not names or name in names:
                record(page, server.url)


def home(page: Page, url: str) -> None:
    """The home page as it stands."""
    page.set_viewport_size({"width": HOME[0], "height": HOME[1]})
    page.goto(url)
    page.get_by_test_id("stVegaLiteChart").last.locator("svg").wait_for()
    page.wait_for_timeout(4000)  # the last pictures
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    picture.quantize(256, dither=Image.Dither.NONE).save(DOCS / "home.png", optimize=True)


def gelu(page: Page, url: str) -> None:
    """Open the panel, drag, write the frames."""
    page.set_viewport_size({"width": SIZE[0], "height": SIZE[1]})
    page.goto(f"{url}/gelu?gelu.ripple.c={FROM}#ripple")
    page.locator(".drag svg polyline").wait_for()
    page.wait_for_timeout(8000)  # what is above the panel is drawn, too, and holds no more
    page.locator(".drag").evaluate("drag => drag.scrollIntoView({ block: 'end' })")
    first, *others = _dragged(page)
    still = [1200, *[70] * (len(others) - 1), 2500]  # milliseconds
    first.save(DOCS / "gelu.gif", save_all=True, append_images=others, duration=still, loop=0)


def _dragged(page: Page) -> Iterator[Image.Image]:
    slider = page.locator(".drag input[type=range]")
    for value in np.linspace(FROM, TO, FRAMES):
        slider.evaluate(DRAG, f"{value:.6f}")
        picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB").resize(SHOWN)
        yield picture.quantize(64, dither=Image.Dither.NONE)


if __name__ == "__main__":
    main(sys.argv[1:])
