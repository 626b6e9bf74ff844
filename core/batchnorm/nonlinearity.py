"""How nonlinear an activation is on normal inputs, and how steep it can be.

Source: https://kexue.fm/archives/6992, sections 2.2 and 2.4.
"""

from collections.abc import Callable, Mapping

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

SLOPES: Mapping[str, Callable[[Tensor], Tensor]] = {
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": torch.relu,
    "gelu": F.gelu,
    "silu": F.silu,
    "squared-relu": lambda x: torch.relu(x).square(),
}


def slope(activation: str, x: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
    """g'(x) of every entry, by autograd."""
    x = x.detach().requires_grad_()
    return torch.autograd.grad(SLOPES[activation](x).sum(), x)[0]


def largest_slope(activation: str, reach: float = 50.0) -> float:
    """The largest |g'| on [-reach, reach], by autograd on a grid of 50 000 places a side."""
    x = torch.linspace(-reach, reach, 100_001, dtype=torch.float64)
    return float(slope(activation, x).abs().max())


def nonlinear_share(activation: str, std: float) -> float:
    """Share of the variance of g(s z), z ~ N(0, 1), that no straight line in z explains.

    By the trapezoidal rule on |z| <= 12. Raises ValueError for a deviation of 0 or less.
    """
    if not std > 0:
        raise ValueError(f"std is {std}, but must be above 0")
    z = torch.linspace(-12, 12, 24_001, dtype=torch.float64)
    density = torch.exp(-(z**2) / 2) / np.sqrt(2 * np.pi) * (z[1] - z[0])
    g = SLOPES[activation](std * z)
    mean = (density * g).sum()
    variance = (density * (g - mean).square()).sum()
    steepness = (density * g * z).sum()
    return float(1 - steepness.square() / variance)
