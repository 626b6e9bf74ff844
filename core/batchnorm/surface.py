"""The loss around a trained network, in two random directions scaled filter by filter.

Every filter (row of a weight) of a direction is made as long as the network's own, so that nets
whose weights differ in size can be compared (Li et al. 2018, arXiv:1712.09913). Gains and offsets
of the normalization stay where they are.

A perceptron's 441 losses take less than a second; those of convolutions take many, so they are a
task with a result that is kept. `python scripts/train_batchnorm_networks.py` makes what ships.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from functools import lru_cache, partial
from typing import Annotated

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn

from core import library
from core.batchnorm import stacked
from core.batchnorm.compare import SHIPPED, CompareConfig
from core.batchnorm.training import TRAINING, TrainConfig, build, quiet, watched
from core.knobs import Choice, Config, Range
from core.runs import trained
from core.store import Tensors
from core.training import Snapshot, Task

GRID = 21
AT_ONCE = {"mlp": GRID, "cnn": 7}  # networks of a row; more convolutions would only take memory
LOSSES = (1e-2, 1e2)  # of the colors and heights, the same for both networks
PAIRS = {
    "0.1": ("none-0.1", "batch-0.1"), "0.3": ("none-0.3", "batch-0.3"),
    "cnn": ("cnn-none", "cnn-batch"), "full-batch": ("edge-none", "edge-batch"),
}  # fmt: skip


@dataclass(frozen=True)
class GridConfig(TrainConfig):
    """A network as it was trained, how far around it, and which directions."""

    reach: Annotated[float, Range(0.2, 2.0, 0.1)] = 1.0
    directions: Annotated[int, Range(0, 9)] = 0

    @property
    def network(self) -> TrainConfig:
        """The training whose end is the middle of the grid."""
        names = [field.name for field in fields(TrainConfig)]
        return TrainConfig(**{name: getattr(self, name) for name in names})


@dataclass(frozen=True)
class SurfaceConfig(Config):
    """Which pair, how far around it, from which side, and which directions."""

    pair: Annotated[str, Choice(*PAIRS, "own")] = "0.3"
    reach: Annotated[float, Range(0.2, 2.0, 0.1)] = 1.0
    angle: Annotated[int, Range(0, 360, 15)] = 30
    seed: Annotated[int, Range(0, 9)] = 0

    @property
    def grids(self) -> Mapping[str, GridConfig]:
        """Of both networks; "own" is the pair of `around`, or that of CompareConfig's defaults."""
        if self.pair == "own":
            return around(CompareConfig(), self).grids
        pair = dict(zip(("plain", "normalized"), PAIRS[self.pair], strict=True))
        return _grids({name: SHIPPED[kept] for name, kept in pair.items()}, self.reach, self.seed)


@dataclass(frozen=True)
class PairSurfaceConfig(CompareConfig):
    """The same of any pair that can be trained side by side."""

    reach: Annotated[float, Range(0.2, 2.0, 0.1)] = 1.0
    angle: Annotated[int, Range(0, 360, 15)] = 30
    directions: Annotated[int, Range(0, 9)] = 0

    @property
    def grids(self) -> Mapping[str, GridConfig]:
        """Of both networks. Raises what `trainings` raises."""
        return _grids(self.trainings, self.reach, self.directions)


def around(pair: CompareConfig, view: SurfaceConfig) -> PairSurfaceConfig:
    """A view of the surfaces of a pair."""
    return PairSurfaceConfig(
        **asdict(pair), reach=view.reach, angle=view.angle, directions=view.seed
    )


def _grids(
    networks: Mapping[str, TrainConfig], reach: float, directions: int
) -> Mapping[str, GridConfig]:
    return {
        name: GridConfig(**asdict(one), reach=reach, directions=directions)
        for name, one in networks.items()
    }


