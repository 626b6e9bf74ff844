"""What the claims about training measure on networks and maps that ship, one number each.

Source: https://kexue.fm/archives/6992
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from scipy.stats import kstest, skew
from torch import Generator, Tensor, nn

from core.batchnorm.compare import SHIPPED, curve, repeats
from core.batchnorm.data import load
from core.batchnorm.hessian import top_eigenvalues, unchanged
from core.batchnorm.norms import Normalization
from core.batchnorm.surface import restored
from core.batchnorm.sweep import RowConfig, losses
from core.batchnorm.training import (
    TRAINING,
    TrainConfig,
    accuracy,
    begin,
    build,
    descend,
    watched,
)
from core.runs import trained


def estimate(values: Sequence[float]) -> tuple[float, float]:
    """Mean and its standard error."""
    return float(np.mean(values)), float(np.std(values, ddof=1)) / math.sqrt(len(values))


def clearly_below(one: tuple[float, float], other: tuple[float, float]) -> bool:
    """Whether a mean is lower than another by more than two standard errors."""
    return other[0] - one[0] > 2 * math.hypot(one[1], other[1])


def row(name: str, standardized: bool, activation: str = "relu") -> Tensor:
    return losses(RowConfig(name, activation, standardized))


def best_of_row(name: str, standardized: bool, activation: str) -> tuple[float, float]:
    """The best mean over the seeds, and its standard error."""
    found = row(name, standardized, activation)
    return estimate(found[int(found.mean(1).argmin())].tolist())


def shipped_accuracies(name: str) -> list[float]:
    """On the test set, of three networks that ship."""
    return [
        trained(TRAINING, config).meta["metrics"]["accuracy"] for config in repeats(SHIPPED[name])
    ]


@torch.no_grad()
def accuracy_by_batch(config: TrainConfig, size: int) -> float:
    """Test accuracy with the statistics of test batches of this size."""
    model, split = restored(config), load(config.data, "test")
    right = [
        (model(x).argmax(1) == y).double()
        for x, y in zip(split.x.split(size), split.y.split(size), strict=True)
        if len(x) > 1
    ]
    return float(torch.cat(right).mean())


@torch.no_grad()
def accuracy_after_a_pass(config: TrainConfig) -> float:
    """Test accuracy with the statistics of the whole training set, taken once at the end."""
    model = restored(config)
    for part in model.modules():
        if isinstance(part, Normalization):
            part.momentum = 1.0
    model(load(config.data, "train").x)
    return accuracy(model, config)


def standardized_units(config: TrainConfig) -> list[Tensor]:
    """What every map but the first is fed on the watched rows, unit by unit; dead ones left out."""
    fed = _fed(restored(config), watched(config)[0])[1:]
    living = [units[:, units.std(0) > 1e-6] for units in fed]
    return [(units - units.mean(0)) / units.std(0) for units in living]


def distances(config: TrainConfig) -> list[float]:
    """Median Kolmogorov-Smirnov distance of a unit to N(0, 1), by layer."""
    return [
        float(np.median([kstest(unit.numpy(), "norm").statistic for unit in units.T]))
        for units in standardized_units(config)
    ]


def skewness(config: TrainConfig) -> float:
    """Median over the units of the last hidden layer."""
    return float(np.median(skew(standardized_units(config)[-1].numpy())))


@torch.no_grad()
def _fed(model: nn.Module, x: Tensor) -> list[Tensor]:
    """What every linear map is fed."""
    found: list[Tensor] = []
    maps = [part for part in model.modules() if isinstance(part, nn.Linear)]
    hooks = [
        part.register_forward_pre_hook(lambda part, fed: found.append(fed[0])) for part in maps
    ]
    with unchanged(model):
        model(x)
    for hook in hooks:
        hook.remove()
    return found


def loss_slopes(config: TrainConfig) -> list[float]:
    """Root mean square length of the loss's slope in the outputs, by step."""
    generator, model, optimizer = begin(config)
    x, y = watched(config)
    target = F.one_hot(y).float()
    found = []
    for _ in range(config.steps):
        with torch.no_grad(), unchanged(model):
            slope = torch.softmax(model(x), 1) - target
        found.append(float(slope.square().sum(1).mean().sqrt()))
        descend(model, optimizer, config, generator)
    return [value for value in found if math.isfinite(value)]


def update_spread(config: TrainConfig) -> float:
    """Largest over smallest median relative update of a layer."""
    rows = curve(trained(TRAINING, config).meta)
    medians = rows[[column for column in rows if str(column).startswith("update_")]].median()
    return float(medians.max() / medians.min())


@torch.no_grad()
def accuracy_gap(config: TrainConfig) -> float:
    """Training accuracy minus test accuracy, eval mode."""
    model = restored(config).eval()
    shares = [
        float((model(part.x).argmax(1) == part.y).double().mean())
        for part in (load(config.data, "train"), load(config.data, "test"))
    ]
    return shares[0] - shares[1]


def block_sharpness(config: TrainConfig) -> list[float]:
    """Largest eigenvalue of the Hessian's block of every linear map."""
    model = build(config, Generator().manual_seed(config.seed))
    x, y = watched(config)
    maps = [part for part in model.modules() if isinstance(part, nn.Linear)]
    return [
        float(
            top_eigenvalues(
                lambda: F.cross_entropy(model(x), y), part.parameters(), model=model,
                tolerance=1e-2, generator=Generator().manual_seed(0),
            )[0]
        )
        for part in maps
    ]  # fmt: skip
