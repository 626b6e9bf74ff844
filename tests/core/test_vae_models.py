"""The models: bounds, normalized likelihoods, gradients, repeatable trainings, what ships."""

import threading
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from torch import Tensor

from core import library
from core import vae as core
from core.numerics import Diverged
from core.training import task
from core.vae import data

TINY = core.VAEConfig(data="digits", hidden=8, steps=40, batch_size=16, variance=0.1)
FAMILIES = ("fixed", "isotropic", "diagonal", "full")


def tiny(**options: object) -> core.VAEConfig:
    return core.VAEConfig(**{**vars(TINY), **options})


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def digits(count: int = 8) -> Tensor:
    return data.load("digits", "test").pixels[:count]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("likelihood", ["gaussian", "learned", "bernoulli"])
def test_the_elbo_is_below_the_importance_weighted_bound(family: str, likelihood: str) -> None:
    model = core.VAE(tiny(family=family, likelihood=likelihood, latent=3))
    x = torch.bernoulli(digits(), generator=generator())
    lower = torch.stack([core.elbo(model, x, generator(k)) for k in range(200)]).mean(0)
    upper = core.importance_weighted_bound(model, x, 500, generator(1))
    assert bool((lower <= upper + 1e-3).all())


def test_one_sample_of_the_bound_is_an_elbo_without_the_closed_kl() -> None:
    model = core.VAE(tiny(family="full", latent=3))
    x = digits(1).expand(20_000, -1)
    with torch.no_grad():
        one = core.importance_weighted_bound(model, x, 1, generator(1))
        closed = core.elbo(model, x, generator(1))
    gap = one - closed  # the same draws: log p - log q in the place of minus the KL
    assert abs(float(gap.mean())) < 4.5 * float(gap.std()) / 20_000**0.5


def test_a_bound_needs_ellipses_and_samples() -> None:
    points = core.VAE(tiny(family="point"))
    with pytest.raises(ValueError, match="family is 'point'"):
        core.elbo(points, digits())
    with pytest.raises(ValueError, match="samples is 0"):
        core.importance_weighted_bound(core.VAE(TINY), digits(), 0)
    with pytest.raises(ValueError, match="x has 9 pixels an image, but the model takes 64"):
        core.VAE(TINY).posterior(torch.zeros(2, 1, 3, 3))


@pytest.mark.parametrize("likelihood", ["gaussian", "learned"])
def test_a_gaussian_pixel_integrates_to_one(likelihood: str) -> None:
    model = core.AutoEncoder(tiny(likelihood=likelihood)).double()
    z = torch.zeros(1, 2, dtype=torch.float64)
    mean = model.decode(z).detach()

    def density(value: float) -> float:
        x = mean.clone()
        x[0, 5] = value
        with torch.no_grad():
            return float((model.log_likelihood(x, z) - rest).exp())

    with torch.no_grad():  # the other 63 pixels stand at their means
        variance = float(model.pixel_variance())
        rest = model.log_likelihood(mean, z) * 63 / 64
    middle = float(mean[0, 5])
    total, _ = quad(density, middle - 12 * variance**0.5, middle + 12 * variance**0.5)
    assert total == pytest.approx(1, abs=1e-7)


def test_bernoulli_pixels_sum_to_one() -> None:
    model = core.AutoEncoder(tiny(likelihood="bernoulli")).double()
    z = torch.zeros(1, 2, dtype=torch.float64)
    x = torch.bernoulli(digits(1).double(), generator=generator())
    with torch.no_grad():
        both = []
        for value in (0.0, 1.0):
            x[0, 20] = value
            both.append(model.log_likelihood(x, z))
        other = x.clone()
        other[0, 20] = model.decode(z)[0, 20]
        p = float(model.decode(z)[0, 20])
    assert float(both[1] - both[0]) == pytest.approx(np.log(p / (1 - p)), abs=1e-9)
    gray = model.log_likelihood(other, z).detach()
    assert float(gray) == pytest.approx(float(p * both[1] + (1 - p) * both[0]), abs=1e-9)


