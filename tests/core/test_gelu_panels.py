"""Panels: every legal configuration runs and keeps its invariants; scalars against known values."""

import dataclasses
import importlib
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import assume, given, settings

from core import gelu as core
from tests.configs import configs

LEGAL = settings(max_examples=25)


def by_curve(table: pd.DataFrame, curve: str, column: str, key: str = "curve") -> np.ndarray:
    return table.loc[table[key] == curve, column].to_numpy()


@LEGAL
@given(config=configs(core.CurvesConfig))
def test_curves_add_up_and_stay_within_reach(config: core.CurvesConfig) -> None:
    result = core.curves(config)
    exact = by_curve(result.functions, "exact", "value")
    for curve in ("tanh", "sigmoid"):
        gap = by_curve(result.functions, curve, "value") - exact
        error = by_curve(result.errors, curve, "error")
        expected = gap / exact if config.scale == "relative" else gap
        np.testing.assert_allclose(error, expected, rtol=1e-6, atol=1e-9 / np.abs(exact).min())
        worst = result.worst.set_index("curve").loc[curve]
        if config.scale == "absolute":
            assert abs(worst["error"]) >= np.abs(error).max() * (1 - 1e-6)
            assert abs(worst["x"]) <= config.reach


@LEGAL
@given(config=configs(core.TailsConfig))
def test_the_tails_are_never_zero_and_their_factors_grow_apart(config: core.TailsConfig) -> None:
    result = core.tails(config)
    assert result.curves["value"].min() > 0
    assert result.curves["x"].between(-config.reach, 0).all()
    assert result.factors["tanh"] < 1.01 < result.factors["sigmoid"]


def test_the_tails_leave_phi_by_the_known_factors() -> None:
    result = core.tails(core.TailsConfig(reach=6.0))
    tails = result.curves
    x = by_curve(tails, "exact", "x")
    for curve, factors in {
        "tanh": [0.898, 0.555, 0.160, 0.014],
        "sigmoid": [4.46, 34.8, 703, 3.7e4],
    }.items():
        log_ratio = np.log(by_curve(tails, curve, "value") / by_curve(tails, "exact", "value"))
        at = np.interp([-3, -4, -5, -6], x, log_ratio)
        np.testing.assert_allclose(np.exp(at), factors, rtol=0.03)
        assert result.factors[curve] == pytest.approx(factors[-1], rel=0.02)


@LEGAL
@given(config=configs(core.RippleConfig))
def test_a_ripple_is_never_below_its_optimum(config: core.RippleConfig) -> None:
    result = core.ripple(config)
    assert result.max_error >= result.optimum_error * (1 - 1e-12)
    assert result.equal_ripple_error >= result.optimum_error * (1 - 1e-9)
    assert result.max_error == pytest.approx(result.extrema["error"].abs().max())
    assert result.errors["error"].abs().max() == pytest.approx(result.max_error, rel=1e-3)
    assert (result.errors["x"] > 0).all()
    assert result.coefficient == (config.c if config.form == "tanh-cubic" else config.slope)


@pytest.mark.parametrize("form", ["tanh-cubic", "sigmoid"])
@pytest.mark.parametrize("target", core.TARGETS)
def test_the_ripple_basis_redraws_the_error_of_any_coefficient(form: str, target: str) -> None:
    basis = core.ripple_basis(form, target)
    x, exact, p, q, dp, dq = (
        np.array(getattr(basis, name)) for name in ("x", "exact", "p", "q", "dp", "dq")
    )
    for theta in (basis.low, basis.high):
        s = 1 / (1 + np.exp(-(p + theta * q)))
        value = {
            "cdf": s,
            "gelu": x * s,
            "gelu-derivative": s + x * s * (1 - s) * (dp + theta * dq),
        }[target]
        expected = core.Problem(core.FORMS[form], target).error(x, np.array([theta]))
        np.testing.assert_allclose(value - exact, expected, atol=1e-14)
    assert json.loads(json.dumps(dataclasses.asdict(basis)))["coefficient"] in ("c", "slope")


@pytest.mark.parametrize(
    ("preset", "c", "slope"),
    [
        (core.at_optimum, 0.044383, 1.7729),
        (core.at_equal_ripple, 0.044383, 1.7729),
        (core.at_published, 0.044715, 1.702),
        (core.at_local, 0.04554, 1.5958),
    ],
)
def test_presets_move_only_the_coefficient_of_the_form(preset: Any, c: float, slope: float) -> None:
    tanh = core.RippleConfig(form="tanh-cubic", target="gelu", c=0.041, slope=1.6)
    sigmoid = dataclasses.replace(tanh, form="sigmoid")
    assert preset(tanh) == dataclasses.replace(tanh, c=c)
    assert preset(sigmoid) == dataclasses.replace(sigmoid, slope=slope)


