"""Activations by quadrature against closed forms; nets of many layers against the theory."""

import math
import threading
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from core import initialization as core

MOMENTS = {
    "linear": 1, "relu": 0.5, "leaky": 0.52, "tanh": 0.39429449, "sigmoid": 0.29337904,
    "gelu": 0.42522148, "silu": 0.35577552, "softplus": 0.92124591, "elu": 0.64494542,
    "selu": 1.0, "mish": 0.45234219, "erf": 0.46455905, "sin": 0.43233236,
}  # fmt: skip
GAINS = {
    "relu": 1.414214, "leaky": 1.386750, "tanh": 1.592537, "sigmoid": 1.846228, "gelu": 1.533530,
    "silu": 1.676533, "elu": 1.245198,
}  # fmt: skip
SLOPES = {"relu": 1, "tanh": 0.461, "selu": 0.783, "elu": 0.891, "gelu": 1.144, "silu": 1.173}
GRADIENTS = {"relu": 1, "tanh": 1.178, "gelu": 1.072, "silu": 1.067, "sigmoid": 0.153}
RELU_COSINES = {1: 0.318, 2: 0.494, 3: 0.605, 5: 0.736, 10: 0.872, 20: 0.948, 50: 0.988, 100: 0.996}
TANH_MOMENTS = {1: 0.394, 10: 0.0522, 50: 0.0102, 100: 0.00507, 200: 0.00252}


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def net(
    widths: list[int], activation: str, scheme: str, seed: int = 0, **more: Any
) -> pd.DataFrame:
    return core.propagate(widths, activation, scheme, generator=generator(seed), **more)


def test_every_activation_has_a_known_moment() -> None:
    assert set(MOMENTS) == set(core.ACTIVATIONS)


def adaptive(name: str, weigh: Callable[[float], float] = lambda z: 1.0) -> float:
    """E[weigh(z) phi(z)^2], z ~ N(0, 1), by a quadrature that is not ours."""

    def integrand(z: float) -> float:
        value = core.ACTIVATIONS[name](torch.tensor(z, dtype=torch.float64)).item()
        return weigh(z) * value**2 * math.exp(-z * z / 2) / math.sqrt(2 * math.pi)

    ends = ((-12, 0), (0, 12))  # kinks are at 0
    return float(sum(quad(integrand, *pair, epsabs=1e-12, limit=200)[0] for pair in ends))


@pytest.mark.parametrize("name", MOMENTS)
def test_moments_gains_and_slopes_are_those_of_adaptive_quadrature(name: str) -> None:
    moment = adaptive(name)
    assert core.second_moment(name) == pytest.approx(moment, abs=1e-9)
    assert core.second_moment(name) == pytest.approx(MOMENTS[name], abs=5e-9)
    assert core.gain(name) == pytest.approx(1 / math.sqrt(moment), abs=1e-8)
    slope = adaptive(name, lambda z: (z * z - 1) / 2) / moment
    assert core.variance_slope(name) == pytest.approx(slope, abs=1e-8)


@pytest.mark.parametrize("name", GAINS)
def test_gains_are_the_known_ones(name: str) -> None:
    assert core.gain(name) == pytest.approx(GAINS[name], abs=6e-7)  # as far as they are printed


@pytest.mark.parametrize("name", ["linear", "relu", "leaky_relu", "tanh", "sigmoid", "selu"])
def test_torch_s_gains_are_exact_for_lines_and_halves_and_rough_for_the_rest(name: Any) -> None:
    theirs = torch.nn.init.calculate_gain(name, 0.2 if name == "leaky_relu" else None)
    ours = core.gain(name.removesuffix("_relu"))
    assert (theirs == pytest.approx(ours, rel=1e-12)) == (name in ("linear", "relu", "leaky_relu"))


