"""The GELU page: links, presets, reset, the last good fit, claims measured again."""

import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from core import gelu as core
from tests.conftest import ROOT
from tests.pages.app import charts, make_again, open_page, table, text, widget

PANELS = ("curves", "tails", "ripple", "refit", "grid", "why", "rounding", "speed", "drift")


def test_a_link_sets_controls_and_what_is_drawn() -> None:
    page = open_page("gelu", **{"gelu.curves.meter": "cdf", "gelu.curves.reach": "3.5"})
    assert widget(page, "gelu.curves.reach").value == 3.5
    drawn = table(charts(page)[0])
    expected = core.curves(core.CurvesConfig(meter="cdf", reach=3.5)).functions
    pd.testing.assert_frame_equal(drawn, expected, check_dtype=False)


@pytest.mark.parametrize(
    ("name", "text_in_link", "value", "said"),
    [
        ("curves.reach", "3.7", 3.5, "between two steps"),
        ("curves.reach", "99", 8.0, "out of range"),
        ("curves.reach", "nan", 5.0, "not a value it can take"),
        ("curves.meter", "sinh", "gelu", "not a value it can take"),
        ("why.clamp", "perhaps", False, "not a value it can take"),
        ("refit.max_iterations", "1e400", 100, "not a value it can take"),
    ],
)
def test_a_link_that_cannot_be_taken_is_mended_with_a_word(
    name: str, text_in_link: str, value: object, said: str
) -> None:
    page = open_page("gelu", **{f"gelu.{name}": text_in_link})
    assert not page.exception
    assert widget(page, f"gelu.{name}").value == value
    assert said in page.info[0].value
    assert f"`{text_in_link}`" in page.info[0].value


def test_a_good_link_is_followed_without_a_word() -> None:
    assert not open_page("gelu", **{"gelu.curves.reach": "3.5"}).info


def test_an_unknown_parameter_is_named_and_its_markup_is_not_obeyed() -> None:
    page = open_page("gelu", **{"![x](//x.example/y.png)`": "1"})
    assert "`![x](//x.example/y.png)`" in page.info[0].value


def test_a_huge_value_in_a_link_is_shown_short() -> None:
    page = open_page("gelu", **{"gelu.curves.meter": "x" * 100_000})
    assert len(page.info[0].value) < 500


def test_the_word_about_a_link_is_said_once() -> None:
    page = open_page("gelu", **{"gelu.curves.reach": "99"})
    page.run()
    assert not page.info


@pytest.mark.parametrize(
    ("preset", "target", "coefficient"),
    [
        ("optimum", "cdf", 0.0447149), ("optimum", "gelu", 0.0443829),
        ("equal", "gelu-derivative", 0.0428868), ("published", "gelu", 0.044715),
        ("local", "cdf", 0.0455399),
    ],
)  # fmt: skip
def test_presets_of_the_dragged_constant(preset: str, target: str, coefficient: float) -> None:
    page = open_page("gelu", **{"gelu.ripple.target": target})
    widget(page, f"_preset.gelu.ripple.{preset}").click().run()
    assert page.session_state["gelu.ripple.c"] == pytest.approx(coefficient, abs=5.1e-7)


def test_the_page_shows_that_level_extrema_are_worse_for_the_derivative() -> None:
    shown = text(open_page("gelu", **{"gelu.ripple.target": "gelu-derivative"}))
    assert "0.0428868" in shown
    assert "1.464×10⁻³" in shown or "0.001464" in shown


def test_reset_puts_every_control_of_its_panel_back_and_no_other() -> None:
    page = open_page(
        "gelu", **{"gelu.why.degree": "5", "gelu.why.reach": "12", "gelu.curves.reach": "3"}
    )
    widget(page, "_reset.gelu.why").click().run()
    assert widget(page, "gelu.why.degree").value == "3"
    assert widget(page, "gelu.why.reach").value == 6.0
    assert widget(page, "gelu.curves.reach").value == 3.0


