"""The whole page on paper, and panel by panel with keys, in a browser."""

import pytest
from playwright.sync_api import Page, expect

from benchmarks.server import Server
from tests.browser.conftest import Open
from ui.catalogue import words

pytestmark = pytest.mark.browser

EN = words("en")


def color(page: Page, selector: str, channel: str) -> str:
    found: str = page.locator(selector).first.evaluate(
        "(element, channel) => getComputedStyle(element)[channel]", channel
    )
    return found


def test_paper_gets_every_panel_in_dark_ink(server: Server, visit: Open) -> None:
    page = visit(f"{server.url}/gelu", color_scheme="dark")
    waiting = page.locator('[class*="st-key-_place"]')
    assert waiting.count() > 0
    page.evaluate("() => { window.dialogs = 0; window.print = () => { window.dialogs += 1; }; }")
    page.get_by_role("button", name=EN["app.print"]).click()
    page.wait_for_function("window.dialogs === 1")
    assert waiting.count() == 0
    page.emulate_media(media="print")
    expect(page.get_by_test_id("stSidebar")).to_be_hidden()
    assert color(page, "h1", "color") == "rgb(34, 38, 43)"
    assert color(page, "svg.marks text", "fill") == "rgb(34, 38, 43)"


def test_a_panel_that_is_not_drawn_says_so_on_paper(server: Server, visit: Open) -> None:
    page = visit(f"{server.url}/gelu")
    page.emulate_media(media="print")
    said = page.locator(".place").last.evaluate(
        "place => [getComputedStyle(place, '::after').display, place.dataset.word]"
    )
    assert said == ["block", EN["app.not_drawn"]]


def test_keys_go_from_panel_to_panel(server: Server, visit: Open) -> None:
    page = visit(f"{server.url}/gelu")
    page.wait_for_function("document.documentElement.dataset.held === 'true'")
    for key, panel in (("j", "curves"), ("j", "tails"), ("k", "curves")):
        page.keyboard.press(key)
        expect(page.locator(f"#{panel}")).to_be_focused()
        expect(page.locator(f"#{panel}")).to_be_in_viewport()
