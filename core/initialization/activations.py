"""What an activation does to size and angle: variance map, gain, stability, angle map.

With z ~ N(0, q) before an activation, V(q) = gain^2 E[phi(z)^2] is the second moment before the
next one, if weights have variance 1/n. The tuned gain makes V(1) = 1; the slope of log V against
log q there says whether a deviation shrinks (below 1) or grows (above 1) from layer to layer.

Sources: https://kexue.fm/archives/7180, the last section; Poole et al. 2016 (arXiv:1606.05340).
Integrals over N(0, 1) are Gauss-Legendre sums on [-12, 12] with 0 at a panel's edge, where the
named activations have their kinks.
"""

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

Function = Callable[[Tensor], Tensor]

ACTIVATIONS: dict[str, Function] = {
    "linear": lambda x: x,
    "relu": F.relu,
    "leaky": lambda x: F.leaky_relu(x, 0.2),
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "gelu": F.gelu,
    "silu": F.silu,
    "softplus": F.softplus,
    "elu": F.elu,
    "selu": F.selu,
    "mish": F.mish,
    "erf": torch.erf,
    "sin": torch.sin,
}
ORDERS = 400  # of the Hermite series of an angle map
_REACH, _PANELS, _POINTS = 12, 240, 8


def function(activation: str | Function) -> Function:
    """The activation of that name, or the one given. Raises ValueError on an unknown name."""
    if not isinstance(activation, str):
        return activation
    if activation not in ACTIVATIONS:
        raise ValueError(f"activation is {activation!r}, but must be one of {tuple(ACTIVATIONS)}")
    return ACTIVATIONS[activation]


def second_moment(activation: str | Function, q: int | float = 1.0) -> float:
    """E[phi(z)^2] for z ~ N(0, q). Raises ValueError if q is negative or the moment not finite."""
    return float(second_moments(activation, np.array([q], dtype=np.float64))[0])


def second_moments(
    activation: str | Function, q: Float[np.ndarray, " n"]
) -> Float[np.ndarray, " n"]:
    """The same for many q at once."""
    if not (q >= 0).all():
        raise ValueError(f"q is {q.min()!r}, but must be >= 0")
    moments = _integrated(function(activation), q)
    if not np.isfinite(moments).all():
        raise ValueError("E[phi(z)^2] must be finite, but the activation has a pole or overflows")
    return moments


def gain(activation: str | Function) -> float:
    """1 / sqrt(E[phi(z)^2]) with z ~ N(0, 1): the factor that keeps the second moment at 1.

    Raises ValueError on an unknown name or a moment that is 0 or not finite.
    """
    moment = second_moment(activation)
    if moment == 0:
        raise ValueError("E[phi(z)^2] is 0: no gain makes it 1")
    return 1 / math.sqrt(moment)


def variance_map(
    activation: str | Function, q: Float[np.ndarray, " n"], gain: int | float = 1.0
) -> Float[np.ndarray, " n"]:
    """V(q) = gain^2 E[phi(z)^2], z ~ N(0, q)."""
    return gain**2 * second_moments(activation, q)


def variance_slope(activation: str | Function) -> float:
    """d log V / d log q at q = 1 with the tuned gain: E[phi^2 (z^2 - 1)] / (2 E[phi^2]).

    Gaussian integration by parts has moved the derivative onto the density, so kinks do no harm.
    """
    z, weight = nodes()
    squares = function(activation)(z).square()
    return float((squares * (z**2 - 1)) @ weight / (2 * squares @ weight))


def gradient_factor(activation: str | Function) -> float:
    """E[phi'^2] / E[phi^2]: what a layer with the tuned gain does to a gradient's mean square."""
    z, weight = nodes()
    at = z.clone().requires_grad_()
    values = function(activation)(at)
    (slope,) = torch.autograd.grad(values.sum(), at)
    return float(slope.square() @ weight / (values.detach().square() @ weight))


def moments_by_layer(
    activation: str | Function, start: int | float, depth: int, gain: int | float = 1.0
) -> Float[np.ndarray, " layers"]:
    """q after 0, 1, ... `depth` layers from `start`; infinite from the layer on that overflows."""
    phi, moments = function(activation), [float(start)]
    for _ in range(depth):
        last = _integrated(phi, np.array([min(moments[-1], 1e150)]))[0] * gain**2
        moments.append(last if math.isfinite(last) and moments[-1] < 1e150 else math.inf)
    return np.array(moments)


