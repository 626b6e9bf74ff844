"""The panel of associativity: shipped curves at first sight, a measurement on request."""

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from core import attention as core
from tests.pages.app import charts, open_page, table, text
from ui.catalogue import words


def opened(language: str = "en", **params: str) -> AppTest:
    link = {f"attention.associativity.{name}": value for name, value in params.items()}
    return open_page("attention", language, **link)


def drawn(page: AppTest) -> pd.DataFrame:
    tables = [table(chart) for chart in charts(page)]
    return next(t for t in tables if "curve" in t and "fused" in set(t["curve"]))


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_shipped_curves_stand_at_first_sight(language: str) -> None:
    page = opened(language)
    assert not page.exception
    expected = core.associativity(core.AssociativityConfig())
    pd.testing.assert_frame_equal(
        drawn(page).reset_index(drop=True), expected.curves.reset_index(drop=True),
        check_dtype=False,
    )  # fmt: skip
    assert f"{expected.crossing:.3g}" in text(page)


def test_every_control_changes_the_curves() -> None:
    first = drawn(opened())
    for change in ({"quantity": "memory"}, {"causal": "false"}, {"backward": "true"}):
        assert not first.equals(drawn(opened(**change)))


def test_a_measurement_of_this_machine_is_offered_in_its_own_words() -> None:
    page = opened(measured="here", width="48")
    assert not page.exception
    assert words("en")["attention.tasks.speed.untrained"] in text(page)
    labels = [button.label for button in page.button]
    assert words("en")["attention.tasks.speed.train"] in labels
