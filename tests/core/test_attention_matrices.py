"""Attention matrices: meters against closed forms, panels over all their configurations."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import entropy as scipy_entropy

from core import attention as core
from core.attention.scales import SCALES, features
from tests.configs import configs

LEGAL = settings(deadline=None, max_examples=15)


def drawn(n: int, d: int, scale: float, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    q, k = torch.randn(2, n, d, generator=generator, dtype=torch.float64)
    return core.scaled(q, k, scale)


def test_uniform_rows_and_single_keys_are_the_ends_of_every_meter() -> None:
    uniform, single = torch.full((8, 8), 1 / 8, dtype=torch.float64), torch.eye(8).double()
    assert core.entropies(uniform).tolist() == pytest.approx([1] * 8)
    assert core.entropies(single).tolist() == [0] * 8
    assert core.evenness(uniform).tolist() == pytest.approx([1] * 8)
    assert core.evenness(single).tolist() == pytest.approx([1 / math.sqrt(8)] * 8)
    assert core.distances(uniform, single).tolist() == pytest.approx([7 / 8] * 8)
    assert (core.rank(uniform), core.rank(single)) == (1, 8)


@settings(deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(2, 12))
def test_entropy_is_scipy_s_and_between_0_and_1(seed: int, n: int) -> None:
    matrix = torch.from_numpy(np.random.default_rng(seed).dirichlet(np.ones(n), n))
    found = core.entropies(matrix)
    np.testing.assert_allclose(found, scipy_entropy(matrix.numpy(), axis=1) / math.log(n))
    assert bool(((found >= 0) & (found <= 1 + 1e-12)).all())


def test_causal_rows_are_compared_with_the_keys_they_may_see() -> None:
    lower = torch.tril(torch.ones(5, 5, dtype=torch.float64))
    equal = lower / lower.sum(dim=-1, keepdim=True)
    found = core.entropies(equal, causal=True)
    assert math.isnan(found[0])  # one key: no choice, no entropy
    assert found[1:].tolist() == pytest.approx([1] * 4)
    assert core.evenness(equal, causal=True).tolist() == pytest.approx([1] * 5)


def test_negative_weights_have_no_entropy() -> None:
    assert bool(core.entropies(torch.tensor([[1.5, -0.5]])).isnan().all())


@pytest.mark.parametrize(
    ("kind", "rank"),
    [("elu", 16), ("relu", 16), ("exp", 16), ("cosine", 17), ("taylor2", 153), ("efficient", 16)],
)
def test_a_kernel_has_the_rank_of_its_features_and_softmax_a_full_one(kind: str, rank: int) -> None:
    q, k = drawn(256, 16, 4.0)
    assert core.rank(core.weights(q, k, kind)) == rank
    assert core.rank(core.weights(q, k, "softmax")) > 240
    assert core.rank(core.weights(q, k, "elu", causal=True)) == 256


@pytest.mark.parametrize(
    ("scale", "expected"),
    [
        (0.04, {"elu": 0.018, "cosine": 0.086}),
        (1.0, {"elu": 0.359, "efficient": 0.353, "cosine": 0.286, "taylor2": 0.096}),
        (4.0, {"elu": 0.869, "efficient": 0.851, "cosine": 0.854, "taylor2": 0.711}),
    ],
)
def test_distances_to_softmax_are_the_known_ones(scale: float, expected: dict[str, float]) -> None:
    """Entries N(0, s²) without 1/sqrt(d) are this scale with s² = scale / sqrt(d)."""
    q, k = drawn(256, 16, scale)
    softmax = core.weights(q, k, "softmax")
    for kind, distance in expected.items():
        found = float(core.distances(core.weights(q, k, kind), softmax).mean())
        assert found == pytest.approx(distance, abs=0.03 if scale < 4 else 0.06)


def test_scaling_multiplies_the_products() -> None:
    generator = torch.Generator().manual_seed(0)
    q, k = torch.randn(2, 3, 5, 9, generator=generator, dtype=torch.float64)
    scaled_q, scaled_k = core.scaled(q, k, 7.0)
    torch.testing.assert_close(scaled_q @ scaled_k.mT, 7 * q @ k.mT / 3)


@LEGAL
@given(config=configs(core.MatricesConfig))
def test_panels_have_every_cell_and_meters_within_bounds(config: core.MatricesConfig) -> None:
    result = core.matrices(config)
    n = config.tokens
    for cells in (result.softmax, result.kernel):
        assert len(cells) == n * n
        assert cells["query"].tolist()[::n] == [str(i) for i in range(1, n + 1)]
    table = result.table.set_index("kind")
    assert table.loc["softmax", "distance"] == 0
    bounded = table.drop("identity")
    assert bounded["distance"].between(0, 1 + 1e-9).all()
    assert bounded["entropy"].dropna().between(-1e-9, 1 + 1e-9).all()
    assert table["rank"].between(0, n).all()
    if config.kernel != "identity":
        assert result.negative == 0
    if not config.causal:
        sums = result.kernel.groupby("query")["weight"].sum()
        np.testing.assert_allclose(sums[sums != 0], 1, rtol=1e-6)
        assert (sums == 0).sum() == result.empty


def test_claim_softmax_picks_a_few_keys_and_kernels_look_nearly_everywhere() -> None:
    table = core.matrices(core.MatricesConfig()).table.set_index("kind")["entropy"]
    assert table["softmax"] < 0.5
    for kind in ("elu", "relu", "exp", "cosine", "efficient"):
        assert table[kind] > 0.9


def test_claim_a_signed_kernel_gives_no_distribution() -> None:
    result = core.matrices(core.MatricesConfig(kernel="identity"))
    assert 0.3 < result.negative < 0.7
    assert result.extreme > 1
    assert math.isnan(result.entropy)


def test_causality_makes_the_rank_full_again() -> None:
    free, causal = (core.matrices(core.MatricesConfig(causal=c)) for c in (False, True))
    assert (free.rank, causal.rank) == (16, 24)


@settings(deadline=None)
@given(x=st.floats(-5, 5), order=st.integers(0, 12))
def test_taylor_is_the_series_term_by_term(x: float, order: int) -> None:
    expected = sum(x**power / math.factorial(power) for power in range(order + 1))
    found = float(core.taylor(torch.tensor(x, dtype=torch.float64), order))
    assert found == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("order", "least"), [(2, 0.5), (4, 0.270395), (6, 0.149325)])
def test_even_orders_are_positive_everywhere(order: int, least: float) -> None:
    x = torch.linspace(-6, 6, 200_001, dtype=torch.float64)
    assert float(core.taylor(x, order).min()) == pytest.approx(least, abs=1e-6)
    assert float(core.taylor(x, order - 1).min()) < 0


def test_taylor_on_products_is_the_kernel_with_those_features() -> None:
    q, k = drawn(20, 6, 2.0)
    sims = core.taylor(q @ k.mT, 2)
    torch.testing.assert_close(sims / sims.sum(dim=-1, keepdim=True), core.weights(q, k, "taylor2"))
    assert features(16)["taylor2"] == 153
    assert features(16)["cosine"] == 17


@settings(deadline=None, max_examples=8)
@given(config=configs(core.ScalesConfig))
def test_scales_have_a_distance_for_every_curve_and_name_the_nearest(
    config: core.ScalesConfig,
) -> None:
    result = core.scales(config)
    assert (result.curves.groupby("curve").size() == len(SCALES)).all()
    table = result.table.set_index("kind")
    assert result.distance == table.drop("uniform")["distance"].min()
    assert table["negative"][["taylor2", "taylor4"]].tolist() == [0, 0]


def test_claim_cheap_kernels_are_no_better_than_equal_weights_at_either_end() -> None:
    small, usual, large = (
        core.scales(core.ScalesConfig(scale=scale)).table.set_index("kind")["distance"]
        for scale in (0.1, 1.0, 10.0)
    )
    assert small["uniform"] < 0.05
    assert min(small["relu"], small["cosine"]) > small["uniform"]
    cheap = ["elu", "relu", "exp", "cosine", "efficient"]
    assert usual["taylor4"] < usual["taylor2"] < usual[cheap].min()
    assert ((large["uniform"] - large[cheap]).abs() < 0.06).all()
    assert large["uniform"] > 0.9


def test_the_same_seed_gives_the_same_matrices_and_another_one_others() -> None:
    one, same, other = (core.matrices(core.MatricesConfig(seed=s)) for s in (1, 1, 2))
    assert one.softmax.equals(same.softmax)
    assert not one.softmax.equals(other.softmax)
