"""The benchmark of the VAE: its arithmetic, on a model of a few numbers."""

import numpy as np
import pytest
import torch

from benchmarks.likelihood import mean_of_all
from benchmarks.vae import MODEL, likelihood, trained
from core.vae import VAEConfig


def test_the_interval_covers_the_mean_of_all_as_often_as_it_says() -> None:
    random = np.random.default_rng(0)
    lower = torch.tensor(random.normal(90, 24, 1000))
    gap = torch.tensor(random.gamma(2.0, 2.0, 1000))
    truth, hits = float((lower - gap).mean()), []
    for _ in range(400):
        order = random.permutation(1000)
        mean, half = mean_of_all(lower[order], gap[order[:200]])
        hits.append(abs(mean - truth) < half)
    assert np.mean(hits) == pytest.approx(0.95, abs=0.03)
    assert mean_of_all(lower, gap) == pytest.approx((truth, 0))  # nothing is left to chance


def test_the_measured_bound_is_below_the_elbo_s_and_the_training_is_timed() -> None:
    config = VAEConfig(data="digits", hidden=4, steps=20, likelihood="bernoulli")
    model, minutes = trained(config)
    assert minutes > 0
    x = torch.bernoulli(torch.full((20, 64), 0.3), generator=torch.Generator().manual_seed(0))
    lower, gap = likelihood(model, x, 15)
    assert (len(lower), len(gap)) == (20, 15)
    assert float(gap.mean()) > 0


def test_the_model_is_a_plain_one() -> None:
    assert (MODEL.beta, MODEL.family, MODEL.penalty) == (1.0, "diagonal", "kl")
