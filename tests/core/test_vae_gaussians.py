"""Closed forms of the VAE against torch, quadrature and brute force."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.optimize import minimize
from scipy.stats import norm, uniform
from torch.distributions import MultivariateNormal, Normal, kl_divergence

from core import vae as core

MEANS = st.floats(-5, 5)
STDS = st.floats(1e-3, 5)


def numbers(*values: float) -> torch.Tensor:
    return torch.tensor([list(values)], dtype=torch.float64)


@given(st.lists(st.tuples(MEANS, STDS), min_size=1, max_size=5))
def test_gaussian_kl_is_that_of_torch_summed_over_dimensions(
    rows: list[tuple[float, float]],
) -> None:
    mean, std = (numbers(*column) for column in zip(*rows, strict=True))
    expected = kl_divergence(Normal(mean, std), Normal(0.0, 1.0)).sum(-1)
    torch.testing.assert_close(
        core.gaussian_kl(mean, 2 * std.log()), expected, rtol=1e-10, atol=1e-10
    )


@given(MEANS, st.floats(0.01, 3))
def test_uniform_kl_is_the_integral(mean: float, std: float) -> None:
    low, high = mean - math.sqrt(3) * std, mean + math.sqrt(3) * std
    height = 1 / (high - low)
    log_normal = lambda x: -0.5 * x * x - 0.5 * math.log(2 * math.pi)  # noqa: E731
    integral, _ = quad(lambda x: height * (math.log(height) - log_normal(x)), low, high)
    found = float(core.uniform_kl(numbers(mean), numbers(std)))
    assert found == pytest.approx(integral, abs=1e-10)


def test_a_box_costs_a_constant_more_per_dimension_and_has_equal_gradients() -> None:
    mean = torch.randn(7, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    std = mean.abs() + 0.1
    excess = float(norm.entropy() - uniform(scale=math.sqrt(12)).entropy())
    assert excess == pytest.approx(0.176485, abs=1e-6)
    gap = core.uniform_kl(mean, std) - core.gaussian_kl(mean, 2 * std.log())
    torch.testing.assert_close(gap, torch.full_like(gap, 3 * excess), rtol=0, atol=1e-10)


def test_kl_and_sketch_agree_near_the_unit_circle_and_part_at_zero_width() -> None:
    assert float(core.gaussian_kl(numbers(0), numbers(2 * math.log(0.01)))) == pytest.approx(
        4.10522, abs=1e-5
    )
    assert float(core.simple_penalty(numbers(0), numbers(0.01))) == pytest.approx(0.9801)
    near = float(core.gaussian_kl(numbers(0), numbers(2 * math.log(1.001))))
    assert near == pytest.approx(1e-6, rel=1e-3)
    assert float(core.simple_penalty(numbers(0.5), numbers(1.2))) == pytest.approx(0.25 + 0.04)


def test_full_kl_is_that_of_torch() -> None:
    generator = torch.Generator().manual_seed(1)
    mean = torch.randn(4, 3, generator=generator, dtype=torch.float64)
    lower = torch.randn(4, 3, 3, generator=generator, dtype=torch.float64).tril(-1)
    cholesky = lower + torch.diag_embed(mean.abs() + 0.2)
    prior = MultivariateNormal(torch.zeros(3).double(), torch.eye(3).double())
    expected = kl_divergence(MultivariateNormal(mean, scale_tril=cholesky), prior)
    torch.testing.assert_close(core.full_kl(mean, cholesky), expected, rtol=1e-10, atol=1e-10)


def test_bad_input_is_named() -> None:
    with pytest.raises(ValueError, match="std has the entry 0"):
        core.uniform_kl(numbers(0), numbers(0))
    with pytest.raises(ValueError, match="log_variance has shape"):
        core.gaussian_kl(torch.zeros(2, 3), torch.zeros(2, 4))
    with pytest.raises(ValueError, match="do not fit"):
        core.optimal_decoder(*(torch.zeros(size) for size in ((1, 3), (2, 2), (2, 2), (2, 1))))
    with pytest.raises(ValueError, match="stds has the entry 0"):
        core.optimal_decoder(*(torch.zeros(size) for size in ((1, 2), (2, 2), (2, 2), (2, 1))))
    with pytest.raises(ValueError, match="variance is -1"):
        core.linear_vae_direction(-1.0)
    with pytest.raises(ValueError, match="beta is 0"):
        core.linear_vae_direction(1.0, 0.0)


# ---- the exact decoder


def brute_decoder(z: np.ndarray, means: np.ndarray, stds: np.ndarray, x: np.ndarray) -> np.ndarray:
    weights = np.array(
        [
            math.prod(math.exp(-0.5 * ((z[d] - m[d]) / s[d]) ** 2) / s[d] for d in range(len(z)))
            for m, s in zip(means, stds, strict=True)
        ]
    )
    return np.tensordot(weights / weights.sum(), x, axes=1)


def test_the_optimal_decoder_is_the_weighted_mean() -> None:
    rng = np.random.default_rng(0)
    means, stds = rng.normal(size=(4, 3)), rng.uniform(0.3, 2, (4, 3))
    x, z = rng.normal(size=(4, 2, 5)), rng.normal(size=(6, 3))
    expected = np.stack([brute_decoder(at, means, stds, x) for at in z])
    found = core.optimal_decoder(*(torch.tensor(part) for part in (z, means, stds, x)))
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-10)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_far_from_every_ellipse_the_decoder_is_finite_and_picks_the_widest(
    dtype: torch.dtype,
) -> None:
    means = torch.tensor([[0.0, 0.0], [1.0, 0.0]], dtype=dtype)
    stds = torch.tensor([[0.1, 0.1], [0.2, 0.2]], dtype=dtype)
    x = torch.tensor([[1.0], [2.0]], dtype=dtype)
    far = core.optimal_decoder(torch.full((1, 2), 1e6, dtype=dtype), means, stds, x)
    assert far.tolist() == [[2.0]]


def test_no_other_decoder_has_a_smaller_error() -> None:
    """Squared error of N draws, minimized over the values at a grid of codes: exact is best."""
    means = torch.tensor([[-0.5, 0.0], [0.5, 0.0]], dtype=torch.float64)
    stds = torch.full((2, 2), 0.4, dtype=torch.float64)
    x = torch.tensor([[0.0], [1.0]], dtype=torch.float64)
    z = torch.tensor([[0.1, 0.3]], dtype=torch.float64)
    p = core.ellipse_weights(z, means, stds)[0].numpy()
    squared = minimize(lambda d: float(p @ (x[:, 0].numpy() - d) ** 2), [0.3])
    assert float(core.optimal_decoder(z, means, stds, x)) == pytest.approx(squared.x[0], abs=1e-6)
    grid = np.linspace(-1, 2, 3001)
    absolute = grid[np.argmin(np.abs(x.numpy()[:, 0] - grid[:, None]) @ p)]
    assert float(core.median_decoder(z, means, stds, x)) == pytest.approx(absolute, abs=1e-3)


def test_the_expected_reconstruction_is_that_of_drawn_codes() -> None:
    means = torch.tensor([[-0.5, 0.0], [0.7, 0.2]], dtype=torch.float64)
    stds = torch.tensor([[0.4, 0.8], [0.6, 0.3]], dtype=torch.float64)
    x = torch.tensor([[0.0, 2.0], [1.0, -1.0]], dtype=torch.float64)
    exact = core.expected_reconstruction(means, stds, x, order=30)
    eps = torch.randn(200_000, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for k in range(2):
        decoded = core.optimal_decoder(means[k] + stds[k] * eps, means, stds, x)
        drawn = (decoded - x[k]).square().sum(1)
        assert float(exact[k]) == pytest.approx(
            float(drawn.mean()), abs=5 * float(drawn.std()) / 447
        )


# ---- the linear VAE


@pytest.mark.parametrize("beta", [0.5, 1.0, 4.0])
@pytest.mark.parametrize("variance", [0.3, 1.0, 4.0, 25.0, 100.0])
def test_a_linear_direction_is_the_minimum_of_its_loss(variance: float, beta: float) -> None:
    def loss(point: np.ndarray) -> float:
        a, w, log_s = point
        s2 = math.exp(2 * log_s)
        penalty = 0.5 * (a * a * variance + s2 - 2 * log_s - 1)
        return (1 - w * a) ** 2 * variance + w * w * s2 + beta * penalty

    found = core.linear_vae_direction(variance, beta)
    best = min(
        (minimize(loss, [a, 1.0, -0.5], method="BFGS", tol=1e-12) for a in (0.1, 1.0)),
        key=lambda run: run.fun,
    )
    assert found["reconstruction"] + beta * found["kl"] == pytest.approx(best.fun, abs=1e-8)
    assert found["posterior_variance"] + found["mean_square"] == pytest.approx(1, abs=1e-12)
    assert found["active"] == (variance > beta / 2)
    if found["active"]:
        assert found["posterior_variance"] == pytest.approx(beta / (2 * variance), abs=1e-10)
        assert found["kl"] == pytest.approx(0.5 * math.log(2 * variance / beta), abs=1e-10)


@pytest.mark.parametrize("beta", [0.5, 1.0, 4.0])
@pytest.mark.parametrize("variance", [0.1, 1.0, 4.0, 25.0, 100.0])
def test_at_a_linear_direction_s_solution_the_loss_has_no_slope(
    variance: float, beta: float
) -> None:
    found = core.linear_vae_direction(variance, beta)
    a, s2 = (found["mean_square"] / variance) ** 0.5, found["posterior_variance"]
    w = a * variance / (a * a * variance + s2)
    point = torch.tensor([a, w, math.log(s2)], dtype=torch.float64, requires_grad=True)
    gain, back, log_s2 = point
    left = (1 - back * gain) ** 2 * variance + back**2 * log_s2.exp()
    kl = 0.5 * (gain**2 * variance + log_s2.exp() - log_s2 - 1)
    (left + beta * kl).backward()
    assert point.grad is not None
    assert float(point.grad.abs().max()) < 1e-10 * max(1.0, variance)
    assert found["reconstruction"] == pytest.approx(left.item(), abs=1e-10)
    assert found["kl"] == pytest.approx(kl.item(), abs=1e-10)


@given(st.floats(0.05, 20), st.floats(0.1, 5), st.floats(0.2, 5))
def test_claim_scaling_the_pixels_is_dividing_beta(variance: float, beta: float, c: float) -> None:
    scaled = core.linear_vae_direction(variance * c**2, beta)
    other = core.linear_vae_direction(variance, beta / c**2)
    assert scaled["posterior_variance"] == pytest.approx(other["posterior_variance"], rel=1e-9)


@pytest.mark.parametrize("penalty", ["kl", "simple"])
def test_the_best_second_moment_is_found_by_search(penalty: str) -> None:
    std = np.array([0.05, 0.3, 1.0, 2.0])
    best = core.best_mean_square(4.0, std, penalty)
    grid = np.linspace(0, 6, 60_001)
    for s, m in zip(std, best, strict=True):
        losses = core.direction_loss(4.0, grid, s, penalty)
        assert grid[losses.argmin()] == pytest.approx(m, abs=2e-4)


def test_claim_the_simple_penalty_has_no_minimum_above_zero_width() -> None:
    std = np.geomspace(1e-6, 0.5, 50)
    losses = core.direction_loss(4.0, core.best_mean_square(4.0, std, "simple"), std, "simple")
    assert (np.diff(losses) > 0).all()
    assert losses[0] == pytest.approx(1, abs=1e-5)
    with pytest.raises(ValueError, match="penalty is 'l2'"):
        core.direction_loss(1.0, 1.0, 1.0, "l2")
