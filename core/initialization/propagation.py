"""Forward and backward through a deep net at its first step, layer by layer.

z_l = W_l phi(z_(l-1)) + 0 (post 7180, eq. (4) with b = 0), z_0 is the input; with a layer
normalization after phi, or a residual branch scaled by 1/sqrt(depth), if asked. Everything is
measured, nothing assumed; `core.initialization.activations` has the theory of wide layers.

Source: https://kexue.fm/archives/7180.
"""

import math
from collections.abc import Sequence
from itertools import pairwise

import pandas as pd
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from core.initialization.activations import Function, function
from core.initialization.schemes import sample_weight


class UnequalWidths(ValueError):
    """A residual branch between layers of different width."""


def propagate(
    widths: Sequence[int],
    activation: str | Function,
    scheme: str,
    *,
    batch: int = 64,
    distribution: str = "normal",
    gain: int | float = 1.0,
    layer_norm: bool = False,
    residual: bool = False,
    generator: torch.Generator | None = None,
) -> pd.DataFrame:
    """One row per entry of `widths`; widths[0] is the input, N(0, 1), float32.

    Columns: layer; forward_second_moment, the mean square of z_l (row 0: of the input);
    backward_second_moment, of the gradient with respect to z_l, from a gradient N(0, 1) at the
    top; cosine, of z_l for pairs of inputs that start orthogonal: NaN if nothing is left of them.
    What overflows is infinite or NaN. Raises ValueError on fewer than two widths, a width below 2,
    a batch below 2, and as `sample_weight` does; UnequalWidths, one of them, on a residual branch
    between layers of different width.
    """
    _check(widths, batch, residual)
    phi, branch = function(activation), 1 / math.sqrt(len(widths) - 1)
    states = [orthogonal_pairs(batch, widths[0], generator).requires_grad_()]
    for fan_in, fan_out in pairwise(widths):
        weight = sample_weight(
            fan_out, fan_in, scheme, distribution=distribution, gain=gain, generator=generator
        )
        inside = phi(states[-1])
        inside = F.layer_norm(inside, (fan_in,)) if layer_norm else inside
        outside = inside @ weight.T
        states.append(states[-1] + branch * outside if residual else outside)
    top = torch.randn(states[-1].shape, generator=generator)
    gradients = torch.autograd.grad(states[-1], states, grad_outputs=top)
    return pd.DataFrame(
        {
            "layer": range(len(widths)),
            "forward_second_moment": [_mean_square(state) for state in states],
            "backward_second_moment": [_mean_square(gradient) for gradient in gradients],
            "cosine": [_cosine(state) for state in states],
        }
    )


def orthogonal_pairs(
    batch: int, dim: int, generator: torch.Generator | None = None
) -> Float[Tensor, "batch dim"]:
    """N(0, 1) inputs; each odd row is made orthogonal to the row before, at its own length."""
    x = torch.randn(batch, dim, generator=generator)
    first, second = x[0 : batch - 1 : 2], x[1::2]
    along = (first * second).sum(1, keepdim=True) / first.square().sum(1, keepdim=True)
    across = second - along * first
    x[1::2] = across * (second.norm(dim=1) / across.norm(dim=1))[:, None]
    return x


def _mean_square(x: Tensor) -> float:
    return float(x.detach().double().square().mean())


def _cosine(x: Tensor) -> float:
    pairs = x.detach().double()
    first, second = pairs[0 : len(x) - 1 : 2], pairs[1::2]
    cosines = (first * second).sum(1) / (first.norm(dim=1) * second.norm(dim=1))
    return float(cosines.nanmean())


def _check(widths: Sequence[int], batch: int, residual: bool) -> None:
    if len(widths) < 2 or min(widths) < 2:
        raise ValueError(f"widths is {list(widths)}, but must be two or more integers >= 2")
    if batch < 2:
        raise ValueError(f"batch is {batch!r}, but must be an integer >= 2: cosines need pairs")
    if residual and len(set(widths)) > 1:
        raise UnequalWidths(f"widths is {list(widths)}, but a residual net needs equal ones")
