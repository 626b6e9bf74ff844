"""Weights: every scheme from every distribution has its variance; meters against plain algebra."""

import math
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import ks_2samp, kstest, laplace, norm, t, truncnorm, uniform

from core import initialization as core
from core.orthogonal import reflections

SHAPES = [(120, 80), (80, 120), (100, 100)]
LAWS = [name for name in core.DISTRIBUTIONS if name != "heavy-t"]  # it has no fourth moment
SIZES = st.integers(1, 12)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def draw(m: int, n: int, scheme: str = "post", seed: int = 0, **options: Any) -> torch.Tensor:
    return core.sample_weight(
        m, n, scheme, generator=generator(seed), dtype=torch.float64, **options
    )


@pytest.mark.parametrize("scheme", core.SCHEMES)
@pytest.mark.parametrize("distribution", LAWS)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_distribution_changes_the_shape_and_never_the_variance(
    scheme: str, distribution: str, shape: tuple[int, int]
) -> None:
    weights = torch.stack(
        [draw(*shape, scheme=scheme, distribution=distribution, seed=k) for k in range(8)]
    )
    expected = core.variance(scheme, *shape)
    kurtosis = 3 if scheme == "orthogonal" else core.kurtosis(distribution, shape[1])
    error = math.sqrt(max(kurtosis - 1, 0.02) / weights.numel())
    assert abs(float(weights.square().mean()) / expected - 1) < 4.5 * error
    assert abs(float(weights.mean())) < 4.5 * math.sqrt(expected / weights.numel())


def test_the_heavy_tail_has_its_variance_in_the_long_run() -> None:
    weight = draw(2000, 1000, distribution="heavy-t", scheme="lecun")
    middle = float((weight.abs() * math.sqrt(1000)).median())
    assert middle == pytest.approx(0.7906 / math.sqrt(5), rel=0.02)  # of t(2.5), scaled
    assert float((weight.abs() * math.sqrt(1000)).max()) > 30


@pytest.mark.parametrize(
    ("distribution", "law"),
    [
        ("normal", norm()), ("laplace", laplace()), ("truncated-normal", truncnorm(-2, 2)),
        ("uniform", uniform(-1, 2)), ("student-t", t(5)), ("heavy-t", t(2.5)),
    ],
)  # fmt: skip
def test_shapes_are_those_of_their_names(distribution: str, law: Any) -> None:
    z = draw(60, 50, distribution=distribution).flatten().numpy() * math.sqrt(60)
    assert kstest(z * law.std(), law.cdf).pvalue > 1e-3
    signs = draw(9, 9, distribution="rademacher") * 3
    assert set(signs.flatten().round(decimals=9).tolist()) == {-1, 1}


@pytest.mark.parametrize("distribution", LAWS)
def test_the_kurtosis_is_that_of_the_samples(distribution: str) -> None:
    z = draw(3000, 300, distribution=distribution) * math.sqrt(3000)
    tolerance = 0.3 if distribution == "student-t" else 0.03
    assert float((z**4).mean()) == pytest.approx(core.kurtosis(distribution, 300), rel=tolerance)
    assert math.isinf(core.kurtosis("heavy-t", 300))


def test_the_truncated_normal_has_the_published_constants() -> None:
    assert core.truncated_variance() == pytest.approx(0.7737413035, abs=1e-10)
    assert 1 / math.sqrt(core.truncated_variance()) == pytest.approx(1.1368472, abs=1e-7)
    assert core.truncated_variance() == pytest.approx(truncnorm(-2, 2).var(), rel=1e-12)
    fourth = truncnorm(-2, 2).moment(4) / truncnorm(-2, 2).var() ** 2
    assert core.kurtosis("truncated-normal", 9) == pytest.approx(fourth, rel=1e-10)


