"""The optimization page: its pictures react, formulas are refused in words, scripts run."""

from functools import partial
from pathlib import Path

import pandas as pd
import pytest

from core import optimization as core
from tests.pages.app import charts, linked, make_again, table, widget

SLUG = "optimization"
opened = partial(linked, SLUG)
PANELS = (
    "density", "limits", "first", "second", "priors", "sampling", "dimension", "race", "metric",
)  # fmt: skip
# The first chart of each panel, counted over the page; the density is drawn by its component.
FIRST = {
    "limits": 0, "first": 2, "second": 3, "priors": 4, "sampling": 5, "dimension": 7, "race": 9,
    "metric": 11,
}  # fmt: skip


def test_every_picture_reacts_to_its_controls() -> None:
    page = opened()
    before = {panel: table(charts(page)[at]) for panel, at in FIRST.items()}
    moves = {
        "limits": ("axis", "kink"), "first": ("dim", "100"), "second": ("log_alpha", 0.3),
        "priors": ("log_size", -0.5), "sampling": ("angle", 90), "dimension": ("samples", "16"),
        "race": ("landscape", "saddle"), "metric": ("metric", "accuracy"),
    }  # fmt: skip
    for panel, (knob, value) in moves.items():
        widget(page, f"{SLUG}.{panel}.{knob}").set_value(value)
    page.run()
    assert not page.exception
    for panel, at in FIRST.items():
        assert not before[panel].equals(table(charts(page)[at])), panel


def test_a_link_draws_what_core_computes() -> None:
    page = opened(limits__theta=1.2, density__x=-1.5, density__landscape="stairs")
    expected = core.limits(core.LimitsConfig(theta=1.2)).densities
    pd.testing.assert_frame_equal(table(charts(page)[0]), expected, check_dtype=False)
    mean = core.density(core.DensityConfig(landscape="stairs", x=-1.5)).mean
    assert f"{mean[0]:.4g}" in page.latex[0].value


@pytest.mark.parametrize(
    ("formula", "said"),
    [
        ("z + 1", "Unknown name: `z`"),
        ("x + y", "The loss does not grow"),
        ("log(x) + x**2 + y**2", "not a number"),
        ("x***2", "can't be read"),
    ],
)
def test_a_formula_without_a_density_is_answered_in_a_sentence(formula: str, said: str) -> None:
    page = opened(density__landscape="own", density__formula=formula, race__shown=20)
    assert not page.exception
    assert said in page.error[0].value
    assert len(charts(page)) == 14


def test_an_indefinite_hessian_is_answered_in_a_sentence() -> None:
    page = opened(second__curvature_2=-0.5)
    assert not page.exception
    assert "eigenvalue `-0.5`" in page.error[0].value


def test_a_training_that_nobody_has_run_is_offered_beside_what_ships() -> None:
    page = opened(metric__seed=7)
    assert widget(page, "_train.optimization.metric")
    assert len(charts(page)) == 14


def test_every_panel_hands_out_a_script_that_makes_its_figures_again(tmp_path: Path) -> None:
    page = opened(first__dim="3")
    make_again(page, SLUG, PANELS, tmp_path)
    made = pd.read_csv(tmp_path / "first" / "lengths.csv")
    expected = core.first(core.FirstConfig(dim="3")).lengths
    pd.testing.assert_frame_equal(made, expected)
    drawn = {path.parent.name for path in tmp_path.glob("*/*.html")}
    assert drawn == set(PANELS) - {"density"}
