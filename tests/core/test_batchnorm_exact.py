"""The exact half: smoothness of least squares and logistic regression, the bound, one layer."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize
from torch import Tensor

from core import batchnorm as core
from core.batchnorm.descent import quadratic_path
from core.batchnorm.valley import REACH, START, STEPS
from tests.configs import configs

COUNTS = st.integers(0, 30)


def inputs(seed: int, count: int = 60, dim: int = 4) -> Tensor:
    return core.shifted_inputs(count, dim, torch.Generator().manual_seed(seed))


@given(seed=st.integers(0, 99), bias=st.booleans())
def test_least_squares_smoothness_is_the_hessian_s_extremes(seed: int, bias: bool) -> None:
    x = inputs(seed)

    def loss(theta: Tensor) -> Tensor:
        fit = x @ theta[:4] + (theta[4] if bias else 0.0)
        return (fit - 1).square().mean() / 2

    hessian = torch.autograd.functional.hessian(loss, torch.zeros(5 if bias else 4).double())
    places = np.linalg.eigvalsh(hessian.numpy())
    found = core.least_squares_smoothness(x, bias)
    assert found.largest == pytest.approx(places[-1], rel=1e-9)
    assert found.smallest == pytest.approx(places[0], rel=1e-6)


def test_logistic_smoothness_is_reached_at_zero_and_nowhere_passed() -> None:
    x, y = inputs(0), torch.sign(inputs(1)[:, 0])

    def curvature(theta: Tensor) -> float:
        def loss(t: Tensor) -> Tensor:
            return core.mean_loss(x, y, t[:-1], t[-1])

        hessian = torch.autograd.functional.hessian(loss, theta)
        return float(torch.linalg.eigvalsh(hessian)[-1])

    exact = core.logistic_smoothness(x).largest
    assert curvature(torch.zeros(5).double()) == pytest.approx(exact, rel=1e-9)
    generator = torch.Generator().manual_seed(0)
    others = [curvature(torch.randn(5, generator=generator).double()) for _ in range(20)]
    assert max(others) <= exact


def test_treatments_do_what_they_say() -> None:
    x = inputs(3)
    assert torch.allclose(core.treated(x, "centered").mean(0), torch.zeros(4).double(), atol=1e-12)
    assert torch.allclose(core.treated(x, "rms").square().mean(0), torch.ones(4).double())
    own = core.treated(x, "whitened")
    assert torch.allclose(own.T @ own / len(own), torch.eye(4).double(), atol=1e-9)
    with pytest.raises(ValueError, match="how is 'pca'"):
        core.treated(x, "pca")


def test_what_does_not_vary_stays_zero() -> None:
    x = torch.cat([inputs(0), torch.full((60, 1), 3.0).double()], 1)
    for how in ("standardized", "whitened"):
        assert core.treated(x, how)[:, 4].abs().max() < 1e-9


@given(seed=st.integers(0, 200))
def test_centering_never_raises_the_smoothness_or_the_condition_number(seed: int) -> None:
    x = inputs(seed, count=20, dim=3)
    raw, own = (core.least_squares_smoothness(core.treated(x, h)) for h in ("raw", "centered"))
    assert own.largest <= raw.largest * (1 + 1e-9)
    assert own.condition_number <= raw.condition_number * (1 + 1e-9)


@given(seed=st.integers(0, 20))
def test_standardizing_is_preconditioning(seed: int) -> None:
    assert core.preconditioned_difference(inputs(seed)) < 1e-11


def test_empty_and_infinite_inputs_are_refused() -> None:
    with pytest.raises(ValueError, match="x has shape"):
        core.second_moment(torch.zeros(0, 3))
    with pytest.raises(ValueError, match="not finite"):
        core.second_moment(torch.full((2, 2), math.nan))


def test_the_mean_is_where_scipy_finds_the_least_trace() -> None:
    x = inputs(5)
    found = minimize(lambda shift: core.trace(x, torch.tensor(shift)), np.zeros(4))
    np.testing.assert_allclose(found.x, core.best_shift(x), atol=1e-4)
    assert core.scaled_trace(x, core.best_shift(x), core.best_scale(x)) == pytest.approx(4)


def test_the_layer_s_gradients_are_autograd_s() -> None:
    x, y = inputs(6), torch.sign(inputs(7)[:, 0])
    w = torch.linspace(-1, 1, 4).double().requires_grad_()
    b = torch.tensor(0.3).double().requires_grad_()
    core.mean_loss(x, y, w, b).backward()
    of_b, of_w = core.layer_gradients(x, y, w.detach(), b.detach())
    assert w.grad is not None
    assert b.grad is not None
    torch.testing.assert_close(of_w, w.grad)
    torch.testing.assert_close(of_b, b.grad)
    torch.testing.assert_close(
        core.mean_gradient(x, y, w.detach(), b.detach()), torch.cat([w.grad, b.grad[None]])
    )


def test_the_change_of_the_gradient_is_that_of_the_slopes() -> None:
    x, y = inputs(6), torch.sign(inputs(7)[:, 0])
    w, step = torch.full((4,), 0.2).double(), torch.full((4,), 0.5).double()
    b = torch.zeros(()).double()
    change = core.slope_change(x, y, w, b, step)
    before, after = (core.layer_gradients(x, y, at, b)[1] for at in (w, w + step))
    assert core.gradient_change(x, change) == pytest.approx(float((after - before).norm()))
    assert core.gradient_change(x, change) <= core.cauchy_bound(x, change)
    slope = float(change.square().mean().sqrt())
    assert core.change_per_step(change, step) == pytest.approx(slope / 1.0)


@given(rate=st.floats(0.01, 2.2), mean=st.floats(-2, 2), std=st.floats(0.1, 3), steps=COUNTS)
def test_the_closed_form_is_step_by_step_descent(
    rate: float, mean: float, std: float, steps: int
) -> None:
    hessian, theta = core.moment(mean, std), torch.tensor(START).double()
    path = quadratic_path(hessian, theta, rate, steps)
    gaps = core.quadratic_gaps(hessian, theta, rate, steps)
    for _ in range(steps):
        theta = theta - rate * hessian @ theta
    torch.testing.assert_close(path[-1], theta, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(gaps[-1], theta @ hessian @ theta / 2, rtol=1e-6, atol=1e-6)


@given(mean=st.floats(-2, 2), std=st.floats(0.1, 3))
def test_descent_breaks_between_2_00_and_2_01(mean: float, std: float) -> None:
    hessian, start = core.moment(mean, std), torch.tensor(START).double()
    limit = 2 / float(torch.linalg.eigvalsh(hessian)[-1])
    below, above = (core.quadratic_gaps(hessian, start, f * limit, 3000) for f in (1.0, 1.005))
    assert below[-1] <= below[0]
    assert above[-1] > above[0]


@given(config=configs(core.ValleyConfig))
def test_the_valley_stays_in_its_picture(config: core.ValleyConfig) -> None:
    found = core.valley(config)
    levels = found.picture[found.picture["curve"] == "level"]
    assert levels[["w", "b"]].abs().max().max() <= REACH + 1e-9
    times = config.learning_rate / found.limit
    if times <= 1 + 1e-9:
        assert found.descends
    elif times > 1.01:  # just beyond, the steep part of the loss may grow unseen for all steps
        assert not found.descends
    assert np.isfinite(found.breaking["gap"]).all()
    path = found.picture[found.picture["curve"] == "path"]
    assert len(path) <= STEPS + 1


def test_the_true_smoothness_grows_as_the_square_and_the_factor_as_the_scale() -> None:
    laws = core.scales(core.ScalesConfig()).laws
    for curve, power in (("smoothness", 2), ("factor", 1)):
        part = laws[laws["curve"] == curve]
        np.testing.assert_allclose(part["value"], part["scale"] ** power, rtol=1e-9)


def test_dividing_by_the_rms_meets_the_criterion_and_misses_the_smoothness() -> None:
    table = core.scales(core.ScalesConfig()).table.set_index("treatment")
    assert table["factor"]["rms"] == pytest.approx(table["factor"]["standardized"])
    assert table["largest"]["rms"] > 5 * table["largest"]["standardized"]


def test_pixels_standardized_are_more_curved_than_centered_ones() -> None:
    table = core.scales(core.ScalesConfig(inputs="digits")).table.set_index("treatment")
    assert table["largest"]["standardized"] > table["largest"]["centered"]
    assert table["condition_number"]["standardized"] < table["condition_number"]["centered"]


def test_slopes_are_the_closed_forms_and_only_the_unbounded_grow() -> None:
    found = {reach: core.slopes(core.SlopesConfig(reach=reach)) for reach in (5, 50)}
    near = {name: rows for name, rows in found[5].activations.groupby("curve")}
    x = near["tanh"]["x"].to_numpy()
    np.testing.assert_allclose(near["tanh"]["slope"], 1 / np.cosh(x) ** 2)
    np.testing.assert_allclose(near["squared-relu"]["slope"], 2 * np.maximum(x, 0))
    most = {r: one.activations.groupby("curve")["slope"].max() for r, one in found.items()}
    grows = most[50] > 1.1 * most[5]
    assert list(grows.index[grows]) == ["squared-relu"]
    losses = {name: rows for name, rows in found[5].losses.groupby("curve")}
    h = losses["bare"]["output"].to_numpy()
    np.testing.assert_allclose(losses["bare"]["slope"], 1 + np.exp(-h))
    np.testing.assert_allclose(losses["behind"]["slope"], 1 / (1 + np.exp(h)))
    assert losses["bare"]["slope"].max() > 1e6
    assert losses["behind"]["slope"].max() < 1


def test_the_chosen_share_is_on_its_curve() -> None:
    found = core.slopes(core.SlopesConfig("tanh", std=1.0))
    tanh = found.shares.query("curve == 'tanh'")["share"].to_numpy()
    z = np.random.default_rng(0).standard_normal(200_000)
    explained = np.corrcoef(np.tanh(z), z)[0, 1] ** 2
    assert found.share == pytest.approx(float(tanh[10]))
    assert found.share == pytest.approx(1 - float(explained), abs=2e-3)
