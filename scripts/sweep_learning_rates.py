"""Make the map of learning rates and normalizations that ships: 48 rows of 21 short trainings.

Writes pretrained/batchnorm/<digest>/, one folder a row. Run from the repository root:
`python scripts/sweep_learning_rates.py` (about 15 minutes; what is there already is left alone).
"""

import os
import sys
import tempfile
from itertools import product
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch

from core import library, runs
from core.batchnorm.sweep import ROW, SweepConfig, rows


def main() -> None:
    """Train every row that ships, in a store of its own."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["LAB_STORE"] = folder
        for activation, standardized in product(("relu", "tanh"), (False, True)):
            for config in rows(SweepConfig(activation, standardized)):
                if library.SHIPPED.card(ROW.key(config)) is None:
                    found = runs.run(ROW, config)
                    library.ship(found)
                    print(config, found.tensors["loss"].tolist(), flush=True)


if __name__ == "__main__":
    main()