def test_closed_forms_are_met_to_rounding() -> None:
    assert core.gain("relu") == pytest.approx(math.sqrt(2), rel=1e-12)
    assert core.second_moment("sin") == pytest.approx((1 - math.exp(-2)) / 2, rel=1e-12)
    assert core.second_moment("erf") == pytest.approx(2 / math.pi * math.asin(2 / 3), rel=1e-12)
    assert core.second_moment("erf", 3.0) == pytest.approx(
        2 / math.pi * math.asin(6 / 7), rel=1e-12
    )
    assert core.second_moment("relu", 7.0) == pytest.approx(3.5, rel=1e-12)


@pytest.mark.parametrize("name", SLOPES)
def test_slopes_are_the_known_ones(name: str) -> None:
    assert core.variance_slope(name) == pytest.approx(SLOPES[name], abs=5e-4)


@pytest.mark.parametrize("name", core.ACTIVATIONS)
def test_the_slope_is_that_of_the_map(name: str) -> None:
    step = 1e-4
    low, high = core.variance_map(name, np.exp([-step, step]), core.gain(name))
    assert core.variance_slope(name) == pytest.approx(math.log(high / low) / (2 * step), abs=1e-6)
    assert core.variance_map(name, np.ones(1), core.gain(name)) == pytest.approx(1)


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradient_factors_are_the_known_ones(name: str) -> None:
    assert core.gradient_factor(name) == pytest.approx(GRADIENTS[name], abs=5e-4)


@pytest.mark.parametrize("name", ["gelu", "silu"])
def test_claim_no_gain_makes_gelu_or_silu_stable(name: str) -> None:
    q = np.geomspace(0.01, 100, 200)
    slopes = np.diff(np.log(core.variance_map(name, q))) / np.diff(np.log(q))
    assert slopes.min() > 1


def test_own_functions_are_taken_and_hopeless_ones_refused() -> None:
    assert core.gain(torch.relu) == pytest.approx(math.sqrt(2))
    with pytest.raises(ValueError, match="activation is 'swish'"):
        core.gain("swish")
    with pytest.raises(ValueError, match="no gain"):
        core.gain(torch.zeros_like)
    with pytest.raises(ValueError, match="must be finite"):
        core.gain(torch.log)
    with pytest.raises(ValueError, match="q is"):
        core.second_moment("relu", -1.0)


def test_tanh_fades_slowly() -> None:
    path = core.moments_by_layer("tanh", 1.0, 200)
    for layer, moment in TANH_MOMENTS.items():
        assert path[layer] == pytest.approx(moment, rel=2e-3)
    assert path[200] == pytest.approx(1 / 400, rel=0.02)


def test_what_overflows_is_infinite_and_stays_so() -> None:
    path = core.moments_by_layer("linear", 1.0, 400, gain=10.0)
    assert math.isinf(path[-1])
    assert np.isfinite(path[:60]).all()
    assert math.isinf(core.moments_by_layer(torch.exp, 1.0, 10)[-1])


def test_relu_aligns_as_known() -> None:
    cosines = core.angles_by_layer("relu", 0.0, 100)
    for layer, cosine in RELU_COSINES.items():
        assert cosines[layer] == pytest.approx(cosine, abs=6e-4)
    assert cosines[1] == pytest.approx(1 / math.pi)


def test_relu_aligns_as_an_integral_over_the_plane_says() -> None:
    """Two normal numbers of cosine c are r cos(t) and r cos(t - theta), t uniform, E r^2 = 2."""
    cosines = core.angles_by_layer("relu", 0.0, 100)
    for before, after in pairwise(cosines[::11]):
        at = before
        for _ in range(11):
            theta = math.acos(at)
            low, high = theta - math.pi / 2, math.pi / 2  # where both are positive
            inside = quad(lambda t, theta=theta: math.cos(t) * math.cos(t - theta), low, high)[0]
            at = 2 * inside / math.pi
        assert after == pytest.approx(at, abs=1e-7)


def test_the_series_is_the_closed_form() -> None:
    c = np.linspace(-1, 1, 41)
    np.testing.assert_allclose(core.angle_map(torch.relu, c), core.relu_angle_map(c), atol=1e-4)
    arcsine = np.arcsin(2 * c / 3) / math.asin(2 / 3)
    np.testing.assert_allclose(core.angle_map("erf", c), arcsine, atol=1e-9)
    np.testing.assert_allclose(core.angle_map("linear", c), c, atol=1e-12)


