"""Train the models that the VAE page shows from the first look on.

Writes pretrained/vae/<digest>/, one folder a model. Run from the repository root:
`python scripts/train_vae_models.py [NAME ...]` (about ten minutes for all of them).
"""

import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch

from core import library, runs
from core.vae.training import SHIPPED, TRAINING


def main(names: list[str]) -> None:
    """Train these models, or all that ship, in a store of their own."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["LAB_STORE"] = folder
        for name in names or SHIPPED:
            library.withdraw(TRAINING.key(SHIPPED[name]))
            found = runs.run(TRAINING, SHIPPED[name])
            library.ship(found)
            print(name, found.meta["seconds"], found.meta["metrics"], flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