@pytest.mark.parametrize("family", ["isotropic", "diagonal", "full"])
@pytest.mark.parametrize("penalty", ["kl", "simple"])
def test_gradients_are_finite_differences(family: str, penalty: str) -> None:
    config = tiny(family=family, penalty=penalty, hidden=3)
    model = core.VAE(config).double()
    x = digits(3).double()

    def loss() -> Tensor:
        eps = torch.full((3, 2), 0.7, dtype=torch.float64)
        posterior = model.posterior(x)
        reconstruction = -model.log_likelihood(x, posterior.draw(eps))
        return (reconstruction + 2 * model.penalty(posterior)).sum()

    loss().backward()
    for parameter in model.parameters():
        at = (0,) * parameter.dim()
        with torch.no_grad():
            before = parameter[at].item()
            ends = []
            for step in (1e-5, -1e-5):
                parameter[at] = before + step
                ends.append(float(loss()))
            parameter[at] = before
        assert parameter.grad is not None
        assert float(parameter.grad[at]) == pytest.approx(
            (ends[0] - ends[1]) / 2e-5, rel=1e-4, abs=1e-5
        )


def test_full_posterior_draws_have_its_covariance() -> None:
    posterior = core.Posterior(
        torch.tensor([[1.0, -2.0]]), torch.tensor([[[0.5, 0.0], [0.8, 0.3]]])
    )
    z = posterior.draw(torch.randn(100_000, 1, 2, generator=generator()))[:, 0]
    expected = posterior.cholesky[0] @ posterior.cholesky[0].T
    torch.testing.assert_close(torch.cov(z.T), expected, atol=0.02, rtol=0)
    torch.testing.assert_close(posterior.std[0], expected.diagonal().sqrt())


def test_ellipses_start_upright_and_points_have_none() -> None:
    assert not core.VAE(tiny(family="full")).posterior(digits()).cholesky.isnan().any()
    assert float(core.AutoEncoder(TINY).posterior(digits()).std.max()) == 0
    assert type(core.build(tiny(family="point"))) is core.AutoEncoder


def losses(config: core.VAEConfig) -> list[float]:
    return [snapshot.metrics["loss"] for snapshot in core.train(config)]


def weights(config: core.VAEConfig) -> Tensor:
    """All numbers that a training ends with, single precision."""
    *_, last = core.train(config)
    return torch.cat([value.flatten() for value in last.state().values()])


@pytest.mark.parametrize("family", ["point", "full"])
@pytest.mark.parametrize("likelihood", ["gaussian", "bernoulli"])
def test_the_same_configuration_trains_to_the_same_weights(family: str, likelihood: str) -> None:
    """Bit for bit, alone and beside other trainings; another seed to others."""
    config, found = tiny(family=family, likelihood=likelihood), []
    alone = weights(config)
    threads = [threading.Thread(target=lambda: found.append(weights(config))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(torch.equal(alone, other) for other in found)
    assert len(found) == 4
    assert not torch.equal(alone, weights(replace(config, seed=1)))


@pytest.mark.parametrize("likelihood", ["learned", "bernoulli"])
def test_a_training_goes_on_where_it_stopped(likelihood: str) -> None:
    config = tiny(likelihood=likelihood)
    whole = list(core.train(config))[-1].weights()
    first = next(iter(core.train(config)))
    state = {name: value.clone() for name, value in first.state().items()}
    *_, last = core.train(config, state)
    assert all(torch.equal(whole[name], value) for name, value in last.weights().items())


def test_a_training_learns_and_one_that_fails_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    found = losses(tiny(steps=200, hidden=32))
    assert found[-1] < found[0] - 20

    def broken(*args: object) -> tuple[Tensor, Tensor]:
        return torch.full((2,), torch.nan, requires_grad=True), torch.zeros(2)

    monkeypatch.setattr("core.vae.training.training_loss", broken)
    with pytest.raises(Diverged, match="the loss is nan in step 20"):
        list(core.train(TINY))


def test_the_task_is_found_by_its_name() -> None:
    assert task("vae.model") is core.TRAINING
    assert core.TRAINING.data(TINY) == data.load("digits").digest


@pytest.mark.parametrize("name", core.SHIPPED)
def test_what_ships_is_what_today_s_code_trains(name: str) -> None:
    kept = library.SHIPPED.get(core.TRAINING.key(core.SHIPPED[name]))
    assert kept is not None
    curve = [point["loss"] for point in kept.meta["curve"]]
    today = [s.metrics["loss"] for s in islice(core.train(core.SHIPPED[name]), 2)]
    assert today == pytest.approx(curve[:2], rel=1e-4)
    assert all(value.dtype == torch.float16 for value in kept.tensors.values())


def test_ten_characters_are_split_by_combination() -> None:
    train, test = data.load("characters"), data.load("characters", "test")
    assert (len(train), len(test)) == (120, 20)
    assert set(test.label.tolist()) == set(train.label.tolist()) == set(range(10))
    assert train.weight is not None
    assert 100 <= float(train.weight.min()) < float(train.weight.max()) <= 900
    with pytest.raises(ValueError, match="split is 'half'"):
        data.load("characters", "half")
