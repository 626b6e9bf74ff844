"""Train the networks of the GELU page: nine to swap the activation in, fifteen to compare.

Writes pretrained/gelu/network-d{depth}-s{seed}/ and pretrained/gelu/retrained.json.
Run from the repository root: `python scripts/train_gelu_network.py` (about a minute).
"""

import dataclasses
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import pandas as pd
import sklearn
import torch

from core.gelu.network import SWAPS, Snapshot, TrainConfig, train
from core.gelu.pretrained import save_network, save_retrained

DEPTHS = (2, 4, 8)
SEEDS = (0, 1, 2)


def final(config: TrainConfig) -> Snapshot:
    """The last snapshot of a training run."""
    *_, last = train(config)
    return last


def versions() -> dict[str, str]:
    """The libraries that decide the numbers."""
    return {"torch": torch.__version__, "scikit-learn": sklearn.__version__}


def ship_network(depth: int, seed: int) -> None:
    """Train with exact GELU and keep the weights with their card."""
    config, started = TrainConfig(depth=depth, seed=seed), time.perf_counter()
    last = final(config)
    card: dict[str, Any] = {
        "config": dataclasses.asdict(config),
        "metrics": {"loss": last.loss, "test_accuracy": last.accuracy},
        "seed": seed,
        "versions": versions(),
        "seconds": round(time.perf_counter() - started, 1),
    }
    save_network(depth, seed, last.weights, card)
    print(f"depth {depth}, seed {seed}: loss {last.loss:.4f}, accuracy {last.accuracy:.4f}")


def ship_retrained() -> None:
    """Train depth 4 with every activation from the same seeds and keep the accuracies."""
    started = time.perf_counter()
    runs = [TrainConfig(activation=name, depth=4, seed=seed) for name in SWAPS for seed in SEEDS]
    rows = [(run.activation, run.seed, final(run).accuracy) for run in runs]
    table = pd.DataFrame(rows, columns=["activation", "seed", "accuracy"])
    config = {k: v for k, v in dataclasses.asdict(runs[0]).items() if k not in table}
    seconds = round(time.perf_counter() - started, 1)
    save_retrained(table, {"config": config, "versions": versions(), "seconds": seconds})
    print(table.groupby("activation")["accuracy"].mean())


def main() -> None:
    """Train everything."""
    for depth in DEPTHS:
        for seed in SEEDS:
            ship_network(depth, seed)
    ship_retrained()


if __name__ == "__main__":
    main()
