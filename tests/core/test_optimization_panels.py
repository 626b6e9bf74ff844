"""The panels' experiments: for any legal setting they hold what the page says of them."""

import base64
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings

from core import optimization as core
from tests.configs import configs


def column(table: pd.DataFrame, curve: str) -> np.ndarray:
    return table.loc[table["curve"] == curve, "value"].to_numpy()


@settings(max_examples=10)
@given(config=configs(core.DensityConfig).filter(lambda c: c.landscape != "own"))
def test_a_density_s_mean_stays_in_its_ball(config: core.DensityConfig) -> None:
    result = core.density(config)
    length = math.hypot(*result.mean)
    assert math.isfinite(length)
    assert not config.radius or length <= config.radius + 1e-9
    assert math.isnan(result.cosine) or abs(result.cosine) <= 1 + 1e-9


@pytest.mark.parametrize("kind", ["rosenbrock", "stairs", "saddle", "noisy"])
def test_a_hessian_from_copies_of_theta_is_that_of_one_row_after_the_other(kind: str) -> None:
    loss, theta = core.landscape(kind).loss, torch.tensor([0.4, -1.3], dtype=torch.float64)
    rows = torch.autograd.functional.hessian(loss, theta)
    torch.testing.assert_close(core.hessian(loss, theta), rows)
    assert not core.hessian(lambda x: 3 * x[..., 0], theta).any()


@pytest.mark.parametrize("kind", ["wells", "stairs", "noisy"])
def test_on_the_whole_plane_every_update_ends_in_the_same_place(kind: str) -> None:
    ends = []
    for x, y in ((0.9, 0.6), (-1.7, -1.1), (0.3, 2.2)):
        mean = core.density(core.DensityConfig(landscape=kind, x=x, y=y)).mean
        ends.append((x + mean[0], y + mean[1]))
    np.testing.assert_allclose(
        ends, ends[:1] * 3, atol={"stairs": 2e-2, "noisy": 1e-4}.get(kind, 1e-6)
    )


def test_with_ball_and_alpha_small_the_update_follows_the_gradient() -> None:
    found = core.density(core.DensityConfig(radius=0.1, log_alpha=-3.0))
    assert found.cosine > 0.99


def test_the_field_that_the_browser_gets_is_the_loss() -> None:
    data = core.field_data("wells", "x")
    values = np.frombuffer(base64.b64decode(data["numbers"]), "<f4")
    grid = values.reshape(data["cells"], data["cells"])
    axis = np.linspace(-data["reach"], data["reach"], data["cells"])
    x, y = axis[100], -axis[20]  # rows go from the top
    expected = (x**2 - 1) ** 2 + 0.3 * x + y**2
    assert grid[20, 100] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("kind", "expected"), [("bowl", (0, 0, 0)), ("rosenbrock", (1, 1, 0)),
                                                 ("stairs", (0, 0, 0))])  # fmt: skip
def test_the_global_minimum_is_found(kind: str, expected: tuple[float, ...]) -> None:
    assert core.global_minimum(kind) == pytest.approx(expected, abs=1e-4)


@settings(max_examples=6)
@given(config=configs(core.LimitsConfig))
def test_limits_draw_a_density_and_a_mean_for_every_alpha(config: core.LimitsConfig) -> None:
    result = core.limits(config)
    assert np.isfinite(column(result.means, "mean")).all()
    density = column(result.densities, "density")
    assert density.max() == 1
    if config.ball:
        assert np.abs(column(result.means, "mean")).max() <= config.ball + 1e-9


def test_a_parabola_takes_newton_s_step_at_every_alpha() -> None:
    found = core.limits(core.LimitsConfig(axis="parabola", theta=1.2))
    np.testing.assert_allclose(column(found.means, "mean"), -1.2, atol=1e-8)


@pytest.mark.parametrize("dim", ["1", "10", "1000"])
def test_draws_lie_on_the_closed_form_s_curve(dim: str) -> None:
    found = core.first(core.FirstConfig(dim=dim))
    closed, drawn = column(found.lengths, "closed")[::5], column(found.lengths, "sample")
    assert np.abs(closed - drawn).max() < 0.06
    assert (np.diff(column(found.lengths, "closed")) > 0).all()
    off = (found.table["closed"] - found.table["sampled"]).abs() / found.table["error"]
    assert off.max() < 2.5
    assert found.corrected == pytest.approx(-found.closed, rel=1e-6)


