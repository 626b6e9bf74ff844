"""The guided tour in a browser: each stop is in view, goes by keyboard, and is a link."""

from playwright.sync_api import Page, expect

from benchmarks.server import Server
from tests.browser.conftest import Open, settled
from ui.catalogue import words

EN = words("en")


def expect_stop(page: Page, number: int, panel: str) -> None:
    expect(page.get_by_text(EN[f"gelu.tour.{number}"].partition(".")[0])).to_be_visible()
    expect(page.locator(f"#{panel}")).to_be_in_viewport()
    settled(page)


def test_the_tour_brings_each_stop_into_view_by_keyboard_and_by_link(
    server: Server, visit: Open
) -> None:
    page = visit(f"{server.url}/gelu")
    expect(page.get_by_role("button", name=EN["app.tour.take"])).to_be_visible()
    page.evaluate("new Promise(requestIdleCallback)")  # it hears its key once it has been painted
    page.keyboard.press("t")
    expect_stop(page, 1, "curves")
    for number, panel in ((2, "curves"), (3, "ripple")):
        onward = page.get_by_role("button", name=EN["app.tour.next"])
        expect(onward).to_be_focused()
        page.keyboard.press("Enter" if number == 2 else "n")
        expect_stop(page, number, panel)
    page.wait_for_function("location.search.includes('gelu.tour.stop=3')")
    other = visit(page.url)
    expect_stop(other, 3, "ripple")


def test_a_finding_of_the_home_page_leads_to_the_state_that_shows_it(
    server: Server, visit: Open
) -> None:
    page = visit(server.url)
    page.get_by_role("link", name=EN["home.see"]).first.click()
    expect(page.get_by_text(EN["gelu.claims.G1"])).to_be_visible()
    expect(page.locator("#refit")).to_be_in_viewport()
    page.wait_for_function("location.search.includes('gelu.refit.target=gelu')")
