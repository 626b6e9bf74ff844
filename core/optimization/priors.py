"""A prior pi(D) in front of the density: which optimizer its mean is.

p(D) ~ pi(D) exp(-[l(theta + D) - l(theta)] / alpha), with l to first order unless said otherwise.
The post has no prior but the ball; the others are what the same integral gives for them.

Source: https://kexue.fm/archives/7521, eq. (1), (4).
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from core.optimization.ball import first_order_update
from core.optimization.errors import check_positive, check_vector


def box_update(
    gradient: Float[Tensor, "*b d"], radius: int | float, alpha: int | float
) -> Float[Tensor, "*b d"]:
    """Uniform in the box |D_i| <= radius: the one-dimensional ball in every coordinate.

    Rate radius^2/(3 alpha) for small gradients, -radius sign(g) for large ones.
    """
    return first_order_update(gradient[..., None], radius, alpha)[..., 0]


def ellipsoid_update(
    gradient: Float[Tensor, "*b d"],
    metric: Float[Tensor, " d"],
    radius: int | float,
    alpha: int | float,
) -> Float[Tensor, "*b d"]:
    """Uniform in sum M_i D_i^2 <= radius^2: a preconditioned step, along -g/M.

    `metric` is the diagonal of M; with M = sqrt(v) it points as RMSProp does.
    """
    if not bool((metric > 0).all()):
        raise ValueError(f"metric must be positive, but its least entry is {float(metric.min())}")
    root = metric.sqrt()
    return first_order_update(gradient / root, radius, alpha) / root


def gaussian_update(gradient: Float[Tensor, "*b d"], rate: int | float) -> Float[Tensor, "*b d"]:
    """Gaussian N(0, rate alpha I): plain gradient descent, exactly, whatever alpha is."""
    check_positive(rate=rate)
    check_vector(gradient=gradient)
    return -rate * gradient


def evolution_gradient(
    loss: Callable[[Tensor], Tensor],
    theta: Float[Tensor, " d"],
    sigma: int | float,
    pairs: int,
    generator: torch.Generator | None = None,
) -> Float[Tensor, " d"]:
    """The gradient of E l(theta + sigma u), u ~ N(0, I), from antithetic pairs; `loss` is batched.

    Under the prior N(0, sigma^2 I) and for alpha to infinity, E D is -(sigma^2/alpha) times it.
    """
    check_positive(sigma=sigma, pairs=pairs)
    u = torch.randn(pairs, len(theta), generator=generator, dtype=theta.dtype)
    both = loss(torch.cat([theta + sigma * u, theta - sigma * u])).to(theta.dtype)
    return ((both[:pairs] - both[pairs:])[:, None] * u).mean(0) / (2 * sigma)
