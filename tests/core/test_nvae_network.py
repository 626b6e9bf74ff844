"""The network: closed forms, what depends on what, seeds, penalties, flows, outputs."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import logistic
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from core import nvae as core
from core.nvae import data
from core.nvae.outputs import COMPONENTS, log_likelihood

TINY = core.NVAEConfig(groups="1,2", latent=3, width=8)


def tiny(**options: object) -> core.NVAEConfig:
    return core.NVAEConfig(**{**vars(TINY), **options})


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def digits(count: int) -> Tensor:
    return torch.bernoulli(data.load("digits", "test")[:count], generator=generator())


REAL = st.floats(-3, 3)


@settings(deadline=None, max_examples=40)
@given(REAL, REAL, st.floats(-2, 2), st.floats(-1.5, 1.5))
def test_the_residual_kl_is_that_of_two_gaussians(
    mean: float, shift: float, log_std: float, widening: float
) -> None:
    numbers = torch.tensor([mean, shift, log_std, widening], dtype=torch.float64)
    prior = core.Gaussian(numbers[0], numbers[2])
    posterior = prior.residual(numbers[1], numbers[3])
    expected = kl_divergence(
        Normal(posterior.mean, posterior.log_std.exp()), Normal(prior.mean, prior.log_std.exp())
    )
    found = core.residual_gaussian_kl(numbers[1], numbers[3], numbers[2])
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(core.gaussian_kl(posterior, prior), expected, rtol=1e-9, atol=1e-9)


def test_the_residual_kl_is_an_integral() -> None:
    shift, widening, std = 0.7, 0.6, 1.3
    prior, posterior = Normal(0.0, std), Normal(shift, std * widening)

    def integrand(z: float) -> float:
        at = torch.tensor(z)
        return float(posterior.log_prob(at).exp() * (posterior.log_prob(at) - prior.log_prob(at)))

    expected, _ = quad(integrand, -12, 12)
    parts = (torch.tensor(part) for part in (shift, math.log(widening), math.log(std)))
    assert float(core.residual_gaussian_kl(*parts)) == pytest.approx(expected, abs=1e-5)


def test_a_silent_group_costs_exactly_nothing() -> None:
    zero = torch.zeros(5)
    assert core.residual_gaussian_kl(zero, zero, torch.linspace(-4, 4, 5)).abs().max() == 0


def test_the_latents_of_the_post_are_counted() -> None:
    assert core.latent_size((4, 4, 4, 8, 16), (8, 16, 32, 64, 128), 20) == 6_005_760
    ffhq = core.PAPER["ffhq"]
    assert ffhq.sides == (8, 16, 32, 64, 128)
    with pytest.raises(ValueError, match="groups has 2 scales, but spatial has 1"):
        core.latent_size((1, 2), (4,), 20)


def test_importance_of_the_groups_is_that_of_the_authors() -> None:
    found = dict.fromkeys(
        zip(core.PAPER["ffhq"].scale_of, core.importance(core.PAPER["ffhq"]), strict=True)
    )
    assert [weight for _, weight in found] == [1, 4, 16, 32, 64]


def test_an_untrainable_build_takes_no_memory_and_has_the_counted_parameters() -> None:
    row = core.budget(core.BudgetConfig("mnist-padded")).builds.set_index("build")
    expected = core.parameters(core.PAPER["mnist-padded"]) / 1e6
    assert row.loc["mnist-padded", "parameters"] == pytest.approx(expected, abs=0.005)
    small = core.NVAE(TINY)
    assert core.parameters(TINY) == sum(weight.numel() for weight in small.parameters())


@pytest.mark.parametrize("flows", [0, 1])
@pytest.mark.parametrize("posterior", ["residual", "absolute"])
def test_the_bound_with_samples_is_above_the_elbo(posterior: str, flows: int) -> None:
    model = core.NVAE(tiny(posterior=posterior, flows=flows)).eval()
    x = digits(4)
    elbo = torch.stack([core.negative_elbo(model, x, generator(k)) for k in range(40)]).mean(0)
    assert bool((core.negative_log_likelihood(model, x, 200, generator(1)) <= elbo).all())


def test_one_importance_sample_is_the_elbo_with_the_draw_s_own_kl() -> None:
    model = core.NVAE(TINY).eval()
    x = digits(1)
    with torch.no_grad():
        found = model.decode(model.noise(1, generator(3)), model.encode(x))
        pixels = log_likelihood(TINY, found.output, x)
    expected = -(pixels + found.log_ratio)
    torch.testing.assert_close(
        core.negative_log_likelihood(model, x, 1, generator(3)), expected, rtol=1e-5, atol=1e-4
    )


def test_sampling_repeats_with_its_seed_and_is_one_picture_at_temperature_0() -> None:
    model = core.NVAE(TINY).eval()
    first, again = (model.sample(3, 0.8, generator(4)) for _ in range(2))
    torch.testing.assert_close(first, again, rtol=0, atol=0)
    assert not torch.equal(first, model.sample(3, 0.8, generator(5)))
    cold = model.sample(3, 0.0, generator(4))
    torch.testing.assert_close(cold, cold[:1].expand_as(cold), rtol=0, atol=1e-6)
    torch.testing.assert_close(model.sample(3, [0.8, 0.8], generator(4)), first, rtol=0, atol=0)


def test_without_first_weights_every_prior_starts_as_a_unit_gaussian() -> None:
    model = core.NVAE(tiny(start=0.0)).eval().requires_grad_(False)
    priors = model.decode(model.noise(3, generator())).priors
    assert all(float(part.abs().max()) == 0 for p in priors for part in (p.mean, p.log_std))
    drawn = core.NVAE(TINY).eval().requires_grad_(False)
    *_, last = drawn.decode(drawn.noise(3, generator())).priors
    assert float(last.mean.abs().max()) > 0


def test_a_kept_scale_keeps_its_latents() -> None:
    model = core.NVAE(TINY).eval()
    one, other = (model.noise(2, generator(k)) for k in (0, 1))
    mixed = [one[0], *other[1:]]
    first, renewed = (model.decode(noise).z for noise in (one, mixed))
    torch.testing.assert_close(first[0], renewed[0], rtol=0, atol=0)
    assert not torch.equal(first[1], renewed[1])


def test_an_odd_side_is_halved_upward_and_comes_back() -> None:
    config = core.NVAEConfig(data="mnist", groups="1,1,1", halvings=2, width=8)
    assert config.sides == (2, 4, 7)
    model = core.NVAE(config).eval()
    found = model.decode(model.noise(2, generator()), model.encode(torch.zeros(2, 1, 28, 28)))
    assert [z.shape[-1] for z in found.z] == [2, 4, 7]
    assert found.output.shape == (2, 1, 28, 28)


def test_wrong_images_and_temperatures_are_refused() -> None:
    model = core.NVAE(TINY).eval()
    with pytest.raises(ValueError, match=r"x has shape \(2, 1, 9, 9\), but must be \[n, 1, 8, 8\]"):
        model.encode(torch.zeros(2, 1, 9, 9))
    with pytest.raises(ValueError, match="temperature has 3 values, but must have one or 2"):
        model.sample(1, [1.0, 1.0, 1.0])
    with pytest.raises(ValueError, match="n is 0"):
        model.sample(0)
    with pytest.raises(ValueError, match="must be counts from 1 to 64"):
        core.NVAEConfig(groups="4,x")
    with pytest.raises(ValueError, match="can't be halved that often"):
        core.NVAEConfig(data="mnist", groups="1,1,1,1", halvings=2)
    with pytest.raises(ValueError, match="can't be halved that often"):
        core.NVAEConfig(data="mnist", halvings=3)
    with pytest.raises(ValueError, match="importance_samples is 0"):
        core.negative_log_likelihood(model, digits(1), 0)


def test_power_iteration_finds_the_largest_singular_values() -> None:
    model = core.NVAE(TINY)
    penalty = core.SpectralPenalty(model, generator())
    with torch.no_grad():
        for _ in range(60):
            norms, gammas = penalty()
    weights = [part.weight for part in model.modules() if isinstance(part, torch.nn.Conv2d)]
    exact = sum(float(torch.linalg.svdvals(weight.detach().flatten(1))[0]) for weight in weights)
    assert float(norms) == pytest.approx(exact, rel=1e-3)
    assert float(norms) <= exact + 1e-4  # u'Wv is never above it
    count = sum(isinstance(part, torch.nn.BatchNorm2d) for part in model.modules())
    assert float(gammas) == pytest.approx(count)


def test_the_gradient_of_a_singular_value_is_its_two_vectors() -> None:
    layer = torch.nn.Sequential(torch.nn.Conv2d(2, 3, 1), torch.nn.BatchNorm2d(3))
    penalty = core.SpectralPenalty(layer, generator())
    for _ in range(50):
        norms, _ = penalty()
    norms.backward()
    weight = layer[0].weight
    assert isinstance(weight, Tensor)
    left, _, right = torch.linalg.svd(weight.detach().flatten(1), full_matrices=False)
    expected = torch.outer(left[:, 0], right[0])
    torch.testing.assert_close(weight.grad.flatten(1), expected, rtol=1e-3, atol=1e-4)  # type: ignore[union-attr]


@pytest.mark.parametrize("pairs", [1, 2])
def test_a_flow_cell_does_not_look_ahead_and_keeps_volume(pairs: int) -> None:
    flow = core.Flow(3, 8, pairs).double()
    with torch.no_grad():
        for weight in flow.parameters():
            weight.copy_(0.2 * torch.randn(weight.shape, generator=generator()))
    flow.reset()
    z = torch.randn(1, 3, 3, 3, generator=generator(1), dtype=torch.float64)
    for number, shift in enumerate(flow.shifts):
        jacobian = torch.autograd.functional.jacobian(shift, z)
        flat = jacobian.reshape(3, 9, 3, 9).permute(1, 0, 3, 2).reshape(27, 27)
        ahead = flat.T if number % 2 else flat  # the second cell reads from the end
        assert float(ahead.triu().abs().max()) == 0
        assert float(ahead.abs().max()) > 0
    whole = torch.autograd.functional.jacobian(flow, z).reshape(27, 27)
    sign, log_volume = torch.linalg.slogdet(whole)
    assert float(sign) == 1
    assert float(log_volume) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_masses_of_all_levels_sum_to_one(channels: int) -> None:
    size = COMPONENTS * (1 + 2 * channels + (3 if channels == 3 else 0))
    output = torch.randn(1, size, 1, 1, generator=generator(), dtype=torch.float64)
    levels = torch.arange(256, dtype=torch.float64) / 255
    x = torch.full((256, channels, 1, 1), 0.4, dtype=torch.float64)
    x[:, -1, 0, 0] = levels
    total = float(core.mixture_log_mass(output.expand(256, -1, -1, -1), x).exp().sum())
    # of three channels: a row of the joint masses, red and green held
    assert 0 < total < 1 if channels == 3 else total == pytest.approx(1, abs=1e-9)


def test_the_mass_of_a_level_is_that_of_the_logistic_between_its_edges() -> None:
    output = torch.zeros(1, COMPONENTS * 3, 1, 1, dtype=torch.float64)
    output[0, COMPONENTS:] = torch.tensor([0.2, -1.5], dtype=torch.float64).repeat(COMPONENTS)[
        :, None, None
    ]
    level = 150
    x = torch.full((1, 1, 1, 1), level / 255, dtype=torch.float64)
    middle, scale = 2 * level / 255 - 1, math.exp(-1.5)
    edges = logistic.cdf([middle - 1 / 255, middle + 1 / 255], loc=0.2, scale=scale)
    assert float(core.mixture_log_mass(output, x)) == pytest.approx(math.log(np.diff(edges)[0]))
    assert float(core.mean_image(tiny(output="mixture"), output)) == pytest.approx(0.6)


def test_a_cell_computed_again_has_the_same_gradients_and_statistics() -> None:
    found = []
    for checkpointing in (False, True):
        model = core.NVAE(tiny(checkpointing=checkpointing)).train()
        nll, kl = model(digits(8), model.noise(8, generator(1)))
        (nll.mean() + kl.sum(1).mean()).backward()
        gradients = {name: weight.grad for name, weight in model.named_parameters()}
        found.append({**gradients, **core.running_statistics(model)})
    for name, value in found[0].items():
        torch.testing.assert_close(value, found[1][name], rtol=1e-4, atol=1e-5)


def test_readjusting_changes_running_statistics_of_the_way_down_only() -> None:
    model = core.NVAE(TINY).eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    old = core.readjust_batchnorm(model, passes=2, temperature=0.5, generator=generator())
    assert not model.training
    after = model.state_dict()
    changed = {name for name in after if not torch.equal(after[name], before[name])}
    assert changed
    assert all("running" in name and not name.startswith(("encoders", "stem")) for name in changed)
    core.put_back(model, old)
    assert all(torch.equal(model.state_dict()[name], before[name]) for name in before)


def test_readjusted_statistics_are_the_means_of_what_sampling_shows() -> None:
    model = core.NVAE(TINY).eval()
    seen: list[Tensor] = []
    last = model.head[0]
    handle = last.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    core.readjust_batchnorm(model, passes=3, temperature=1.0, generator=generator(), batch=4)
    handle.remove()
    expected = torch.stack([part.mean((0, 2, 3)) for part in seen]).mean(0)
    torch.testing.assert_close(last.running_mean, expected, rtol=1e-4, atol=1e-5)
