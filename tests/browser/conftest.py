"""The dashboard in a real Chromium: servers, readers, and what no reader may ever see."""

import os
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from benchmarks.browser import FLAGS, chromium
from benchmarks.server import Server, serving

# On a deep link Streamlit's page looks for its server below the page's own path first.
PROBES = re.compile(r"/\w+/_stcore/(health|host-config)$")
PATIENCE = 60_000  # milliseconds
expect.set_options(timeout=PATIENCE)  # a busy machine is slow, not wrong

Open = Callable[..., Page]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium; where there is none these tests are left out, unless it is required."""
    path = chromium()
    if path is None and not os.environ.get("REQUIRE_BROWSER"):
        pytest.skip("LEFT OUT: tests in a browser, since this machine has no Chromium")
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=path, args=FLAGS)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """One server for the tests that need no fresh one."""
    with serving() as running:
        yield running


@pytest.fixture
def fresh_server() -> Iterator[Server]:
    """A server that nobody has visited yet."""
    with serving() as running:
        yield running


@pytest.fixture
def visit(browser: Browser) -> Iterator[Open]:
    """Open an address as a new reader, and wait until all is drawn unless `patient` is False.

    Afterwards: no console error, no off-site request.
    """
    faults: list[str] = []

    def watch(page: Page) -> None:
        page.on("console", lambda message: _note(message, faults))
        page.on("pageerror", lambda error: faults.append(f"error: {error}"))
        page.on("request", lambda request: _note_request(request.url, faults))

    def open_page(url: str, *, patient: bool = True, **context: Any) -> Page:
        settings = {"locale": "en-US", "viewport": {"width": 1280, "height": 900}} | context
        page = browser.new_context(**settings).new_page()
        watch(page)
        page.set_default_timeout(PATIENCE)
        page.goto(url)
        if patient:
            settled(page)
        return page

    yield open_page
    for context in browser.contexts:
        context.close()
    assert faults == []


def settled(page: Page) -> None:
    """Wait until the page has drawn what it is going to draw."""
    app = page.get_by_test_id("stApp")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(app).to_have_attribute("data-test-script-state", "notRunning")
    expect(page.get_by_test_id("stException")).to_have_count(0)


def _note(message: ConsoleMessage, faults: list[str]) -> None:
    if message.type == "error" and not PROBES.search(message.location.get("url", "")):
        faults.append(f"console: {message.text}")


def _note_request(url: str, faults: list[str]) -> None:
    if not url.startswith(("http://127.0.0.1:", "data:", "blob:")):
        faults.append(f"off-site request: {url}")
