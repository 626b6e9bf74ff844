"""What a reader with a browser waits for, timed inside the page by watch.js."""

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Locator, Page, ViewportSize, expect, sync_playwright

from benchmarks.server import ROOT, Server, serving

WATCH = Path(__file__).with_name("watch.js")
PAGE = "gelu"
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
BETWEEN = 1000  # milliseconds from a reader's answer to the next control
WINDOW = ViewportSize(width=1280, height=900)
WIDE, PHONE = ViewportSize(width=1440, height=900), ViewportSize(width=390, height=844)
QUIET = 2000  # milliseconds after a run in which what was asked for late may still come


def chromium() -> str | None:
    """Where Chromium is on this machine, if it is."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((path for path in map(shutil.which, names) if path), None)


def version() -> str:
    """The version of Chromium."""
    with _browser() as browser:
        return browser.version


def cold(rounds: int, folder: Path = ROOT, path: str = PAGE) -> tuple[list[float], list[float]]:
    """Seconds from `streamlit run` to the page's title and to its first picture.

    Every round has a new server process and a new browser profile. The browser is already open,
    as a reader's is, and goes to the page as soon as the server answers.
    """
    titles, pictures = [], []
    for _ in range(rounds):
        with _new_profile() as page, serving(folder) as server:
            page.goto(f"{server.url}/{path}", wait_until="commit")
            before = page.evaluate("performance.timeOrigin / 1000") - server.started
            titles.append(before + page.evaluate("watch.title") / 1000)
            pictures.append(before + page.evaluate("watch.picture") / 1000)
    return titles, pictures


def warm(server: Server, rounds: int, path: str = PAGE) -> list[float]:
    """Seconds from going to the page to its first picture, on a server that has shown it before.

    Every round has a new browser context, whose cache is empty.
    """
    pictures = []
    with _browser() as browser:
        for turn in range(rounds + 1):
            with _new_context(browser) as page:
                page.goto(f"{server.url}/{path}", wait_until="commit")
                seconds = page.evaluate("watch.picture") / 1000
                page.evaluate("watch.settled()")
            if turn:  # at the first visit the server imports and computes
                pictures.append(seconds)
    return pictures


def menu(server: Server, pages: Sequence[str], rounds: int) -> dict[str, list[float]]:
    """Seconds from a click in the menu to the page's first picture, for a reader already here.

    The first of each page is the first since the server started. `pages` are in the menu's order.
    """
    times: dict[str, list[float]] = {path: [] for path in pages}
    with _browser() as browser, _new_context(browser) as page:
        page.goto(f"{server.url}/claims")
        page.evaluate("watch.title.then(watch.settled)")
        entries = page.get_by_test_id("stSidebarNavLink")
        for _ in range(rounds):
            for number, path in enumerate(pages):
                times[path].append(_click(entries.nth(number), "picture") / 1000)
                entries.last.click()  # the models, without a picture
                expect(page.get_by_test_id("stVegaLiteChart")).to_have_count(0)
                page.evaluate("watch.settled()")
    return times


def shift(server: Server, path: str, window: ViewportSize, rounds: int) -> list[float]:
    """How far what stands on a page jumps while the rest of it comes: the layout shift's score.

    Every round has a new browser context, whose cache is empty. That the whole page goes aside for
    the menu is not counted.
    """
    scores = []
    with _browser() as browser:
        for _ in range(rounds):
            with _new_context(browser, window) as page:
                page.goto(f"{server.url}/{path}")
                page.evaluate("watch.title.then(watch.settled)")
                page.wait_for_timeout(QUIET)
                page.evaluate("watch.settled()")
                scores.append(float(page.evaluate("watch.shift()")))
    return scores


def controls(server: Server, rounds: int) -> dict[str, list[float]]:
    """Milliseconds from a control's release to what it changes, by kind of control."""
    turns = range(rounds)
    with _browser() as browser, _new_context(browser) as page:
        page.goto(f"{server.url}/{PAGE}")
        page.evaluate("watch.picture.then(watch.settled)")
        drag = page.locator(".st-key-_drag-gelu-ripple-c").get_by_role("slider")
        page.locator("#ripple").scroll_into_view_if_needed()  # its panel is drawn when come near
        drag.wait_for()  # the other controls lead away from it
        reach = page.locator(".st-key-gelu-curves-reach").get_by_role("slider")
        meter = page.locator(".st-key-gelu-curves-meter").get_by_role("radio")
        return {
            "slider": [_key(reach, _to_and_fro(i), "keydown", "chart") for i in turns],
            "buttons": [_click(meter.nth(i % meter.count()), "chart") for i in turns],
            "drag": [_key(drag, "ArrowRight", "change", "words") for _ in turns],
        }


