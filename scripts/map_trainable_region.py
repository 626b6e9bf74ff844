"""Train a net for every gain and depth of the initialization page's heat maps.

Writes pretrained/initialization/<digest>/, one folder a map. Run from the repository root:
`python scripts/map_trainable_region.py` (about five minutes on one core).
"""

import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch

from core import library, runs
from core.initialization.region import MAP, STARTS, RegionConfig


def main() -> None:
    """Make the map of every start, in a store of its own."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["LAB_STORE"] = folder
        for start in STARTS:
            config = RegionConfig(start=start)
            library.withdraw(MAP.key(config))
            found = runs.run(MAP, config)
            library.ship(found)
            print(start, found.meta["seconds"])


if __name__ == "__main__":
    main()
