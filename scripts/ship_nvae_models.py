"""Train the NVAEs that the page shows from the first look on, and ship them.

Writes pretrained/nvae/<digest>/, one folder a model. Run from the repository root:
`python scripts/ship_nvae_models.py NAME ...` takes what `python -m core.nvae.train --dataset NAME`
has made in LAB_STORE, goes on from its checkpoint, or trains from the start.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch

from core import library, runs
from core.nvae.training import SHIPPED, TRAINING


def main(names: list[str]) -> None:
    """Train these models where they are not there yet, and put them into the repository."""
    torch.set_num_threads(1)
    for name in names:
        found = runs.run(TRAINING, SHIPPED[name])
        library.ship(found)
        print(name, found.meta["seconds"], found.meta["metrics"], flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
