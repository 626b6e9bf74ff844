"""What a code's distribution costs against the unit Gaussian, in nats, summed over dimensions.

Source: https://kexue.fm/archives/7725, eq. (3) and (4). Axes: batch n, latent dimensions d.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

# KL(uniform) - KL(Gaussian of the same mean and variance), per dimension: 1/2 ln(2 pi e / 12).
UNIFORM_EXCESS = 0.5 * math.log(2 * math.pi * math.e / 12)


def gaussian_kl(
    mean: Float[Tensor, "*n d"], log_variance: Float[Tensor, "..."]
) -> Float[Tensor, "*n"]:
    """KL(N(mean, variance) || N(0, I)), eq. (4): nats, summed over the last axis."""
    _same_shape(mean, log_variance, "log_variance")
    # expm1 keeps every digit where the variance is close to 1.
    return 0.5 * (mean**2 + torch.expm1(log_variance) - log_variance).sum(-1)


def uniform_kl(mean: Float[Tensor, "*n d"], std: Float[Tensor, "..."]) -> Float[Tensor, "*n"]:
    """KL(box || N(0, I)) of the uniform box with this mean and std per side, in nats.

    It differs from the Gaussian's by a constant, so its gradients are the same. Raises ValueError
    if a std is not positive.
    """
    _same_shape(mean, std, "std")
    _positive(std)
    return gaussian_kl(mean, 2 * std.log()) + UNIFORM_EXCESS * mean.shape[-1]


def simple_penalty(mean: Float[Tensor, "*n d"], std: Float[Tensor, "..."]) -> Float[Tensor, "*n"]:
    """The sketch of the post, eq. (3): |mean - 0|^2 + |std - 1|^2, summed over the last axis."""
    _same_shape(mean, std, "std")
    return (mean**2 + (std - 1) ** 2).sum(-1)


def full_kl(mean: Float[Tensor, "*n d"], cholesky: Float[Tensor, "*n d d"]) -> Float[Tensor, "*n"]:
    """KL(N(mean, L L') || N(0, I)) of a full covariance; L lower with a positive diagonal."""
    log_diagonal = cholesky.diagonal(dim1=-2, dim2=-1).log()
    trace = cholesky.square().sum((-2, -1))
    size = mean.shape[-1]
    return 0.5 * (mean.square().sum(-1) + trace - size) - log_diagonal.sum(-1)


def log_normal(
    z: Float[Tensor, "*n d"], mean: Float[Tensor, "*m d"], std: Float[Tensor, "*k d"]
) -> Tensor:
    """log N(z; mean, std^2), summed over the last axis; the arguments broadcast."""
    standard = (z - mean) / std
    return (-0.5 * standard**2 - std.log() - 0.5 * math.log(2 * math.pi)).sum(-1)


def reparameterize(
    mean: Float[Tensor, "*n d"], std: Float[Tensor, "*n d"], eps: Float[Tensor, "*m d"]
) -> Tensor:
    """A draw from the unit Gaussian, scaled and shifted onto the ellipse: mean + eps std."""
    return mean + eps * std


def _same_shape(mean: Tensor, other: Tensor, name: str) -> None:
    if mean.shape != other.shape:
        raise ValueError(
            f"{name} has shape {tuple(other.shape)}, but must have that of mean, "
            f"{tuple(mean.shape)}"
        )


def _positive(std: Tensor) -> None:
    if not bool((std > 0).all()):
        raise ValueError(f"std has the entry {float(std.min())}, but all must be positive")
