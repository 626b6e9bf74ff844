"""What can be read off a code: by a linear rule, or from its nearest neighbors.

The linear rule is ridge regression, ten-fold cross-validation.
"""

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

FOLDS = 10
RIDGE = 1e-2  # relative to the mean variance of the inputs


def explained_variance(
    x: Float[Tensor, "n d"], y: Float[Tensor, "n k"], generator: Generator
) -> float:
    """R^2 of a linear rule on images it was not fitted to; 0 is as good as the mean."""
    return 1 - float(unexplained(y, predicted(x, y, generator)).mean())


def accuracy(x: Float[Tensor, "n d"], label: Int[Tensor, " n"], generator: Generator) -> float:
    """Share of images whose class a linear rule (least squares on one-hot) finds."""
    classes = one_hot(label)
    return 1 - float(missed(classes, predicted(x, classes, generator)).mean())


def one_hot(label: Int[Tensor, " n"]) -> Float[Tensor, "n classes"]:
    """A column for each class that occurs: 1 for its images, else 0."""
    return torch.nn.functional.one_hot(label.unique(return_inverse=True)[1]).float()


def unexplained(y: Float[Tensor, "n k"], guess: Float[Tensor, "n k"]) -> Float[Tensor, " n"]:
    """Squared error of each row over the variance; the mean is 1 - R^2."""
    variance = (y - y.mean(0)).double().square().sum(1).mean()
    return (y.double() - guess).square().sum(1) / variance


def missed(classes: Float[Tensor, "n k"], guess: Float[Tensor, "n k"]) -> Float[Tensor, " n"]:
    """1 for a row whose class has not the largest guess; the mean is 1 - accuracy."""
    return (guess.argmax(1) != classes.argmax(1)).double()


def predicted(
    x: Float[Tensor, "n d"], y: Float[Tensor, "n k"], generator: Generator
) -> Float[Tensor, "n k"]:
    """Of every row what a ridge rule says that was fitted without its fold; each column alone."""
    order = torch.randperm(len(x), generator=generator)
    guess = torch.empty(len(x), y.shape[1], dtype=torch.float64)
    for held in order.chunk(FOLDS):
        kept = torch.ones(len(x), dtype=torch.bool)
        kept[held] = False
        weight = ridge_weights(x[kept], y[kept])
        away = x[held].double() - x[kept].double().mean(0)
        guess[held] = away @ weight + y[kept].double().mean(0)
    return guess


def neighbors(
    x: Float[Tensor, "n d"], y: Float[Tensor, "n k"], count: int = 5
) -> Float[Tensor, "n k"]:
    """Of every row the mean of y over the rows nearest to it, itself left out."""
    apart = torch.cdist(x.double(), x.double()).fill_diagonal_(torch.inf)
    return y.double()[apart.topk(count, largest=False).indices].mean(1)


def ridge_weights(x: Float[Tensor, "n d"], y: Float[Tensor, "n k"]) -> Float[Tensor, "d k"]:
    """Weights of the rule for centered inputs. They turn with the inputs' axes: a rotation of x
    changes no prediction.
    """
    away, level = (part.double() - part.double().mean(0) for part in (x, y))
    strength = RIDGE * away.square().mean() * len(x)
    if x.shape[1] > len(x):  # the smaller of the two equal forms
        gram = away @ away.T + strength * torch.eye(len(x), dtype=away.dtype)
        return away.T @ torch.linalg.solve(gram, level)
    gram = away.T @ away + strength * torch.eye(x.shape[1], dtype=away.dtype)
    return torch.linalg.solve(gram, away.T @ level)
