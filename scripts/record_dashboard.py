"""README's moving picture: a constant is dragged until its error's extrema are level.

Needs requirements-dev.txt and Chromium. Run from the repository's root:
python -m scripts.record_dashboard
"""

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from benchmarks.browser import FLAGS, chromium
from benchmarks.server import serving

OUT = Path("docs/gelu.gif")
SIZE, SHOWN = (1200, 760), (900, 570)  # pixels on screen, in the picture
FROM, TO, FRAMES = 0.0462, 0.044715, 30
DRAG = "(input, value) => { input.value = value; input.dispatchEvent(new Event('input')); }"


def main() -> None:
    """Open the panel, drag, write the frames."""
    with serving() as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        page = browser.new_context(locale="en-US").new_page()
        page.set_viewport_size({"width": SIZE[0], "height": SIZE[1]})
        page.goto(f"{server.url}/gelu?gelu.ripple.c={FROM}#ripple")
        page.locator(".drag svg polyline").wait_for()
        page.wait_for_timeout(8000)  # what is above the panel is drawn, too, and holds no more
        page.locator(".drag").evaluate("drag => drag.scrollIntoView({ block: 'end' })")
        frames = list(_dragged(page))
    still = [1200, *[70] * (len(frames) - 2), 2500]  # milliseconds
    frames[0].save(OUT, save_all=True, append_images=frames[1:], duration=still, loop=0)


def _dragged(page: Page) -> Iterator[Image.Image]:
    slider = page.locator(".drag input[type=range]")
    for value in np.linspace(FROM, TO, FRAMES):
        slider.evaluate(DRAG, f"{value:.6f}")
        picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB").resize(SHOWN)
        yield picture.quantize(64, dither=Image.Dither.NONE)


if __name__ == "__main__":
    main()
