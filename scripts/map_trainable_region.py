"""Train a net for every gain and depth of the initialization page's heat maps.

Writes pretrained/initialization/region.json. Run from the repository root:
`python scripts/map_trainable_region.py` (about five minutes on one core).
"""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import pandas as pd
import torch

from core.initialization.network import final_accuracy
from core.initialization.region import DEPTHS, MAPS, MULTIPLES, SHIPPED, STEPS, settings
from core.runs import versions
from core.tables import save_table


def main() -> None:
    """One training a cell, all from seed 0."""
    torch.set_num_threads(1)
    started, rows = time.perf_counter(), []
    for start in MAPS:
        for depth in DEPTHS:
            for multiple in MULTIPLES:
                _, accuracy = final_accuracy(settings(start, multiple, depth))
                rows.append((start, multiple, depth, accuracy))
        print(f"{start}: {time.perf_counter() - started:.0f} s", flush=True)
    table = pd.DataFrame(rows, columns=["start", "multiple", "depth", "accuracy"])
    card = {"steps": STEPS, "versions": versions("torch", "scikit-learn")}
    seconds = round(time.perf_counter() - started, 1)
    save_table(SHIPPED, table, {**card, "seconds": seconds})
    print(table.pivot_table(index="depth", columns=["start", "multiple"], values="accuracy"))


if __name__ == "__main__":
    main()
