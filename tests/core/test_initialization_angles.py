"""The law of the angle against quadrature, mpmath, samples and the numbers that the post prints."""

import math
import threading

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import kstest

from core import initialization as core

POST = {3: 0.467401, 10: 0.110661, 20: 0.0525832, 50: 0.0204053, 100: 0.0101007,
        200: 0.00502508, 1000: 0.001001}  # fmt: skip
EXACT = {3: 0.4674011003, 10: 0.1106614779, 20: 0.05258316784, 50: 0.02040533163,
         100: 0.01010066661, 200: 0.005025083332, 1000: 0.001001000667}  # fmt: skip
DIMS = (2, 3, 4, 10, 50, 1000)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("dim", POST)
def test_the_variance_has_every_digit_that_the_post_prints(dim: int) -> None:
    found = core.angle_variance(dim)
    digits = len(f"{POST[dim]:.10g}".lstrip("0.").replace(".", ""))
    assert float(f"{found:.{digits}g}") == pytest.approx(POST[dim], abs=1e-12)
    assert found == pytest.approx(EXACT[dim], rel=1e-9)


@pytest.mark.parametrize("dim", DIMS)
def test_the_trigamma_form_is_the_integral_of_the_post(dim: int) -> None:
    def integrand(theta: float) -> float:
        return float((theta - math.pi / 2) ** 2 * core.angle_density(theta, dim))

    integral, _ = quad(integrand, 0, math.pi, points=[math.pi / 2], epsabs=1e-13, limit=200)
    assert core.angle_variance(dim) == pytest.approx(integral, rel=1e-9)


@pytest.mark.parametrize("dim", [3, 17, 768])
def test_the_variance_is_that_of_a_second_library(dim: int) -> None:
    with mpmath.workdps(30):
        assert core.angle_variance(dim) == pytest.approx(
            float(mpmath.psi(1, dim / 2) / 2), rel=1e-13
        )


def test_variances_obey_the_recursion_and_their_closed_starts() -> None:
    assert core.angle_variance(2) == pytest.approx(math.pi**2 / 12, rel=1e-14)
    assert core.angle_variance(3) == pytest.approx(math.pi**2 / 4 - 2, rel=1e-14)
    for dim in range(2, 60):
        step = core.angle_variance(dim) - core.angle_variance(dim + 2)
        assert step == pytest.approx(2 / dim**2, rel=1e-10)


def test_claim_one_over_n_minus_1_is_closer_by_a_whole_order() -> None:
    gaps = {
        away: [abs(core.angle_variance(n) - 1 / (n - away)) for n in (100, 200)] for away in (1, 2)
    }
    assert gaps[1][0] / gaps[1][1] == pytest.approx(8, rel=0.05)  # third order in 1/n
    assert gaps[2][0] / gaps[2][1] == pytest.approx(4, rel=0.05)  # second


@pytest.mark.parametrize("dim", DIMS)
def test_densities_integrate_to_one_and_to_the_distribution(dim: int) -> None:
    whole, _ = quad(lambda at: float(core.angle_density(at, dim)), 0, math.pi, points=[math.pi / 2])
    assert whole == pytest.approx(1, rel=1e-9)
    for theta in (1.0, math.pi / 2, 1.7):
        part, _ = quad(lambda at: float(core.angle_density(at, dim)), 0, theta, limit=500)
        assert float(core.angle_distribution(theta, dim)) == pytest.approx(part, abs=1e-9)


@given(dim=st.integers(2, 500), theta=st.floats(0.05, math.pi - 0.05))
def test_both_densities_are_one_law_seen_twice(dim: int, theta: float) -> None:
    by_cosine = float(core.cosine_density(math.cos(theta), dim)) * math.sin(theta)
    assert float(core.angle_density(theta, dim)) == pytest.approx(by_cosine, rel=1e-9, abs=1e-300)


def test_densities_end_where_angles_end() -> None:
    assert core.angle_density(np.array([-0.1, math.pi + 0.1]), 3).tolist() == [0, 0]
    assert core.cosine_density(np.array([-1.1, 1.1]), 5).tolist() == [0, 0]
    assert math.isinf(core.cosine_density(1.0, 2))
    assert core.angle_density(torch.tensor([0.3, 0.9]), 2) == pytest.approx(1 / math.pi)


