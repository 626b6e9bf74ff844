"""Importance sampling of the update: draw from a proposal q, weigh by p/q, average.

D_i ~ q = lambda N(0, sigma^2 I) + (1 - lambda) N(guide, sigma^2 I), and the weights
exp(-[l(theta + D_i) - l(theta)] / alpha) / q(D_i) are divided by their sum, so that neither the
norm of p nor l(theta) is needed. Everything is a logarithm until the last division.

MGS, the method of the paper, does this with four draws around theta and around a step against a
surrogate's gradient. Its program divides by another density than the one it draws from: unit
normals, whatever the size of its noise. With `density="unit"` so does this.

Sources: https://kexue.fm/archives/7521, eq. (9)-(15); Welleck & Cho 2020 (arXiv:2006.03158) and its
program.
"""

import math
from dataclasses import dataclass
from functools import reduce

import torch
from jaxtyping import Float
from torch import Tensor

from core.optimization.errors import Loss, Unusable, check_positive, check_vector, evaluated

DENSITIES = ("honest", "unit", "none")


@dataclass(frozen=True)
class Update:
    """An estimate of E D."""

    delta: Float[Tensor, " d"]
    log_weights: Float[Tensor, " n"]  # of weights that sum to 1
    proposals: Float[Tensor, "n d"]

    @property
    def weights(self) -> Float[Tensor, " n"]:
        """They sum to 1."""
        return self.log_weights.exp()

    @property
    def effective_sample_size(self) -> float:
        """1 / sum of squared weights, from 1 to n."""
        return effective_sample_size(self.weights)


def importance_update(
    loss: Loss,
    theta: Float[Tensor, " d"],
    guide: Float[Tensor, " d"],
    *,
    alpha: int | float,
    sigma: int | float,
    samples: int,
    mixture: int | float = 0.5,
    generator: torch.Generator | None = None,
) -> Update:
    """Eq. (14) with mixture=0, eq. (15) otherwise; mixture=1 draws around theta alone.

    `guide` is a step (minus a surrogate's gradient, sign included), `loss` maps points [n, d] to
    losses [n]. Raises ValueError for numbers out of range; Unusable, a ValueError, if the loss
    raises, is NaN, or is +inf at every draw.
    """
    check_positive(alpha=alpha, sigma=sigma, samples=samples)
    check_vector(theta=theta, guide=guide)
    if not 0 <= mixture <= 1:
        raise ValueError(f"mixture is {mixture}, but must lie between 0 and 1")
    proposals = propose(guide, sigma, samples, mixture, generator)
    log_q = log_proposal(proposals, guide, sigma, mixture)
    return weighted(proposals, log_target(loss, theta + proposals, alpha) - log_q)


def log_target(loss: Loss, points: Float[Tensor, "n d"], alpha: int | float) -> Float[Tensor, " n"]:
    """-l/alpha up to a constant: 0 where the loss is least, so that not all weights underflow.

    Raises Unusable if the loss is +inf everywhere.
    """
    values = evaluated(loss, points)
    if not bool(torch.isfinite(values).any()):
        raise Unusable("empty", "among those that were drawn")
    return (values.min() - values) / alpha


def propose(
    guide: Float[Tensor, " d"],
    sigma: int | float,
    samples: int,
    mixture: int | float,
    generator: torch.Generator | None = None,
) -> Float[Tensor, "n d"]:
    """Draws from the mixture; each one's center is drawn, too."""
    coin = torch.rand(samples, generator=generator)
    noise = torch.randn(samples, len(guide), generator=generator, dtype=guide.dtype)
    return placed(coin, noise, guide, sigma, mixture)


def placed(
    coin: Float[Tensor, " n"],
    noise: Float[Tensor, "n d"],
    guide: Float[Tensor, " d"],
    sigma: int | float,
    mixture: int | float,
) -> Float[Tensor, "n d"]:
    """Standard normal noise around one of the two centers, as the coin on [0, 1) says."""
    return sigma * noise + (coin >= mixture)[:, None] * guide


def log_proposal(
    updates: Float[Tensor, "n d"],
    guide: Float[Tensor, " d"],
    sigma: int | float,
    mixture: int | float,
) -> Float[Tensor, " n"]:
    """The log density of the mixture, finite in any dimension."""
    logs = [
        math.log(share) + log_normal(updates - center, sigma)
        for share, center in ((mixture, torch.zeros_like(guide)), (1 - mixture, guide))
        if share > 0
    ]
    return reduce(torch.logaddexp, logs)


def log_normal(gap: Float[Tensor, "*b d"], sigma: int | float) -> Float[Tensor, "*b"]:
    """ln N(gap; 0, sigma^2 I)."""
    ones = gap.new_ones(gap.shape[-1], dtype=torch.float64)
    square = (gap.to(torch.float64) / sigma).square() @ ones  # a sum of few is slow by itself
    return -square / 2 - gap.shape[-1] * math.log(sigma * math.sqrt(2 * math.pi))


def weighted(proposals: Float[Tensor, "n d"], log_weights: Float[Tensor, " n"]) -> Update:
    """The self-normalized mean. Raises Unusable if every weight is 0."""
    if not bool((log_weights > -math.inf).any()):
        raise Unusable("empty", "among those that were drawn")
    log_weights = torch.log_softmax(log_weights, 0)
    delta = log_weights.exp().to(proposals.dtype) @ proposals
    return Update(delta, log_weights, proposals)


def effective_sample_size(weights: Float[Tensor, " n"]) -> float:
    """1 / sum w^2 of weights that sum to 1."""
    return 1 / float(weights.square().sum())


def mgs_update(
    loss: Loss,
    theta: Float[Tensor, " d"],
    gradient: Float[Tensor, " d"],
    *,
    alpha: int | float,
    noise: Float[Tensor, " d"],
    samples: int = 4,
    density: str = "unit",
    generator: torch.Generator | None = None,
) -> Update:
    """The step of the paper's program: every other draw around -gradient, the rest around 0.

    `noise` has the standard deviation of every coordinate. `density` is what the weights are
    divided by: "honest", what was drawn from; "unit", as the program does; "none".
    """
    check_positive(alpha=alpha, samples=samples)
    if density not in DENSITIES:
        raise ValueError(f"density is {density!r}, but must be one of {DENSITIES}")
    guided = (torch.arange(samples) % 2 == 0)[:, None]
    draws = torch.randn(samples, len(theta), generator=generator, dtype=theta.dtype)
    proposals = noise * draws + torch.where(guided, -gradient, 0.0)
    log_weights = log_target(loss, theta + proposals, alpha)
    if density != "none":
        scale = noise if density == "honest" else torch.ones_like(noise)
        log_weights = log_weights - _log_half_and_half(proposals, -gradient, scale)
    return weighted(proposals, log_weights)


def _log_half_and_half(updates: Tensor, guide: Tensor, scale: Tensor) -> Tensor:
    """ln of the mixture of two normals without its constant, the same for all draws."""
    scale = scale.clamp(min=torch.finfo(scale.dtype).tiny)
    logs = [log_normal((updates - center) / scale, 1.0) for center in (0.0, guide)]
    return torch.logaddexp(*logs)