@pytest.mark.parametrize("name", core.ACTIVATIONS)
def test_an_angle_map_grows_and_keeps_equal_inputs_equal(name: str) -> None:
    values = core.angle_map(name, np.linspace(0, 1, 30))
    assert (np.diff(values) >= -1e-12).all()
    assert values[-1] == pytest.approx(1)


@pytest.mark.parametrize("scheme", ["he", "he-post"])
def test_he_keeps_relu_in_both_directions(scheme: str) -> None:
    table = net([512] * 21, "relu", scheme)
    assert list(table["layer"]) == list(range(21))
    sides = table[["forward_second_moment", "backward_second_moment"]]
    assert sides.to_numpy().min() > 0.6
    assert sides.to_numpy().max() < 1.6


def test_without_the_factor_relu_halves_every_layer() -> None:
    """The median of five nets: where a unit stands at 0 to rounding, a pair may differ there."""
    pairs = [
        [net([256] * 41, "relu", scheme, seed) for scheme in ("he", "lecun")] for seed in range(5)
    ]
    for side in ("forward_second_moment", "backward_second_moment"):
        halved = np.median([(he[side] / plain[side]).to_numpy() for he, plain in pairs], axis=0)
        expected = 2.0 ** (np.arange(41) if side.startswith("f") else np.arange(41)[::-1])
        np.testing.assert_allclose(halved, expected, rtol=1e-3)


def test_orthogonal_linear_nets_keep_everything() -> None:
    table = net([64] * 51, "linear", "orthogonal")
    for side in ("forward_second_moment", "backward_second_moment"):
        np.testing.assert_allclose(table[side], table[side].iloc[0], rtol=1e-4)
    np.testing.assert_allclose(table["cosine"], 0, atol=1e-5)


@pytest.mark.parametrize("name", ["relu", "tanh", "gelu", "erf"])
def test_wide_nets_follow_both_maps(name: str) -> None:
    table = net([1024] * 7, name, "lecun", gain=core.gain(name), batch=64)
    np.testing.assert_allclose(table["forward_second_moment"], 1, atol=0.15)
    theory = core.angles_by_layer(name, 0.0, 6)
    np.testing.assert_allclose(table["cosine"], theory, atol=0.05)


def test_the_wide_net_follows_the_maps_of_its_layers() -> None:
    gain = core.gain("tanh")
    table = core.wide_net("tanh", 12, 1.2 * gain)
    moments = core.moments_by_layer("tanh", 1.0, 12, 1.2 * gain)
    np.testing.assert_allclose(table["forward_second_moment"], moments, rtol=1e-12)
    tuned = core.wide_net("tanh", 12, gain)
    np.testing.assert_allclose(tuned["cosine"], core.angles_by_layer("tanh", 0.0, 12), atol=1e-12)
    back = core.gradient_factor("tanh") ** np.arange(13)[::-1]
    np.testing.assert_allclose(tuned["backward_second_moment"], back, rtol=1e-9)


def test_a_wide_residual_net_grows_as_the_closed_form_says() -> None:
    table = core.wide_net("relu", 40, 1.5, residual=True)
    grown = (1 + 1.5**2 / 2 / 40) ** np.arange(41)
    np.testing.assert_allclose(table["forward_second_moment"], grown, rtol=1e-12)
    np.testing.assert_allclose(table["backward_second_moment"], grown[::-1], rtol=1e-12)


