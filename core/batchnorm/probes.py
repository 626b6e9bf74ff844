"""The landscape as descent meets it: loss, gradient and curvature along one gradient.

Santurkar et al. (arXiv:1805.11604), figure 4: from a point of the training, take steps of several
lengths against the gradient and look how far the loss and the gradient move.
"""

from collections.abc import Callable, Mapping, Sequence

import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor, nn

from core.batchnorm import stacked
from core.batchnorm.hessian import unchanged
from core.numerics import Diverged

Criterion = Callable[[Tensor, Tensor], Tensor]


def landscape_along_gradient(
    model: nn.Module, loss: Criterion, batch: tuple[Tensor, Tensor], steps: Sequence[float]
) -> pd.DataFrame:
    """Loss and gradient after theta - rate * g, for each rate of `steps`.

    Columns: step, the rate; loss; gradient_distance, |g(theta - rate g) - g|; effective_smoothness,
    that over the length of the step. Parameters, .grad, buffers and mode stay as they were. Raises
    ValueError for a rate of 0 or less, Diverged if the gradient is not finite or 0.
    """
    if not all(step > 0 for step in steps):
        raise ValueError(f"steps is {tuple(steps)}, but every step must be above 0")
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    start = [weight.detach().clone() for weight in weights]
    with unchanged(model):
        _, slope = _loss_and_gradient(model, loss, batch, weights)
        length = float(_flat(slope).norm())
        if not 0 < length < float("inf"):
            raise Diverged(f"the gradient has length {length}")
        try:
            rows = [_after(model, loss, batch, weights, start, slope, step) for step in steps]
        finally:
            _put(weights, start)
    table = pd.DataFrame(rows, columns=["step", "loss", "gradient_distance"])
    return table.assign(effective_smoothness=table.gradient_distance / (table.step * length))


def smoothness_along_gradient(
    model: nn.Sequential, batch: tuple[Tensor, Tensor], steps: Sequence[float]
) -> Float[Tensor, " r"]:
    """The effective smoothness of `landscape_along_gradient` for cross-entropy, all rates at once.

    Running statistics must not follow: see `training.quiet`.
    """
    rates = torch.tensor(steps)
    start = {name: weight.detach()[None] for name, weight in model.named_parameters()}
    slope = _gradients(model, start, batch)
    after = {name: at - stacked.broad(rates, at[0]) * slope[name] for name, at in start.items()}
    there = _gradients(model, after, batch)
    moved = torch.cat([(there[name] - slope[name]).flatten(1) for name in start], dim=1)
    length = _flat(list(slope.values())).norm()
    return moved.norm(dim=1) / (rates * length)


def _gradients(
    model: nn.Sequential, weights: Mapping[str, Tensor], batch: tuple[Tensor, Tensor]
) -> dict[str, Tensor]:
    """Of as many networks as the weights' first axis has."""
    leaves = {name: weight.detach().requires_grad_() for name, weight in weights.items()}
    with torch.enable_grad():
        total = stacked.losses(model, leaves, *batch).sum()
    return dict(zip(leaves, torch.autograd.grad(total, list(leaves.values())), strict=True))


def _after(
    model: nn.Module,
    loss: Criterion,
    batch: tuple[Tensor, Tensor],
    weights: Sequence[Tensor],
    start: Sequence[Tensor],
    slope: Sequence[Tensor],
    step: float,
) -> tuple[float, float, float]:
    _put(weights, [at - step * part for at, part in zip(start, slope, strict=True)])
    value, there = _loss_and_gradient(model, loss, batch, weights)
    return step, value, float((_flat(there) - _flat(slope)).norm())


def _loss_and_gradient(
    model: nn.Module, loss: Criterion, batch: tuple[Tensor, Tensor], weights: Sequence[Tensor]
) -> tuple[float, tuple[Tensor, ...]]:
    with torch.enable_grad():
        value = loss(model(batch[0]), batch[1])
        slope = torch.autograd.grad(value, weights, materialize_grads=True)
    return float(value.detach()), slope


@torch.no_grad()
def _put(weights: Sequence[Tensor], values: Sequence[Tensor]) -> None:
    for weight, value in zip(weights, values, strict=True):
        weight.copy_(value)


def _flat(parts: Sequence[Tensor]) -> Tensor:
    return torch.cat([part.reshape(-1) for part in parts])
