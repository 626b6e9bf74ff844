"""The inequality behind gradient descent, and the quadratic on which its bound is exact.

Source: https://kexue.fm/archives/6992, eq. (1)-(5).
"""

import math
from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

Function = Callable[[Tensor], Tensor]


def gradient(loss: Function, theta: Float[Tensor, " k"]) -> Float[Tensor, " k"]:
    """Of a scalar function of a vector."""
    theta = theta.detach().requires_grad_()
    (found,) = torch.autograd.grad(loss(theta), theta)
    return found


def lipschitz_ratio(loss: Function, theta: Float[Tensor, " k"], step: Float[Tensor, " k"]) -> float:
    """Eq. (1): the change of the gradient over the length of the step; never above L."""
    change = gradient(loss, theta + step) - gradient(loss, theta)
    return float(change.norm() / step.norm())


def descent_bound(
    loss: Function, theta: Float[Tensor, " k"], step: Float[Tensor, " k"], smoothness: float
) -> float:
    """Eq. (2): what the loss is at most after a step."""
    linear = gradient(loss, theta) @ step
    return float(loss(theta) + linear + smoothness / 2 * step.square().sum())


def loss_along(loss: Function, theta: Float[Tensor, " k"], step: Float[Tensor, " k"]) -> float:
    """Eq. (3): the loss after a step as an integral of gradients along it, by quadrature."""
    nodes, weights = _gauss_legendre(24)
    slopes = [gradient(loss, theta + t * step) @ step for t in nodes]
    return float(loss(theta)) + float(weights @ torch.stack(slopes).double())


def descent_step(
    loss: Function, theta: Float[Tensor, " k"], learning_rate: float
) -> Float[Tensor, " k"]:
    """Eq. (4): the step against the gradient."""
    return -learning_rate * gradient(loss, theta)


def guaranteed_change(gradient_norm: float, smoothness: float, learning_rate: float) -> float:
    """Eq. (5): the loss changes by at most this; negative for rates below 2/L."""
    return (smoothness * learning_rate**2 / 2 - learning_rate) * gradient_norm**2


def quadratic_gaps(
    hessian: Float[Tensor, "k k"], start: Float[Tensor, " k"], learning_rate: float, steps: int
) -> Float[Tensor, " t"]:
    """Loss above its least value, theta^T H theta / 2, after 0 to `steps` steps of descent."""
    places, axes = torch.linalg.eigh(hessian)
    shares = places * (axes.T @ start).square() / 2
    return decayed(places, shares, learning_rate, steps)


def decayed(
    places: Float[Tensor, " k"], shares: Float[Tensor, " k"], learning_rate: float, steps: int
) -> Float[Tensor, " t"]:
    """The same from the eigenvalues and what each direction has of the loss at the start.

    Exact: every eigendirection is multiplied by 1 - rate * eigenvalue in each step. With rows of
    r steps, factor^(i r + j) = factor^(i r) factor^j: 2 sqrt(steps) powers, not `steps` of them.
    """
    factors = (1 - learning_rate * places).square()
    row = math.isqrt(steps) + 1
    within = factors ** torch.arange(row, dtype=places.dtype)[:, None]
    rows = factors ** (row * torch.arange(row, dtype=places.dtype))[:, None]
    return ((rows * shares) @ within.T).flatten()[: steps + 1]


def quadratic_path(
    hessian: Float[Tensor, "k k"], start: Float[Tensor, " k"], learning_rate: float, steps: int
) -> Float[Tensor, "t k"]:
    """Where descent is after 0 to `steps` steps, seen from the optimum."""
    places, axes = torch.linalg.eigh(hessian)
    powers = (1 - learning_rate * places) ** torch.arange(steps + 1, dtype=hessian.dtype)[:, None]
    return (powers * (axes.T @ start)) @ axes.T


def steps_to(gaps: Float[Tensor, " n"], share: float) -> float:
    """Steps until the gap is below this share of the first one; infinite if it never is."""
    below = (gaps <= share * gaps[0]).nonzero()
    return float(below[0]) if len(below) else float("inf")


def _gauss_legendre(count: int) -> tuple[list[float], Tensor]:
    """Nodes and weights on [0, 1]."""
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return ((nodes + 1) / 2).tolist(), torch.tensor(weights / 2)