@pytest.mark.parametrize("scheme", ["post", "he", "he-post", "xavier", "orthogonal"])
def test_layers_that_grow_narrower_are_told_by_products(scheme: str) -> None:
    """relu halves both ways: factors n v / 2 up and m v / 2 down, layer by layer."""
    config = core.ProfileConfig(scheme=scheme, shape="narrowing", depth=5, width=256)
    found = core.profile(config).moments.pivot(index="layer", columns="curve", values="value")
    fans = core.widths(config)
    assert (fans[0], fans[-1]) == (256, 32)
    up = [n * core.variance(scheme, m, n) / 2 for n, m in pairwise(fans)]
    down = [m * core.variance(scheme, m, n) / 2 for n, m in pairwise(fans)]
    forward, backward = np.cumprod([1, *up]), np.cumprod([1, *down[::-1]])[::-1]
    np.testing.assert_allclose(found["forward-theory"], forward, rtol=1e-9)
    np.testing.assert_allclose(found["backward-theory"], backward, rtol=1e-9)
    np.testing.assert_allclose(found["forward"], forward, rtol=0.6)


@pytest.mark.parametrize(("scheme", "kept"), [("he", 1 / 8), ("he-post", 1.0)])
def test_he_keeps_mean_squares_and_the_post_norms(scheme: str, kept: float) -> None:
    config = core.ProfileConfig(scheme=scheme, shape="narrowing", depth=3, width=256)
    assert core.profile(config).stretch == pytest.approx(kept, rel=0.4)


def test_residual_branches_need_equal_layers() -> None:
    with pytest.raises(core.UnequalWidths, match="equal ones"):
        core.profile(core.ProfileConfig(shape="widening", residual=True))


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("layer_norm", [False, True])
@pytest.mark.parametrize("name", ["relu", "gelu", "sigmoid"])
def test_nets_of_every_kind_follow_the_wide_one(
    name: str, layer_norm: bool, residual: bool
) -> None:
    branches = {"layer_norm": layer_norm, "residual": residual}
    found = net([1024] * 9, name, "lecun", gain=1.3, batch=64, **branches)
    wide = core.wide_net(name, 8, 1.3, **branches)
    for side in ("forward_second_moment", "backward_second_moment"):
        np.testing.assert_allclose(found[side], wide[side], rtol=0.2)
    np.testing.assert_allclose(found["cosine"], wide["cosine"], atol=0.06)


def test_a_wide_net_that_overflows_says_so() -> None:
    table = core.wide_net("linear", 200, 100.0)
    assert math.isinf(table["forward_second_moment"].iloc[-1])
    assert np.isfinite(table["forward_second_moment"].iloc[:38]).all()
    assert core.wide_net("sin", 0)["cosine"].tolist() == [0.0]


def test_the_factors_of_a_rectangle_are_m_and_n_times_the_variance() -> None:
    for scheme in ("post", "lecun", "xavier", "geometric", "quadratic"):
        table = net([300, 900], "linear", scheme, batch=256)
        entry = core.variance(scheme, 900, 300)
        assert table["forward_second_moment"].iloc[1] == pytest.approx(300 * entry, rel=0.05)
        assert table["backward_second_moment"].iloc[0] == pytest.approx(900 * entry, rel=0.05)


@settings(max_examples=25)
@given(
    widths=st.lists(st.integers(2, 9), min_size=2, max_size=5), seed=st.integers(0, 99),
    batch=st.integers(2, 5),
)  # fmt: skip
def test_gradients_are_those_written_by_hand(widths: list[int], seed: int, batch: int) -> None:
    """Forward and backward with explicit matrices, for tanh."""
    table = net(widths, "tanh", "xavier", seed, batch=batch)
    draws, states, weights = generator(seed), [], []
    states.append(core.orthogonal_pairs(batch, widths[0], draws))
    for n, m in pairwise(widths):
        weights.append(core.sample_weight(m, n, "xavier", generator=draws))
        states.append(states[-1].tanh() @ weights[-1].T)
    gradients = [torch.randn(states[-1].shape, generator=draws)]
    for weight, state in zip(reversed(weights), reversed(states[:-1]), strict=True):
        gradients.append(gradients[-1] @ weight * (1 - state.tanh() ** 2))
    for column, found in {"forward": states, "backward": gradients[::-1]}.items():
        expected = [float(x.square().mean()) for x in found]
        assert table[f"{column}_second_moment"].tolist() == pytest.approx(expected, rel=1e-4)


