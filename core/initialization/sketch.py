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

STEPS = 40  # of Lanczos: the largest singular value of a normal weight has converged


@dataclass(frozen=True)
class Sketch:
    """What products with vectors tell of a weight [m, n]."""

    orthogonality: Orthogonality  # the condition number is NaN: the least value is out of reach
    values: Float[Tensor, " k"]  # places among the singular values, ascending
    shares: Float[Tensor, " k"]  # of the n eigenvalues of W^T W, which part lies about each place
    stretches: Float[Tensor, " vectors"]  # ||Wx||^2 / ||x||^2 of the random vectors


def sketch(
    weight: Float[Tensor, "m n"], vectors: int, generator: torch.Generator | None = None
) -> Sketch:
    """Meters from Lanczos on W^T W, and from `vectors` random vectors, without W^T W itself.

    The entrywise and the Frobenius meter are unbiased, with a relative error of about
    3 / sqrt(vectors * n). The spectral meter is a lower bound.
    """
    fan_out, fan_in = weight.shape
    x = torch.randn(vectors + 1, fan_in, generator=generator)
    places, shares = spectral_measure(lambda v: weight.T @ (weight @ v), x[0], STEPS)
    images = x[1:] @ weight.T
    gaps = images @ weight - x[1:]
    mean_square = float(gaps.double().square().sum() / x[1:].double().square().sum())
    missing = 1.0 if fan_out < fan_in else 0.0
    return Sketch(
        orthogonality=Orthogonality(
            entrywise_mse=mean_square / fan_in,
            relative_frobenius=math.sqrt(mean_square),
            spectral=max(float((places - 1).abs().max()), missing),
            condition_number=math.nan,
        ),
        values=places.clamp(min=0).sqrt(),
        shares=shares,
        stretches=images.square().sum(1) / x[1:].square().sum(1),
    )
