"""First order: a linear loss in a ball, in closed form in any dimension.

p(D) ~ exp(-D.g / alpha) on |D| <= radius has, with kappa = radius |g| / alpha,
    Z = (2 pi radius alpha / |g|)^(d/2) I_{d/2}(kappa),
    E D = -alpha grad_g ln Z = -radius I_{d/2+1}(kappa) / I_{d/2}(kappa) g/|g|,
gradient descent whose length never passes the radius. The ratio of Bessel functions is taken from
its continued fraction: the functions themselves underflow near d = 1000.

Sources: https://kexue.fm/archives/7521, eq. (4)-(6); for the tail of the fraction Amos 1974,
Computation of modified Bessel functions and their ratios, eq. (16).
"""

import math
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float
from scipy.special import gammaln, ive
from torch import Tensor

from core.optimization.errors import check_positive, check_vector

LONGEST = 20_000  # terms of the continued fraction


def first_order_update(
    gradient: Float[Tensor, "*b d"], radius: int | float, alpha: int | float
) -> Float[Tensor, "*b d"]:
    """E D of the linear loss D.gradient in the ball |D| <= radius, at temperature alpha.

    Raises ValueError for a radius or alpha that is not positive, or a gradient that isn't finite.
    """
    check_positive(radius=radius, alpha=alpha)
    check_vector(gradient=gradient)
    exact = gradient.to(torch.float64)
    size = torch.linalg.vector_norm(exact, dim=-1, keepdim=True)
    with np.errstate(over="ignore"):  # kappa = inf is the ball's edge
        kappa = radius * size.numpy() / alpha
    length = radius * shrinkage(kappa, gradient.shape[-1])
    direction = exact / size.clamp(min=torch.finfo(torch.float64).tiny)
    return (-torch.as_tensor(length) * direction).to(gradient.dtype)


def shrinkage(kappa: Float[np.ndarray, "*b"], dim: int) -> Float[np.ndarray, "*b"]:
    """The length of the mean over the radius, I_{d/2+1}(kappa) / I_{d/2}(kappa), in [0, 1]."""
    return bessel_ratio(dim / 2, kappa)


def bessel_ratio(order: int | float, kappa: Float[np.ndarray, "*b"]) -> Float[np.ndarray, "*b"]:
    """I_{order+1}(kappa) / I_order(kappa) = 1/(2(order+1)/kappa + 1/(2(order+2)/kappa + ...)).

    The fraction is cut after a number of terms that grows with the root of kappa, and its tail is
    set to Amos' upper bound; every term damps the tail's error.
    """
    kappa = np.asarray(kappa, dtype=np.float64)
    finite = kappa[np.isfinite(kappa)]
    largest = float(finite.max()) if finite.size else 0.0
    terms = min(LONGEST, 8 + math.ceil(6 * math.sqrt(largest)))
    with np.errstate(divide="ignore", over="ignore"):
        inverse = 1 / kappa
        last = order + terms
        ratio = 1 / ((last + 0.5) * inverse + np.hypot(1, (last + 1.5) * inverse))
        for term in range(terms, 0, -1):
            ratio = 1 / (2 * (order + term) * inverse + ratio)
    return np.asarray(ratio)


def log_partition(gradient_norm: float, radius: float, alpha: float, dim: int) -> float:
    """ln Z of eq. (4), the integral of exp(-D.g / alpha) over the ball."""
    kappa = radius * gradient_norm / alpha
    if kappa == 0:
        return dim / 2 * math.log(math.pi) + dim * math.log(radius) - gammaln(dim / 2 + 1)
    return dim / 2 * math.log(2 * math.pi * radius**2 / kappa) + log_bessel(dim / 2, kappa)


def log_bessel(order: float, kappa: float) -> float:
    """ln I_order(kappa); where the function underflows, by Debye's uniform expansion."""
    scaled = float(ive(order, kappa))
    if scaled > 1e-290:
        return math.log(scaled) + kappa
    root = math.hypot(order, kappa)
    p = order / root
    series = 1 + (3 * p - 5 * p**3) / (24 * order)
    series += (81 * p**2 - 462 * p**4 + 385 * p**6) / (1152 * order**2)
    leading = root + order * math.log(kappa / (order + root))
    return leading - 0.5 * math.log(2 * math.pi * root) + math.log(series)


def sample_ball(
    gradient: Float[Tensor, " d"],
    radius: float,
    alpha: float,
    count: int,
    generator: torch.Generator | None = None,
) -> Float[Tensor, "n d"]:
    """Draws of D: the part along g by its own density, the rest evenly in what the ball leaves.

    Along g, s = D.g/(radius |g|) has the density (1 - s^2)^((d-1)/2) exp(-kappa s) on [-1, 1]: no
    Bessel function is asked, so that draws can check the closed form.
    """
    dim, size = len(gradient), float(gradient.norm())
    uniform = torch.rand(count, generator=generator, dtype=torch.float64)
    along = part_along(uniform, radius * size / alpha, dim)
    direction = gradient / size if size else torch.eye(dim, dtype=gradient.dtype)[0]
    aside = part_aside(direction, count, generator)
    reach = (1 - along**2).clamp(min=0).sqrt()
    return radius * (along[:, None] * direction + reach[:, None] * aside)


def part_along(uniform: Float[Tensor, " n"], kappa: float, dim: int) -> Float[Tensor, " n"]:
    """s of uniform draws, by the inverse of the distribution function."""
    s, log_sine = _nodes()
    log_density = dim * log_sine - kappa * s  # ds = sin(angle) d(angle)
    density = np.exp(log_density - log_density.max())
    distribution = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2)])
    return torch.as_tensor(np.interp(uniform.numpy() * distribution[-1], distribution, s))


def part_aside(
    direction: Float[Tensor, " d"], count: int, generator: torch.Generator | None = None
) -> Float[Tensor, "n d"]:
    """Draws from the unit ball across g, as it is at s = 0; whatever kappa is, they are these."""
    dim = len(direction)
    aside = torch.randn(count, dim, generator=generator, dtype=direction.dtype)
    aside -= (aside @ direction)[:, None] * direction
    if dim > 1:
        share = torch.rand(count, generator=generator, dtype=direction.dtype) ** (1 / (dim - 1))
        aside *= (share / aside.norm(dim=1))[:, None]
    return aside


@lru_cache
def _nodes() -> tuple[np.ndarray, np.ndarray]:
    """s = -cos(angle), which lies densest at both ends, and ln sin(angle)."""
    angle = np.linspace(0, math.pi, 20_001)
    with np.errstate(divide="ignore"):
        return -np.cos(angle), np.log(np.sin(angle))