def test_a_fit_without_an_answer_says_so_and_keeps_the_last_good_one() -> None:
    page = open_page("gelu", **{"gelu.refit.target": "gelu"})
    widget(page, "gelu.refit.max_iterations").set_value(1)
    widget(page, "gelu.refit.form").set_value("sigmoid-quintic")
    page.run()
    assert not page.exception
    assert len(page.warning) == 1
    best = core.fit("tanh-cubic", target="gelu", criterion="minimax").coefficients["b"]
    assert f"{best:.10g}" in page.latex[1].value


def test_another_start_of_the_search_changes_the_digits_after_the_ninth() -> None:
    page = open_page("gelu")
    formulas = [page.latex[2].value]
    widget(page, "_preset.gelu.grid.other").click().run()
    formulas.append(page.latex[2].value)
    one, other = (float(re.search(r"b&=([0-9.]+)", f)[1]) for f in formulas)  # type: ignore[index]
    assert one != other
    assert one == pytest.approx(other, rel=1e-9)


@pytest.mark.parametrize(
    ("panel", "change", "chart"),
    [
        ("curves", {"meter": "cdf"}, 1), ("refit", {"target": "gelu"}, 3),
        ("why", {"degree": "5"}, 5), ("rounding", {"dtype": "float16"}, 7),
        ("drift", {"activation": "relu"}, 9), ("encoder", {"layers": "first"}, 11),
    ],
)  # fmt: skip
def test_the_numbers_react_to_a_control(panel: str, change: dict[str, str], chart: int) -> None:
    page = open_page("gelu")
    before = table(charts(page)[chart])
    for field, value in change.items():
        widget(page, f"gelu.{panel}.{field}").set_value(value)
    page.run()
    assert not before.equals(table(charts(page)[chart]))


def test_a_preset_of_the_network_is_the_best_slope_for_gelu() -> None:
    page = open_page("gelu")
    widget(page, "_preset.gelu.drift.best").click().run()
    assert widget(page, "gelu.drift.slope").value == core.BEST_SLOPE


def test_measuring_the_speed_replaces_what_ships() -> None:
    page = open_page("gelu", **{"gelu.speed.log2_size": "12", "gelu.speed.rounds": "5"})
    shipped = core.shipped_speed().table["milliseconds_median"].tolist()
    speeds = next(i for i, c in enumerate(charts(page)) if "milliseconds_median" in c.spec)
    assert table(charts(page)[speeds])["milliseconds_median"].tolist() == shipped
    widget(page, "_gelu.speed.measure").click().run()
    assert table(charts(page)[speeds])["milliseconds_median"].tolist() != shipped


def test_a_claim_opens_and_is_measured_again_with_the_reader_s_seed() -> None:
    page = open_page("gelu")
    page.session_state["_claim.gelu.G4"] = True
    page.run()
    widget(page, "_seed.gelu.G4").set_value(7)
    widget(page, "_rerun.gelu.G4").click().run()
    assert not page.exception
    assert page.session_state["_evidence.gelu.G4"].seed == 7
    assert "seed 7" in text(page)


def test_every_panel_hands_out_a_script_that_makes_its_figure_again(tmp_path: Path) -> None:
    page = open_page("gelu", **{"gelu.why.degree": "5", "gelu.speed.log2_size": "12"})
    make_again(page, "gelu", PANELS, tmp_path)
    made = pd.read_csv(tmp_path / "why" / "errors.csv")
    shown = core.why(core.WhyConfig(degree="5")).errors
    pd.testing.assert_frame_equal(made, shown)
    drawn = {path.parent.name for path in tmp_path.glob("*/*.html")}
    assert drawn == set(PANELS) - {"ripple"}  # which is drawn in the browser


def test_a_script_needs_the_repository_alone(tmp_path: Path) -> None:
    page = open_page("gelu")
    page.session_state["_take.gelu.why"] = True
    page.run()
    (program,) = [c.value for c in page.code if c.value.startswith('"""Executable Claims')]
    (tmp_path / "figure.py").write_text(program, encoding="utf-8")
    subprocess.run(
        [sys.executable, "figure.py"], check=True, capture_output=True, cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": "", "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    made = pd.read_csv(tmp_path / "errors.csv")
    pd.testing.assert_frame_equal(made, core.why(core.WhyConfig()).errors)
