"""The NVAE page: its pictures react, a model that is not here is offered, scripts run."""

from pathlib import Path

import pandas as pd

from core import nvae as core
from tests.pages.app import charts, make_again, open_page, table, text, widget

SLUG = "nvae"
FIRST = {
    "samples": 0, "scales": 2, "compare": 5, "own": 6, "parts": 8, "statistics": 9, "toys": 11,
    "relative": 14, "budget": 15,
}  # fmt: skip
PANELS = tuple(FIRST)


def test_pictures_react_and_every_trained_one_carries_its_seed_and_configuration() -> None:
    page = open_page(SLUG)
    before = {panel: table(charts(page)[place]) for panel, place in FIRST.items()}
    said = [caption.value for caption in page.caption if "seed 0" in caption.value]
    assert len(said) == 5
    assert sum("groups from the top" in row for row in said) == 4
    for key, value in {
        "samples.temperature": 1.0, "scales.seed": 2, "compare.view": "reconstructions",
        "own.first": "我", "parts.measure": "gradient", "statistics.temperature": 0.9,
        "toys.shape": "ring", "relative.std": 2.0, "budget.build": "celeba-64",
    }.items():  # fmt: skip
        widget(page, f"{SLUG}.{key}").set_value(value)
    page.run()
    assert not page.exception
    for panel, place in FIRST.items():
        assert not before[panel].equals(table(charts(page)[place]))


def test_a_link_draws_what_core_computes_and_a_model_not_here_is_offered() -> None:
    link = {"nvae.toys.shape": "ring", "nvae.toys.family": "extra", "nvae.samples.model": "mnist"}
    page = open_page(SLUG, "en", **link)
    assert not page.exception
    if not core.have_model("mnist"):
        assert widget(page, "_train.nvae.model")
        assert "python -m core.nvae.train" in text(page)
    expected = core.toys(core.ToysConfig(shape="ring", family="extra"))
    drawn = [table(chart) for chart in charts(page)]
    assert any(found.equals(expected.fitted.astype(found.dtypes.to_dict())) for found in drawn
               if list(found.columns) == list(expected.fitted.columns))  # fmt: skip


def test_a_picture_or_a_character_that_can_t_be_read_costs_a_sentence_and_no_panel() -> None:
    link = {"nvae.own.first": "ABC", "nvae.own.second": "我"}
    page = open_page(SLUG, "zh", **link)
    assert not page.exception
    assert "`A`" in page.error[0].value
    widget(page, "nvae.own.first").set_value("我")
    page.run()
    assert not page.error
    code = core.encode_picture(core.typed("我", "glyphs", 3)[0])
    page = open_page(SLUG, "en", **{"nvae.own.picture": code})
    assert "not among the training images" in text(page)
    widget(page, "_own.back").click()
    page.run()
    assert "among the training images" in text(page)


def test_a_likelihood_that_was_not_measured_is_offered_as_a_job() -> None:
    page = open_page(SLUG, "en", **{"nvae.compare.likelihood_seed": "7"})
    assert not page.exception
    assert widget(page, "_train.nvae.likelihood")


def test_every_panel_hands_out_a_script_that_makes_its_figures_again(tmp_path: Path) -> None:
    page = open_page(SLUG)
    make_again(page, SLUG, PANELS, tmp_path)
    made = pd.read_csv(tmp_path / "budget" / "scales.csv")
    pd.testing.assert_frame_equal(made, core.budget(core.BudgetConfig()).scales)