@pytest.mark.parametrize("shape", SHAPES)
def test_variances_are_those_of_torch_where_it_has_the_scheme(shape: tuple[int, int]) -> None:
    init, m, n = torch.nn.init, *shape
    xavier = {"normal": init.xavier_normal_, "uniform": init.xavier_uniform_}
    kaiming = {"normal": init.kaiming_normal_, "uniform": init.kaiming_uniform_}
    for law in ("normal", "uniform"):
        oracles: dict[str, Callable[..., torch.Tensor]] = {
            "xavier": xavier[law],
            "he": partial(kaiming[law], nonlinearity="relu"),
            "he-post": partial(kaiming[law], mode="fan_out", nonlinearity="relu"),
            "lecun": partial(kaiming[law], nonlinearity="linear"),
        }
        for scheme, fill in oracles.items():
            theirs = fill(torch.empty(m, n, dtype=torch.float64), generator=generator(1))
            ours = draw(m, n, scheme=scheme, distribution=law, seed=1)
            torch.testing.assert_close(ours, theirs)  # the same numbers, not only their variance
            theirs = fill(torch.empty(m, n, 3, 3, dtype=torch.float64), generator=generator(1))
            kernel = core.sample_kernel(
                m, n, 3, scheme, distribution=law, generator=generator(1), dtype=torch.float64
            )
            torch.testing.assert_close(kernel, theirs)


def test_the_truncated_normal_is_torch_s_but_for_the_factor_that_it_lacks() -> None:
    theirs = torch.nn.init.trunc_normal_(
        torch.empty(60, 50, dtype=torch.float64), a=-2.0, b=2.0, generator=generator(1)
    )
    ours = draw(60, 50, distribution="truncated-normal") * math.sqrt(60)
    factor = math.sqrt(core.truncated_variance())
    assert ks_2samp((ours * factor).flatten(), theirs.flatten()).pvalue > 1e-3
    assert float(theirs.var()) == pytest.approx(factor**2, rel=0.1)


@pytest.mark.parametrize("shape", SHAPES)
def test_orthogonal_weights_are_those_of_torch(shape: tuple[int, int]) -> None:
    theirs = torch.nn.init.orthogonal_(
        torch.empty(*shape, dtype=torch.float64), generator=generator(2)
    )
    ours = draw(*shape, scheme="orthogonal", seed=2)
    gram = ours @ ours.T if shape[0] < shape[1] else ours.T @ ours
    torch.testing.assert_close(gram, torch.eye(min(shape), dtype=torch.float64))
    if shape[0] >= shape[1]:  # torch draws the transpose where rows are fewer
        torch.testing.assert_close(ours, theirs)


@settings(max_examples=60)
@given(m=SIZES, n=SIZES, seed=st.integers(0, 99), law=st.sampled_from(list(core.DISTRIBUTIONS)))
def test_orthogonal_is_exact_for_every_shape_and_distribution(
    m: int, n: int, seed: int, law: str
) -> None:
    weight = draw(m, n, scheme="orthogonal", distribution=law, seed=seed)
    gram = weight @ weight.T if m < n else weight.T @ weight
    torch.testing.assert_close(gram, torch.eye(min(m, n), dtype=torch.float64), atol=1e-12, rtol=0)


def test_with_the_sign_fixed_rotations_prefer_no_direction() -> None:
    traces = torch.stack([draw(3, 3, scheme="orthogonal", seed=k).trace() for k in range(3000)])
    assert abs(float(traces.mean())) < 4.5 / math.sqrt(3000)  # E tr = 0, E tr^2 = 1 under Haar
    assert float(traces.square().mean()) == pytest.approx(1, abs=4.5 * math.sqrt(2 / 3000))


@pytest.mark.parametrize("scheme", ["post", "lecun", "xavier", "he"])
def test_kernels_count_their_area_in_both_fans(scheme: str) -> None:
    kernel = core.sample_kernel(64, 32, 3, scheme, generator=generator(), dtype=torch.float64)
    assert kernel.shape == (64, 32, 3, 3)
    expected = core.variance(scheme, 64 * 9, 32 * 9)
    error = math.sqrt(2 / kernel.numel())
    assert abs(float(kernel.square().mean()) / expected - 1) < 4.5 * error


