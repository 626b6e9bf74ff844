"""The attention page: numbers react, the player plays, texts are read or refused with a word."""

from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from core import attention as core
from tests.pages.app import charts, linked, make_again, table, text, widget
from ui.catalogue import words

SLUG = "attention"
opened = partial(linked, SLUG)
PANELS = (
    "matrices", "heads", "scales", "causality", "recurrence", "drift", "capacity", "learning",
    "transformers", "projection",
)  # fmt: skip


def drawn(page: AppTest) -> list[pd.DataFrame]:
    return [table(chart) for chart in charts(page)]


def changed(before: list[pd.DataFrame], after: list[pd.DataFrame]) -> int:
    """How many charts draw other numbers."""
    assert len(before) == len(after)
    return sum(not one.equals(other) for one, other in zip(before, after, strict=True))


@pytest.mark.parametrize(
    ("knobs", "count"),
    [
        ({"matrices.scale": 1.0, "scales.dim": 8, "drift.meter": "normalizer"}, 4 + 1 + 1),
        ({"heads.layer": 9, "causality.form": "linformer", "capacity.dim": "8"}, 4 + 1 + 2),
        ({"matrices.kernel": "exp", "recurrence.token": 3, "learning.task": "copy"}, 3 + 2 + 2),
        ({"heads.kernel": "taylor2", "projection.tokens": "128"}, 3 + 1),
        ({"transformers.attention": "delta"}, 1),
        ({"transformers.task": "copy"}, 2),
    ],
)  # fmt: skip
def test_pictures_react_to_their_own_controls(knobs: dict[str, Any], count: int) -> None:
    page = opened()
    before = drawn(page)
    for name, value in knobs.items():
        widget(page, f"{SLUG}.{name}").set_value(value)
    page.run()
    assert not page.exception
    assert changed(before, drawn(page)) == count


def test_a_link_draws_what_core_computes() -> None:
    page = opened(matrices__tokens=8, causality__form="linformer")
    expected = core.matrices(core.MatricesConfig(tokens=8)).softmax
    pd.testing.assert_frame_equal(drawn(page)[0], expected, check_dtype=False)
    leak = core.causality(core.CausalityConfig(form="linformer")).leak
    assert f"**{leak:.3g}**" in text(page)


def test_formulas_show_whole_numbers_where_a_name_begins_with_another() -> None:
    page = opened(matrices__dim=8)
    found = page.latex[0].value
    distance = core.matrices(core.MatricesConfig(dim=8)).distance
    assert f"= {distance:.3g}\n" in found
    assert r"\sqrt{8}" in found
    assert not any("@" in formula.value for formula in page.latex)


def test_a_signed_kernel_is_shown_as_a_finding() -> None:
    page = opened(matrices__kernel="identity")
    assert not page.exception
    assert "negative" in page.warning[0].value


def test_steps_move_the_token_and_playing_begins_again_at_the_end() -> None:
    page = opened(recurrence__token=23)
    assert "After 23 tokens" in text(page)
    widget(page, f"_step.{SLUG}.recurrence.token").click().run()
    assert "After 24 tokens" in text(page)
    assert widget(page, f"_step.{SLUG}.recurrence.token").disabled
    widget(page, f"_play.{SLUG}.recurrence.token").click().run()
    assert not page.exception
    assert "After 0 tokens" in text(page)


def test_a_pause_leaves_the_token_where_the_playing_has_come_to() -> None:
    page = opened(recurrence__token=5)
    widget(page, f"_play.{SLUG}.recurrence.token").click().run()
    page.session_state[f"_playing.{SLUG}.recurrence.token"] = 9
    widget(page, f"_play.{SLUG}.recurrence.token").click().run()
    assert "After 9 tokens" in text(page)
    assert widget(page, f"{SLUG}.recurrence.token").value == 9


@pytest.mark.parametrize("language", ["en", "zh"])
def test_texts_are_refused_or_their_unknown_tokens_named(language: str) -> None:
    page = opened(language, heads__text=" ")
    assert not page.exception
    assert page.error[0].value == words(language)["attention.heads.no_word"]
    widget(page, f"{SLUG}.heads.text").set_value("Say привет to `them`").run()
    assert not page.exception
    assert not page.error
    assert "`привет`" in page.warning[0].value


def test_what_nobody_has_trained_is_offered() -> None:
    page = opened(learning__pairs=8, learning__seed=7, projection__seed=5, transformers__seed=3)
    assert widget(page, "_train.attention.recall")
    assert widget(page, "_train.attention.transformer")
    assert widget(page, "_train.attention.projection")


def test_every_panel_hands_out_a_script_that_makes_its_figures_again(tmp_path: Path) -> None:
    page = opened(matrices__tokens=5, recurrence__token=3)
    make_again(page, SLUG, PANELS, tmp_path)
    made = pd.read_csv(tmp_path / "recurrence" / "outputs.csv")
    pd.testing.assert_frame_equal(made, core.recurrence(core.RecurrenceConfig(token=3)).outputs)
    assert {path.parent.name for path in tmp_path.glob("*/*.html")} == set(PANELS)
