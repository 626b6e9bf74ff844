"""Estimates of information that cannot be negative, and what the panels compute."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import entropy, norm
from sklearn.neighbors import KNeighborsRegressor
from torch.distributions import Categorical, MixtureSameFamily, MultivariateNormal

from core import vae as core
from core.pictures import png_url
from core.vae import data, probes
from core.vae.factors import rotation
from tests.configs import configs


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@settings(max_examples=30)
@given(st.integers(0, 999), st.floats(0.0, 3.0), st.floats(0.0, 3.0), st.integers(1, 4))
def test_no_estimate_is_negative(seed: int, spread: float, std: float, latent: int) -> None:
    means = spread * torch.randn(20, latent, generator=generator(seed))
    ellipses = core.upright(means, torch.full_like(means, std))
    assert 0 <= core.information(ellipses, generator(1), 100) <= math.log(20) + 1e-6
    assert core.aggregate_kl(ellipses, generator(1), 100) >= 0
    assert core.total_correlation(ellipses, generator(1), 100) >= 0
    assert 0 <= core.covered(ellipses, generator(1), 100) <= 1


def test_the_extremes_of_information() -> None:
    apart = core.upright(100 * torch.arange(8.0)[:, None], torch.ones(8, 1))
    assert core.information(apart, generator()) == pytest.approx(math.log(8))
    same = core.upright(torch.zeros(8, 1), torch.ones(8, 1))
    assert core.information(same, generator()) == pytest.approx(0, abs=1e-9)


def tilted(count: int, size: float) -> core.Posterior:
    """Ellipses of about that half axis, each turned its own way."""
    lower = size * (0.6 * torch.eye(2) + torch.randn(count, 2, 2, generator=generator(9)).tril(-1))
    return core.Posterior(0.8 * torch.randn(count, 2, generator=generator()), lower)


def kl_on_a_grid(ellipses: core.Posterior) -> float:
    """KL of the union to N(0, I) by quadrature, from torch's own densities."""
    line = torch.linspace(-7, 7, 281, dtype=torch.float64)
    z = torch.cartesian_prod(line, line)
    parts = MultivariateNormal(ellipses.mean.double(), scale_tril=ellipses.cholesky.double())
    q = MixtureSameFamily(Categorical(torch.ones(len(ellipses.mean))), parts).log_prob(z)
    p = MultivariateNormal(torch.zeros(2).double(), torch.eye(2).double()).log_prob(z)
    return float((q.exp() * (q - p)).sum()) * float(line[1] - line[0]) ** 2


@pytest.mark.parametrize("size", [0.3, 0.8])
def test_the_kl_of_a_union_of_tilted_ellipses_is_the_integral(size: float) -> None:
    ellipses = tilted(12, size)
    exact = kl_on_a_grid(ellipses)
    assert core.aggregate_kl(ellipses, generator(3), 50_000) == pytest.approx(exact, abs=0.03)
    parts = core.information(ellipses, generator(2), 50_000) + exact
    assert parts == pytest.approx(float(ellipses.kl().mean()), abs=0.02)


def test_the_share_that_is_covered_is_that_of_points_in_the_ellipses() -> None:
    ellipses = tilted(5, 0.4)
    z = torch.randn(20_000, 1, 2, generator=generator(4))
    covariance = ellipses.cholesky @ ellipses.cholesky.mT
    away = (z - ellipses.mean).unsqueeze(-1)
    square = (away.mT @ torch.linalg.inv(covariance) @ away).flatten(1)
    expected = float((square <= 4).any(1).double().mean())
    found = core.covered(ellipses, generator(5), 20_000)
    assert found == pytest.approx(expected, abs=5 * (0.5 / 20_000) ** 0.5)
    assert core.covered(core.upright(torch.zeros(3, 2), torch.zeros(3, 2)), generator()) == 0
    line = core.upright(torch.zeros(1, 1), torch.ones(1, 1))  # 86 % in any number of dimensions
    assert core.covered(line, generator(), 20_000) == pytest.approx(1 - math.exp(-2), abs=0.01)


@pytest.mark.parametrize("std", [1.0, 0.5])
def test_the_union_s_excess_is_a_difference_of_densities(std: float) -> None:
    ellipses = core.upright(torch.tensor([[0.4, -0.2]]), torch.full((1, 2), std))
    table = core.union_excess(ellipses, 0.3)
    own = norm.pdf(table["x"], 0.4, std) * norm.pdf(table["y"], -0.2, std)
    prior = norm.pdf(table["x"]) * norm.pdf(table["y"])
    assert np.abs(table["excess"] - (own - prior)).max() < 0.06 / std  # 400 points an ellipse
    assert table["excess"].sum() * 0.3**2 == pytest.approx(0, abs=1e-4)
    assert table["x"].abs().max() == pytest.approx(16 * 0.3)


