"""First and second order, the priors, the quadrature: closed forms against what knows none."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import ive
from torch import Tensor

from core import optimization as core

F64 = torch.float64


def vector(*numbers: float) -> Tensor:
    return torch.tensor(numbers, dtype=F64)


def length_by_quadrature(dim: int, kappa: float) -> float:
    """The mean of -s under (1 - s^2)^((d-1)/2) exp(-kappa s), from SciPy's adaptive rule."""

    def part(power: int) -> float:
        weight = lambda s: s**power * (1 - s * s) ** ((dim - 1) / 2) * math.exp(-kappa * (s + 1))  # noqa: E731
        found, _ = quad(weight, -1, 1, epsabs=1e-13, epsrel=1e-11, limit=400)
        return float(found)

    return -part(1) / part(0)


@pytest.mark.parametrize("dim", [1, 2, 3, 10])
@pytest.mark.parametrize("kappa", [0.01, 1.0, 7.0, 60.0])
def test_the_first_order_mean_is_that_of_quadrature(dim: int, kappa: float) -> None:
    gradient = torch.zeros(dim, dtype=F64)
    gradient[0] = 2.0
    radius = 0.7
    found = core.first_order_update(gradient, radius, 2.0 * radius / kappa)
    assert float(found[0]) == pytest.approx(-radius * length_by_quadrature(dim, kappa), abs=1e-8)
    assert torch.count_nonzero(found[1:]) == 0


@settings(max_examples=50)
@given(dim=st.integers(1, 300), kappa=st.floats(1e-3, 650))
def test_the_ratio_of_bessel_functions_is_scipy_s(dim: int, kappa: float) -> None:
    below = ive(dim / 2, kappa)
    if below > 1e-250:
        expected = ive(dim / 2 + 1, kappa) / below
        assert float(core.bessel_ratio(dim / 2, np.array(kappa))) == pytest.approx(
            expected, rel=1e-9
        )


def test_in_a_million_dimensions_the_update_is_finite_and_gradient_descent() -> None:
    gradient = torch.randn(1_000_000, generator=torch.Generator().manual_seed(0), dtype=F64)
    alpha, radius = 0.3, 0.01
    found = core.first_order_update(gradient, radius, alpha)
    plain = -(radius**2) / ((len(gradient) + 2) * alpha) * gradient
    torch.testing.assert_close(found, plain, rtol=1e-6, atol=0)


def test_the_update_is_never_longer_than_the_ball_and_0_where_there_is_no_gradient() -> None:
    for size in (1e-30, 1.0, 1e30, 1e300):
        found = core.first_order_update(vector(size, 0), 0.5, 1e-8)
        assert float(found.norm()) <= 0.5 + 1e-12
    assert float(core.first_order_update(vector(1e300), 1.0, 1e-300)) == -1.0
    assert not core.first_order_update(torch.zeros(3), 0.5, 0.1).any()


def test_without_alpha_equation_6_is_not_the_mean() -> None:
    """The case of the notes: d = 3, radius 0.7, alpha 0.3, |g| = 1.9."""
    step = 1e-6
    high, low = (core.log_partition(1.9 + s * step, 0.7, 0.3, 3) for s in (1, -1))
    slope = (high - low) / (2 * step)
    exact = float(core.first_order_update(vector(1.9, 0, 0), 0.7, 0.3)[0])
    assert exact == pytest.approx(-0.42987, abs=1e-5)
    assert -slope == pytest.approx(-1.4329, abs=1e-4)
    assert -0.3 * slope == pytest.approx(exact, abs=1e-8)


def test_the_partition_function_of_a_line_is_elementary_and_of_many_dimensions_smooth() -> None:
    radius, alpha, norm = 0.7, 0.3, 1.9
    exact = math.log(2 * alpha / norm * math.sinh(radius * norm / alpha))
    assert core.log_partition(norm, radius, alpha, 1) == pytest.approx(exact, rel=1e-12)
    # Where the function underflows, the other expansion takes over without a step.
    for kappa in (3.0, 30.0):
        order = next(v for v in range(50, 4000) if ive(v, kappa) <= 1e-290)
        steps = np.diff([core.log_bessel(order + k / 2, kappa) for k in (-3, -2, -1, 0, 1, 2)])
        assert np.diff(steps).max() < 0
        assert np.abs(np.diff(steps, 2)).max() < 1e-4


def test_draws_from_the_ball_stay_inside_and_have_the_closed_mean() -> None:
    gradient = vector(3.0, -4.0, 0.0)
    draws = core.sample_ball(gradient, 0.5, 0.4, 40_000, torch.Generator().manual_seed(1))
    assert float(draws.norm(dim=1).max()) <= 0.5 + 1e-12
    mean = core.first_order_update(gradient, 0.5, 0.4)
    error = draws.std(0) / math.sqrt(len(draws))
    assert bool(((draws.mean(0) - mean).abs() < 5 * error).all())


