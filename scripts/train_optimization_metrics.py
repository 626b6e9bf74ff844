"""Run the trainings for metrics without gradient that the page on optimization shows.

Writes pretrained/optimization/<digest>/, one folder a setting. Run from the repository root:
`python scripts/train_optimization_metrics.py [NUMBER ...]` (about half an hour for all of them).
"""

import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch

from core import library, runs
from core.optimization.metric import SHIPPED, TRAINING


def main(numbers: list[str]) -> None:
    """Run these settings, or all that ship, in a store of their own."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["LAB_STORE"] = folder
        for number in map(int, numbers or range(len(SHIPPED))):
            library.withdraw(TRAINING.key(SHIPPED[number]))
            found = runs.run(TRAINING, SHIPPED[number])
            library.ship(found)
            print(SHIPPED[number], found.meta["seconds"], flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
