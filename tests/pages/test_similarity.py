"""The similarity page: its pictures react, bad input gets a sentence, scripts run."""

from functools import partial
from pathlib import Path

import pandas as pd
import pytest

from core import similarity as core
from core.encoders import Notice
from core.similarity.reading import Source
from tests.pages.app import charts, linked, make_again, table, text, widget
from ui.catalogue import words

SLUG = "similarity"
opened = partial(linked, SLUG)
PANELS = ("plan", "bounds", "entropy", "order", "triangle", "importance")
# The first chart of each panel, counted over the page.
FIRST = dict(zip(PANELS, (0, 3, 4, 9, 10, 11), strict=True))


def test_every_first_picture_reacts_to_its_controls() -> None:
    page = opened()
    before = {panel: table(charts(page)[at]) for panel, at in FIRST.items()}
    moved = {
        "plan.masses": "uniform", "bounds.dim": 20, "entropy.exponent": 0.5,
        "order.vectors": "contextual", "triangle.end": 60, "importance.language": "zh",
    }  # fmt: skip
    for knob, value in moved.items():
        widget(page, f"{SLUG}.{knob}").set_value(value)
    page.run()
    assert not page.exception
    for panel, at in FIRST.items():
        assert not before[panel].equals(table(charts(page)[at]))


def test_ribbons_carry_the_plan_that_core_computes() -> None:
    page = opened(plan__masses="uniform", plan__cost="euclidean")
    ribbons = table(charts(page)[0]).groupby("ribbon").first()
    cells = core.plan(core.PlanConfig(masses="uniform", cost="euclidean")).cells
    moved = cells[cells["mass"] > 1e-6]
    assert ribbons["mass"].tolist() == pytest.approx(moved["mass"].tolist())
    assert ribbons["pair"].tolist() == (moved["first"] + " → " + moved["second"]).tolist()


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize(
    ("knobs", "code"),
    [
        ({"plan__first": " "}, "empty"), ({"plan__p": "1 2"}, "masses-count"),
        ({"plan__q": "x"}, "masses-number"), ({"plan__p": "1 1 1 1 -1"}, "masses-sign"),
    ],
)  # fmt: skip
def test_what_cannot_be_compared_is_refused_in_the_reader_s_words(
    knobs: dict[str, str], code: str, language: str
) -> None:
    page = opened(language, **knobs)
    assert not page.exception
    said = words(language)[f"{SLUG}.bad.{code}"].partition("{")[0]
    assert page.error[0].value.startswith(said)
    assert len(charts(page)) == 12  # the other panels stand


def test_ten_thousand_words_are_cut_with_a_word() -> None:
    page = opened(plan__first="狗咬人" + " " * 10_000, plan__second="人咬狗")
    assert not page.exception
    assert "out of range" in page.info[0].value


def test_static_vectors_of_what_ships_are_looked_up_without_a_job() -> None:
    page = opened(search__vectors="static")
    assert not page.exception
    assert "_train.similarity.corpus" not in {button.key for button in page.button}
    count = len(core.embedded(core.AT_ONCE, centered=True).corpus)
    assert f"of {count}**" in text(page)


def test_presets_go_where_they_say() -> None:
    page = opened()
    for name in ("plan.negation", "bounds.rotator", "order.remedy", "triangle.opposite"):
        widget(page, f"_preset.{SLUG}.{name}").click().run()
    assert not page.exception
    assert widget(page, f"{SLUG}.plan.second").value == core.EXAMPLES["negation-zh"][1]
    assert widget(page, f"{SLUG}.bounds.source").value == "sentences"
    assert widget(page, f"{SLUG}.order.position").value == 0.5
    assert widget(page, f"{SLUG}.triangle.end").value == 180


def test_unknown_words_and_an_encoder_that_stands_in_are_never_silent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    notice = Notice("hub-unreachable", "nobody/nothing: no answer")
    stand_in = Source("the one that ships", None, notice, foreign=False)
    monkeypatch.setattr("core.similarity.pair.source", lambda model: stand_in)
    page = opened(plan__first="ཨོཾ apple", plan__second="a pear")
    warnings = [warning.value for warning in page.warning]
    for key in ("app.encoder.hub-unreachable", "similarity.unknown"):
        said = words("en")[key].rpartition("}")[2] or words("en")[key].partition("{")[0]
        assert any(said in warning for warning in warnings)
    assert any("`nobody/nothing: no answer`" in warning for warning in warnings)
    assert table(charts(page)[0])["pair"].str.contains("⍰").any()


def test_own_masses_are_said_to_be_and_given_up_again() -> None:
    page = opened(plan__p="1 0 0 0 3")
    ribbons = table(charts(page)[0])
    assert set(ribbons["pair"].str.partition(" ")[0]) == {"我", "苹果"}
    widget(page, "_masses.rule").click().run()
    assert widget(page, f"{SLUG}.plan.p").value == ""
    assert len(set(table(charts(page)[0])["pair"].str.partition(" ")[0])) == 5
    page = opened(plan__p="1 2")
    assert page.error
    assert widget(page, "_masses.rule")


def test_the_page_says_whose_vectors_these_are() -> None:
    captions = [caption.value for caption in opened().caption]
    assert sum("multilingual-e5-small" in caption for caption in captions) == 3
    assert sum("license MIT" in caption for caption in captions) == 3


def test_every_panel_hands_out_a_script_that_makes_its_figures_again(tmp_path: Path) -> None:
    page = opened(triangle__end=60)
    make_again(page, SLUG, PANELS, tmp_path)
    made = pd.read_csv(tmp_path / "triangle" / "curves.csv")
    pd.testing.assert_frame_equal(made, core.triangle(core.TriangleConfig(end=60)).curves)
    assert {path.parent.name for path in tmp_path.glob("*/*.html")} == set(PANELS)