def test_a_union_that_is_the_prior_has_moment_one_and_no_kl() -> None:
    zero, one = torch.zeros(5, 2), torch.ones(5, 2)
    assert core.second_moment(zero, one).tolist() == [1, 1]
    assert core.aggregate_kl(core.upright(zero, one), generator()) == pytest.approx(0, abs=1e-8)
    same = core.total_correlation(core.upright(zero, one), generator())
    assert same == pytest.approx(0, abs=1e-9)


def test_turning_costs_upright_ellipses_what_the_determinant_says() -> None:
    stds = torch.tensor([[1.0, 0.2]])
    turned = 45 * math.pi / 180
    rotation = np.array(
        [[math.cos(turned), -math.sin(turned)], [math.sin(turned), math.cos(turned)]]
    )
    precision = rotation @ np.diag([1.0, 25.0]) @ rotation.T
    expected = 0.5 * (np.log(np.diag(precision)).sum() - np.log(np.linalg.det(precision)))
    assert core.rotation_excess(stds, 45) == pytest.approx(expected, abs=1e-6)
    assert core.rotation_excess(stds, 0) == pytest.approx(0, abs=1e-6)
    assert core.rotation_excess(torch.full((3, 2), 0.4), 30) == pytest.approx(0, abs=1e-6)
    assert math.isnan(core.rotation_excess(torch.zeros(3, 2), 30))


def test_a_factor_with_an_axis_of_its_own_has_a_gap_of_one() -> None:
    codes = torch.randn(600, 2, generator=generator())
    alone = core.mutual_information_gap(codes, {"first": codes[:, 0]})
    assert alone > 0.8
    turned = codes @ torch.tensor([[1.0, 1.0], [-1.0, 1.0]]).T
    assert core.mutual_information_gap(turned, {"first": codes[:, 0]}) < 0.1


def test_dci_is_one_for_axes_of_their_own_and_zero_for_none() -> None:
    assert core.dci(torch.eye(3)[[2, 0, 1]].double()) == pytest.approx((1, 1))
    assert core.dci(torch.full((4, 3), 1 / 4).double()) == pytest.approx((0, 0), abs=1e-12)
    shared = torch.tensor([[1.0, 0.5], [0.0, 0.5]]).double()  # the second factor needs both codes
    alone = core.dci(shared)
    assert alone[1] == pytest.approx(0.5)
    codes, share = [2 / 3, 1 / 3], shared.sum(1) / 2
    one = 1 - entropy(codes, base=2)
    assert alone[0] == pytest.approx(float(share[0]) * one + float(share[1]))


@settings(max_examples=20)
@given(st.integers(0, 999), st.integers(1, 5), st.integers(1, 4))
def test_dci_stays_between_zero_and_one(seed: int, codes: int, factors: int) -> None:
    table = torch.rand(codes, factors, generator=generator(seed)).double()
    assert all(0 <= score <= 1 for score in core.dci(table / table.sum(0)))


def test_importances_are_those_of_the_codes_that_make_the_factor() -> None:
    codes = torch.randn(500, 3, generator=generator()) * torch.tensor([1.0, 20.0, 0.1])
    classes = torch.nn.functional.one_hot((codes[:, 2] > 0).long()).float()
    found = core.importances(codes, {"number": codes[:, [1]], "class": classes})
    torch.testing.assert_close(found.sum(0), torch.ones(2, dtype=torch.float64))
    assert found[1, 0] > 0.98
    assert found[2, 1] > 0.9


def test_total_correlation_of_a_turned_gaussian_is_that_of_its_correlation() -> None:
    means, stds = torch.zeros(1, 2), torch.tensor([[2.0, 0.5]])
    turn = rotation(30, 2)
    covariance = turn @ torch.diag(stds[0] ** 2) @ turn.T
    squared = float(covariance[0, 1] ** 2 / (covariance[0, 0] * covariance[1, 1]))
    expected = -0.5 * math.log(1 - squared)
    found = core.total_correlation(core.upright(means, stds), generator(), 50_000, turn)
    assert found == pytest.approx(expected, abs=0.02)


