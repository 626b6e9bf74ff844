"""What a set of ellipses says of its model: active units, the aggregate, information, coverage.

The aggregate posterior q(z) is the mean of all ellipses q(z | x_i). With the images equally likely
mean KL = I(x; z) + KL(q(z) || N(0, I)). Every estimate here is one that cannot be negative.
Ellipses may be tilted; a point has no density, and is taken for a circle of SHARP.

Source: https://kexue.fm/archives/7725, the last two sections; Burda et al. 2015 (arXiv:1509.00519)
for active units. Axes: ellipses n, draws m, latent dimensions d. Nats.
"""

import math
from collections.abc import Iterator

import torch
from jaxtyping import Float, Int
from scipy.stats import chi2
from torch import Generator, Tensor

from core.vae.gaussians import log_normal
from core.vae.networks import LOG_STD, AutoEncoder, Posterior

THRESHOLD = 0.01  # variance of the means above which a unit is active
SHARP = math.exp(-LOG_STD)  # std that stands for a point where a density is needed
DRAWS = 4000
BLOCK = 128  # draws whose densities are numbers at the same time
TWO_SIGMA = 1 - math.exp(-2)  # of a Gaussian in the plane, what lies within two deviations


@torch.no_grad()
def aggregate_posterior(
    model: AutoEncoder, images: Float[Tensor, "n ..."]
) -> tuple[Float[Tensor, "n d"], Float[Tensor, "n d"]]:
    """Centers and standard deviations of the ellipses of all images; a point has std 0."""
    posterior = model.posterior(images)
    return posterior.mean, posterior.std


def active_units(
    model: AutoEncoder, images: Float[Tensor, "n ..."], threshold: int | float = THRESHOLD
) -> int:
    """How many latent dimensions have means whose variance over the images exceeds `threshold`."""
    means, _ = aggregate_posterior(model, images)
    return int((means.var(0, correction=0) > threshold).sum())


def second_moment(means: Float[Tensor, "n d"], stds: Float[Tensor, "n d"]) -> Float[Tensor, " d"]:
    """E[mu^2] + E[sigma^2], one number a dimension: 1 if the aggregate is N(0, I)."""
    return (means**2 + stds**2).mean(0)


def draws(
    ellipses: Posterior, count: int, generator: Generator
) -> tuple[Float[Tensor, "m d"], Int[Tensor, " m"]]:
    """Codes from the aggregate, and which ellipse each is from: all ellipses in turn."""
    origin = torch.arange(count) % len(ellipses.mean)
    eps = torch.randn(count, ellipses.mean.shape[1], generator=generator).to(ellipses.mean)
    chosen = Posterior(ellipses.mean[origin], ellipses.cholesky[origin])
    return chosen.draw(eps), origin


def information(ellipses: Posterior, generator: Generator, count: int = DRAWS) -> float:
    """I(x; z) = ln n - E H(i | z) in nats: from 0 to ln n."""
    ellipses = sharpened(ellipses)
    z, _ = draws(ellipses, count, generator)
    shares = [densities.log_softmax(1) for densities in _log_densities(z, ellipses)]
    entropy = torch.cat([-(share.exp() * share).sum(1) for share in shares])
    most = math.log(len(ellipses.mean))
    return max(most - float(entropy.mean()), 0.0)  # 0: below it is only rounding


def aggregate_kl(ellipses: Posterior, generator: Generator, count: int = DRAWS) -> float:
    """KL(q(z) || N(0, I)) in nats, by draws from q; at least 0."""
    ellipses = sharpened(ellipses)
    z, _ = draws(ellipses, count, generator)
    prior = log_normal(z, torch.zeros_like(z), torch.ones_like(z))
    return _divergence(prior - _log_mixture(z, ellipses))


def total_correlation(
    ellipses: Posterior,
    generator: Generator,
    count: int = DRAWS,
    turn: Float[Tensor, "d d"] | None = None,
) -> float:
    """KL(q(z) || product of its marginals) in nats, by draws from q(z); at least 0.

    `turn`: of the rotated codes turn z.
    """
    ellipses = sharpened(ellipses)
    if turn is not None:
        ellipses = turned(ellipses, turn)
    z, _ = draws(ellipses, count, generator)
    margins = sum(
        _log_mixture(z[:, [k]], upright(ellipses.mean[:, [k]], ellipses.std[:, [k]]))
        for k in range(z.shape[1])
    )
    return _divergence(margins - _log_mixture(z, ellipses))


