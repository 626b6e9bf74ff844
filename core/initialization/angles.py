"""The angle between two random vectors: exact law, exact variance, samples (post 7076).

Fix one vector by isotropy and write the other in hyperspherical coordinates: the first coordinate
angle is the angle between them, and its density is the area element sin(theta)^(n-2).

Source: https://kexue.fm/archives/7076. Symbols: n `dim`, theta in radians, eta = cos(theta).
"""

import math

import numpy as np
import torch
from jaxtyping import Float
from scipy.special import betainc, gammaln, polygamma
from torch import Tensor

Numbers = int | float | np.ndarray | Tensor
BLOCK = 2**21  # coordinates that are drawn at a time
SMALL = 2**16  # coordinates that are computed with at a time: they stay in the processor's cache


def random_directions(
    count: int, dim: int, generator: torch.Generator | None = None
) -> Float[Tensor, "count dim"]:
    """Unit vectors that prefer no direction, float64; 7076 eq. (1).

    Raises ValueError if count < 1 or dim < 2.
    """
    _check(dim, count)
    return _unit(torch.randn(count, dim, generator=generator))  # float32: twice as fast


def first_axis(dim: int) -> Float[Tensor, " dim"]:
    """The vector (1, 0, ..., 0) that isotropy lets stand for any other; 7076 eq. (2)."""
    _check(dim)
    return torch.eye(1, dim, dtype=torch.float64)[0]


def hyperspherical(angles: Float[Tensor, "*b angles"]) -> Float[Tensor, "*b dim"]:
    """The unit vector with these n - 1 coordinate angles; 7076 eq. (3).

    x_k = cos(angle_k) times the sines of all angles before; the last x is the product of all.
    """
    one = torch.ones_like(angles[..., :1])
    sines = torch.cat([one, angles.sin().cumprod(dim=-1)], dim=-1)
    return sines * torch.cat([angles.cos(), one], dim=-1)


def angle_between(x: Float[Tensor, "*b dim"], y: Float[Tensor, "*b dim"]) -> Float[Tensor, "*b"]:
    """The angle of two unit vectors in radians, accurate near 0 and pi, too; 7076 eq. (4)."""
    return 2 * torch.atan2((x - y).norm(dim=-1), (x + y).norm(dim=-1))


def sample_angles(
    dim: int, count: int, generator: torch.Generator | None = None
) -> Float[Tensor, " count"]:
    """Angles of `count` independent pairs of random vectors, float64, radians.

    Raises ValueError if count < 1 or dim < 2.
    """
    _check(dim, count)
    block = max(1, BLOCK // dim)  # pairs at a time: two thousand of 4096 would fill 200 MB
    sizes = [min(block, count - start) for start in range(0, count, block)]
    return torch.cat([_angles(dim, size, generator) for size in sizes])


def _angles(dim: int, count: int, generator: torch.Generator | None) -> Tensor:
    rows = max(1, SMALL // dim)
    x, y = (torch.randn(count, dim, generator=generator).split(rows) for _ in range(2))
    parts = zip(x, y, strict=True)
    return torch.cat([angle_between(_unit(some), _unit(other)) for some, other in parts])


def _unit(x: Tensor) -> Tensor:
    x = x.double()
    return x / x.norm(dim=1, keepdim=True)


def log_constant(dim: int) -> float:
    """ln of Gamma(n/2) / (Gamma((n-1)/2) sqrt(pi)), which makes the densities integrate to 1."""
    _check(dim)
    return float(gammaln(dim / 2) - gammaln((dim - 1) / 2) - math.log(math.pi) / 2)


def angle_density(theta: Numbers, dim: int) -> np.ndarray:
    """Density of the angle at theta, 0 outside [0, pi]; 7076 eq. (7).

    Raises ValueError if dim < 2: on a line there are no angles in between.
    """
    at = np.asarray(theta, dtype=np.float64)
    inside = (at >= 0) & (at <= math.pi)
    sine = np.where(inside, np.abs(np.sin(at)), 0.0)
    return np.where(inside, math.exp(log_constant(dim)) * sine ** (dim - 2), 0.0)


def cosine_density(cosine: Numbers, dim: int) -> np.ndarray:
    """Density of eta = cos(theta), 0 outside [-1, 1], infinite at +-1 in the plane; 7076 eq. (8).

    Raises ValueError if dim < 2.
    """
    eta = np.asarray(cosine, dtype=np.float64)
    room = np.clip(1 - eta**2, 0, None)
    with np.errstate(divide="ignore"):
        density = math.exp(log_constant(dim)) * room ** ((dim - 3) / 2)
    return np.where(np.abs(eta) <= 1, density, 0.0)


def angle_distribution(theta: Numbers, dim: int) -> np.ndarray:
    """P(angle <= theta), by the incomplete beta function; 7076 eq. (5), (6).

    Raises ValueError if dim < 2.
    """
    _check(dim)
    eta = np.cos(np.clip(np.asarray(theta, dtype=np.float64), 0, math.pi))
    return np.asarray(0.5 - 0.5 * np.sign(eta) * betainc(0.5, (dim - 1) / 2, eta**2))


def angle_variance(dim: int) -> float:
    """Variance of the angle in square radians, exact: psi_1(n/2) / 2; the integral of 7076 eq. (9).

    Raises ValueError if dim < 2.
    """
    _check(dim)
    return float(polygamma(1, dim / 2)) / 2


def mean_absolute_cosine(dim: int) -> float:
    """E|cos(theta)| = Gamma(n/2) / (sqrt(pi) Gamma((n+1)/2)), about sqrt(2 / (pi n)).

    Raises ValueError if dim < 2.
    """
    _check(dim)
    return math.exp(float(gammaln(dim / 2) - gammaln((dim + 1) / 2)) - math.log(math.pi) / 2)


def log_sine_power(theta: Numbers, dim: int) -> tuple[np.ndarray, np.ndarray]:
    """ln sin(theta)^(n-2) and the first term of its series at pi/2; 7076 eq. (10)."""
    at = np.asarray(theta, dtype=np.float64)
    exact, first = (dim - 2) * np.log(np.sin(at)), (2 - dim) / 2 * (at - math.pi / 2) ** 2
    return np.asarray(exact), np.asarray(first)


def normal_density(theta: Numbers, precision: int | float) -> np.ndarray:
    """Density of N(pi/2, 1/precision) at theta; 7076 eq. (11) with precision n - 2.

    Raises ValueError unless precision > 0.
    """
    if not precision > 0:
        raise ValueError(f"precision is {precision!r}, but must be > 0")
    away = np.asarray(theta, dtype=np.float64) - math.pi / 2
    return np.asarray(math.sqrt(precision / (2 * math.pi)) * np.exp(-precision * away**2 / 2))


def _check(dim: int, count: int = 1) -> None:
    if dim < 2:
        raise ValueError(f"dim is {dim!r}, but must be an integer >= 2")
    if count < 1:
        raise ValueError(f"count is {count!r}, but must be an integer >= 1")