@pytest.mark.parametrize("alpha", [1e-4, 0.01, 0.3, 10.0])
def test_quadrature_in_a_ball_agrees_with_the_closed_form(alpha: float) -> None:
    gradient = vector(1.2, -0.5)
    moments = core.update_moments(
        lambda x: x @ gradient, torch.zeros(2, dtype=F64), alpha, radius=0.7
    )
    torch.testing.assert_close(
        moments.mean, core.first_order_update(gradient, 0.7, alpha), atol=1e-8, rtol=0
    )
    expected = core.log_partition(float(gradient.norm()), 0.7, alpha, 2)
    assert moments.log_partition == pytest.approx(expected, abs=1e-8)


@settings(max_examples=15)
@given(
    curvatures=st.tuples(st.floats(0.3, 5), st.floats(0.3, 5)),
    mixed=st.floats(-0.2, 0.2),
    alpha=st.sampled_from([0.01, 0.1, 1.0, 10.0, 100.0]),
)
def test_a_quadratic_loss_gives_newton_s_step_for_every_alpha(
    curvatures: tuple[float, float], mixed: float, alpha: float
) -> None:
    h = torch.tensor([[curvatures[0], mixed], [mixed, curvatures[1]]], dtype=F64)
    theta = vector(1.5, -1.0)
    moments = core.update_moments(lambda x: ((x @ h) * x).sum(-1) / 2, theta, alpha, grid=100)
    torch.testing.assert_close(moments.mean, -theta, atol=1e-8, rtol=0)
    torch.testing.assert_close(
        moments.covariance / alpha, core.second_order_covariance(h, 1.0), atol=1e-7, rtol=0
    )


def test_completing_the_square_leaves_the_inverse_not_the_hessian() -> None:
    h, g = torch.tensor([[3.0, 1.0], [1.0, 2.0]], dtype=F64), vector(1.0, -2.0)
    printed, right = core.completed_square(g, h)
    newton = core.second_order_update(g, h)
    for step in (vector(0.3, 0.4), vector(-2.0, 1.0)):
        gap = step - newton
        left = -(step @ g) - step @ h @ step / 2
        assert float(left) == pytest.approx(float(-(gap @ h @ gap) / 2 + right), abs=1e-12)
        assert float(left) != pytest.approx(float(-(gap @ h @ gap) / 2 + printed), abs=0.1)


@pytest.mark.parametrize(("alpha", "expected"), [(0.01, -1.934), (5.0, -0.967)])
def test_the_double_well_jumps_against_its_gradient(alpha: float, expected: float) -> None:
    wells = lambda x: (x[..., 0] ** 2 - 1) ** 2 + 0.3 * x[..., 0]  # noqa: E731
    found = core.expected_update(wells, vector(0.9), alpha)
    assert float(found) == pytest.approx(expected, abs=1e-3)
    assert float(core.gradient(wells, vector(0.9))) == pytest.approx(-0.384)


def test_a_loss_with_a_step_is_integrated_to_the_grid_s_accuracy() -> None:
    step = lambda x: (x[..., 0] > 0).double()  # noqa: E731
    alpha = 0.5
    heavy, light = 1.0, math.exp(-1 / alpha)
    expected = (-heavy + light) / (2 * (heavy + light))
    found = core.expected_update(step, vector(0.0), alpha, radius=1.0)
    assert float(found) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize(
    ("loss", "code"),
    [
        (lambda x: x[..., 0], "unbounded"),
        (lambda x: x[..., 0].log(), "nan"),
        (lambda x: -torch.full_like(x[..., 0], math.inf), "nan"),
        (lambda x: torch.full_like(x[..., 0], math.inf), "empty"),
        (lambda x: 1 / 0, "raises"),
        (lambda x: x, "raises"),
    ],
)
def test_a_loss_without_a_density_is_refused_with_its_reason(loss: core.Loss, code: str) -> None:
    with pytest.raises(core.Unusable) as caught:
        core.expected_update(loss, vector(1.0, -1.0), 0.1)
    assert caught.value.code == code
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize("start", [0.0, 0.9])
def test_a_loss_that_falls_without_end_at_a_point_is_refused(start: float) -> None:
    hole = lambda x: x.square().sum(-1) + 1 / x[..., 0]  # noqa: E731
    with pytest.raises(core.Unusable, match=r"raise alpha") as caught:
        core.expected_update(hole, vector(start, 0.0), 0.1)
    assert caught.value.code == "narrow"


