"""The benchmark of the VAE: its arithmetic, on a model of a few numbers."""

import numpy as np
import pytest
import torch

from benchmarks.vae import MODEL, interval, likelihood, trained
from core.vae import VAEConfig


def test_the_interval_is_that_of_the_mean() -> None:
    values = np.random.default_rng(0).normal(size=100)
    mean, half = interval(values.tolist())
    assert mean == pytest.approx(values.mean())
    assert half == pytest.approx(1.96 * values.std(ddof=1) / 10)


def test_the_measured_bound_is_below_the_elbo_s_and_the_training_is_timed() -> None:
    config = VAEConfig(data="digits", hidden=4, steps=20, likelihood="bernoulli")
    model, minutes = trained(config)
    assert minutes > 0
    x = torch.bernoulli(torch.full((20, 64), 0.3), generator=torch.Generator().manual_seed(0))
    lower, bound = likelihood(model, x)
    assert len(lower) == len(bound) == 20
    assert sum(bound) < sum(lower)


def test_the_model_is_a_plain_one() -> None:
    assert (MODEL.beta, MODEL.family, MODEL.penalty) == (1.0, "diagonal", "kl")
