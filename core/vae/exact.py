"""The best decoder for given ellipses, exactly and without training.

For fixed ellipses N(mean_k, std_k^2) around the images x_k, the function D that minimizes the
squared error of eq. (2) is the posterior mean of x given z; for the absolute error it is the
weighted median, pixel by pixel. All images are equally likely.

Source: https://kexue.fm/archives/7725, eq. (2). Axes: codes m, ellipses k, latent dimensions d.
"""

import math

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from core.vae.gaussians import log_normal


def ellipse_weights(
    z: Float[Tensor, "m ..."], means: Float[Tensor, "k d"], stds: Float[Tensor, "..."]
) -> Float[Tensor, "m k"]:
    """p(k | z): how much each image has a share in the code z. Rows sum to 1.

    In the log domain, so they are finite far from every ellipse. Raises ValueError if a std is not
    positive or the shapes do not fit.
    """
    if means.shape != stds.shape or z.shape[-1] != means.shape[-1]:
        raise ValueError(
            f"z {tuple(z.shape)}, means {tuple(means.shape)} and stds {tuple(stds.shape)} do not "
            "fit: they must be [m, d], [k, d] and [k, d]"
        )
    if not bool((stds > 0).all()):
        raise ValueError(f"stds has the entry {float(stds.min())}, but all must be positive")
    return torch.softmax(log_normal(z[:, None], means, stds), dim=1)


def optimal_decoder(
    z: Float[Tensor, "m ..."],
    means: Float[Tensor, "k d"],
    stds: Float[Tensor, "..."],
    x: Float[Tensor, "k ..."],
) -> Float[Tensor, "m ..."]:
    """D*(z) under squared error: the images weighted by p(k | z). Errors as `ellipse_weights`."""
    return torch.tensordot(ellipse_weights(z, means, stds), x, dims=1)


def median_decoder(
    z: Float[Tensor, "m ..."],
    means: Float[Tensor, "k d"],
    stds: Float[Tensor, "..."],
    x: Float[Tensor, "k ..."],
) -> Float[Tensor, "m ..."]:
    """D*(z) under absolute error: pixel by pixel the weighted median of the images."""
    weights = ellipse_weights(z, means, stds)
    ordered, order = x.sort(dim=0)
    shares = weights[:, order].cumsum(dim=1)  # [m, k, ...]: of the images up to this brightness
    half = (shares < 0.5 - 1e-12).sum(dim=1, keepdim=True)  # the first at which half is reached
    return ordered.expand(len(z), *x.shape).gather(1, half.clamp(max=len(x) - 1)).squeeze(1)


def expected_reconstruction(
    means: Float[Tensor, "k 2"],
    stds: Float[Tensor, "k 2"],
    x: Float[Tensor, "k ..."],
    order: int = 12,
) -> Float[Tensor, " k"]:
    """E |x_k - D*(z)|^2 over z in ellipse k, by Gauss-Hermite quadrature with `order`^2 nodes.

    Summed over pixels, one number an image. In two dimensions only.
    """
    eps, weight = gauss_hermite(order, means.dtype)
    z = means[:, None] + stds[:, None] * eps  # [k, nodes, 2]
    decoded = optimal_decoder(z.flatten(0, 1), means, stds, x).unflatten(0, z.shape[:2])
    errors = (decoded - x[:, None]).square().flatten(2).sum(-1)
    return errors @ weight


def gauss_hermite(
    order: int, dtype: torch.dtype = torch.float64
) -> tuple[Float[Tensor, "nodes 2"], Float[Tensor, " nodes"]]:
    """Nodes and weights of E f(eps) for a 2-D standard normal eps."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(order)
    first, second = np.meshgrid(nodes, nodes, indexing="ij")
    eps = torch.tensor(np.stack([first.ravel(), second.ravel()], 1), dtype=dtype)
    share = np.outer(weights, weights).ravel() / (2 * math.pi)
    return eps, torch.tensor(share, dtype=dtype)