def test_normalization_keeps_what_goes_forward_whatever_the_gain() -> None:
    for name in ("gelu", "silu", "relu"):
        table = net([256] * 41, name, "lecun", layer_norm=True)
        assert table["forward_second_moment"].iloc[1:].between(0.8, 1.2).all()


def test_residual_branches_keep_orthogonal_inputs_apart() -> None:
    plain = net([128] * 51, "relu", "he")
    residual = net([128] * 51, "relu", "lecun", residual=True)
    assert residual["cosine"].iloc[-1] < 0.6 < plain["cosine"].iloc[-1]
    assert 1 < residual["forward_second_moment"].iloc[-1] < 3


def test_inputs_start_orthogonal_at_their_own_length() -> None:
    x = core.orthogonal_pairs(7, 40, generator()).double()
    assert float((x[0:6:2] * x[1::2]).sum(1).abs().max()) < 1e-5
    assert float(x.square().mean()) == pytest.approx(1, abs=0.3)
    assert net([40, 3], "relu", "he")["cosine"].iloc[0] == pytest.approx(0, abs=1e-6)


def test_a_huge_gain_overflows_as_a_finding() -> None:
    table = net([16] * 60, "linear", "post", gain=100.0)
    assert not np.isfinite(table["forward_second_moment"].iloc[-1])
    zero = net([16] * 4, "relu", "post", gain=0.0)
    assert zero["forward_second_moment"].iloc[1:].eq(0).all()


@pytest.mark.parametrize(
    ("widths", "options", "message"),
    [
        ([8], {}, "widths is"), ([], {}, "widths is"), ([8, 1], {}, "widths is"),
        ([0, 8], {}, "widths is"), ([8, 8], {"batch": 1}, "batch is 1"),
        ([8, 9], {"residual": True}, "equal ones"), ([8, 8], {"gain": -1.0}, "gain is"),
    ],
)  # fmt: skip
def test_impossible_nets_are_refused(widths: list[int], options: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        core.propagate(widths, "relu", "he", **options)


def test_seeds_decide_the_net_in_every_thread() -> None:
    alone = net([20] * 5, "gelu", "xavier", 3)
    assert not alone.equals(net([20] * 5, "gelu", "xavier", 4))
    found: list[pd.DataFrame] = []
    threads = [
        threading.Thread(target=lambda: found.append(net([20] * 5, "gelu", "xavier", 3)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert all(alone.equals(other) for other in found)


@pytest.mark.parametrize("activation", ["linear", "relu"])
@pytest.mark.parametrize(("depth", "width"), [(10, 32), (50, 128)])
def test_log_norms_follow_their_law(activation: str, depth: int, width: int) -> None:
    logs = core.log_norms(depth, width, activation, 4000, generator()).numpy()
    mean, variance = core.log_norm_law(depth, width, activation)
    assert abs(logs.mean() - mean) < 4.5 * math.sqrt(variance / len(logs))
    assert logs.var() == pytest.approx(variance, rel=0.1)
    if activation == "relu":
        assert variance == pytest.approx(5 * depth / width, rel=0.2)


@pytest.mark.parametrize("activation", ["linear", "relu"])
def test_drawing_vectors_is_drawing_weights(activation: str) -> None:
    """The short way of `log_norms` against nets with explicit weights."""
    draws, logs = generator(), []
    scheme, phi = ("he", torch.relu) if activation == "relu" else ("lecun", torch.clone)
    for _ in range(1500):
        start = y = torch.randn(12, generator=draws)
        for _ in range(3):
            y = core.sample_weight(12, 12, scheme, generator=draws) @ phi(y)
        logs.append(float((y.square().sum() / start.square().sum()).log()))
    alive = np.array([value for value in logs if np.isfinite(value)])
    mean, variance = core.log_norm_law(3, 12, activation)
    assert abs(alive.mean() - mean) < 4.5 * math.sqrt(variance / len(alive))
    assert alive.var() == pytest.approx(variance, rel=0.2)
