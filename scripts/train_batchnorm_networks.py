"""Train the networks that the batch normalization page shows from the first look on.

Writes pretrained/batchnorm/<digest>/, one folder a network, one for the map of batch sizes, two for
the surfaces of the convolutional nets. Run from the repository root:
`python scripts/train_batchnorm_networks.py` (five minutes; what is there already is left alone).
"""

import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch

from core import library, runs, tables
from core.batchnorm.batches import EVAL, EvalConfig
from core.batchnorm.compare import REPEATED, SHIPPED, repeats
from core.batchnorm.curvature import SEEDS, SHARPNESS, sharpness_table
from core.batchnorm.surface import SURFACE, SurfaceConfig
from core.batchnorm.training import TRAINING, WATCHED
from core.knobs import Config
from core.training import Task


def main() -> None:
    """Train what is missing, in a store of its own."""
    torch.set_num_threads(1)
    jobs: dict[str, tuple[Task, Config]] = {
        **{name: (TRAINING, config) for name, config in SHIPPED.items()},
        **{
            f"{name}, seed {config.seed}": (TRAINING, config)
            for name in REPEATED
            for config in repeats(SHIPPED[name])
        },
        "batches": (EVAL, EvalConfig()),
        **{
            f"surface, {name}": (SURFACE, grid)
            for name, grid in SurfaceConfig(pair="cnn").grids.items()
        },
    }
    with tempfile.TemporaryDirectory() as folder:
        os.environ["LAB_STORE"] = folder
        for name, (task, config) in jobs.items():
            if library.SHIPPED.card(task.key(config)) is None:
                found = runs.run(task, config)
                library.ship(found)
                print(name, found.meta["metrics"], flush=True)
    if not SHARPNESS.exists():
        card = {"rows": WATCHED, "seeds": SEEDS, **runs.versions("torch")}
        tables.save_table(SHARPNESS, sharpness_table(), card)


if __name__ == "__main__":
    main()
