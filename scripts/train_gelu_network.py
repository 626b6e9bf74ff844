"""Train the networks of the GELU page: nine to swap the activation in, fifteen to compare.

Writes pretrained/gelu/<digest>/, one folder a network, and pretrained/gelu/retrained.json.
Run from the repository root: `python scripts/train_gelu_network.py` (about a minute).
"""

import dataclasses
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import pandas as pd

from core import library, runs
from core.gelu.network import NETWORK, SWAPS, TrainConfig
from core.gelu.pretrained import RETRAINED
from core.store import Artefact
from core.tables import save_table

DEPTHS = (2, 4, 8)
SEEDS = (0, 1, 2)


def train(config: TrainConfig) -> Artefact:
    """A network trained now, whatever ships already."""
    library.withdraw(NETWORK.key(config))
    return runs.run(NETWORK, config)


def ship_networks() -> None:
    """Train with exact GELU and keep the weights with their cards."""
    for config in [TrainConfig(depth=depth, seed=seed) for depth in DEPTHS for seed in SEEDS]:
        found = train(config)
        library.ship(found)
        print(f"depth {config.depth}, seed {config.seed}: {found.meta['metrics']}")


def ship_retrained() -> None:
    """Train depth 4 with every activation from the same seeds and keep the accuracies."""
    started = time.perf_counter()
    configs = [TrainConfig(activation=name, depth=4, seed=seed) for name in SWAPS for seed in SEEDS]
    rows = [
        (run.activation, run.seed, runs.trained(NETWORK, run).meta["metrics"]["test_accuracy"])
        for run in configs
    ]
    table = pd.DataFrame(rows, columns=["activation", "seed", "accuracy"])
    config = {k: v for k, v in dataclasses.asdict(configs[0]).items() if k not in table}
    card: dict[str, Any] = {"config": config, "versions": runs.versions("torch", "scikit-learn")}
    card["seconds"] = round(time.perf_counter() - started, 1)
    save_table(RETRAINED, table, card)
    print(table.groupby("activation")["accuracy"].mean())


def main() -> None:
    """Train everything, in a store of its own."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["LAB_STORE"] = folder
        ship_networks()
        ship_retrained()


if __name__ == "__main__":
    main()