def test_the_default_ripple_stands_at_the_local_fit() -> None:
    assert core.at_local(core.RippleConfig()) == core.RippleConfig()


@pytest.mark.parametrize("form", core.FORMS)
@pytest.mark.parametrize("target", core.TARGETS)
def test_every_criterion_wins_in_its_own_meter(form: str, target: str) -> None:
    table = core.refit(core.RefitConfig(form=form, target=target)).table
    meter = f"error_{target.replace('-', '_')}"
    assert table.set_index("criterion")[meter].idxmin() == "minimax"
    assert len(table) == 6
    assert table.notna().all(axis=None)


@settings(max_examples=12)
@given(config=configs(core.RefitConfig))
def test_a_refit_that_converges_keeps_its_invariants(
    config: core.RefitConfig,
) -> None:
    try:
        result = core.refit(config)
    except core.NoConvergence:
        assume(False)
    row = result.table.set_index(["criterion", "weight"])
    weight = config.weight if config.criterion in ("l1", "l2") else "uniform"
    assert result.max_error == pytest.approx(
        row.loc[(config.criterion, weight), f"error_{config.target.replace('-', '_')}"], rel=1e-6
    )
    assert result.errors["error"].abs().max() <= result.max_error * (1 + 1e-9)
    assert set(result.coefficients["coefficient"]) >= set(core.FORMS[config.form].coefficients)


def test_a_refit_stopped_after_one_iteration_passes_the_failure_on() -> None:
    with pytest.raises(core.NoConvergence, match="after 1 iterations"):
        core.refit(core.RefitConfig(criterion="minimax", max_iterations=1))


def test_a_refit_shows_the_published_and_the_posts_numbers_where_there_are_any() -> None:
    tanh = core.refit(core.RefitConfig()).coefficients.set_index("coefficient")
    assert tanh.loc["c", "published"] == 0.044715
    assert tanh.loc["c", "post"] == 0.04471491123850965
    assert math.isnan(tanh["published"]["a"])
    quintic = core.refit(core.RefitConfig(form="sigmoid-quintic")).coefficients
    assert quintic[["published", "post"]].isna().all(axis=None)


@pytest.mark.parametrize("start", ["0", "1", "2"])
def test_the_grid_decides_the_digits(start: str) -> None:
    result = core.grid(core.GridConfig(step="0.01", start=start))
    assert result.c == pytest.approx(0.044714909729, abs=1e-11)
    assert result.digits["correct_digits"].is_monotonic_increasing
    assert result.digits.set_index("step")["correct_digits"][0.001] >= 9
    assert result.error < 3.5784262e-4


def test_the_posts_digits_beyond_the_ninth_belong_to_its_grid() -> None:
    result = core.grid(core.GridConfig())
    assert result.c == pytest.approx(result.post, rel=1e-12)
    assert core.correct_digits(result.c, result.continuum) == 9
    fine = result.digits.set_index("step")["c"][0.0001]
    assert fine == pytest.approx(0.044714911228, abs=1e-12)


@pytest.mark.parametrize(
    ("value", "digits"), [(1.0, 17), (1.01, 2), (1.0001, 4), (2.0, 0), (30.0, 0)]
)
def test_correct_digits_count_the_relative_error(value: float, digits: int) -> None:
    assert core.correct_digits(value * (1 - 1e-13 if digits < 17 else 1), 1.0) == digits


@LEGAL
@given(config=configs(core.WhyConfig))
def test_the_inner_function_and_its_error_agree(config: core.WhyConfig) -> None:
    result = core.why(config)
    x = by_curve(result.inner, "polynomial", "x")
    inner = by_curve(result.inner, "polynomial", "value")
    np.testing.assert_allclose(by_curve(result.ratio, "polynomial", "value") * x, inner)
    error = result.errors["error"].to_numpy()
    np.testing.assert_allclose(error, error[::-1], atol=1e-12)  # the error of GELU is even
    expected = x * core.gate_error(x, inner)
    np.testing.assert_allclose(error[len(x) + 1 :], expected, atol=1e-12)
    assert result.max_error == np.abs(error).max()
    if not math.isnan(result.sign_flip):
        powers = result.coefficients["power"].to_numpy()
        values = result.coefficients["value"].to_numpy()
        assert np.sum(values * result.sign_flip**powers) == pytest.approx(0, abs=1e-6)


