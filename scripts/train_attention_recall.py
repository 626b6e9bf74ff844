"""Train the layers and the small transformers that the attention page compares at first sight.

Writes pretrained/attention/<digest>/, one folder a model, and pretrained/attention/lengths.json and
projections.json: accuracies over the number of pairs, and over Linformer's projections. Run from
the repository root: `python scripts/train_attention_recall.py` (half an hour on one core). With
`--transformers` only those.
"""

import os
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import pandas as pd
import torch

from core import library, runs
from core.attention.recall import RECALL
from core.attention.shipped import (
    COLUMNS,
    LENGTHS,
    PROJECTIONS,
    SHIPPED,
    TRANSFORMERS,
    Table,
)
from core.attention.transformer import TRANSFORMER
from core.knobs import Config
from core.tables import save_table
from core.training import Task


def main() -> None:
    """Train what ships with its weights, then what ships as a number."""
    torch.set_num_threads(1)
    store = os.environ.get("LAB_STORE")  # a store of one's own: an interrupted run goes on
    with tempfile.TemporaryDirectory() as folder:
        os.environ["LAB_STORE"] = store or folder
        for config in TRANSFORMERS:
            ship(TRANSFORMER, config)
        if "--transformers" in sys.argv:
            return
        for layer in SHIPPED:
            ship(RECALL, layer)
        for table in (LENGTHS, PROJECTIONS):
            measure(table)


def ship(task: Task, config: Config) -> None:
    """Train a model anew and put it among those that come with the repository."""
    library.withdraw(task.key(config))
    made = runs.run(task, config)
    library.ship(made)
    print(config, made.meta["metrics"], flush=True)


def measure(table: Table) -> None:
    """Keep the accuracy of every training of a table."""
    rows = []
    for config in table.configs:
        accuracy = runs.trained(RECALL, config).meta["metrics"]["accuracy"]
        settings = {name: value for name, value in asdict(config).items() if name in COLUMNS}
        rows.append(settings | {"accuracy": accuracy})
        print(rows[-1], flush=True)
    card = {"task": RECALL.name, "version": RECALL.version, "versions": runs.versions("torch")}
    save_table(table.path, pd.DataFrame(rows), card)


if __name__ == "__main__":
    main()