@pytest.mark.parametrize("dim", [2, 3, 20, 768])
@pytest.mark.parametrize("seed", [0, 1])
def test_samples_follow_the_law(dim: int, seed: int) -> None:
    sample = core.sample_angles(dim, 4000, generator(seed))
    assert sample.shape == (4000,)
    assert sample.dtype is torch.float64
    assert kstest(sample.numpy(), lambda at: core.angle_distribution(at, dim)).pvalue > 1e-4


@pytest.mark.parametrize(
    ("dim", "share"), [(3, 0.087), (10, 0.201), (50, 0.457), (100, 0.614), (768, 0.984)]
)
def test_the_share_within_five_degrees_is_the_known_one(dim: int, share: float) -> None:
    assert core.within(dim, math.radians(5)) == pytest.approx(share, abs=5e-4)


@pytest.mark.parametrize(("dim", "mean"), [(3, 0.5), (100, 0.0800), (768, 0.0288)])
def test_the_mean_cosine_is_the_known_one(dim: int, mean: float) -> None:
    assert core.mean_absolute_cosine(dim) == pytest.approx(mean, abs=5e-5)
    integral, _ = quad(lambda c: abs(c) * float(core.cosine_density(c, dim)), -1, 1, points=[0])
    assert core.mean_absolute_cosine(dim) == pytest.approx(integral, rel=1e-8)


@given(count=st.integers(1, 6), seed=st.integers(0, 99))
def test_hyperspherical_coordinates_are_a_unit_vector_with_the_first_as_angle(
    count: int, seed: int
) -> None:
    angles = torch.rand(5, count, generator=generator(seed), dtype=torch.float64) * math.pi
    x = core.hyperspherical(angles)
    assert x.shape == (5, count + 1)
    torch.testing.assert_close(x.norm(dim=1), torch.ones(5, dtype=torch.float64))
    first = core.angle_between(x, core.first_axis(count + 1).expand_as(x))
    torch.testing.assert_close(first, angles[:, 0])


def test_the_angle_is_exact_where_arccos_is_not() -> None:
    x = core.first_axis(2)[None]
    near = torch.tensor([[math.cos(1e-9), math.sin(1e-9)]], dtype=torch.float64)
    assert core.angle_between(x, near).item() == pytest.approx(1e-9, rel=1e-6)
    assert core.angle_between(x, -x).item() == pytest.approx(math.pi)


def test_the_expansion_leaves_a_fourth_order_and_gives_the_normal_law() -> None:
    theta = math.pi / 2 + np.array([0.02, 0.04])
    exact, first = core.log_sine_power(theta, 12)
    assert math.log2((exact - first)[1] / (exact - first)[0]) == pytest.approx(4, abs=0.01)
    normal = core.normal_density(theta, 10)
    assert np.log(normal[1] / normal[0]) == pytest.approx(first[1] - first[0])


def test_seeds_decide_the_samples_in_every_thread() -> None:
    alone = core.sample_angles(30, 500, generator(3))
    assert torch.equal(alone, core.sample_angles(30, 500, generator(3)))
    assert not torch.equal(alone, core.sample_angles(30, 500, generator(4)))
    found: list[torch.Tensor] = []
    threads = [
        threading.Thread(target=lambda: found.append(core.sample_angles(30, 500, generator(3))))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(torch.equal(alone, other) for other in found)
    assert len(found) == 4


@pytest.mark.parametrize("dim", [1, 0, -3])
def test_a_line_has_no_angles(dim: int) -> None:
    for call in (
        lambda: core.angle_density(1.0, dim), lambda: core.cosine_density(0.0, dim),
        lambda: core.angle_variance(dim), lambda: core.sample_angles(dim, 3),
        lambda: core.angle_distribution(1.0, dim), lambda: core.first_axis(dim),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=f"dim is {dim}"):
            call()
    with pytest.raises(ValueError, match="count is 0"):
        core.sample_angles(3, 0)
    with pytest.raises(ValueError, match="precision is 0"):
        core.normal_density(1.0, 0)
