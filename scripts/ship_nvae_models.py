"""Train and measure what the NVAE page shows from the first look on, and ship it.

Writes pretrained/nvae/<digest>/, one folder a result. Run from the repository root:
`python scripts/ship_nvae_models.py NAME ...`, where NAME is a model (glyphs, digits, mnist), the
plain VAE beside it (plain-glyphs), the likelihoods of both (likelihood-glyphs, after them), or
ablations. What LAB_STORE has already is taken from there; what was begun goes on from its
checkpoint.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch

from core import library, runs
from core.knobs import Config
from core.nvae import (
    ABLATION,
    BESIDE,
    LIKELIHOOD,
    PLAIN,
    SHIPPED,
    TRAINING,
    CompareConfig,
    PartsConfig,
)
from core.training import Task

WORK: dict[str, list[tuple[Task, Config]]] = {
    **{name: [(TRAINING, config)] for name, config in SHIPPED.items()},
    **{f"plain-{name}": [(PLAIN, config)] for name, config in BESIDE.items()},
    **{
        f"likelihood-{name}": [(LIKELIHOOD, CompareConfig(model=name).likelihood)]
        for name in BESIDE
    },
    "ablations": [(ABLATION, config) for config in PartsConfig().trainings],
}


def main(names: list[str]) -> None:
    """Make these where they are not there yet, and put them into the repository."""
    torch.set_num_threads(1)
    for name in names:
        for task, config in WORK[name]:
            found = runs.run(task, config)
            library.ship(found)
            print(name, found.meta["seconds"], found.meta["metrics"], flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
