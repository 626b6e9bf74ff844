"""What a set of ellipses says of its model: active units, the aggregate, information.

The aggregate posterior q(z) is the mean of all ellipses q(z | x_i). With the images equally likely
mean KL = I(x; z) + KL(q(z) || N(0, I)). Every estimate here is one that cannot be negative.

Source: https://kexue.fm/archives/7725, the last two sections; Burda et al. 2015 (arXiv:1509.00519)
for active units. Axes: ellipses n, draws m, latent dimensions d. Nats.
"""

import math

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from core.vae.gaussians import log_normal
from core.vae.networks import AutoEncoder

THRESHOLD = 0.01  # variance of the means above which a unit is active
SHARP = 1e-4  # std that stands for a point where a density is needed


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
    means: Float[Tensor, "n d"], stds: Float[Tensor, "n d"], count: int, generator: Generator
) -> tuple[Float[Tensor, "m d"], Int[Tensor, " m"]]:
    """Codes from the aggregate, and which ellipse each is from: all ellipses in turn."""
    origin = torch.arange(count) % len(means)
    eps = torch.randn(count, means.shape[1], generator=generator).to(means)
    return means[origin] + stds[origin].clamp(min=SHARP) * eps, origin


def information(
    means: Float[Tensor, "n d"],
    stds: Float[Tensor, "n d"],
    generator: Generator,
    count: int = 2000,
) -> float:
    """I(x; z) = ln n - E H(i | z) in nats, of upright ellipses: from 0 to ln n."""
    z, _ = draws(means, stds, count, generator)
    shares = _log_densities(z, means, stds).log_softmax(1)
    entropy = -(shares.exp() * shares).sum(1)
    return max(math.log(len(means)) - float(entropy.mean()), 0.0)  # 0: below it is only rounding


def aggregate_kl(
    means: Float[Tensor, "n d"],
    stds: Float[Tensor, "n d"],
    generator: Generator,
    count: int = 2000,
) -> float:
    """KL(q(z) || N(0, I)) in nats, by draws from q; at least 0."""
    z, _ = draws(means, stds, count, generator)
    prior = log_normal(z, torch.zeros_like(z), torch.ones_like(z))
    return _divergence(prior - _log_mixture(z, means, stds))


def total_correlation(
    means: Float[Tensor, "n d"],
    stds: Float[Tensor, "n d"],
    generator: Generator,
    count: int = 2000,
    turn: Float[Tensor, "d d"] | None = None,
) -> float:
    """KL(q(z) || product of its marginals) in nats, by draws from q(z); at least 0.

    `turn`: of the rotated codes turn z, whose ellipses are tilted, but whose margins are known.
    """
    z, _ = draws(means, stds, count, generator)
    turn = torch.eye(z.shape[1]) if turn is None else turn
    across = stds.clamp(min=SHARP).square() @ turn.T.square()
    turned, centers, widths = z @ turn.T, means @ turn.T, across.sqrt()
    margins = sum(
        _log_mixture(turned[:, [k]], centers[:, [k]], widths[:, [k]]) for k in range(z.shape[1])
    )
    return _divergence(margins - _log_mixture(z, means, stds))


def aggregate_kl_on_a_grid(
    means: Float[Tensor, "n 2"], stds: Float[Tensor, "n 2"], steps: int = 161, reach: float = 6.0
) -> float:
    """KL(q(z) || N(0, I)) in two dimensions by quadrature of q ln(q/p) + p - q >= 0; nats."""
    line = torch.linspace(-reach, reach, steps, dtype=torch.float64)
    z = torch.cartesian_prod(line, line)
    q = _log_mixture(z, means.double(), stds.double())
    p = log_normal(z, torch.zeros_like(z), torch.ones_like(z))
    inside = q.exp() * (q - p) + p.exp() - q.exp()
    return float(inside.sum()) * float(line[1] - line[0]) ** 2


def upright_excess(
    precision: Float[Tensor, "n d d"],
) -> Float[Tensor, " n"]:
    """KL from the best upright ellipse to a tilted one: 1/2 (sum ln P_ii - ln det P) >= 0, nats."""
    diagonal = precision.diagonal(dim1=-2, dim2=-1).log().sum(-1)
    return (0.5 * (diagonal - torch.linalg.slogdet(precision)[1])).clamp(min=0)


def _divergence(log_ratio: Float[Tensor, " m"]) -> float:
    """Mean of ln(q / p) at draws from q, given ln(p / q); below 0 it is only the draws' noise."""
    return max(-float(log_ratio.mean()), 0.0)


def _log_mixture(z: Tensor, means: Tensor, stds: Tensor) -> Float[Tensor, " m"]:
    return _log_densities(z, means, stds).logsumexp(1) - math.log(len(means))


def _log_densities(z: Tensor, means: Tensor, stds: Tensor) -> Float[Tensor, "m n"]:
    """log N(z_j; mu_i, sigma_i^2): `log_normal` with its square multiplied out, so that no array
    of draws times ellipses times dimensions is made.
    """
    z, means, stds = z.double(), means.double(), stds.double().clamp(min=SHARP)
    precision = stds**-2
    cross = z.square() @ precision.T - 2 * z @ (means * precision).T
    square = (cross + (means.square() * precision).sum(1)).clamp(min=0)
    volume = stds.log().sum(1) + 0.5 * z.shape[1] * math.log(2 * math.pi)
    return -0.5 * square - volume