@settings(max_examples=10)
@given(config=configs(core.SecondConfig))
def test_second_order_agrees_with_quadrature_or_has_no_density(config: core.SecondConfig) -> None:
    if min(config.curvature_1, config.curvature_2) <= 0:
        with pytest.raises(core.Unusable):
            core.second(config)
        return
    table = core.second(config).table
    np.testing.assert_allclose(table["corrected"], table["quadrature"], rtol=1e-6, atol=1e-6)


def test_priors_end_on_the_shapes_that_the_page_names() -> None:
    ends = core.priors(core.PriorsConfig(log_size=2.0)).ends
    places = {name: part[["x", "y"]].to_numpy() for name, part in ends.groupby("series")}
    radius = np.hypot(*places["ball"].T)
    assert np.ptp(radius) < 1e-9
    assert radius.max() < 1
    corner = np.abs(places["box"]).max(1)
    assert corner.min() > 0.95  # all around the square
    assert np.hypot(*places["gaussian"].T).min() > 10


@settings(max_examples=5)
@given(config=configs(core.SamplingConfig))
def test_sampling_says_numbers_for_any_setting(config: core.SamplingConfig) -> None:
    found = core.sampling(config)
    assert 1 - 1e-9 <= found.effective_sample_size <= config.samples + 1e-9
    assert np.isfinite(found.table[["bias", "spread", "error", "ess"]].to_numpy()).all()
    assert found.truth == pytest.approx((-1.5, 1.0), abs=0.1)


def test_with_many_draws_the_error_falls_as_one_over_the_root() -> None:
    found = core.sampling(core.SamplingConfig(mixture=0.5))
    error = column(found.errors, "mixed")
    slope = np.polyfit(np.log(4.0 ** np.arange(2, 7)), np.log(error[2:]), 1)[0]
    assert -0.65 < slope < -0.4


@pytest.mark.parametrize("kind", ["wells", "stairs"])
def test_a_race_is_run_once_and_played_from_its_runs(kind: str) -> None:
    whole = core.race(core.RaceConfig(landscape=kind))
    part = core.race(core.RaceConfig(landscape=kind, shown=60))
    pd.testing.assert_frame_equal(whole.losses, part.losses)
    assert len(part.ways) < len(whole.ways)
    assert set(whole.table["method"]) == set(core.METHODS)
    for name in whole.losses["curve"].unique():
        assert (np.diff(column(whole.losses, name)) <= 0).all()
    priors = core.race(core.RaceConfig(landscape=kind, drawn="priors"))
    pd.testing.assert_frame_equal(priors.table, whole.table)
    assert set(priors.losses["curve"]) | set(whole.losses["curve"]) == set(core.METHODS)
    for found in (whole, priors):
        kept = found.table[found.table["method"].isin(set(found.losses["curve"]))]
        assert kept.set_index("method")["median"].idxmin() == found.best


def test_contours_run_where_the_loss_is_one_number() -> None:
    formula = "x**2 + 4*y**2"
    lines = core.contours("own", formula)
    values = [line[:, 0] ** 2 + 4 * line[:, 1] ** 2 for line in lines]
    levels = sorted({round(float(value.mean()), 6) for value in values})
    expected = 5 * 2.5**2 * (np.arange(1, 12) / 12) ** 2
    chord = (5 / 80) ** 2 / 8 * 8  # what a cell's straight piece can be off by
    np.testing.assert_allclose(levels, expected, atol=chord)
    assert all(np.ptp(value) < 2 * chord for value in values)
    assert core.contours("own", "0*x + 3") == []
    half = core.contours("own", "sqrt(x)")
    assert min(line[:, 0].min() for line in half) >= 0


def test_a_reader_s_formula_is_a_landscape_and_others_are_refused() -> None:
    own: dict[str, Any] = {"landscape": "own", "formula": "x**2 + 2*y**2"}
    mean = core.density(core.DensityConfig(**own)).mean
    assert mean == pytest.approx((-0.9, -0.6), abs=1e-9)
    with pytest.raises(core.Unusable, match="NaN"):
        core.density(core.DensityConfig(landscape="own", formula="sqrt(x) + x**2 + y**2"))
    unused = core.DensityConfig(formula="no formula")
    assert torch.isfinite(torch.tensor(core.density(unused).mean)).all()