def test_a_constant_has_the_gradient_0() -> None:
    flat = core.landscape("own", "1").loss
    assert not core.gradient(flat, vector(0.3, 0.4)).any()
    found = core.density(core.DensityConfig(landscape="own", formula="1", radius=0.5))
    assert found.mean == pytest.approx((0, 0), abs=1e-12)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"alpha": 0.0}, "alpha is 0.0"), ({"alpha": math.nan}, "alpha is nan"),
        ({"alpha": 1.0, "radius": -1.0}, "radius is -1.0"),
    ],
)  # fmt: skip
def test_numbers_out_of_range_are_named(arguments: dict[str, Any], name: str) -> None:
    with pytest.raises(ValueError, match=name):
        core.expected_update(lambda x: x[..., 0] ** 2, vector(0.0), **arguments)
    with pytest.raises(ValueError, match=r"alpha is 0, but must .* take a small alpha"):
        core.first_order_update(vector(1.0), 1.0, 0)
    with pytest.raises(ValueError, match=r"theta has the shape \[3\]"):
        core.expected_update(lambda x: x[..., 0] ** 2, vector(0, 0, 0), 1.0)


def test_an_indefinite_hessian_is_refused_and_damping_mends_it() -> None:
    h, g = torch.diag(vector(3.0, -0.5)), vector(1.0, 1.0)
    with pytest.raises(core.Unusable, match=r"eigenvalue -0\.5"):
        core.second_order_update(g, h)
    torch.testing.assert_close(core.damped_update(g, h, 1.0), vector(-1 / 4, -2.0))


def prior_mean(log_prior: core.Loss, gradient: Tensor, alpha: float) -> Tensor:
    """E D by quadrature, a prior's logarithm in the place of a loss."""
    return core.expected_update(
        lambda x: x @ gradient - alpha * log_prior(x), torch.zeros(2, dtype=F64), alpha
    )


def test_priors_are_the_optimizers_that_they_are_named_after() -> None:
    gradient, alpha = vector(1.3, -0.4), 0.6
    box = lambda x: torch.where(x.abs().amax(-1) <= 0.8, 0.0, -math.inf)  # noqa: E731
    torch.testing.assert_close(
        core.box_update(gradient, 0.8, alpha), prior_mean(box, gradient, alpha), atol=2e-2, rtol=0
    )
    normal = lambda x: -x.square().sum(-1) / (2 * 0.25 * alpha)  # noqa: E731
    torch.testing.assert_close(
        core.gaussian_update(gradient, 0.25), prior_mean(normal, gradient, alpha), atol=1e-9, rtol=0
    )
    curved = torch.diag(vector(3.0, -0.5))
    second = lambda x: normal(x) - ((x @ curved) * x).sum(-1) / (2 * alpha)  # noqa: E731
    torch.testing.assert_close(
        core.damped_update(gradient, curved, 0.25), prior_mean(second, gradient, alpha),
        atol=1e-9, rtol=0,
    )  # fmt: skip
    large = core.box_update(1e6 * gradient, 0.8, alpha)
    torch.testing.assert_close(large, -0.8 * gradient.sign(), atol=1e-5, rtol=0)


def test_a_gaussian_prior_makes_evolution_strategies_of_a_hot_density() -> None:
    """E D = -(sigma^2/alpha) times the gradient of the smoothed loss, which sin has in closed
    form: E cos(x + sigma u) = cos(x) exp(-sigma^2/2)."""
    sigma, alpha, theta = 0.7, 1e4, vector(0.4)
    loss = lambda x: x[..., 0].sin()  # noqa: E731
    prior = lambda x: (x[..., 0] - theta[0]) ** 2 / (2 * sigma**2)  # noqa: E731
    mean = core.expected_update(lambda x: loss(x) + alpha * prior(x), theta, alpha)
    smoothed = math.cos(0.4) * math.exp(-(sigma**2) / 2)
    assert float(mean) * alpha / sigma**2 == pytest.approx(-smoothed, rel=1e-3)
    draws = torch.Generator().manual_seed(0)
    drawn = core.evolution_gradient(loss, theta, sigma, 200_000, draws)
    assert float(drawn) == pytest.approx(smoothed, abs=0.01)


def test_an_ellipsoid_preconditions() -> None:
    gradient, metric = vector(1.3, -0.4, 0.2), vector(4.0, 0.5, 1.0)
    found = core.ellipsoid_update(gradient, metric, 0.5, 0.3)
    ratio = found / (-gradient / metric)
    torch.testing.assert_close(ratio, ratio[:1].expand(3))
    assert float((metric * found**2).sum()) < 0.25
    equal = core.ellipsoid_update(gradient, torch.ones(3, dtype=F64), 0.5, 0.3)
    torch.testing.assert_close(equal, core.first_order_update(gradient, 0.5, 0.3))
