"""What a model says of an image's probability, in nats: by importance sampling, with its interval.

ln p(x) is estimated by ln mean of p(x | z) p(z) / q(z | x) over draws of z: in expectation between
the ELBO and the truth, and rising with the draws.

Source: Burda et al. 2015 (arXiv:1509.00519). Axes: images n, draws s.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from core.nvae.network import NVAE
from core.nvae.outputs import log_likelihood
from core.nvae.plain import PlainVAE

AT_ONCE = 100  # draws that are computed together


@dataclass(frozen=True)
class Interval:
    """A mean over images, and 1.96 standard errors of it."""

    mean: float
    error: float


@torch.no_grad()
def negative_log_likelihood(
    model: NVAE | PlainVAE,
    images: Float[Tensor, "n c h w"],
    importance_samples: int,
    generator: Generator | None = None,
) -> Float[Tensor, " n"]:
    """-ln p(x), nats an image, with that many draws each. Raises ValueError for less than one."""
    if importance_samples < 1:
        raise ValueError(f"importance_samples is {importance_samples}, but must be at least 1")
    return torch.stack([_one(model, x, importance_samples, generator) for x in images])


@torch.no_grad()
def negative_elbo(
    model: NVAE | PlainVAE, images: Float[Tensor, "n c h w"], generator: Generator | None = None
) -> Float[Tensor, " n"]:
    """-ln p(x | z) + KL for one draw of z an image, nats."""
    parts = images.split(AT_ONCE)
    found = [model(x, model.noise(len(x), generator)) for x in parts]
    return torch.cat([nll + kl.sum(1) for nll, kl in found])


def interval(values: Float[Tensor, " n"]) -> Interval:
    """Of the mean of independent values. Raises ValueError for less than two."""
    if len(values) < 2:
        raise ValueError(f"values has {len(values)} entries, but must have at least 2")
    numbers = values.double()
    return Interval(float(numbers.mean()), 1.96 * float(numbers.std()) / math.sqrt(len(numbers)))


def _one(model: NVAE | PlainVAE, x: Tensor, samples: int, generator: Generator | None) -> Tensor:
    """The bottom-up half is the same for every draw, so it is passed once."""
    seen, weights = model.encode(x[None]), []
    for start in range(0, samples, AT_ONCE):
        count = min(AT_ONCE, samples - start)
        wide = [part.expand(count, *part.shape[1:]) for part in seen]
        found = model.decode(model.noise(count, generator), wide)
        pixels = log_likelihood(model.config, found.output, x.expand(count, -1, -1, -1))
        weights.append(pixels + found.log_ratio)
    return math.log(samples) - torch.cat(weights).logsumexp(0)
