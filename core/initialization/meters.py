"""Is a random matrix orthogonal? Three meters that disagree, and the law of its singular values.

Source: https://kexue.fm/archives/7180, eq. (1)-(3), corollaries 2 to 4 and the code block.
Axes: a weight is [m, n], m outputs (fan_out), n inputs (fan_in); "approximately orthogonal" means
that W^T W is near the n x n identity.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from core.initialization.angles import Numbers

EXACT_UP_TO = 512  # larger matrices: singular values from W^T W, good to about 1e-8


@dataclass(frozen=True)
class Orthogonality:
    """How far W^T W is from I, by three meters, and W's own condition number."""

    entrywise_mse: float  # mean of (W^T W - I)^2 over its entries
    relative_frobenius: float  # ||W^T W - I||_F / ||I||_F
    spectral: float  # ||W^T W - I||_2: the worst relative change of a squared norm
    condition_number: float  # largest over smallest singular value; infinite if one is 0


def inner_product(x: Float[Tensor, "*b n"], y: Float[Tensor, "*b n"]) -> Float[Tensor, "*b"]:
    """<x, y> as n times the mean of the products, which the law of large numbers reads; eq. (1)."""
    return x.shape[-1] * (x * y).mean(dim=-1)


def squared_norm(x: Float[Tensor, "*b n"]) -> Float[Tensor, "*b"]:
    """||x||^2 as n times the mean square; eq. (2)."""
    return inner_product(x, x)


def stretch(weight: Float[Tensor, "m n"], x: Float[Tensor, "*b n"]) -> Float[Tensor, "*b"]:
    """||Wx||^2 / ||x||^2: 1 for every x if W is orthogonal; eq. (3)."""
    return squared_norm(x @ weight.T) / squared_norm(x)


def orthogonality(weight: Float[Tensor, "m n"]) -> Orthogonality:
    """The three meters and the condition number, all from the singular values.

    The eigenvalues of W^T W are their squares, and n - m zeros if the weight is wide.
    """
    return from_singular_values(singular_values(weight), *weight.shape)


def from_singular_values(
    values: Float[Tensor, " least"], fan_out: int, fan_in: int
) -> Orthogonality:
    """The same, where the singular values of a [fan_out, fan_in] weight are known, in order."""
    missing = max(fan_in - fan_out, 0)
    gaps = torch.cat([values**2 - 1, -values.new_ones(missing)])
    squares, least = float((gaps**2).sum()), float(values[-1])
    return Orthogonality(
        entrywise_mse=squares / fan_in**2,
        relative_frobenius=math.sqrt(squares / fan_in),
        spectral=float(gaps.abs().max()),
        condition_number=float(values[0]) / least if least > 0 else math.inf,
    )


def singular_values(weight: Float[Tensor, "m n"]) -> Float[Tensor, " least"]:
    """All min(m, n) of them in float64, the largest first."""
    wide = weight.double()
    if min(wide.shape) <= EXACT_UP_TO:
        return torch.linalg.svdvals(wide)
    gram = wide.T @ wide if wide.shape[0] >= wide.shape[1] else wide @ wide.T
    return torch.linalg.eigvalsh(gram).clamp(min=0).sqrt().flip(0)


def expected_mse(fan_out: int, fan_in: int, kurtosis: int | float = 3.0) -> float:
    """E of the entrywise meter with independent entries of variance 1/m: (n + kurtosis - 2)/(mn).

    For a square normal matrix that is (n + 1)/n^2. Raises ValueError if a size is below 1.
    """
    if min(fan_out, fan_in) < 1:
        raise ValueError(f"the weight is {fan_out} x {fan_in}, but both must be >= 1")
    return (fan_in + kurtosis - 2) / (fan_out * fan_in)


def marchenko_pastur_edges(ratio: int | float) -> tuple[float, float]:
    """Least and largest singular value of a large weight with variance 1/m; ratio = n/m.

    Raises ValueError unless ratio > 0.
    """
    if not 0 < ratio < math.inf:
        raise ValueError(f"ratio is {ratio!r}, but must be a finite number > 0")
    return abs(1 - math.sqrt(ratio)), 1 + math.sqrt(ratio)


def marchenko_pastur(singular_value: Numbers, ratio: int | float) -> np.ndarray:
    """Density of the min(m, n) singular values of a large weight with variance 1/m; ratio = n/m.

    A quarter circle for a square weight; 0 outside the edges. Raises ValueError unless ratio > 0.
    """
    low, high = marchenko_pastur_edges(ratio)
    s = np.asarray(singular_value, dtype=np.float64)
    inside = (s >= low) & (s <= high) & ((s > 0) | (low == 0))
    safe = np.where(inside & (s > 0), s, 1.0)
    room = np.clip((high**2 - s**2) * np.where(low > 0, 1 - (low / safe) ** 2, 1.0), 0, None)
    return np.where(inside, np.sqrt(room) / (math.pi * min(ratio, 1)), 0.0)


def post_code(n: int = 100, seed: int = 0) -> tuple[np.ndarray, float]:
    """The post's own code block with its global seed made local: X = W^T W, mean of (X - I)^2.

    The numbers are those that the block prints after `np.random.seed(seed)`.
    """
    random = np.random.RandomState(seed)
    W = random.randn(n, n) / np.sqrt(n)
    X = np.dot(W.T, W)
    return X, float(np.mean((X - np.eye(n)) ** 2))
