"""Trainings in a real browser: asked for, followed from every page, found again after a crash."""

import os
import re
import signal
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Page, expect

from benchmarks.server import Server, serving
from core.store import Store
from tests.browser.conftest import Open

pytestmark = pytest.mark.browser

NETWORK = "gelu?gelu.drift.depth=16&gelu.drift.seed=7#drift"
LONG = "vae?vae.codes.seed=6#codes"  # there is time to stop it
STEPS = re.compile(r"step ([1-9]\d*) / (\d+)")
SHARE = re.compile(r"Stopped at (\d+) %. The checkpoint is kept")
TRAINING = 180_000  # milliseconds that a training may take on a busy machine


def ask(page: Page) -> None:
    """Press the panel's button, and see that the training runs."""
    page.get_by_role("button", name="Train it").click()
    expect(page.get_by_test_id("stMain").get_by_text("being trained")).to_be_visible()
    sidebar = page.get_by_test_id("stSidebar")
    expect(sidebar.get_by_text("Training now")).to_be_visible()


def drawn(page: Page) -> None:
    """See the panel's figure."""
    expect(page.get_by_text("The logits drift by")).to_be_visible(timeout=TRAINING)


def test_a_training_is_followed_on_another_page_drawn_when_it_ends_and_found_again(
    server: Server, visit: Open
) -> None:
    other = visit(f"{server.url}/claims")
    beside, page = (visit(f"{server.url}/{NETWORK}") for _ in range(2))
    expect(beside.get_by_role("button", name="Train it")).to_be_visible()
    ask(page)
    expect(beside.get_by_test_id("stMain").get_by_text("being trained")).to_be_visible()
    aside = other.get_by_test_id("stSidebar")
    expect(aside.get_by_text("Training now")).to_be_visible()
    expect(aside.get_by_text("/ 40")).to_be_visible(timeout=TRAINING)
    assert "/claims" in other.url
    expect(other.get_by_role("heading", level=1)).to_have_text("Which of the claims hold?")
    drawn(page)
    drawn(beside)
    expect(aside.get_by_text("Training now")).to_have_count(0)
    drawn(visit(f"{server.url}/{NETWORK}"))


def test_a_training_is_stopped_and_goes_on_from_there(server: Server, visit: Open) -> None:
    page = visit(f"{server.url}/{LONG}")
    ask(page)
    panel = page.get_by_test_id("stMain")
    so_far = panel.get_by_text(STEPS).first
    expect(so_far).to_be_visible(timeout=TRAINING)
    panel.get_by_role("button", name="Stop").click()
    stopped = panel.get_by_text(SHARE)
    expect(stopped).to_be_visible(timeout=TRAINING)
    share = int(SHARE.search(stopped.inner_text())[1])  # type: ignore[index]
    page.get_by_role("button", name="Train it again").click()
    expect(so_far).to_be_visible(timeout=TRAINING)
    done, total = STEPS.search(so_far.inner_text()).groups()  # type: ignore[union-attr]
    panel.get_by_role("button", name="Stop").click()
    expect(stopped).to_be_visible(timeout=TRAINING)
    assert share - 1 <= 100 * int(done) / int(total) < 100


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "ended"])
def test_a_training_survives_the_end_of_its_server(
    how: signal.Signals, visit: Open, tmp_path: Path
) -> None:
    with serving(LAB_STORE=str(tmp_path)) as first:
        page = visit(f"{first.url}/{NETWORK}")
        ask(page)
        expect(page.get_by_test_id("stMain").get_by_text("/ 40")).to_be_visible(timeout=TRAINING)
        workers = psutil.Process(first.pid).children(recursive=True)
        page.context.close()
        os.kill(first.pid, how)
    assert psutil.wait_procs(workers, timeout=30)[1] == []
    assert Store(tmp_path).keys() == []
    with serving(LAB_STORE=str(tmp_path)) as second:
        page = visit(f"{second.url}/{NETWORK}")
        drawn(page)
        page.context.close()
    assert len(Store(tmp_path).keys()) == 1
