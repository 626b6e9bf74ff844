"""What stands behind the panels: exact families, integrals, shipped models."""

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

from core import nvae as core
from core.images import Gallery, nearest, sharpness
from core.nvae.posteriors import gap
from core.nvae.scales import redrawn
from core.nvae.toys import REACH, axis, fit_mixture


def gaussian_cells(covariance: list[list[float]]) -> torch.Tensor:
    grid = np.stack(np.meshgrid(axis().numpy(), axis().numpy(), indexing="ij"), -1)
    density = torch.tensor(multivariate_normal([0.1, -0.2], covariance).pdf(grid))
    return density / density.sum()


def test_every_family_is_exact_on_its_own_kind() -> None:
    upright = gaussian_cells([[0.1, 0.0], [0.0, 0.05]])
    tilted = gaussian_cells([[0.1, 0.05], [0.05, 0.08]])
    assert core.kl(upright, core.diagonal(upright)) == pytest.approx(0, abs=1e-6)
    assert core.kl(tilted, core.full(tilted)) == pytest.approx(0, abs=1e-6)
    assert core.kl(tilted, core.chain(tilted)) == pytest.approx(0, abs=1e-4)
    correlation = 0.05 / (0.1 * 0.08) ** 0.5
    lost = -0.5 * np.log(1 - correlation**2)  # the mutual information
    assert core.kl(tilted, core.diagonal(tilted)) == pytest.approx(lost, abs=1e-3)


def test_richer_families_come_closer_and_the_chain_s_margin_stays_gaussian() -> None:
    density = core.target("moons", 0.12, 0)
    gaps = [core.kl(density, fit(density)) for fit in (core.diagonal, core.full, core.chain)]
    assert gaps == sorted(gaps, reverse=True)
    margin = core.chain(density).sum(1)
    mean = (margin * axis()).sum()
    std = (margin * (axis() - mean) ** 2).sum().sqrt()
    normal = torch.exp(-0.5 * ((axis() - mean) / std) ** 2)
    torch.testing.assert_close(margin, normal / normal.sum(), atol=5e-4, rtol=0)


def test_two_codes_miss_what_they_share_unless_they_are_a_chain() -> None:
    table = core.target("moons", 0.12, 0).numpy()
    rows, columns = table.sum(1, keepdims=True), table.sum(0, keepdims=True)
    shared = float((table * np.log(np.maximum(table, 1e-300) / (rows * columns))).sum())
    gaps = core.toys(core.ToysConfig()).gaps.set_index("family")["gap"]
    assert gaps["independent"] == pytest.approx(shared, rel=1e-6)
    assert gaps["codes"] == pytest.approx(0, abs=1e-12)
    assert gaps["independent"] < gaps["diagonal"]


def test_expectation_and_maximization_never_get_worse() -> None:
    density = core.target("ring", 0.12, 0)
    found = []
    for rounds in (1, 5, 20, 60):
        mean, std = fit_mixture(density, 8, torch.Generator().manual_seed(0), rounds)
        masses = [
            torch.exp(-0.5 * ((axis() - mean[:, k, None]) / std[:, k, None]) ** 2) for k in (0, 1)
        ]
        left, right = (part / part.sum(1, keepdim=True) for part in masses)
        found.append(core.kl(density, torch.einsum("ki,kj->ij", left, right) / 8))
    assert found == sorted(found, reverse=True)
    assert float(axis()[0]) == -REACH


def test_the_sampled_kl_and_the_integral_agree_with_the_closed_form() -> None:
    result = core.relative(core.RelativeConfig(delta_mean=-1.3, delta_std=0.7, std=0.4, draws=9000))
    assert result.quadrature == pytest.approx(result.kl, abs=1e-7)
    assert abs(result.estimate - result.kl) < 2.5 * result.error


def test_there_is_no_gap_where_the_posterior_is_upright() -> None:
    assert gap("linear") == pytest.approx(0, abs=1e-4)
    assert gap("ring") > 0.5


def test_the_budget_adds_up() -> None:
    result = core.budget(core.BudgetConfig())
    assert result.latents == 6_005_760 == int(result.scales["latents"].sum())
    assert result.finest == pytest.approx(0.873, abs=5e-4)


def test_the_nearest_image_and_sharpness_are_those_by_hand() -> None:
    images = torch.rand(30, 1, 5, 5, generator=torch.Generator().manual_seed(0))
    squared, index = nearest(images[:2] + 0.01, images)
    assert index.tolist() == [0, 1]
    torch.testing.assert_close(squared, torch.full((2,), 25 * 1e-4), atol=1e-5, rtol=1e-2)
    edge = torch.zeros(4, 4)
    edge[:, 2:] = 1
    assert float(sharpness(edge)) == 4


def test_the_kl_along_the_training_is_told_by_scale_and_by_group() -> None:
    by_scale, by_group, active = (
        core.along_training(core.ScalesConfig(model="digits", along=along))
        for along in ("scale", "group", "active")
    )
    assert set(by_scale["curve"]) == {"coarse", "middle", "fine"}
    assert set(by_group["curve"]) == set("123456")
    sums = (table.groupby("step")["value"].sum() for table in (by_scale, by_group))
    first, second = sums
    assert first.to_numpy() == pytest.approx(second.to_numpy())
    assert active["value"].between(0, 24).all()


def test_a_gallery_finds_what_a_search_through_the_numbers_finds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("core.images.BLOCK", 7)  # so that images come in several blocks
    generator = torch.Generator().manual_seed(0)
    grays = torch.randint(0, 16, (30, 1, 5, 5), generator=generator).byte()
    images = grays / 15
    pictures = torch.rand(40, 1, 5, 5, generator=generator)
    gallery = Gallery.of(grays, 15)
    gap, index = gallery.nearest(pictures)
    expected = (pictures.flatten(1)[:, None] - images.flatten(1)).square().sum(2).min(1)
    torch.testing.assert_close(gap, expected.values)
    assert index.tolist() == expected.indices.tolist()
    torch.testing.assert_close(gallery[index].view_as(pictures), images[index])


def test_only_what_is_renewed_changes() -> None:
    config = core.ScalesConfig()
    for scale in range(3):
        images = redrawn(config, [scale])
        assert float((images[1:] - images[:1]).abs().amax((1, 2, 3)).min()) > 0
    still = redrawn(config, [])
    torch.testing.assert_close(still, still[:1].expand_as(still), atol=1e-5, rtol=0)


def test_samples_repeat_and_their_memory_is_measured_against_held_out_images() -> None:
    first, again = (core.samples(core.SamplesConfig(seed=3)) for _ in range(2))
    assert first.pictures.equals(again.pictures)
    alone = core.samples_alone(core.SamplesConfig(seed=3))
    assert first.pictures.head(len(alone)).equals(alone)
    means = first.gaps.groupby("kind")["gap"].mean()
    assert first.ratio == pytest.approx(means["sample"] / means["held-out"])


def test_a_model_that_is_not_here_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from core import library

    core.model.cache_clear()
    monkeypatch.setattr(library, "find", lambda key: None)
    with pytest.raises(core.Absent, match=r"--dataset mnist"):
        core.model("mnist")
