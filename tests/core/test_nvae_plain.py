"""The plain VAE and what is measured beside it, a reader's own picture, the ablations."""

import dataclasses
import importlib
import io

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch.distributions import Bernoulli, Normal, kl_divergence

from core import nvae as core
from core.images import sharpness
from core.numerics import Diverged
from core.nvae import ablation
from core.nvae.likelihood import negative_elbo
from core.nvae.training import train

compare = importlib.import_module("core.nvae.compare")  # the function has the module's name
TINY = core.PlainConfig(latent=3, width=4, steps=10, batch_size=8)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def png(image: np.ndarray, kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, kind)
    return file.getvalue()


# ---- the plain VAE


def test_the_plain_vae_s_loss_is_that_of_torch_s_own_distributions() -> None:
    model = core.PlainVAE(TINY).eval()
    x, noise = torch.bernoulli(torch.rand(5, 1, 8, 8, generator=generator())), [torch.randn(5, 3)]
    with torch.no_grad():
        nll, kl = model(x, noise)
        mean, log_std = model.posterior(model.encoder(2 * x - 1).flatten(1)).chunk(2, 1)
        posterior = Normal(mean, (5 * torch.tanh(log_std / 5)).exp())
        z = mean + posterior.stddev * noise[0]
        pixels = Bernoulli(logits=model.decoder(model.start(z).unflatten(1, model.inside)))
    expected = kl_divergence(posterior, Normal(0.0, 1.0)).sum(1)
    torch.testing.assert_close(kl.sum(1), expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(nll, -pixels.log_prob(x).sum((1, 2, 3)), rtol=1e-4, atol=1e-4)


def test_with_one_latent_importance_sampling_finds_the_integral() -> None:
    model = core.PlainVAE(dataclasses.replace(TINY, latent=1)).eval()
    x = torch.bernoulli(torch.rand(1, 1, 8, 8, generator=generator(1)))
    z = torch.linspace(-8, 8, 4001)
    with torch.no_grad():
        pixels = Bernoulli(logits=model.decode([z[:, None]]).output).log_prob(x).sum((1, 2, 3))
    density = (pixels + Normal(0.0, 1.0).log_prob(z)).double()
    truth = -float(torch.trapezoid((density - density.max()).exp(), z.double()).log()) - float(
        density.max()
    )
    found = core.negative_log_likelihood(model, x, 20_000, generator(2))
    assert float(found) == pytest.approx(truth, abs=0.02)


@pytest.mark.parametrize("name", list(core.BESIDE))
def test_both_models_of_a_pair_have_as_many_weights(name: str) -> None:
    plain = sum(weight.numel() for weight in core.PlainVAE(core.BESIDE[name]).parameters())
    nvae = core.NVAE(core.SHIPPED[name], device="meta")
    assert plain == pytest.approx(sum(weight.numel() for weight in nvae.parameters()), rel=0.07)


def test_the_plain_vae_is_trained_by_the_same_code() -> None:
    last = list(train(TINY))[-1]
    again = list(train(TINY))[-1].weights()
    assert all(torch.equal(value, again[name]) for name, value in last.weights().items())
    assert last.metrics["loss"] == pytest.approx(
        last.metrics["reconstruction"] + last.metrics["kl_1"]
    )


# ---- beside each other


def test_a_likelihood_goes_on_where_it_stopped_and_both_see_the_same_image(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nvae = core.NVAE(core.NVAEConfig(groups="1", latent=2, width=4)).eval()
    plain = core.PlainVAE(TINY).eval()
    monkeypatch.setattr(compare, "model", lambda name: nvae)
    monkeypatch.setattr(compare, "plain", lambda name: plain)
    gray = torch.rand(10, 1, 8, 8, generator=generator())
    monkeypatch.setattr(compare.data, "held_out", lambda name, count: gray[:count])
    config = core.LikelihoodConfig(images=10, draws="10")
    steps = list(compare.measure(config))
    resumed = list(compare.measure(config, steps[3].state()))[-1].weights()
    for name, value in steps[-1].weights().items():
        assert torch.equal(value, resumed[name])
    x = torch.bernoulli(gray[[7]], generator=(drawn := generator(7)))
    assert float(negative_elbo(nvae, x, drawn)) == float(steps[-1].weights()["nvae.elbo"][7])


def test_what_is_shipped_of_the_pair_adds_up() -> None:
    found = core.likelihoods(core.CompareConfig().likelihood)
    rows = found.table.set_index("kind")
    assert (rows["nll"] <= rows["elbo"]).all()
    assert found.difference.mean == pytest.approx(rows["nll"]["plain"] - rows["nll"]["nvae"])
    apart = np.hypot(rows["nll_error"]["plain"], rows["nll_error"]["nvae"])
    assert found.difference.error < apart  # the same images under both
    bits = rows["nll"]["nvae"] / 1024 / np.log(2)
    assert rows["bits"]["nvae"] == pytest.approx(bits)
    looks = core.compare(core.CompareConfig()).looks.set_index("kind")
    data = compare.data.held_out("glyphs", compare.MEASURED)
    assert looks["samples"]["data"] == pytest.approx(float(sharpness(data[:, 0]).mean()))
    assert looks["error"]["data"] == 0


# ---- a reader's own picture


@given(bits=st.lists(st.booleans(), min_size=64, max_size=64))
def test_a_picture_survives_the_address(bits: list[bool]) -> None:
    picture = torch.tensor(bits).float().reshape(1, 8, 8)
    code = core.encode_picture(picture)
    assert torch.equal(core.decode_picture(code, "digits"), picture)
    with pytest.raises(core.Unreadable, match="code"):
        core.decode_picture(code, "glyphs")


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
@pytest.mark.parametrize("turned", [False, True])
def test_ink_is_centered_scaled_and_black_on_white_whatever_the_ground(
    kind: str, turned: bool
) -> None:
    drawn = np.full((300, 200), 250, np.uint8)
    drawn[40:120, 30:70] = 10
    found = core.read_image(png(255 - drawn if turned else drawn, kind), "glyphs")[0]
    rows, columns = (torch.nonzero(found.any(axis)).flatten() for axis in (1, 0))
    assert (int(rows[0]), int(rows[-1]), int(columns[0]), int(columns[-1])) == (2, 29, 9, 22)
    assert bool(found[2:30, 9:23].all())


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty"),
        (b"no picture", "format"),
        (png(np.zeros((4, 4), np.uint8)), "size"),
        (png(np.zeros((9, 4001), np.uint8)), "size"),
        (png(np.full((50, 50), 200, np.uint8)), "blank"),
        (bytes(core.BYTES + 1), "large"),
        (png(np.random.default_rng(0).integers(0, 256, (50, 50), np.uint8))[:900], "format"),
        (png(np.arange(100, dtype=np.uint8).reshape(10, 10), "GIF"), "format"),
    ],
)
def test_what_can_t_be_a_picture_is_refused_with_a_reason(content: bytes, code: str) -> None:
    with pytest.raises(core.Unreadable) as refused:
        core.read_image(content, "glyphs")
    assert refused.value.code == code