def test_the_quintic_blows_up_without_its_clamp() -> None:
    wild = core.why(core.WhyConfig(degree="5", reach=12.0))
    tame = core.why(core.WhyConfig(degree="5", reach=12.0, clamp=True))
    assert wild.max_error == pytest.approx(12, abs=0.01)
    assert tame.max_error == pytest.approx(5.4e-5, rel=0.02)
    assert 7 < wild.sign_flip < 12


def test_the_local_seventh_degree_turns_negative_before_seven() -> None:
    result = core.why(core.WhyConfig(degree="7", criterion="taylor", reach=7.0))
    assert result.sign_flip < 7
    assert result.max_error == pytest.approx(7, abs=1e-6)


@pytest.mark.parametrize("degree", ["3", "5", "7"])
def test_one_more_degree_of_minimax_is_closer_to_phi(degree: str) -> None:
    x = np.linspace(0, 7, 2001)
    lower, higher = (
        np.abs(core.approximation_error(x, core.inner_polynomial(d, "minimax"), "cdf")).max()
        for d in (int(degree) - 2, int(degree))
    )
    assert higher < 0.9 * lower


@settings(max_examples=12)
@given(config=configs(core.RoundingConfig))
def test_rounding_tables_are_fit_for_a_log_axis(config: core.RoundingConfig) -> None:
    result = core.rounding(config)
    assert (result.errors["error"] > 0).all()
    assert (result.half_ulp["error"] > 0).all()
    assert result.share["share"].between(0, 1).all()
    assert set(result.errors["source"]) == {"rounding", "tanh", "sigmoid"}


def test_only_in_float32_is_the_tanh_form_worse_than_rounding_almost_everywhere() -> None:
    share = {
        dtype: core.rounding(core.RoundingConfig(dtype=dtype)).share.set_index("source")["share"]
        for dtype in ("float32", "bfloat16", "float16")
    }
    assert share["float32"]["tanh"] < 0.05
    assert min(share["bfloat16"]["tanh"], share["float16"]["tanh"]) > 0.3
    assert all(row["sigmoid"] < row["tanh"] for row in share.values())


def test_half_an_ulp_is_half_the_gap_to_the_next_number() -> None:
    module = importlib.import_module("core.gelu.rounding")
    values = torch.tensor([0.3, 1.0, 1.5, -2.7], dtype=torch.float32)
    gap = torch.nextafter(values.abs(), torch.tensor(torch.inf)) - values.abs()
    half = module._half_ulp(values.double(), torch.float32)
    torch.testing.assert_close(half, gap.double() / 2, rtol=0, atol=0)


def test_measured_speed_has_a_row_for_every_form() -> None:
    threads = torch.get_num_threads()
    table = core.measure_speed(size=1024, rounds=3).set_index("form")
    assert torch.get_num_threads() == threads
    assert table.loc["exact", "ratio"] == 1
    assert (table["milliseconds_low"] <= table["milliseconds_median"]).all()
    assert (table["milliseconds_median"] <= table["milliseconds_high"]).all()
    assert table["max_error"]["exact"] < 1e-6
    assert table.loc["tanh", "max_error"] == pytest.approx(4.732e-4, rel=1e-2)
    assert table.loc["silu-fused", "max_error"] == pytest.approx(0.02033, rel=1e-2)


def test_the_shipped_speed_has_the_columns_of_a_fresh_one() -> None:
    shipped = core.shipped_speed()
    fresh = core.speed(core.SpeedConfig(log2_size=12, rounds=5))
    assert list(shipped.table.columns) == list(fresh.table.columns)
    assert list(shipped.table["form"]) == list(fresh.table["form"])
    assert set(shipped.machine) == set(fresh.machine)


@pytest.mark.parametrize("argument", ["size", "rounds"])
def test_a_measurement_of_nothing_is_refused(argument: str) -> None:
    with pytest.raises(ValueError, match=f"{argument} is 0, but must be at least 1"):
        core.measure_speed(**{argument: 0})


@pytest.mark.parametrize("content", ["{", "[]", '{"table": []}'])
def test_a_damaged_speed_table_is_refused(
    content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "speed.json"
    path.write_text(content)
    monkeypatch.setattr(importlib.import_module("core.gelu.speed"), "SHIPPED", path)
    with pytest.raises(ValueError, match=r"speed.json is missing or damaged"):
        core.shipped_speed()