def covered(ellipses: Posterior, generator: Generator, count: int = 512) -> float:
    """Share of draws from N(0, I) that lie in an ellipse; points cover nothing.

    Each ellipse is as large as that of two standard deviations in the plane: it holds 86 % of its
    own draws, in any number of dimensions.
    """
    if not bool(ellipses.cholesky.any()):
        return 0.0
    size = ellipses.mean.shape[1]
    z = torch.randn(count, 1, size, generator=generator).to(ellipses.mean)
    away = torch.linalg.solve_triangular(
        sharpened(ellipses).cholesky, (z - ellipses.mean).unsqueeze(-1), upper=False
    )
    inside = away.square().sum((-2, -1)) <= float(chi2.ppf(TWO_SIGMA, size))
    return float(inside.any(1).double().mean())


def upright(means: Float[Tensor, "n d"], stds: Float[Tensor, "n d"]) -> Posterior:
    """Ellipses whose axes are those of the code."""
    return Posterior(means, torch.diag_embed(stds))


def turned(ellipses: Posterior, turn: Float[Tensor, "d d"]) -> Posterior:
    """The ellipses of the codes turn z."""
    turn = turn.double()
    root = turn @ ellipses.cholesky.double()
    return Posterior(ellipses.mean.double() @ turn.T, torch.linalg.cholesky(root @ root.mT))


def sharpened(ellipses: Posterior) -> Posterior:
    """The same with half axes, along the factor's diagonal, of at least SHARP."""
    diagonal = ellipses.cholesky.diagonal(dim1=-2, dim2=-1)
    more = torch.diag_embed((SHARP - diagonal).clamp(min=0))
    return Posterior(ellipses.mean, ellipses.cholesky + more)


def upright_excess(
    precision: Float[Tensor, "n d d"],
) -> Float[Tensor, " n"]:
    """KL from the best upright ellipse to a tilted one: 1/2 (sum ln P_ii - ln det P) >= 0, nats."""
    diagonal = precision.diagonal(dim1=-2, dim2=-1).log().sum(-1)
    return (0.5 * (diagonal - torch.linalg.slogdet(precision)[1])).clamp(min=0)


def _divergence(log_ratio: Float[Tensor, " m"]) -> float:
    """Mean of ln(q / p) at draws from q, given ln(p / q); below 0 it is only the draws' noise."""
    return max(-float(log_ratio.mean()), 0.0)


def _log_mixture(z: Tensor, ellipses: Posterior) -> Float[Tensor, " m"]:
    found = [densities.logsumexp(1) for densities in _log_densities(z, ellipses)]
    return torch.cat(found) - math.log(len(ellipses.mean))


def _log_densities(z: Tensor, ellipses: Posterior) -> Iterator[Float[Tensor, "m n"]]:
    """log N(z_j; mu_i, L_i L_i') of some draws after others: what stays in the cache is fast.

    The square is multiplied out, so that no array of draws times ellipses times dimensions is made.
    """
    means, lower = ellipses.mean.double(), ellipses.cholesky.double()
    precision = torch.cholesky_inverse(lower)
    pulled = (precision @ means.unsqueeze(-1)).squeeze(-1)
    constant = (means * pulled).sum(1)
    factors = torch.cat([precision.flatten(1), -2 * pulled, constant[:, None]], 1).T.contiguous()
    volume = lower.diagonal(dim1=-2, dim2=-1).log().sum(1)
    volume += 0.5 * z.shape[1] * math.log(2 * math.pi)
    for some in z.double().split(BLOCK):
        pairs = (some.unsqueeze(-1) * some.unsqueeze(-2)).flatten(1)
        square = torch.cat([pairs, some, some.new_ones(len(some), 1)], 1) @ factors
        yield square.clamp_(min=0).mul_(-0.5).sub_(volume)
