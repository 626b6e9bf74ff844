"""Trained models, loaded once, and the measures that every panel reads off them."""

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor

from core.images import nearest
from core.runs import trained
from core.vae import data
from core.vae.measures import (
    active_units,
    aggregate_kl,
    covered,
    information,
    second_moment,
)
from core.vae.networks import AutoEncoder, VAEConfig
from core.vae.training import TRAINING, restored

SAMPLES = 64


@dataclass(frozen=True)
class Measures:
    """Of one model. Squared errors are summed over the pixels, the rest over dimensions; nats."""

    error: float  # of the training images, decoded from the centers of their ellipses
    held_out: float  # of images that training left out
    kl: float  # mean over the training images; NaN for points
    information: float  # I(x; z), at most ln n
    aggregate_kl: float  # of the union of ellipses; NaN for points
    covered: float  # share of N(0, I) that lies in ellipses of two standard deviations
    second_moment: float  # E[mu^2] + E[sigma^2], mean over dimensions
    std: float  # mean half axis
    active: int
    sample_gap: float  # squared distance of a decoded prior sample to the nearest training image


@lru_cache(maxsize=16)
def model(config: VAEConfig) -> AutoEncoder:
    """The trained model, read-only; trained first if it never was."""
    return restored(config, trained(TRAINING, config).tensors)


@lru_cache(maxsize=64)
def measures(config: VAEConfig, images: int = 1000) -> Measures:
    """What the model does, on at most that many images."""
    return measured(model(config), config, images)


@torch.no_grad()
def measured(net: AutoEncoder, config: VAEConfig, images: int = 1000) -> Measures:
    """The measures of a model in hand."""
    train, test = (data.load(config.data, split).pixels[:images] for split in ("train", "test"))
    generator = torch.Generator().manual_seed(config.seed)
    ellipses = net.posterior(train)
    prior = torch.randn(SAMPLES, config.latent, generator=generator)
    points = config.family == "point"
    return Measures(
        error=squared_error(net, train),
        held_out=squared_error(net, test),
        kl=math.nan if points else float(ellipses.kl().mean()),
        information=information(ellipses, generator),
        aggregate_kl=math.nan if points else aggregate_kl(ellipses, generator),
        covered=covered(ellipses, generator),
        second_moment=float(second_moment(ellipses.mean, ellipses.std).mean()),
        std=float(ellipses.std.mean()),
        active=active_units(net, train),
        sample_gap=float(nearest(net.decode(prior), train)[0].mean()),
    )


@torch.no_grad()
def squared_error(net: AutoEncoder, x: Float[Tensor, "n pixels"]) -> float:
    """Mean over the images of |x - D(mu(x))|^2, summed over pixels."""
    return float((x - net.decode(net.encode(x))).square().sum(1).mean())