def test_an_orthogonal_kernel_is_torch_s() -> None:
    ours = core.sample_kernel(40, 4, 3, "orthogonal", generator=generator(5), dtype=torch.float64)
    theirs = torch.nn.init.orthogonal_(
        torch.empty(40, 4, 3, 3, dtype=torch.float64), generator=generator(5)
    )
    torch.testing.assert_close(ours, theirs)
    with pytest.raises(ValueError, match="size is 0"):
        core.sample_kernel(3, 3, 0, "post")


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((0, 3, "post"), {}, "fan_out is 0"), ((3, -1, "post"), {}, "fan_in is -1"),
        ((3, 3, "kaiming"), {}, "scheme is 'kaiming'"),
        ((3, 3, "post"), {"distribution": "cauchy"}, "distribution is 'cauchy'"),
        ((3, 3, "post"), {"gain": -1.0}, "gain is -1.0"),
        ((3, 3, "post"), {"gain": math.inf}, "gain is inf"),
        ((3, 3, "post"), {"gain": math.nan}, "gain is nan"),
    ],
)  # fmt: skip
def test_bad_arguments_are_named(arguments: Any, options: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        core.sample_weight(*arguments, **options)
    assert core.sample_weight(2, 2, "post", gain=0).eq(0).all()


@pytest.mark.parametrize("distribution", core.DISTRIBUTIONS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_seeds_decide_the_weight_in_every_thread(distribution: str, dtype: torch.dtype) -> None:
    def one(seed: int) -> torch.Tensor:
        return core.sample_weight(
            20, 30, "post", distribution=distribution, generator=generator(seed), dtype=dtype
        )

    found: list[torch.Tensor] = []
    threads = [threading.Thread(target=lambda: found.append(one(7))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert one(7).dtype is dtype
    assert all(torch.equal(one(7), other) for other in found)
    assert not torch.equal(one(7), one(8))


@settings(max_examples=60)
@given(m=SIZES, n=SIZES, seed=st.integers(0, 99))
def test_the_meters_are_what_their_names_say(m: int, n: int, seed: int) -> None:
    weight = draw(m, n, seed=seed)
    gap = weight.T @ weight - torch.eye(n, dtype=torch.float64)
    found = core.orthogonality(weight)
    assert found.entrywise_mse == pytest.approx(float(gap.square().mean()), rel=1e-9, abs=1e-15)
    assert found.relative_frobenius == pytest.approx(float(gap.norm()) / math.sqrt(n), rel=1e-9)
    assert found.spectral == pytest.approx(float(torch.linalg.matrix_norm(gap, 2)), rel=1e-9)
    assert found.condition_number == pytest.approx(float(torch.linalg.cond(weight)), rel=1e-6)


def test_large_weights_have_the_singular_values_of_the_slow_way() -> None:
    for shape in ((600, 530), (530, 600)):
        weight = draw(*shape)
        torch.testing.assert_close(
            core.singular_values(weight), torch.linalg.svdvals(weight), atol=1e-7, rtol=1e-7
        )


def test_a_singular_weight_has_an_infinite_condition() -> None:
    found = core.orthogonality(torch.zeros(3, 3))
    assert math.isinf(found.condition_number)
    assert (found.spectral, found.entrywise_mse) == (1, pytest.approx(1 / 3))


@pytest.mark.parametrize("distribution", ["normal", "uniform", "rademacher", "laplace"])
@pytest.mark.parametrize("shape", [(100, 100), (400, 100), (60, 120)])
def test_the_expected_error_is_the_mean_of_many(distribution: str, shape: tuple[int, int]) -> None:
    errors = [
        core.orthogonality(draw(*shape, distribution=distribution, seed=k)).entrywise_mse
        for k in range(60)
    ]
    expected = core.expected_mse(*shape, core.kurtosis(distribution, shape[1]))
    assert abs(np.mean(errors) - expected) < 4.5 * np.std(errors) / math.sqrt(len(errors))


def test_the_expected_error_of_a_square_normal_weight_is_the_post_s() -> None:
    assert core.expected_mse(100, 100) == pytest.approx(101 / 100**2)
    assert core.expected_mse(400, 100) == pytest.approx(0.002525)
    with pytest.raises(ValueError, match="must be >= 1"):
        core.expected_mse(0, 3)


def test_the_post_s_code_prints_what_it_prints() -> None:
    gram, printed = core.post_code(100, 0)
    assert printed == pytest.approx(0.00934809, abs=5e-9)
    assert core.post_code(100, 42)[1] == pytest.approx(0.01032571, abs=5e-9)
    assert gram.shape == (100, 100)
    state = np.random.get_state(legacy=False)  # noqa: NPY002
    core.post_code(10, 3)
    after = np.random.get_state(legacy=False)  # noqa: NPY002
    assert str(after) == str(state)  # the global state is left alone


def test_the_law_of_large_numbers_reads_norms_and_products() -> None:
    x, y = torch.randn(2, 7, 50, generator=generator(), dtype=torch.float64)
    torch.testing.assert_close(core.inner_product(x, y), (x * y).sum(1))
    torch.testing.assert_close(core.squared_norm(x), x.norm(dim=1) ** 2)
    weight = draw(30, 50)
    expected = (x @ weight.T).norm(dim=1) ** 2 / x.norm(dim=1) ** 2
    torch.testing.assert_close(core.stretch(weight, x), expected)


@pytest.mark.parametrize("ratio", [0.05, 0.25, 1.0, 1.7, 4.0])
def test_the_marchenko_pastur_density_is_one(ratio: float) -> None:
    low, high = core.marchenko_pastur_edges(ratio)
    whole, _ = quad(lambda s: float(core.marchenko_pastur(s, ratio)), low, high, limit=200)
    assert whole == pytest.approx(1, rel=1e-6)
    outside = np.array([low - 0.01, high + 0.01, -0.5])
    assert core.marchenko_pastur(outside, ratio).tolist() == [0, 0, 0]
    moment, _ = quad(lambda s: s * s * float(core.marchenko_pastur(s, ratio)), low, high, limit=200)
    assert moment == pytest.approx(max(ratio, 1), rel=1e-6)  # trace of W^T W is n


def test_a_square_weight_has_the_quarter_circle() -> None:
    s = np.linspace(0, 2, 9)
    assert core.marchenko_pastur(s, 1.0) == pytest.approx(np.sqrt(4 - s**2) / math.pi)
    assert core.marchenko_pastur_edges(0.25) == (0.5, 1.5)
    with pytest.raises(ValueError, match="ratio is 0"):
        core.marchenko_pastur(1.0, 0)


@pytest.mark.parametrize("shape", [(400, 400), (400, 100), (100, 400)])
def test_singular_values_follow_the_law(shape: tuple[int, int]) -> None:
    ratio = shape[1] / shape[0]
    values = core.singular_values(draw(*shape)).numpy()
    low, high = core.marchenko_pastur_edges(ratio)
    grid = np.linspace(low, high, 2001)
    law = np.cumsum(core.marchenko_pastur(grid, ratio)) * (grid[1] - grid[0])
    shares = np.interp(np.sort(values), grid, law)
    assert np.abs(shares - (np.arange(len(values)) + 0.5) / len(values)).max() < 0.03
    assert values.max() < high * 1.05


@pytest.mark.parametrize("shape", [(400, 400), (800, 400), (200, 400)])
def test_a_sketch_tells_what_a_decomposition_tells(shape: tuple[int, int]) -> None:
    weight = core.sample_weight(*shape, "post", generator=generator())
    exact = core.orthogonality(weight)
    found = core.sketch(weight, 100, generator(1))
    near = found.orthogonality
    assert near.entrywise_mse == pytest.approx(exact.entrywise_mse, rel=0.05)
    assert near.relative_frobenius == pytest.approx(exact.relative_frobenius, rel=0.025)
    assert near.spectral == pytest.approx(exact.spectral, rel=0.01)
    assert near.spectral <= exact.spectral * (1 + 1e-5)
    # The shares are those of the eigenvalues: below a place as many as the weights before it say.
    values = torch.linalg.eigvalsh(weight.T.double() @ weight.double()).clamp(min=0).sqrt()
    place = float(values.quantile(0.8))
    assert float(found.shares[found.values < place].sum()) == pytest.approx(0.8, abs=0.12)


@pytest.mark.parametrize("shape", [(300, 300), (300, 150), (150, 300)])
def test_a_sketch_of_reflections_is_that_of_the_matrix_written_out(shape: tuple[int, int]) -> None:
    rotation = reflections(torch.randn(*shape, generator=generator()))
    exact = core.orthogonality(rotation @ torch.eye(shape[1]))
    for weight in (rotation, rotation @ torch.eye(shape[1])):
        found = core.sketch(weight, 200, generator(1))
        near = found.orthogonality
        assert near.relative_frobenius == pytest.approx(
            exact.relative_frobenius, rel=0.03, abs=1e-6
        )
        assert near.entrywise_mse == pytest.approx(exact.entrywise_mse, rel=0.06, abs=1e-12)
        assert near.spectral == pytest.approx(exact.spectral, abs=1e-5)
        assert near.spectral >= near.relative_frobenius * (1 - 1e-6)
        assert float(found.stretches.max()) < 1 + 1e-5
        assert len(found.values) == 1 + (shape[0] < shape[1])  # all there are, and no ghosts
    rotated = core.sketch(rotation, 20, generator(1)).stretches
    assert float((rotated - 1).abs().max()) < 1e-5 or shape[0] < shape[1]


@pytest.mark.parametrize("aspect", ["1", "2", "0.5"])
def test_large_rotations_are_sketched_without_a_seam(
    aspect: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = core.MetersConfig(size=512, scheme="orthogonal", aspect=aspect, distribution="sparse")
    exact = core.meters(config)
    monkeypatch.setattr("core.initialization.sizes.DECOMPOSED", 128)
    near = core.meters(config)
    assert near.entrywise_mse == pytest.approx(exact.entrywise_mse, rel=0.1, abs=1e-12)
    assert near.spectral == pytest.approx(exact.spectral, abs=1e-5)
    assert (near.low, near.high, near.expected_mse) == (exact.low, exact.high, exact.expected_mse)
    assert math.isnan(near.condition_number)


def test_the_longer_side_is_the_size() -> None:
    for aspect, shape in {"0.25": (16, 64), "0.5": (32, 64), "1": (64, 64), "4": (64, 16)}.items():
        assert core.sides(core.MetersConfig(aspect=aspect), 64) == shape
    assert not core.MetersConfig(size=1032).decomposed
    assert core.MetersConfig(size=4096, aspect="4").decomposed


def test_large_weights_are_sketched_without_a_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    config = core.MetersConfig(size=512)
    exact = core.meters(config)
    monkeypatch.setattr("core.initialization.sizes.DECOMPOSED", 256)
    near = core.meters(config)
    assert near.entrywise_mse == pytest.approx(exact.entrywise_mse, rel=0.05)
    assert near.spectral == pytest.approx(exact.spectral, rel=0.01)
    one, other = (r.spectrum[r.spectrum["curve"] == "sample"] for r in (exact, near))
    at = np.linspace(0.2, 1.8, 9)
    densities = [np.interp(at, part["s"], part["value"]) for part in (one, other)]
    np.testing.assert_allclose(densities[0], densities[1], atol=0.15)
    assert "worst-low" in exact.stretches["vector"].tolist()
    assert "worst-low" not in near.stretches["vector"].tolist()