@dataclass(frozen=True)
class Surface:
    """Of both networks, on the same grid and scale."""

    plain: pd.DataFrame  # first, second, loss (log10, clipped): without normalization
    normalized: pd.DataFrame
    plain_wires: pd.DataFrame  # across, up, curve: the surface as seen
    normalized_wires: pd.DataFrame
    sharp: dict[str, float]  # by network: highest loss within a fifth of the reach
    diverged: tuple[str, ...]  # networks whose training did: it ended nowhere in particular


def surface(config: SurfaceConfig | PairSurfaceConfig) -> Surface:
    """Both surfaces, flat and as seen from an angle; networks are trained if they never were."""
    grids = {name: losses(grid) for name, grid in config.grids.items()}
    axis = np.linspace(-config.reach, config.reach, GRID)
    logs = {name: np.log10(np.clip(grid, *LOSSES)) for name, grid in grids.items()}
    middle = slice(GRID // 2 - 2, GRID // 2 + 3)
    return Surface(
        plain=_cells(axis, logs["plain"]),
        normalized=_cells(axis, logs["normalized"]),
        plain_wires=_wires("plain", logs["plain"], config.angle),
        normalized_wires=_wires("normalized", logs["normalized"], config.angle),
        sharp={name: float(grid[middle, middle].max()) for name, grid in grids.items()},
        diverged=tuple(name for name, grid in config.grids.items() if _left(grid.network)),
    )


def dear(config: SurfaceConfig | PairSurfaceConfig) -> list[GridConfig]:
    """The grids that take long: tasks to be done before `surface` is asked for."""
    return [grid for grid in config.grids.values() if grid.net == "cnn"]


@lru_cache(maxsize=512)
def losses(config: GridConfig) -> Float[np.ndarray, "b a"]:
    """Losses on the watched rows in training mode, second direction by first."""
    if config.net == "cnn":
        return trained(SURFACE, config).tensors["losses"].double().numpy()
    *_, last = train_grid(config)
    return last.weights()["losses"].double().numpy()


def train_grid(config: GridConfig, state: Tensors | None = None) -> Iterator[Snapshot]:
    """One row of the grid after the other; the losses are what is kept."""
    trained(TRAINING, config.network)
    model = restored(config.network)
    plane = _plane(model, config)
    rows = list(state["losses"]) if state else []
    for up in torch.linspace(-config.reach, config.reach, GRID)[len(rows) :]:
        rows.append(_row(model, config, plane, float(up)))
        keep = partial(_kept, tuple(rows))
        yield Snapshot(len(rows), GRID, {"loss": float(rows[-1].max())}, keep, keep)


def _kept(rows: tuple[Tensor, ...]) -> Tensors:
    return {"losses": torch.stack(rows)}


SURFACE = Task(
    "batchnorm.surface", 1, GridConfig,
    lambda config: TRAINING.key(config.network).partition("/")[2], train_grid,
)  # fmt: skip


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


def _plane(model: nn.Module, config: GridConfig) -> list[tuple[str, Tensor, Tensor, Tensor]]:
    """Of every parameter its name, where it is, and both directions."""
    generator = Generator().manual_seed(config.directions)
    first, second = (filter_direction(model, generator) for _ in range(2))
    parts = zip(model.named_parameters(), first, second, strict=True)
    return [(name, weight.detach(), one, two) for (name, weight), one, two in parts]


@torch.no_grad()
def _row(
    model: nn.Sequential,
    config: GridConfig,
    plane: list[tuple[str, Tensor, Tensor, Tensor]],
    up: float,
) -> Float[Tensor, " a"]:
    """Losses along the first direction, `up` along the second; what is no number is the most."""
    x, y = watched(config)
    axis = torch.linspace(-config.reach, config.reach, GRID)
    found = []
    with quiet(model):
        for part in axis.split(AT_ONCE[config.net]):
            weights = {
                name: at + stacked.broad(part, at) * one + up * two for name, at, one, two in plane
            }
            found.append(stacked.losses(model, weights, x, y))
    return torch.cat(found).nan_to_num(LOSSES[1], LOSSES[1])


def _left(config: TrainConfig) -> bool:
    """Whether the training diverged."""
    return trained(TRAINING, config).meta["metrics"]["diverged"] > 0


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
