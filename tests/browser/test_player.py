"""A panel that plays: it comes to its end by itself, and only where motion is welcome."""

import pytest
from playwright.sync_api import expect

from benchmarks.server import Server
from tests.browser.conftest import PATIENCE, Open, settled

pytestmark = pytest.mark.browser

NEAR_THE_END = "attention?attention.recurrence.token=21#recurrence"


def test_playing_comes_to_the_end_and_leaves_it_in_the_address(server: Server, visit: Open) -> None:
    page = visit(f"{server.url}/{NEAR_THE_END}")
    play = page.get_by_role("button", name="Play")
    expect(play).to_be_visible(timeout=PATIENCE)
    settled(page)
    play.click()
    expect(page.get_by_text("After 24 tokens")).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_role("button", name="Step")).to_be_disabled(timeout=PATIENCE)
    expect(play).to_be_visible(timeout=PATIENCE)
    page.wait_for_url("**attention.recurrence.token=24**")


def test_a_reader_who_asks_for_less_motion_is_offered_steps(server: Server, visit: Open) -> None:
    page = visit(f"{server.url}/{NEAR_THE_END}", reduced_motion="reduce")
    step = page.get_by_role("button", name="Step")
    expect(step).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_role("button", name="Play")).to_have_count(0, timeout=PATIENCE)
    step.click()
    expect(page.get_by_text("After 22 tokens")).to_be_visible(timeout=PATIENCE)