def test_neighbors_are_those_of_scikit_learn() -> None:
    x, y = torch.randn(40, 3, generator=generator()), torch.randn(40, 2, generator=generator(1))
    found = probes.neighbors(x, y)
    for k in range(40):
        kept = torch.arange(40) != k
        other = KNeighborsRegressor(5).fit(x[kept].numpy(), y[kept].numpy())
        np.testing.assert_allclose(found[[k]], other.predict(x[[k]].numpy()), rtol=1e-5)


def test_no_turn_of_the_codes_changes_what_a_linear_probe_reads() -> None:
    codes = torch.randn(60, 3, generator=generator()) * torch.tensor([3.0, 1.0, 0.2])
    y = torch.randn(60, 2, generator=generator(1))
    before = probes.predicted(codes, y, generator(2))
    after = probes.predicted(codes @ rotation(37, 3).T, y, generator(2))
    torch.testing.assert_close(before, after, atol=1e-5, rtol=0)


def test_probes_read_what_is_linear_and_not_what_is_noise() -> None:
    x = torch.randn(200, 5, generator=generator())
    y = x @ torch.randn(5, 1, generator=generator(1))
    noise = torch.randn(200, 1, generator=generator(2))
    assert core.explained_variance(x, y, generator()) > 0.99
    assert core.explained_variance(x, noise, generator()) < 0.1
    assert core.accuracy(x, (x[:, 0] > 0).long(), generator()) > 0.85
    wide = torch.cat([x, torch.zeros(200, 500)], dim=1)  # the other form of the same rule
    assert core.explained_variance(wide, y, generator()) > 0.9


def test_active_units_are_those_whose_means_move() -> None:
    model = core.build(core.VAEConfig(data="digits", latent=3, hidden=4))
    with torch.no_grad():
        last = model.encoder[-1]
        assert isinstance(last, torch.nn.Linear)
        last.weight[1].zero_()
    images = data.load("digits").pixels[:50]
    means, stds = core.aggregate_posterior(model, images)
    assert means.shape == stds.shape == (50, 3)
    assert core.active_units(model, images, 1e-9) == 2


# ---- shapes and the world


def test_points_cover_nothing_and_areas_as_much_as_expected() -> None:
    z = core.sample_codes("disc", 100, 0)
    assert core.covered_share(z, 0.0) == 0
    assert core.covered_share(z, 0.2) == pytest.approx(
        float(core.covered_by_chance(100, 0.2)), abs=0.1
    )
    assert core.covered_share(torch.zeros(1, 2), 1.0) == pytest.approx(0.25, abs=0.01)


def test_the_meter_of_dimensions() -> None:
    line = torch.linspace(-1, 1, 50)[:, None] * torch.tensor([[1.0, 0.5]])
    assert core.participation_ratio(line) == pytest.approx(1)
    assert core.participation_ratio(core.sample_codes("disc", 2000, 0)) == pytest.approx(
        2, abs=0.05
    )


def test_the_world_s_numbers_are_those_of_its_ellipses() -> None:
    result = core.world(core.WorldConfig(core.arranged("prior")))
    assert result.kl == 0
    x = core.pictures().double()
    spread = (x - x.mean(0)).square().flatten(1).sum(1)
    np.testing.assert_allclose(result.table["reconstruction"], spread.numpy(), rtol=1e-6)
    points = core.world(core.WorldConfig(core.arranged("points")))
    assert points.reconstruction < 1e-6
    assert points.blur == pytest.approx(0, abs=1e-6)
    assert points.kl > 4


@pytest.mark.parametrize(
    "text", ["", "1,2", "a,b,c,d", "1,2,3,4;1,2,3,4", "nan,0,1,1;" * 4 + "0,0,1,1"]
)
def test_ellipses_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="ellipses is"):
        core.parse_ellipses(text)


def test_ellipses_survive_their_text() -> None:
    means, stds = core.parse_ellipses(core.WorldConfig().ellipses)
    again = core.parse_ellipses(core.format_ellipses(means, stds))
    torch.testing.assert_close(again, (means, stds))


# ---- panels


@settings(max_examples=10)
@given(configs(core.BlurConfig))
def test_the_median_keeps_sharpness_where_the_mean_loses_it(config: core.BlurConfig) -> None:
    result = core.blur_between(config)
    assert result.kept_l2 <= result.kept_l1 + 1e-6
    assert 0 <= result.overlap <= 0.5


