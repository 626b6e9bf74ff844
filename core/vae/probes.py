"""What can be read off a code with a linear rule: ridge regression, ten-fold cross-validation."""

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

FOLDS = 10
RIDGE = 1e-2  # relative to the mean variance of the inputs


def explained_variance(
    x: Float[Tensor, "n d"], y: Float[Tensor, "n k"], generator: Generator
) -> float:
    """R^2 of a linear rule on images it was not fitted to; 0 is as good as the mean."""
    residual = (y.double() - _predicted(x, y, generator)).square().sum()
    return 1 - float(residual / (y - y.mean(0)).double().square().sum())


def accuracy(x: Float[Tensor, "n d"], label: Int[Tensor, " n"], generator: Generator) -> float:
    """Share of images whose class a linear rule (least squares on one-hot) finds."""
    classes = label.unique(return_inverse=True)[1]
    scores = _predicted(x, torch.nn.functional.one_hot(classes).float(), generator)
    return float((scores.argmax(1) == classes).double().mean())


def _predicted(x: Tensor, y: Tensor, generator: Generator) -> Float[Tensor, "n k"]:
    order = torch.randperm(len(x), generator=generator)
    predicted = torch.empty(len(x), y.shape[1], dtype=torch.float64)
    for held in order.chunk(FOLDS):
        kept = torch.ones(len(x), dtype=torch.bool)
        kept[held] = False
        predicted[held] = _ridge(x[kept].double(), y[kept].double(), x[held].double())
    return predicted


def _ridge(x: Tensor, y: Tensor, at: Tensor) -> Tensor:
    center, level = x.mean(0), y.mean(0)
    away = x - center
    strength = RIDGE * away.square().mean() * len(x)
    if x.shape[1] > len(x):  # the smaller of the two equal forms
        gram = away @ away.T + strength * torch.eye(len(x), dtype=x.dtype)
        weight = away.T @ torch.linalg.solve(gram, y - level)
    else:
        gram = away.T @ away + strength * torch.eye(x.shape[1], dtype=x.dtype)
        weight = torch.linalg.solve(gram, away.T @ (y - level))
    return (at - center) @ weight + level
