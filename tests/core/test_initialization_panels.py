"""Panels: every legal configuration runs and keeps its invariants; numbers beside what is known."""

import importlib
import math
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from core import initialization as core
from core.formula import BadFormula
from tests.configs import configs

region_module = importlib.import_module("core.initialization.region")
LEGAL = settings(max_examples=20)


def curve(table: pd.DataFrame, name: str, column: str = "value") -> np.ndarray:
    return table.loc[table["curve"] == name, column].to_numpy()


@LEGAL
@given(config=configs(core.AnglesConfig))
def test_angles_are_densities_of_the_pairs_drawn(config: core.AnglesConfig) -> None:
    result = core.angles(config)
    x = np.unique(result.densities["x"])
    width = x[1] - x[0]
    share = curve(result.densities, "sample").sum() * width
    assert 0.98 < share <= 1 + 1e-9
    assert abs(result.sampled_variance - result.variance) < 6 * result.sampled_error
    exact = curve(result.densities, "exact")
    if config.dim > 3:
        assert exact.sum() * width == pytest.approx(1, abs=0.02)
    assert ("laplace" in set(result.densities["curve"])) == (
        config.dim > 2 and config.view == "angle"
    )


def test_the_table_of_variances_is_the_post_s_to_its_digits() -> None:
    table = core.variance_table()
    assert table["dim"].tolist() == [3, 10, 20, 50, 100, 200, 1000]
    np.testing.assert_allclose(table["exact"], table["post"], rtol=6e-6)


def test_claim_the_better_normal_law_is_closer_everywhere() -> None:
    for dim in (5, 20, 100, 768):
        assert core.normal_distance(dim, dim - 1) < core.normal_distance(dim, dim - 2)
    assert math.isnan(core.normal_distance(2, 0))


@LEGAL
@given(config=configs(core.MetersConfig))
def test_meters_agree_with_their_curves_and_their_law(config: core.MetersConfig) -> None:
    assume(config.size <= 300)
    result = core.meters(config)
    for meter, value in (
        ("entrywise", result.entrywise_mse), ("frobenius", result.relative_frobenius),
        ("spectral", result.spectral),
    ):  # fmt: skip
        assert curve(result.curves, meter)[-1] == value
    assert result.relative_frobenius <= result.spectral * (1 + 1e-9)
    stretches = result.stretches.set_index("vector")["stretch"]
    assert stretches["worst-low"] <= stretches["random-low"] * (1 + 1e-5)
    assert stretches["random-high"] <= stretches["worst-high"] * (1 + 1e-5)
    assert result.spectral == pytest.approx(
        max(stretches["worst-high"] - 1, 1 - stretches["worst-low"]), rel=1e-5, abs=1e-6
    )


def test_exact_orthogonality_is_seen_by_every_meter() -> None:
    result = core.meters(core.MetersConfig(scheme="orthogonal"))
    assert max(result.entrywise_mse, result.relative_frobenius, result.spectral) < 1e-5
    assert result.condition_number == pytest.approx(1, abs=1e-5)
    assert result.expected_mse == 0
    wide = core.meters(core.MetersConfig(scheme="orthogonal", aspect="0.5"))
    assert wide.entrywise_mse == pytest.approx(wide.expected_mse, rel=1e-5)


def test_claim_the_spectral_meter_stays_while_the_entrywise_one_falls() -> None:
    small, large = (core.meters(core.MetersConfig(size=n)) for n in (16, 512))
    assert large.entrywise_mse < small.entrywise_mse / 15
    assert large.spectral == pytest.approx(3, abs=0.2)
    assert large.relative_frobenius == pytest.approx(1, abs=0.01)
    assert (large.low, large.high) == (0, 2)


@pytest.mark.parametrize("law", ["heavy-t", "sparse"])
def test_claim_some_laws_break_the_spectral_meter(law: str) -> None:
    broken, normal = (
        core.meters(core.MetersConfig(size=256, distribution=d)) for d in (law, "normal")
    )
    assert broken.spectral > normal.spectral * 1.2
    assert math.isinf(broken.expected_mse) == (law == "heavy-t")


