"""The meters of a weight too large to decompose: its products with a few vectors tell them.

Source: https://kexue.fm/archives/7180; `core.lanczos` for the method.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from core.initialization.meters import Orthogonality
from core.lanczos import spectral_measure
from core.orthogonal import Reflections

STEPS = 40  # of Lanczos: the largest singular value of a normal weight has converged


@dataclass(frozen=True)
class Sketch:
    """What products with vectors tell of a weight [m, n]."""

    orthogonality: Orthogonality  # the condition number is NaN: the least value is out of reach
    values: Float[Tensor, " k"]  # places among the singular values, ascending
    shares: Float[Tensor, " k"]  # of the n eigenvalues of W^T W, which part lies about each place
    stretches: Float[Tensor, " vectors"]  # ||Wx||^2 / ||x||^2 of the random vectors


def sketch(
    weight: Tensor | Reflections, vectors: int, generator: torch.Generator | None = None
) -> Sketch:
    """Meters from Lanczos on W^T W, and from `vectors` random vectors, without W^T W itself.

    The entrywise and the Frobenius meter are unbiased, with a relative error of about
    3 / sqrt(vectors * n). The spectral meter is a lower bound: the outermost place, or the vector
    that W^T W changes most.
    """
    fan_out, fan_in = weight.shape
    start = torch.randn(fan_in, generator=generator)
    x = torch.randn(fan_in, vectors, generator=generator)
    places, shares = spectral_measure(lambda v: weight.T @ (weight @ v), start, STEPS)
    images = weight @ x
    gaps, squares = (each.double().square().sum(0) for each in (weight.T @ images - x, x))
    mean_square = float(gaps.sum() / squares.sum())
    farthest = max(float((places - 1).abs().max()), math.sqrt(float((gaps / squares).max())))
    return Sketch(
        orthogonality=Orthogonality(
            entrywise_mse=mean_square / fan_in,
            relative_frobenius=math.sqrt(mean_square),
            spectral=max(farthest, 1.0) if fan_out < fan_in else farthest,
            condition_number=math.nan,
        ),
        values=places.clamp(min=0).sqrt(),
        shares=shares,
        stretches=images.square().sum(0) / squares,
    )
