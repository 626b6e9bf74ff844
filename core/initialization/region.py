"""Which starts train at all: accuracy after a short training, over gain and depth.

`python scripts/map_trainable_region.py` makes what ships.

Source: https://kexue.fm/archives/7180: too much expansion or degeneration at the start hurts.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated

import pandas as pd

from core.initialization.network import TrainConfig
from core.knobs import Choice, Config
from core.tables import load_table

SHIPPED = Path(__file__).parents[2] / "pretrained" / "initialization" / "region.json"
STEPS = 150
MULTIPLES = (0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4, 1.6, 1.8, 2.0)
DEPTHS = (2, 4, 8, 15, 25, 35, 50)
MAPS = {
    "tanh-normal": ("post", "tanh"),
    "tanh-orthogonal": ("orthogonal", "tanh"),
    "relu-he": ("he", "relu"),
}


@dataclass(frozen=True)
class RegionConfig(Config):
    """Which start is scaled up and down."""

    start: Annotated[str, Choice(*MAPS)] = "tanh-normal"


@dataclass(frozen=True)
class Region:
    """One training a cell."""

    table: pd.DataFrame  # multiple (of every hidden weight), depth, accuracy on the test set
    best_multiple: float  # at the greatest depth
    best: float
    accuracy_at_one: float  # at the greatest depth, without any multiple
    trainable: float  # share of the cells that reach half of the best


def settings(start: str, multiple: float, depth: int) -> TrainConfig:
    """The training behind a cell."""
    scheme, activation = MAPS[start]
    return TrainConfig(
        scheme=scheme, activation=activation, multiple=multiple, depth=depth, steps=STEPS
    )


def region(config: RegionConfig) -> Region:
    """The map that ships. Raises ValueError if its file is missing or damaged."""
    table = _shipped()
    table = table[table["start"] == config.start].drop(columns="start").reset_index(drop=True)
    deepest = table[table["depth"] == max(DEPTHS)].set_index("multiple")["accuracy"]
    return Region(
        table=table,
        best_multiple=float(deepest.index[int(deepest.argmax())]),
        best=float(deepest.max()),
        accuracy_at_one=float(deepest.loc[1.0]),
        trainable=float((table["accuracy"] > table["accuracy"].max() / 2).mean()),
    )


@lru_cache
def _shipped() -> pd.DataFrame:
    return load_table(SHIPPED, ["start", "multiple", "depth", "accuracy"])