@LEGAL
@given(config=configs(core.CodeConfig))
def test_a_hundred_seeds_of_the_code_surround_its_expectation(config: core.CodeConfig) -> None:
    result = core.code(config)
    assert result.runs["count"].sum() == 100
    assert abs(result.mean - result.expected) < 4.5 * result.spread / 10
    assert result.printed == core.post_code(config.n, config.seed)[1]


def test_the_code_at_a_hundred_spreads_as_known() -> None:
    assert core.code(core.CodeConfig()).spread == pytest.approx(0.00035, rel=0.2)


@LEGAL
@given(config=configs(core.FansConfig))
def test_factors_are_near_the_expected_ones(config: core.FansConfig) -> None:
    assume(config.distribution not in ("heavy-t", "sparse"))
    result = core.fans(config)
    ways = "norm" if config.count == "norm" else "mean"
    table = result.table.set_index("scheme")
    vectors = 1 if config.kernel == "1" else 3  # of images there are few, but each has nine places
    tolerance = 6 * math.sqrt(2 / min(config.fan_in, config.fan_out) / vectors)
    found = result.factors.set_index("scheme")
    table = table.loc[found.index]
    assert (found["low"] <= found["forward"]).all()
    assert (found["forward"] <= found["high"]).all()
    for side in ("forward", "backward"):
        np.testing.assert_allclose(found[side], table[f"{ways}_{side}"], rtol=tolerance)


def test_the_schemes_have_the_factors_of_the_notes() -> None:
    m, n = 400, 100
    norms = {
        "post": (1, n / m), "lecun": (m / n, 1), "xavier": (2 * m / (m + n), 2 * n / (m + n)),
        "geometric": (math.sqrt(m / n), math.sqrt(n / m)),
        "quadratic": (m * (m + n) / (m**2 + n**2), n * (m + n) / (m**2 + n**2)),
        "orthogonal": (1, n / m), "he": (2 * m / n, 2), "he-post": (2, 2 * n / m),
    }  # fmt: skip
    for scheme, factors in norms.items():
        _, forward, backward, mean_forward, mean_backward = core.expected(scheme, m, n)
        assert (forward, backward) == pytest.approx(factors)
        assert (mean_backward, mean_forward) == pytest.approx(factors)
        if scheme != "orthogonal":  # a kernel's area counts in both fans
            assert core.expected(scheme, m, n, 3)[1:3] == pytest.approx(factors)


def test_an_orthogonal_kernel_keeps_no_norm() -> None:
    config = core.FansConfig(fan_out=512, fan_in=32, kernel="3")
    found = core.fans(config).factors.set_index("scheme").loc["orthogonal"]
    assert core.expected("orthogonal", 512, 32, 3)[1] == 9
    for side in ("low", "forward", "high"):  # every input, not only on average
        assert found[side] == pytest.approx(9, rel=1e-5)
    with pytest.raises(ValueError, match="size is 0"):
        core.expected("post", 3, 3, 0)


@LEGAL
@given(config=configs(core.StabilityConfig))
def test_stability_draws_the_map_or_refuses_the_formula(config: core.StabilityConfig) -> None:
    try:
        result = core.stability(config)
    except ValueError:
        assert config.activation == "own"
        return
    assert result.gain == pytest.approx(1 / math.sqrt(result.second_moment))
    assert result.kind == core.kind(result.slope)
    assert len(result.layers) == 4 * (config.layers + 1)
    start = curve(result.layers, "start", "q")
    assert start[0] == config.start
    path = result.cobweb[result.cobweb["curve"] == "path"]
    assert path["q"].tolist()[0] == config.start