@settings(max_examples=15)
@given(configs(core.ScaleConfig))
def test_every_scale_is_its_equivalent_beta(config: core.ScaleConfig) -> None:
    result = core.scale(config)
    assert 0 <= result.reconstruction <= result.variance + 1e-6
    beta = result.equivalent_beta
    if 0.1 <= beta <= 16:
        other = core.scale(core.ScaleConfig(data=config.data, beta=beta))
        assert other.active == result.active
        assert other.kl == pytest.approx(result.kl)


@settings(max_examples=15)
@given(configs(core.PenaltyConfig))
def test_claim_the_box_is_a_constant_above_the_ellipse(config: core.PenaltyConfig) -> None:
    table = core.penalty(config).penalties.pivot(index="std", columns="curve", values="value")
    np.testing.assert_allclose(table["box"] - table["kl"], core.UNIFORM_EXCESS, atol=1e-9)


@pytest.mark.parametrize("view", ["samples", "gaps", "path", "held-out"])
def test_codes_show_what_ships(view: str) -> None:
    result = core.codes(core.CodesConfig(view=view))
    assert result.training == core.SHIPPED["vae"]  # eq. (5)
    assert result.areas["item"].nunique() == 141
    assert len(result.pictures) % 8 == 0
    assert result.pictures["image"].str.startswith("data:image/png;base64,").all()


def test_what_has_no_effect_on_a_training_does_not_ask_for_another() -> None:
    assert (
        core.CodesConfig(family="point", beta="20", penalty="none").training == core.SHIPPED["ae"]
    )
    assert core.CodesConfig(penalty="none", beta="20").training == core.SHIPPED["none"]
    shown = core.codes(core.CodesConfig(seed=9))
    assert shown.training == core.VAEConfig()  # until that one is trained


@pytest.mark.parametrize(
    ("control", "value"),
    [
        ("family", "point"), ("family", "fixed"), ("family", "isotropic"), ("family", "full"),
        ("beta", "4"), ("beta", "20"), ("penalty", "simple"), ("penalty", "none"),
        ("likelihood", "learned"), ("likelihood", "bernoulli"), ("latent", 8),
    ],
)  # fmt: skip
def test_a_first_step_from_the_default_is_to_a_model_that_ships(control: str, value: Any) -> None:
    config = replace(core.CodesConfig(), **{control: value})
    assert config.training in core.SHIPPED.values()


def test_the_decoder_in_the_browser_is_the_model_s() -> None:
    import base64

    sent = core.decoder_weights("vae")
    x = np.array([0.3, -1.2])
    for depth, layer in enumerate(sent["layers"]):
        whole = np.frombuffer(base64.b64decode(layer["numbers"]), "<i2").reshape(layer["rows"], -1)
        x = (whole[:, :-1] @ x + whole[:, -1]) * layer["factor"]
        if depth < len(sent["layers"]) - 1:
            x = x / (1 + np.exp(-x))
    net = core.model(core.SHIPPED["vae"])
    expected = net.decode(torch.tensor([[0.3, -1.2]]))[0].numpy()
    np.testing.assert_allclose(x, expected, atol=5e-3)


def test_a_walk_ends_where_the_reader_stands() -> None:
    result = core.walk(core.WalkConfig(x=-1.5, y=-2.0))
    assert len(result.path) == 9
    assert result.gap > 0
    here = core.model(core.SHIPPED["vae"]).decode(torch.tensor([[-1.5, -2.0]]))
    assert result.path["image"].iloc[-1] == png_url(here.reshape(32, 32).numpy())


def test_models_that_ship_are_compared_in_both_tables() -> None:
    result = core.compare(core.CompareConfig())
    assert result.errors["model"].tolist() == result.codes["model"].tolist() == list(core.COMPARED)
    assert np.isnan(result.codes["kl"].iloc[0])
    ellipses = result.codes.iloc[1:]
    assert (ellipses["aggregate_kl"] >= 0).all()
    sums = ellipses["information"] + ellipses["aggregate_kl"]
    np.testing.assert_allclose(sums, ellipses["kl"], rtol=0.02, atol=0.02)


def test_factors_of_points_have_no_nats() -> None:
    assert math.isnan(core.factors(core.FactorsConfig(model="ae-8")).excess)
    turned = core.factors(core.FactorsConfig(angle=45))
    assert turned.excess > 0
    assert set(turned.table["factor"]) == {"ink", "weight", "style", "character"}
    scores = turned.scores.set_index("score")
    assert scores.index.tolist()[-1] == "total_correlation"
    assert (scores > 0).all(axis=None)
    assert core.factors(core.FactorsConfig(model="ae-8")).scores["trained"].isna().sum() == 1