def test_an_upload_of_a_character_is_made_again_like_the_character() -> None:
    typed, _ = core.typed("永", "glyphs", 0)
    big = np.kron(1 - typed[0].numpy(), np.ones((9, 9))) * 255
    read = core.read_image(png(big.astype(np.uint8)), "glyphs")
    moved = [torch.roll(read, (y, x), (1, 2)) for y in range(-3, 4) for x in range(-3, 4)]
    assert min(float((typed - one).abs().mean()) for one in moved) < 0.06
    result = core.own(core.OwnConfig(picture=core.encode_picture(read)))
    assert not result.seen
    assert result.cost < 2 * result.usual.mean


def test_a_character_that_the_data_lack_is_named() -> None:
    for text, name in (("a", "glyphs"), ("", "glyphs"), ("永", "digits")):
        with pytest.raises(core.Unreadable, match="unknown"):
            core.typed(text, name, 0)


@settings(max_examples=30)
@given(seed=st.integers(0, 999), size=st.integers(2, 9))
def test_an_arc_keeps_its_ends_and_lengths_between_them(seed: int, size: int) -> None:
    start, end = torch.randn(2, size, generator=generator(seed))
    path = core.arc(start, end, 7)
    torch.testing.assert_close(path[0], start, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(path[-1], end, atol=1e-4, rtol=1e-4)
    unit = core.arc(start / start.norm(), end / end.norm(), 7).norm(dim=1)
    torch.testing.assert_close(unit, torch.ones(7), atol=2e-3, rtol=0)


def test_what_was_whitened_makes_the_same_picture_from_the_priors() -> None:
    model = core.NVAE(core.NVAEConfig(groups="1,2", latent=2, width=8)).eval()
    x = torch.bernoulli(torch.rand(2, 1, 8, 8, generator=generator()))
    with torch.no_grad():
        given = model.decode(model.noise(2, generator(1)), model.encode(x))
        again = model.decode(given.whitened())
    torch.testing.assert_close(again.output, given.output, atol=1e-4, rtol=1e-4)


# ---- ablations


def test_every_variant_changes_what_its_name_says_and_latents_stay_equal() -> None:
    base = dataclasses.asdict(ablation.BASE)
    for variant, changes in core.VARIANTS.items():
        config = core.AblationConfig(variant=variant).training(2)
        assert config.seed == 2
        assert {
            name for name, value in dataclasses.asdict(config).items() if value != base[name]
        } <= {*changes, "seed"}
    several = [core.AblationConfig(variant=f"groups-{k}").training(0) for k in (1, 2, 4)]
    sizes = {core.latent_size(c.groups_per_scale, c.sides, c.latent) for c in several}
    assert sizes == {512}


def test_an_ablation_goes_on_where_it_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        ablation, "_measured", lambda config: dict.fromkeys(core.MEASURES, 1.0 + config.seed)
    )
    config = core.AblationConfig(seeds=3, seed=7)
    first, *_, last = ablation.ablate(config)
    assert last.weights()["runs"][:, 0].tolist() == [8, 9, 10]
    resumed = list(ablation.ablate(config, first.state()))[-1]
    assert torch.equal(resumed.weights()["runs"], last.weights()["runs"])


def test_a_run_that_breaks_counts_as_failed_and_one_that_doesn_t_is_measured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tiny = core.NVAEConfig(groups="1", latent=2, width=4, steps=10, batch_size=8)
    found = ablation._measured(tiny)
    assert list(found) == list(core.MEASURES)
    assert found["failed"] == 0
    assert np.isfinite(list(found.values())).all()
    step = core.Training.step

    def broken(self: core.Training, images: torch.Tensor, at: int) -> torch.Tensor:
        if at == 6:
            raise Diverged("here")
        return step(self, images, at)

    monkeypatch.setattr(core.Training, "step", broken)
    assert ablation._measured(tiny)["failed"] == 1


def test_intervals_over_seeds_are_student_s() -> None:
    found = ablation.over_seeds(pd.Series([1.0, 2.0, 4.0]))
    # Student's table: 4.303 at two degrees of freedom
    assert found.error == pytest.approx(4.3027 * np.std([1, 2, 4], ddof=1) / 3**0.5, rel=1e-4)
