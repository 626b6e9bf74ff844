"""GELU and the approximations of the post, as torch functions of any float dtype and device.

Source: https://kexue.fm/archives/7309, eq. (1)-(5); Hendrycks & Gimpel 2016 (arXiv:1606.08415).
Gate: the factor that multiplies x. All gates f here are odd in the sense f(x) - f(-x) = x.
"""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

LINEAR = math.sqrt(2 / math.pi)  # a of eq. (7): the slope of erf(x / sqrt 2) at 0
PUBLISHED = {"tanh-cubic": 0.044715, "sigmoid": 1.702}  # c of eq. (4), slope of eq. (3)


def normal_cdf(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Phi(x), the distribution function of N(0, 1): eq. (2). Keeps its digits in the left tail."""
    _check_floating(x)
    return 0.5 * torch.special.erfc(-x / math.sqrt(2))


def gelu(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """x Phi(x): eq. (1)."""
    return x * normal_cdf(x)


def gelu_tanh(x: Float[Tensor, "*shape"], c: int | float = 0.044715) -> Float[Tensor, "*shape"]:
    """x/2 (1 + tanh(sqrt(2/pi) (x + c x^3))): eq. (4)."""
    _check_floating(x)
    return 0.5 * x * (1 + torch.tanh(LINEAR * (x + c * x**3)))


def gelu_sigmoid(x: Float[Tensor, "*shape"], slope: int | float = 1.702) -> Float[Tensor, "*shape"]:
    """x sigma(slope x): eq. (3). A slope of 1 is SiLU."""
    _check_floating(x)
    return x * torch.sigmoid(slope * x)


def candidate_form(
    x: Float[Tensor, "*shape"], kind: str, coefficients: Sequence[float]
) -> Float[Tensor, "*shape"]:
    """One of the odd functions that eq. (5) proposes for erf(x / sqrt 2).

    "inner": tanh(a x + b x^3 + c x^5 + ...), any number of coefficients.
    "powers": a tanh x + b tanh^3 x + c tanh^5 x + ..., any number of coefficients.
    "sum": a tanh(b x) + c tanh(d x) + ..., coefficients in pairs.
    """
    _check_floating(x)
    if kind == "inner":
        return torch.tanh(_odd_polynomial(x, coefficients))
    if kind == "powers":
        return _odd_polynomial(torch.tanh(x), coefficients)
    if kind == "sum":
        return _sum_of_tanh(x, coefficients)
    raise ValueError(f"kind is {kind!r}, but must be one of ('inner', 'powers', 'sum')")


def _odd_polynomial(x: Tensor, coefficients: Sequence[float]) -> Tensor:
    total = torch.zeros_like(x)
    for coefficient in reversed(coefficients):
        total = coefficient + total * x**2
    return x * total


def _sum_of_tanh(x: Tensor, coefficients: Sequence[float]) -> Tensor:
    if len(coefficients) % 2:
        raise ValueError(f"coefficients are {coefficients!r}, but 'sum' takes them in pairs")
    total = torch.zeros_like(x)
    for height, slope in zip(coefficients[::2], coefficients[1::2], strict=True):
        total = total + height * torch.tanh(slope * x)
    return total


def _check_floating(x: Tensor) -> None:
    if not x.is_floating_point():
        raise ValueError(f"x has dtype {x.dtype}, but must be a floating-point tensor")
