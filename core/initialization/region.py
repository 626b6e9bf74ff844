"""Which starts train at all: accuracy after a short training, over gain and depth.

`python scripts/map_trainable_region.py` makes what ships.

Source: https://kexue.fm/archives/7180: too much expansion or degeneration at the start hurts.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Annotated

import pandas as pd
import torch

from core.initialization.network import TRAINING, TrainConfig, final_accuracy
from core.knobs import Choice, Config, Range
from core.runs import trained
from core.store import Tensors
from core.training import Snapshot, Task

STEPS = 150
MULTIPLES = (0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4, 1.6, 1.8, 2.0)
DEPTHS = (2, 4, 8, 15, 25, 35, 50)
CELLS = tuple(product(DEPTHS, MULTIPLES))
STARTS = {
    "tanh-normal": ("post", "tanh"),
    "tanh-orthogonal": ("orthogonal", "tanh"),
    "relu-he": ("he", "relu"),
}


@dataclass(frozen=True)
class RegionConfig(Config):
    """Which start is scaled up and down."""

    start: Annotated[str, Choice(*STARTS)] = "tanh-normal"
    seed: Annotated[int, Range(0, 4)] = 0


@dataclass(frozen=True)
class Region:
    """One training a cell."""

    table: pd.DataFrame  # multiple (of every hidden weight), depth, accuracy on the test set
    best_multiple: float  # at the greatest depth
    best: float
    accuracy_at_one: float  # at the greatest depth, without any multiple
    trainable: float  # share of the cells that reach half of the best


def cell(config: RegionConfig, depth: int, multiple: float) -> TrainConfig:
    """The training behind a cell."""
    scheme, activation = STARTS[config.start]
    return TrainConfig(
        scheme=scheme, activation=activation, multiple=multiple, depth=depth, steps=STEPS,
        seed=config.seed,
    )  # fmt: skip


def train_cells(config: RegionConfig, state: Tensors | None = None) -> Iterator[Snapshot]:
    """One training after the other; the accuracies are what is kept, [cells]."""
    accuracies = state["accuracy"].tolist() if state else []
    for depth, multiple in CELLS[len(accuracies) :]:
        _, accuracy = final_accuracy(cell(config, depth, multiple))
        accuracies.append(accuracy)
        yield Snapshot(
            done=len(accuracies),
            total=len(CELLS),
            metrics={"accuracy": accuracy},
            weights=lambda: {"accuracy": torch.tensor(accuracies)},
            state=lambda: {"accuracy": torch.tensor(accuracies)},
        )


def cells(accuracies: Mapping[int, float]) -> pd.DataFrame:
    """The table of a map of which these cells are done, counted from 1; NaN for the others."""
    table = pd.DataFrame(CELLS, columns=["depth", "multiple"], index=range(1, len(CELLS) + 1))
    return table.assign(accuracy=pd.Series(accuracies, dtype=float)).reset_index(drop=True)


MAP = Task("initialization.region", 1, RegionConfig, TRAINING.data, train_cells)


def region(config: RegionConfig) -> Region:
    """The map of a start; it is made first, if it never was."""
    table = cells(dict(enumerate(trained(MAP, config).tensors["accuracy"].tolist(), 1)))
    deepest = table[table["depth"] == max(DEPTHS)].set_index("multiple")["accuracy"]
    return Region(
        table=table,
        best_multiple=float(deepest.index[int(deepest.argmax())]),
        best=float(deepest.max()),
        accuracy_at_one=float(deepest.loc[1.0]),
        trainable=float((table["accuracy"] > table["accuracy"].max() / 2).mean()),
    )
