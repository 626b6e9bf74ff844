"""Which learning rates train which network: normalization, its place, and the inputs' scale.

One row of the map is one task, so rows can be made beside each other. Four hidden layers of 48 on
the synthetic data, 400 steps of batches of 64, three seeds; the loss is of the whole training set,
with its own statistics where there is normalization.

`python scripts/sweep_learning_rates.py` makes what ships.

Source: https://kexue.fm/archives/6992, section 2.5.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from typing import Annotated

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor

from core import library
from core.batchnorm.data import load
from core.batchnorm.training import LIMIT, TrainConfig, finished
from core.knobs import Choice, Config, Range
from core.runs import trained
from core.store import Tensors
from core.training import Snapshot, Task

RATES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
SEEDS = 3
CELLS = tuple(product(RATES, range(SEEDS)))
VARIANTS: Mapping[str, tuple[str, str]] = {
    "none": ("none", "after"),
    "center-before": ("center", "before"),
    "center-after": ("center", "after"),
    "rms-before": ("rms", "before"),
    "rms-after": ("rms", "after"),
    "batch-before": ("batch", "before"),
    "batch-after": ("batch", "after"),
    "layer-before": ("layer", "before"),
    "layer-after": ("layer", "after"),
    "rms-norm-before": ("rms-norm", "before"),
    "rms-norm-after": ("rms-norm", "after"),
    "group-after": ("group", "after"),
}
CURVES = ("none", "center-before", "rms-before", "batch-before", "batch-after")
LEAST = 1e-3  # nats that are drawn: an interval may reach below 0


@dataclass(frozen=True)
class RowConfig(Config):
    """One row: a network, its inputs, the first of three seeds."""

    variant: Annotated[str, Choice(*VARIANTS)] = "none"
    activation: Annotated[str, Choice("relu", "tanh")] = "relu"
    standardized: bool = False
    seed: Annotated[int, Range(0, 9)] = 0


@dataclass(frozen=True)
class SweepConfig(Config):
    """A map: every variant under the same conditions."""

    activation: Annotated[str, Choice("relu", "tanh")] = "relu"
    standardized: bool = False
    seed: Annotated[int, Range(0, 9)] = 0


@dataclass(frozen=True)
class Sweep:
    """Final losses in nats, a mean over the seeds that did not diverge at all."""

    table: pd.DataFrame  # rate, variant, loss (log10, DIVERGED where any seed did), diverged: count
    curves: pd.DataFrame  # rate, curve, loss, low, high: two standard errors; a gap if one diverged
    best: pd.DataFrame  # variant, loss, low, high: two standard errors, rate; raw beside standard
    gap: float  # after over before, best losses of batch normalization
    widest: dict[str, float]  # the largest rate that trains, by variant
    seeds: tuple[int, ...]  # of every cell
    shipped: bool  # whether every row came with the repository


DIVERGED = 1.0  # log10 of the loss that stands for a run that diverged


def final_loss(config: TrainConfig) -> float:
    """Loss of the whole training set after a training; infinite if it diverged."""
    model, stayed = finished(config)
    if not stayed:
        return math.inf
    split = load(config.data, "train", config.standardized)
    with torch.no_grad():
        loss = float(F.cross_entropy(model(split.x), split.y))
    return loss if loss < LIMIT else math.inf


def cell(config: RowConfig, rate: float, seed: int) -> TrainConfig:
    """The training behind a cell."""
    norm, placement = VARIANTS[config.variant]
    return TrainConfig(
        data="synthetic", norm=norm, placement=placement, activation=config.activation,
        standardized=config.standardized, lr=rate, seed=SEEDS * config.seed + seed,
    )  # fmt: skip


def train_row(config: RowConfig, state: Tensors | None = None) -> Iterator[Snapshot]:
    """One training after the other; the losses are what is kept, infinite where one diverged."""
    losses = state["loss"].tolist() if state else []
    for rate, seed in CELLS[len(losses) :]:
        losses.append(final_loss(cell(config, rate, seed)))
        keep = partial(_kept, tuple(losses))
        yield Snapshot(
            done=len(losses),
            total=len(CELLS),
            metrics={"loss": min(losses[-1], LIMIT)},
            weights=keep,
            state=keep,
        )


def _kept(losses: tuple[float, ...]) -> Tensors:
    return {"loss": torch.tensor(losses)}


ROW = Task("batchnorm.row", 1, RowConfig, lambda config: load("synthetic").digest, train_row)


def rows(config: SweepConfig) -> list[RowConfig]:
    """The rows of a map."""
    return [
        RowConfig(variant, config.activation, config.standardized, config.seed)
        for variant in VARIANTS
    ]


def losses(config: RowConfig) -> Tensor:
    """Final losses of a row, [rates, seeds]; it is made first, if it never was."""
    return trained(ROW, config).tensors["loss"].double().reshape(len(RATES), SEEDS)


def sweep(config: SweepConfig) -> Sweep:
    """The map, and the best of every row with raw and with standardized inputs, as far as known."""
    found = {row.variant: losses(row) for row in rows(config)}
    other = replace(config, standardized=not config.standardized)
    known = {row.variant: losses(row) for row in rows(other) if library.has(ROW.key(row))}
    table = pd.concat([_cells(name, kept) for name, kept in found.items()], ignore_index=True)
    here, there = ("standardized", "raw") if config.standardized else ("raw", "standardized")
    parts = [(here, found), (there, known)]
    best = [_best(name, kept, side) for side, part in parts for name, kept in part.items()]
    batch = {side: best_loss(found[f"batch-{side}"]) for side in ("before", "after")}
    return Sweep(
        table=table,
        curves=pd.concat([_curve(name, found[name]) for name in CURVES], ignore_index=True),
        best=pd.DataFrame(best),
        gap=batch["after"] / batch["before"],
        widest={name: widest(kept) for name, kept in found.items()},
        seeds=tuple(cell(row, RATES[0], k).seed for row in rows(config)[:1] for k in range(SEEDS)),
        shipped=all(library.SHIPPED.card(ROW.key(row)) for row in rows(config)),
    )


def learning_rate_sweep(config: SweepConfig) -> pd.DataFrame:
    """Every training of a map: variant, rate, seed (0 to 2), loss; infinite where it diverged."""
    parts = []
    for row in rows(config):
        found = losses(row)
        parts += [
            {"variant": row.variant, "rate": rate, "seed": k, "loss": float(found[i, k])}
            for i, rate in enumerate(RATES)
            for k in range(SEEDS)
        ]
    return pd.DataFrame(parts)


def best_loss(found: Tensor) -> float:
    """The least mean over seeds among the rates."""
    return float(found.mean(1).min())


def widest(found: Tensor) -> float:
    """The largest rate with which every seed ends better than guessing one of two classes."""
    good = (found < math.log(2)).all(1).nonzero()
    return RATES[int(good[-1])] if len(good) else 0.0


def growing(points: Mapping[str, Sequence[Mapping[str, int | float]]]) -> pd.DataFrame:
    """The map while its rows are made, from their losses so far; NaN where seeds are missing."""
    cells = []
    for name, part in points.items():
        found = torch.full((len(CELLS),), math.nan, dtype=torch.float64)
        found[: len(part)] = torch.tensor([_uncut(point["loss"]) for point in part])
        cells.append(_cells(name, found.reshape(len(RATES), SEEDS)))
    return pd.concat(cells, ignore_index=True)


def _uncut(loss: float) -> float:
    return loss if loss < LIMIT else math.inf


def _cells(name: str, found: Tensor) -> pd.DataFrame:
    logs = found.mean(1).log10().clamp(max=DIVERGED)
    return pd.DataFrame(
        {
            "rate": [f"{rate:g}" for rate in RATES],
            "variant": name,
            "loss": logs.numpy(),
            "diverged": found.isinf().sum(1).numpy(),
        }
    )


def _curve(name: str, found: Tensor) -> pd.DataFrame:
    kept = found.where(found.isfinite(), math.nan)
    mean, low, high = (part.clamp(min=LEAST).numpy() for part in _interval(kept))
    return pd.DataFrame({"rate": RATES, "curve": name, "loss": mean, "low": low, "high": high})


def _best(name: str, found: Tensor, inputs: str) -> dict[str, object]:
    at = int(found.mean(1).argmin())
    mean, low, high = (float(part[at]) for part in _interval(found))
    return {
        "variant": name, "inputs": inputs, "loss": mean, "low": low, "high": high,
        "rate": RATES[at],
    }  # fmt: skip


def _interval(found: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Of every row: the mean over the seeds, and two standard errors below and above it."""
    mean, error = found.mean(1), found.std(1) / math.sqrt(SEEDS)
    return mean, mean - 2 * error, mean + 2 * error
