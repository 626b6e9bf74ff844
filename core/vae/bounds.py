"""What a model says of an image's probability, in nats: the ELBO and the bound above it.

Source: https://kexue.fm/archives/7725, eq. (5) is minus the ELBO, up to a constant, for a Gaussian
of variance 1/2; Burda et al. 2015 (arXiv:1509.00519) for the importance-weighted bound.
"""

import math

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from core.vae.gaussians import log_normal
from core.vae.networks import VAE, AutoEncoder


def elbo(
    model: VAE, x: Float[Tensor, "n ..."], generator: Generator | None = None
) -> Float[Tensor, " n"]:
    """log p(x | z) - KL(q(z | x) || N(0, I)), one draw of z an image; nats per image.

    Beta and the penalty of the training have no part in it. Raises ValueError for a model whose
    codes are points, which has no finite bound.
    """
    _has_ellipses(model)
    posterior = model.posterior(x)
    z = posterior.draw(_normal(posterior.mean.shape, generator))
    return model.log_likelihood(x, z) - posterior.kl()


def importance_weighted_bound(
    model: VAE, x: Float[Tensor, "n ..."], samples: int, generator: Generator | None = None
) -> Float[Tensor, " n"]:
    """log mean of p(x | z) p(z) / q(z | x) over `samples` draws of z; nats per image.

    In expectation at least the ELBO, at most log p(x), and rising with the samples. Raises
    ValueError as `elbo`, and for less than one sample.
    """
    _has_ellipses(model)
    if samples < 1:
        raise ValueError(f"samples is {samples}, but must be at least 1")
    posterior = model.posterior(x)
    eps = _normal((samples, *posterior.mean.shape), generator)
    z = posterior.draw(eps)
    prior = log_normal(z, torch.zeros_like(z), torch.ones_like(z))
    weights = model.log_likelihood(x, z) + prior - posterior.log_density(eps)
    return weights.logsumexp(0) - math.log(samples)


def training_loss(
    model: AutoEncoder, x: Float[Tensor, "n ..."], generator: Generator | None = None
) -> tuple[Float[Tensor, " n"], Float[Tensor, " n"]]:
    """-log p(x | z) and the penalty without beta, for one draw of z an image; nats per image."""
    posterior = model.posterior(x)
    z = posterior.draw(_normal(posterior.mean.shape, generator))
    return -model.log_likelihood(x, z), model.penalty(posterior)


def _normal(shape: tuple[int, ...], generator: Generator | None) -> Tensor:
    return torch.randn(shape, generator=generator)


def _has_ellipses(model: AutoEncoder) -> None:
    if model.config.family == "point":
        raise ValueError("family is 'point', but a bound needs a posterior with a density")