def test_the_path_goes_between_the_map_and_the_diagonal() -> None:
    result = core.stability(core.StabilityConfig(activation="tanh", layers=10, start=2.0))
    path = result.cobweb[result.cobweb["curve"] == "path"]
    q, value = path["q"].to_numpy(), path["value"].to_numpy()
    moved = core.moments_by_layer("tanh", 2.0, 10, core.gain("tanh"))
    np.testing.assert_allclose(q[::2], moved[: len(q[::2])])
    np.testing.assert_allclose(value[1:-1:2], moved[1 : 1 + len(value[1:-1:2])])
    assert value[0] == 0


@pytest.mark.parametrize(
    ("activation", "kind"), [("tanh", "stable"), ("relu", "marginal"), ("silu", "unstable")]
)
def test_kinds_are_the_known_ones(activation: str, kind: str) -> None:
    result = core.stability(core.StabilityConfig(activation=activation, layers=100))
    assert result.kind == kind
    distance = abs(math.log(result.last)) / math.log(1.25)
    assert {"stable": distance < 1e-6, "marginal": distance == pytest.approx(1),
            "unstable": distance > 10}[kind]  # fmt: skip


def test_a_formula_of_one_s_own_is_the_activation_it_writes() -> None:
    own = core.stability(
        core.StabilityConfig(activation="own", formula="x * (1 + erf(x / sqrt(2))) / 2")
    )
    assert own.gain == pytest.approx(core.gain("gelu"), rel=1e-12)
    assert own.slope == pytest.approx(core.variance_slope("gelu"), rel=1e-12)
    with pytest.raises(BadFormula):
        core.stability(core.StabilityConfig(activation="own", formula="import os"))
    with pytest.raises(ValueError, match="no gain"):
        core.stability(core.StabilityConfig(activation="own", formula="0 * x"))


@LEGAL
@given(config=configs(core.ProfileConfig))
def test_profiles_have_a_row_per_layer_and_say_what_left_the_axis(
    config: core.ProfileConfig,
) -> None:
    assume(config.depth * config.width <= 6000)
    assume(config.shape == "even" or not config.residual)
    result = core.profile(replace(config, progress=core.PASSES))
    for name in ("forward", "backward"):
        assert len(curve(result.moments, name)) == config.depth + 1
    low, high = result.domain
    values = result.moments["value"].dropna()
    assert low <= values.min() <= values.max() <= high
    forward = curve(result.moments, "forward")
    gone = np.flatnonzero(np.isnan(forward))
    assert result.overflow == (gone[0] if len(gone) else -1)
    back = np.flatnonzero(np.isnan(curve(result.moments, "backward")))
    assert result.overflow_backward == (back[-1] if len(back) else -1)
    cosines = curve(result.cosines, "cosine")
    assert np.nanmax(np.abs(cosines)) <= 1 + 1e-6
    assert len(curve(result.cosines, "cosine-theory")) == config.depth + 1


def test_the_signal_goes_up_first_and_its_gradient_comes_back() -> None:
    pictures = [core.profile(core.ProfileConfig(depth=10, progress=p)) for p in (0, 5, 10, 15, 20)]
    reached = [len(curve(each.moments, "forward")) for each in pictures]
    returned = [len(curve(each.moments, "backward")) for each in pictures]
    assert reached == [1, 6, 11, 11, 11]
    assert returned == [1, 1, 1, 6, 11]
    backward = pictures[3].moments[pictures[3].moments["curve"] == "backward"]
    assert backward["layer"].min() == 5  # the gradient comes from the top
    assert len({each.domain for each in pictures}) == 1  # and the axis stands still
    assert len({each.backward for each in pictures}) == 1


def test_twice_the_weights_leave_the_axis_as_a_finding() -> None:
    result = core.profile(core.ProfileConfig(multiple=2.0, depth=100))
    assert 40 <= result.overflow <= 60  # 4^50 is 10^30
    usual = core.profile(core.ProfileConfig())
    assert (usual.overflow, usual.overflow_backward) == (-1, -1)


