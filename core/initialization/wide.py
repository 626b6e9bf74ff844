"""What a very wide net does at its first step: sizes forward and back, and angles, by layer.

Weights are fresh and independent, so that in a wide layer every coordinate is normal and sums of
squares are their means. A layer is z -> keep z + branch W N(phi(z)): keep and branch are 0 and 1,
or 1 and 1/sqrt(depth) with residual branches; N is a layer normalization or nothing.

Sources: https://kexue.fm/archives/7180, the last section; Poole et al. 2016 (arXiv:1606.05340);
Schoenholz et al. 2017 (arXiv:1611.01232) for the gradient.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from core.initialization.activations import Function, function, hermite_powers, nodes, power_series

EPSILON = 1e-5  # what a layer normalization adds to the variance
LARGEST = 1e150  # a second moment beyond it counts as infinite


def wide_net(
    activation: str | Function,
    depth: int,
    scale: float | Sequence[float] = 1.0,
    *,
    aspect: float | Sequence[float] = 1.0,
    layer_norm: bool = False,
    residual: bool = False,
) -> pd.DataFrame:
    """What `propagate` tends to with width, for weights of variance scale^2 / n and m/n = aspect.

    Both are one number, or one for every layer. One row a layer, `depth` + 1 of them, with the
    columns of `propagate`. Inputs have second moment 1 and start orthogonal; the gradient at the
    top has second moment 1. What overflows is infinite or NaN. Raises ValueError on an unknown
    activation.
    """
    phi, keep = function(activation), float(residual)
    branch = 1 / depth if residual else 1.0
    factors = branch * np.broadcast_to(np.square(scale), depth)
    sizes = _sizes(phi, factors, keep, layer_norm)
    layers = _layers(phi, sizes[:-1], layer_norm)
    with np.errstate(invalid="ignore", over="ignore"):
        changes = (keep + np.multiply(factors, aspect) * layers.slopes)[::-1]
        return pd.DataFrame(
            {
                "layer": range(depth + 1),
                "forward_second_moment": sizes,
                "backward_second_moment": np.cumprod([1.0, *changes])[::-1],
                "cosine": _cosines(layers.series, sizes, keep, factors),
            }
        )


@dataclass(frozen=True)
class _Layers:
    """Every layer's N(phi(z)), z normal with that layer's second moment."""

    slopes: Float[np.ndarray, " depth"]  # what it does to a gradient's second moment
    series: Float[np.ndarray, "depth orders"]  # its covariance as a power series of the cosine


def _sizes(
    phi: Function, factors: np.ndarray, keep: float, layer_norm: bool
) -> Float[np.ndarray, " layers"]:
    """Second moments before each activation; infinite from the layer on that overflows."""
    sizes = [1.0]
    for factor in factors:
        square, variance = _moments(phi(_places(sizes[-1:])))
        inside = variance / (variance + EPSILON) if layer_norm else square
        size = float(keep * sizes[-1] + factor * inside[0])
        sizes.append(size if sizes[-1] < LARGEST and math.isfinite(size) else math.inf)
    return np.array(sizes)


def _layers(phi: Function, sizes: np.ndarray, layer_norm: bool) -> _Layers:
    """A layer normalization takes the mean away and divides by the standard deviation."""
    z = _places(sizes).requires_grad_()
    values = phi(z)
    (slopes,) = torch.autograd.grad(values.sum(), z)
    series, (squares, _) = hermite_powers(values.detach()), _moments(slopes)
    if not layer_norm:
        return _Layers(squares.numpy(), series)
    _, variance = _moments(values.detach())
    series[:, 0] = 0.0
    divisor = (variance + EPSILON).numpy()
    return _Layers(squares.numpy() / divisor, series / divisor[:, None])


def _cosines(
    series: np.ndarray, sizes: np.ndarray, keep: float, factors: np.ndarray
) -> Float[np.ndarray, " layers"]:
    cosines = [np.zeros(1)]
    for layer, coefficients in enumerate(series):
        inside = power_series(coefficients, cosines[-1])
        covariance = keep * sizes[layer] * cosines[-1] + factors[layer] * inside
        cosines.append(covariance / sizes[layer + 1])
    return np.concatenate(cosines)


def _moments(values: Float[Tensor, "b z"]) -> tuple[Float[Tensor, " b"], Float[Tensor, " b"]]:
    """The second moment and the variance of functions of a normal number."""
    _, weight = nodes()
    square = values.square() @ weight
    return square, square - (values @ weight) ** 2


def _places(sizes: Sequence[float] | np.ndarray) -> Float[Tensor, "b z"]:
    """Where N(0, size) is looked at, for each size."""
    z, _ = nodes()
    return torch.tensor(np.minimum(sizes, LARGEST)).sqrt()[:, None] * z