def angle_map(
    activation: str | Function, cosine: Float[np.ndarray, " n"], *, layer_norm: bool = False
) -> Float[np.ndarray, " n"]:
    """Cosine of the outputs of a wide layer, for inputs of second moment 1 with these cosines.

    A power series whose coefficients are the squared Hermite coefficients of the activation;
    what lies beyond order 400 is lumped into the next term. A layer normalization behind the
    activation takes its constant term away.
    """
    share = hermite_shares(function(activation))
    if layer_norm:
        share = np.concatenate([[0.0], share[1:] / share[1:].sum()])
    return power_series(share, cosine)


def power_series(
    coefficients: Float[np.ndarray, " orders"], cosine: Float[np.ndarray, " n"]
) -> Float[np.ndarray, " n"]:
    """sum_k coefficient_k c^k: with hundreds of terms a product is ten times faster than Horner."""
    return np.power.outer(cosine, np.arange(len(coefficients))) @ coefficients


def relu_angle_map(cosine: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """The same for relu in closed form: (sqrt(1 - c^2) + c (pi - arccos c)) / pi."""
    c = np.clip(cosine, -1, 1)
    return (np.sqrt(1 - c**2) + c * (math.pi - np.arccos(c))) / math.pi


def angles_by_layer(
    activation: str | Function, start: int | float, depth: int, *, layer_norm: bool = False
) -> Float[np.ndarray, " layers"]:
    """The cosine of two inputs after 0, 1, ... `depth` wide layers with the tuned gain."""
    cosines = [np.array([float(start)])]
    for _ in range(depth):
        if activation == "relu" and not layer_norm:
            cosines.append(relu_angle_map(cosines[-1]))
        else:
            cosines.append(angle_map(activation, cosines[-1], layer_norm=layer_norm))
    return np.concatenate(cosines)


@lru_cache(maxsize=64)
def hermite_shares(phi: Function) -> Float[np.ndarray, " orders"]:
    """Which part of E[phi^2] each normalized Hermite polynomial carries; the last is the rest."""
    z, _ = nodes()
    powers = hermite_powers(phi(z)[None])[0]
    return powers / powers.sum()


def hermite_powers(values: Float[Tensor, "b z"]) -> Float[np.ndarray, "b orders"]:
    """E[f h_k]^2 for functions f given by their values at the nodes, and the rest of E[f^2]."""
    _, weight = nodes()
    powers = (values @ hermite_polynomials().T) ** 2
    rest = (values.square() @ weight - powers.sum(1)).clamp(min=0)
    return torch.cat([powers, rest[:, None]], dim=1).numpy()


@lru_cache
def hermite_polynomials() -> Float[Tensor, "orders z"]:
    """The normalized Hermite polynomials at the nodes, times the weights."""
    z, weight = nodes()
    before, now = torch.zeros_like(z), torch.ones_like(z)
    rows = []
    for k in range(ORDERS):
        rows.append(now * weight)
        before, now = now, (z * now - math.sqrt(k) * before) / math.sqrt(k + 1)
    return torch.stack(rows)


def _integrated(phi: Function, q: np.ndarray) -> np.ndarray:
    """E[phi(z)^2], z ~ N(0, q), whatever comes out."""
    z, weight = nodes()
    return (phi(torch.from_numpy(q).sqrt()[:, None] * z).square() @ weight).numpy()


@lru_cache
def nodes() -> tuple[Tensor, Tensor]:
    """Places z and weights w with sum of w f(z) = E[f(z)], z ~ N(0, 1)."""
    place, weight = np.polynomial.legendre.leggauss(_POINTS)
    width = 2 * _REACH / _PANELS
    starts = -_REACH + width * np.arange(_PANELS)
    z = (starts[:, None] + width * (place + 1) / 2).ravel()
    density = np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    weights = np.tile(weight * width / 2, _PANELS) * density
    return torch.from_numpy(z), torch.from_numpy(weights / weights.sum())
