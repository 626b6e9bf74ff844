"""Linformer's projections: errors against brute force, fits, and whether m stays constant."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings

from core import attention as core
from core.attention.projection import (
    COUNTS,
    FIT,
    LENGTHS,
    cut_needed,
    fitted_error,
    pooling,
    random_error,
    sequences,
    shipped_fits,
)
from core.attention.shipped import PROJECTIONS
from core.runs import trained
from core.training import task
from tests.configs import configs

QUICK = core.FitConfig(tokens=12, projections=8, dim=4, scale=4.0, steps=60, lr=0.01)


def test_the_task_is_found_by_its_name() -> None:
    assert task("attention.projection") is FIT


def test_errors_of_every_rank_are_those_of_matrices_cut_one_by_one() -> None:
    q, k, v = sequences(9, 5, 4.0, 3, torch.Generator().manual_seed(0)).double()
    exact = core.softmax_attention(q, k, v)
    found = core.cut_errors(q, k, v)
    for m in range(1, 10):
        left, values, right = torch.linalg.svd(core.softmax_weights(q, k))
        cut = (left[..., :m] * values[..., None, :m]) @ right[..., :m, :]
        error = float((cut @ v - exact).norm() / exact.norm())
        assert float(found[m - 1]) == pytest.approx(error, abs=1e-6)


def test_pooling_averages_neighbors_and_is_the_identity_for_as_many() -> None:
    assert pooling(2, 4).tolist() == [[0.5, 0.5, 0, 0], [0, 0, 0.5, 0.5]]
    assert torch.equal(pooling(5, 5), torch.eye(5))
    assert pooling(3, 10).sum(dim=1).tolist() == pytest.approx([1] * 3)


@pytest.mark.parametrize(("m", "error"), [(8, 8.8), (16, 6.7), (64, 2.9), (256, 1.4)])
def test_random_projections_are_as_poor_as_known(m: int, error: float) -> None:
    q, k, v = sequences(256, 16, 4.0, 8, torch.Generator().manual_seed(0))
    assert random_error(q, k, v, m, 0) == pytest.approx(error, rel=0.35)


def test_a_fit_lowers_the_error_and_goes_on_where_it_stopped() -> None:
    before = fitted_error(QUICK, {name: pooling(8, 12) for name in ("e", "f")})
    snapshots = list(core.fit(QUICK))
    assert snapshots[-1].metrics["error"] < before
    first = next(iter(core.fit(QUICK)))
    state = {name: value.clone() for name, value in first.state().items()}
    *_, last = core.fit(QUICK, state)
    whole = snapshots[-1].weights()
    assert all(torch.equal(whole[name], value) for name, value in last.weights().items())


def test_as_many_projections_as_tokens_leave_no_error() -> None:
    first = next(iter(core.fit(replace(QUICK, projections=12))))
    assert first.metrics["error"] < 1e-5


def test_kept_fits_are_what_today_s_code_fits() -> None:
    fits = shipped_fits().set_index(["tokens", "projections", "scale"])["error"]
    assert len(fits) == 2 * sum(m <= int(n) for n in LENGTHS for m in COUNTS)
    config = core.FitConfig(tokens=32, projections=8, scale=1.0)
    *_, last = core.fit(config)
    assert float(fits[32, 8, 1.0]) == pytest.approx(last.metrics["error"], abs=1e-3)


@settings(deadline=None, max_examples=6)
@given(config=configs(core.ProjectionConfig))
def test_a_projection_never_beats_its_cut_and_is_drawn_below_n(
    config: core.ProjectionConfig,
) -> None:
    result = core.projection(config)
    curves = result.errors[result.errors["curve"] != "own"]
    assert (curves["m"] < config.fit.tokens).all()
    assert (curves["value"] > 0).all()
    by_curve = curves.pivot_table(index="m", columns="curve", values="value")
    assert (by_curve["cut"] < by_curve["trained"]).all()
    assert (by_curve["cut"] < by_curve["random"]).all()
    assert result.has_fit == (("own" in set(result.errors["curve"])) or result.trained == 0)


def test_a_fit_that_nobody_made_is_missing_until_it_is_made(store: object) -> None:
    config = core.ProjectionConfig(tokens="32", projections=4, seed=3)
    assert not core.projection(config).has_fit
    made = trained(FIT, config.fit).meta["metrics"]["error"]
    result = core.projection(config)
    assert result.has_fit
    assert result.trained == made


@pytest.mark.parametrize("name", ["recall", "copy"])
def test_claim_the_projections_that_a_task_asks_for_grow_with_its_pairs(name: str) -> None:
    table = PROJECTIONS.load()
    rows = table[(table["task"] == name) & (table["accuracy"] >= 0.9)]
    needed = rows.groupby("pairs")["projections"].min()
    assert needed.index.tolist() == [8, 16, 32, 64]
    ratios = (needed / needed.index).tolist()
    assert ratios == ([1, 1, 1, 1] if name == "recall" else [0.5, 0.5, 0.5, 0.5])


@pytest.mark.parametrize("scale", [1.0, 4.0])
def test_claim_even_the_best_matrix_needs_a_rank_that_grows(scale: float) -> None:
    ranks = [cut_needed(int(n), scale) for n in LENGTHS]
    assert ranks == sorted(ranks)
    assert ranks[-1] > 3 * ranks[0]


def test_another_seed_draws_other_projections() -> None:
    one, other = (
        core.projection(core.ProjectionConfig(tokens="32", projections=8, seed=s)).random
        for s in (0, 1)
    )
    assert one != other