def in_training(server: Server) -> tuple[list[float], float]:
    """Milliseconds from a control to its chart while a VAE trains, and the seconds that it takes.

    The VAE differs from the default one by its seed, so that it is not there yet.
    """
    answers: list[float] = []
    with _browser() as browser, _new_context(browser) as page:
        page.goto(f"{server.url}/vae?vae.codes.seed=7#codes")
        train = page.get_by_role("button", name="Train it")
        train.wait_for()
        page.evaluate("watch.settled()")
        train.click()
        asked = time.monotonic()
        trains = page.get_by_test_id("stSidebar").get_by_text("Training now")
        trains.wait_for()
        radius = page.locator(".st-key-vae-shapes-radius").get_by_role("slider")
        while trains.count():
            answers.append(_key(radius, _to_and_fro(len(answers)), "keydown", "chart"))
            page.wait_for_timeout(BETWEEN)
    return answers, time.monotonic() - asked


def bare_slider(server: Server, rounds: int) -> list[float]:
    """The same for the only slider of the bare page."""
    with _browser() as browser, _new_context(browser) as page:
        page.goto(server.url)
        page.evaluate("watch.picture.then(watch.settled)")
        reach = page.locator(".st-key-reach").get_by_role("slider")
        return [_key(reach, _to_and_fro(i), "keydown", "chart") for i in range(rounds)]


def progress(server: Server, panel: str, other: str, unit: str) -> dict[int, float]:
    """When another page's sidebar first showed each step of a training, in seconds since the epoch.

    The training is asked for in the panel, by the first button of the page that trains.
    """
    with _browser() as browser, _new_context(browser) as page, _new_context(browser) as aside:
        aside.goto(f"{server.url}/{other}")
        aside.get_by_role("heading", level=1).wait_for()
        aside.evaluate(
            """unit => {
                window.shown = {};
                new MutationObserver(() => {
                    const sidebar = document.querySelector('[data-testid="stSidebar"]').innerText;
                    const step = sidebar.match(new RegExp(`${unit} ([0-9]+) /`))?.[1];
                    if (step) window.shown[step] ??= Date.now() / 1000;
                }).observe(document, { subtree: true, childList: true, characterData: true });
            }""",
            unit,
        )
        page.goto(f"{server.url}/{panel}")
        page.get_by_role("button", name="Train it").click()
        page.get_by_text("The logits drift by").wait_for(timeout=180_000)
        return {int(step): float(at) for step, at in aside.evaluate("window.shown").items()}


def _key(slider: Locator, key: str, event: str, sight: str) -> float:
    return _answer(slider, event, sight, lambda: slider.press(key))


def _click(button: Locator, sight: str) -> float:
    return _answer(button, "pointerup", sight, button.click)


def _answer(control: Locator, event: str, sight: str, gesture: Callable[[], None]) -> float:
    """Set the watch, make the gesture, read the watch."""
    control.evaluate(
        "(control, [event, sight]) => watch.answer(control, event, sight)", [event, sight]
    )
    gesture()
    milliseconds = float(control.page.evaluate("watch.result"))
    control.page.evaluate("watch.settled()")
    return milliseconds


def _to_and_fro(turn: int) -> str:
    """Six steps to the right, six to the left: the slider's 13 values from its middle on."""
    return "ArrowRight" if turn // 6 % 2 == 0 else "ArrowLeft"


@contextmanager
def _browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def _new_context(browser: Browser, window: ViewportSize = WINDOW) -> Iterator[Page]:
    """A page of a visitor whom the running browser has not seen before."""
    with browser.new_context(viewport=window, locale="en-US") as context:
        context.add_init_script(path=WATCH)
        yield context.new_page()


@contextmanager
def _new_profile() -> Iterator[Page]:
    """A page of a browser that has never been anywhere."""
    with tempfile.TemporaryDirectory() as profile, sync_playwright() as playwright:
        launch = playwright.chromium.launch_persistent_context
        with launch(
            profile, executable_path=chromium(), args=FLAGS, viewport=WINDOW, locale="en-US"
        ) as context:
            context.add_init_script(path=WATCH)
            yield context.pages[0]
