"""The initialization page: its numbers react, formulas are refused with a word, scripts run."""

from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from core import initialization as core
from tests.pages.app import charts, linked, make_again, open_page, table, text, widget
from ui.catalogue import words

SLUG = "initialization"
opened = partial(linked, SLUG)
PANELS = (
    "angles", "words", "meters", "code", "fans", "stability", "profile", "collapse", "cloud",
    "starts", "region",
)  # fmt: skip
# The first chart of each panel, counted over the page.
FIRST = dict(zip(PANELS, (0, 2, 3, 5, 6, 7, 9, 11, 13, 14, 15), strict=True))


@pytest.mark.parametrize(
    ("panel", "knob", "value"),
    [
        ("angles", "dim", 100), ("angles", "view", "cosine"), ("angles", "seed", 5),
        ("words", "language", "zh"), ("words", "centered", True),
        ("meters", "size", 64), ("meters", "distribution", "laplace"),
        ("meters", "scheme", "orthogonal"), ("code", "n", 30), ("fans", "fan_in", 256),
        ("fans", "count", "mean-square"), ("fans", "kernel", "3"),
        ("stability", "activation", "tanh"),
        ("stability", "multiple", 1.2), ("profile", "activation", "tanh"),
        ("profile", "depth", 20), ("profile", "layer_norm", True), ("profile", "progress", 5),
        ("collapse", "activation", "tanh"), ("cloud", "width", 16),
        ("cloud", "activation", "relu"), ("starts", "scheme", "post"),
        ("region", "start", "relu-he"),
    ],
)  # fmt: skip
def test_the_picture_reacts_to_a_control(panel: str, knob: str, value: Any) -> None:
    page = opened()
    before = table(charts(page)[FIRST[panel]])
    widget(page, f"{SLUG}.{panel}.{knob}").set_value(value)
    page.run()
    assert not page.exception
    assert not before.equals(table(charts(page)[FIRST[panel]]))


def test_a_link_draws_what_core_computes() -> None:
    page = opened(angles__dim=7, meters__size=64, meters__distribution="uniform")
    drawn = [table(charts(page)[at]) for at in (0, 3)]
    angles = core.angles(core.AnglesConfig(dim=7)).densities
    meters = core.meters(core.MetersConfig(size=64, distribution="uniform")).curves
    for found, expected in zip(drawn, (angles, meters), strict=True):
        pd.testing.assert_frame_equal(found, expected, check_dtype=False)


def test_the_post_s_variances_and_its_code_stand_on_the_page() -> None:
    page = opened(code__seed=42)
    assert "0.01032571" in text(page)
    variances = page.table[0].value
    assert variances["printed in the post"].tolist()[1] == "0.110661"
    assert variances["exact variance"].tolist() == variances["printed in the post"].tolist()


def test_presets_go_where_they_say() -> None:
    page = opened()
    for name in ("angles.high", "meters.sparse", "stability.unstable", "profile.explosion"):
        widget(page, f"_preset.{SLUG}.{name}").click().run()
    assert not page.exception
    assert widget(page, f"{SLUG}.angles.dim").value == 768
    assert widget(page, f"{SLUG}.meters.distribution").value == "sparse"
    assert widget(page, f"{SLUG}.stability.activation").value == "silu"
    assert "nothing is drawn there" in page.warning[0].value


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize(
    ("formula", "code"),
    [
        ("__import__('os')", "name"), ("y + 1", "name"), ("x +", "syntax"), ("x**99", "exponent"),
        ("log(x)", "moment"), ("0 * x", "moment"), ("exp(exp(x))", "moment"),
    ],
)  # fmt: skip
def test_a_formula_that_is_none_is_refused_in_the_reader_s_words(
    formula: str, code: str, language: str
) -> None:
    link = {f"{SLUG}.stability.activation": "own", f"{SLUG}.stability.formula": formula}
    page = open_page(SLUG, language, **link)
    assert not page.exception
    said = words(language)[f"{SLUG}.formula.{code}"].partition("{")[0]
    assert page.error[0].value.startswith(said)


def test_a_formula_typed_is_drawn_and_kept_in_the_link() -> None:
    page = opened(stability__activation="own")
    before = table(charts(page)[FIRST["stability"]])
    widget(page, f"{SLUG}.stability.formula").set_value("max(x, 0.2 * x)").run()
    assert not page.exception
    assert not before.equals(table(charts(page)[FIRST["stability"]]))
    assert "neither stable nor unstable" in text(page)


def test_a_formula_too_long_for_its_place_is_cut_with_a_word() -> None:
    page = opened(stability__activation="own", stability__formula="x" + " + x" * 50)
    assert not page.exception
    assert "out of range" in page.info[0].value
    assert len(widget(page, f"{SLUG}.stability.formula").value) == 120


def test_a_start_that_nobody_has_trained_is_offered_beside_those_that_ship() -> None:
    page = opened(starts__depth=10, starts__seed=7)
    assert widget(page, "_train.initialization.network")
    drawn = table(charts(page)[FIRST["starts"]])
    pd.testing.assert_frame_equal(
        drawn, core.shipped_starts(core.StartsConfig(depth=10, seed=7)).losses, check_dtype=False
    )


def test_a_map_of_another_seed_is_offered() -> None:
    page = opened(region__seed=1)
    assert widget(page, "_train.initialization.region")
    assert len(charts(page)) == FIRST["region"]


def test_every_panel_hands_out_a_script_that_makes_its_figures_again(tmp_path: Path) -> None:
    page = opened(angles__dim=5, stability__activation="own")
    make_again(page, SLUG, PANELS, tmp_path)
    made = pd.read_csv(tmp_path / "angles" / "densities.csv")
    pd.testing.assert_frame_equal(made, core.angles(core.AnglesConfig(dim=5)).densities)
    assert {path.parent.name for path in tmp_path.glob("*/*.html")} == set(PANELS)
