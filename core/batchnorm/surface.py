"""The loss around a trained network, in two random directions scaled filter by filter.

Every filter (row of a weight) of a direction is made as long as the network's own, so that nets
whose weights differ in size can be compared (Li et al. 2018, arXiv:1712.09913). Gains and offsets
of the normalization stay where they are.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Generator, Tensor, nn

from core import library
from core.batchnorm.compare import SHIPPED
from core.batchnorm.hessian import unchanged
from core.batchnorm.training import TRAINING, TrainConfig, build, watched
from core.knobs import Choice, Config, Range

GRID = 21
LOSSES = (1e-2, 1e2)  # of the colors and heights, the same for both networks
PAIRS = {
    "0.1": ("none-0.1", "batch-0.1"), "0.3": ("none-0.3", "batch-0.3"),
    "cnn": ("cnn-none", "cnn-batch"), "full-batch": ("edge-none", "edge-batch"),
}  # fmt: skip


@dataclass(frozen=True)
class SurfaceConfig(Config):
    """Which pair, how far around it, from which side, and which directions."""

    pair: Annotated[str, Choice(*PAIRS)] = "0.3"
    reach: Annotated[float, Range(0.2, 2.0, 0.1)] = 1.0
    angle: Annotated[int, Range(0, 360, 15)] = 30
    seed: Annotated[int, Range(0, 9)] = 0


@dataclass(frozen=True)
class Surface:
    """Of both networks, on the same grid and scale."""

    plain: pd.DataFrame  # first, second, loss (log10, clipped): without normalization
    normalized: pd.DataFrame
    plain_wires: pd.DataFrame  # across, up, curve: the surface as seen
    normalized_wires: pd.DataFrame
    sharp: dict[str, float]  # by network: highest loss at a tenth of the reach's square


def surface(config: SurfaceConfig) -> Surface:
    """Both surfaces, flat and as seen from an angle."""
    grids = losses(config.pair, config.reach, config.seed)
    axis = np.linspace(-config.reach, config.reach, GRID)
    logs = {name: np.log10(np.clip(grid, *LOSSES)) for name, grid in grids.items()}
    middle = slice(GRID // 2 - 2, GRID // 2 + 3)
    return Surface(
        plain=_cells(axis, logs["plain"]),
        normalized=_cells(axis, logs["normalized"]),
        plain_wires=_wires("plain", logs["plain"], config.angle),
        normalized_wires=_wires("normalized", logs["normalized"], config.angle),
        sharp={name: float(grid[middle, middle].max()) for name, grid in grids.items()},
    )


@lru_cache(maxsize=32)
def losses(pair: str, reach: float, seed: int) -> dict[str, np.ndarray]:
    """Losses on the watched rows in training mode, [grid, grid]: "plain" and "normalized"."""
    found = {}
    for name, kept in zip(("plain", "normalized"), PAIRS[pair], strict=True):
        config = SHIPPED[kept]
        model = restored(config)
        generator = Generator().manual_seed(seed)
        first, second = (filter_direction(model, generator) for _ in range(2))
        found[name] = _grid(model, config, first, second, reach)
    return found


def restored(config: TrainConfig) -> nn.Sequential:
    """A trained network. Raises ValueError if it was never trained here."""
    kept = library.find(TRAINING.key(config))
    if kept is None:
        raise ValueError(f"config is {config}, but no such network has been trained here")
    model = build(config, Generator().manual_seed(config.seed))
    model.load_state_dict({name: value.float() for name, value in kept.tensors.items()})
    return model


def filter_direction(model: nn.Module, generator: Generator) -> list[Tensor]:
    """Random, one tensor per parameter, every filter as long as the model's; vectors stay put."""
    return [_like_filters(weight.detach(), generator) for weight in model.parameters()]


def _like_filters(weight: Tensor, generator: Generator) -> Tensor:
    if weight.ndim < 2:
        return torch.zeros_like(weight)
    draws = torch.randn(weight.shape, generator=generator)
    lengths = draws.flatten(1).norm(dim=1).clamp(min=1e-12)
    scale = weight.flatten(1).norm(dim=1) / lengths
    return draws * scale.reshape(-1, *[1] * (weight.ndim - 1))


@torch.no_grad()
def _grid(
    model: nn.Module,
    config: TrainConfig,
    first: Sequence[Tensor],
    second: Sequence[Tensor],
    reach: float,
) -> Float[np.ndarray, "a b"]:
    x, y = watched(config)
    weights = list(model.parameters())
    center = [weight.clone() for weight in weights]
    axis = torch.linspace(-reach, reach, GRID).tolist()
    rows = []
    with unchanged(model):
        for b in axis:
            for a in axis:
                for weight, at, one, two in zip(weights, center, first, second, strict=True):
                    weight.copy_(at + a * one + b * two)
                loss = float(F.cross_entropy(model(x), y))
                rows.append(loss if math.isfinite(loss) else LOSSES[1])
    for weight, at in zip(weights, center, strict=True):
        weight.copy_(at)
    return np.array(rows).reshape(GRID, GRID)


def _cells(axis: np.ndarray, logs: np.ndarray) -> pd.DataFrame:
    first, second = np.meshgrid(axis, axis)
    return pd.DataFrame(
        {"first": first.ravel().round(3), "second": second.ravel().round(3), "loss": logs.ravel()}
    )


def _wires(name: str, logs: np.ndarray, angle: int) -> pd.DataFrame:
    """Lines along both directions, turned by the angle and seen from 30 degrees above."""
    turn, tilt = math.radians(angle), math.radians(30)
    axis = np.linspace(-1, 1, GRID)
    first, second = np.meshgrid(axis, axis)
    low, high = np.log10(LOSSES)
    height = 1.6 * (logs - low) / (high - low)
    across = math.cos(turn) * first - math.sin(turn) * second
    depth = math.sin(turn) * first + math.cos(turn) * second
    up = height * math.cos(tilt) + depth * math.sin(tilt)
    gap = np.full((GRID, 1), np.nan)
    lines = [np.concatenate([part, gap], 1).ravel() for part in (across, up)]
    crossed = [np.concatenate([part.T, gap], 1).ravel() for part in (across, up)]
    return pd.DataFrame(
        {
            "across": np.concatenate([lines[0], crossed[0]]),
            "up": np.concatenate([lines[1], crossed[1]]),
            "curve": name,
        }
    )