def test_no_weights_and_huge_ones_are_findings() -> None:
    nothing = core.profile(core.ProfileConfig(multiple=0.0, depth=10))
    assert (nothing.overflow, nothing.overflow_backward) == (1, 9)
    assert (nothing.forward, nothing.backward) == (0, 0)
    assert math.isnan(nothing.cosine)
    huge = core.profile(core.ProfileConfig(multiple=4.0, depth=100))
    assert math.isnan(huge.forward)
    assert huge.overflow < 30
    chaos = core.profile(core.ProfileConfig(multiple=4.0, depth=100, activation="tanh", width=64))
    assert chaos.overflow == -1 < chaos.overflow_backward
    away = core.stability(core.StabilityConfig(activation="linear", multiple=4.0, layers=100))
    assert away.last == pytest.approx(16.0**100 * 1.25)


@LEGAL
@given(config=configs(core.CloudConfig))
def test_clouds_are_where_their_law_says(config: core.CloudConfig) -> None:
    result = core.cloud(config)
    assert abs(result.mean - result.expected_mean) < 6 * result.mean_error
    if config.width >= 64 or config.activation == "linear":
        assert result.variance == pytest.approx(result.expected_variance, rel=0.5)
    assert 0 <= result.dead < 500


@pytest.mark.parametrize(
    ("config", "compute"),
    [
        (core.AnglesConfig, core.angles), (core.MetersConfig, core.meters),
        (core.FansConfig, core.fans), (core.ProfileConfig, core.profile),
    ],
)  # fmt: skip
def test_another_seed_gives_another_panel_and_the_same_one_the_same(
    config: Any, compute: Any
) -> None:
    one, same, other = (compute(config(seed=seed)) for seed in (1, 1, 2))
    first = next(iter(vars(one)))
    assert getattr(one, first).equals(getattr(same, first))
    assert not getattr(one, first).equals(getattr(other, first))


@pytest.mark.parametrize("start", region_module.STARTS)
def test_the_trainable_region_has_every_cell_and_narrows_with_depth(start: str) -> None:
    result = core.region(core.RegionConfig(start=start))
    assert len(result.table) == len(region_module.MULTIPLES) * len(region_module.DEPTHS)
    by_depth = result.table.assign(good=result.table["accuracy"] > 0.5).groupby("depth")["good"]
    assert by_depth.sum()[50] < by_depth.sum()[4]
    assert result.best >= result.accuracy_at_one


def test_the_map_that_ships_is_what_today_s_code_makes() -> None:
    config = core.RegionConfig(start="tanh-normal")
    shipped = core.region(config).table["accuracy"].tolist()
    today = [snapshot.metrics["accuracy"] for snapshot in islice(core.MAP.train(config, None), 3)]
    assert today == pytest.approx(shipped[:3], abs=0.02)


def test_a_map_that_grows_has_its_cells_where_they_will_be() -> None:
    whole = core.region(core.RegionConfig()).table
    part = core.cells(dict(enumerate(whole["accuracy"][:20], 1)))
    pd.testing.assert_frame_equal(part[:20], whole[:20])
    assert part["accuracy"][20:].isna().all()
    assert part[["depth", "multiple"]].equals(whole[["depth", "multiple"]])


def test_a_map_goes_on_where_it_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(region_module, "STEPS", 5)
    config = core.RegionConfig(start="relu-he", seed=1)
    first, second = islice(core.MAP.train(config, None), 2)
    resumed = next(core.MAP.train(config, {"accuracy": torch.tensor([first.metrics["accuracy"]])}))
    assert (resumed.done, resumed.metrics) == (second.done, second.metrics)


@given(slope=st.floats(-3, 3))
def test_every_slope_has_one_kind(slope: float) -> None:
    kinds = {"stable": abs(slope) < 1 - 1e-9, "unstable": abs(slope) > 1 + 1e-9}
    expected = next((name for name, is_it in kinds.items() if is_it), "marginal")
    assert core.kind(slope) == expected
