"""Train the nets that the initialization page compares from the first look on.

Writes pretrained/initialization/<digest>/, one folder a net: its curve and its read-out. The page
shows no more, and fifty layers of each would be megabytes. Run from the repository root:
`python scripts/train_initialization_networks.py` (half a minute).
"""

import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch

from core import library, runs
from core.initialization.network import TRAINING
from core.initialization.training import SHIPPED


def main() -> None:
    """Train every start that ships, in a store of its own."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["LAB_STORE"] = folder
        for name, config in SHIPPED.items():
            library.withdraw(TRAINING.key(config))
            found = runs.run(TRAINING, config)
            read_out = f"weight{config.depth}"
            library.ship(replace(found, tensors={read_out: found.tensors[read_out]}))
            print(name, found.meta["metrics"])


if __name__ == "__main__":
    main()
