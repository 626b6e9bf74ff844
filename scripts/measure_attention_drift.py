"""Let the recurrence run over ten thousand tokens in three precisions.

Writes pretrained/attention/drift.json. Run from the repository root:
`python scripts/measure_attention_drift.py` (a minute or two).
"""

import sys
from itertools import product
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import pandas as pd
import torch

from core import runs
from core.attention.recurrence import DRIFT, DTYPES, LONG, drifts
from core.tables import save_table

KERNELS = ("elu", "relu", "exp")
POINTS = sorted({round(at) for at in np.geomspace(1, LONG, 41)})


def main() -> None:
    """Every kernel in every precision."""
    torch.set_num_threads(1)
    tables = []
    for kernel, dtype in product(KERNELS, DTYPES):
        tables.append(drifts(kernel, dtype, POINTS).assign(kernel=kernel, dtype=dtype))
        print(tables[-1].tail(2), flush=True)
    save_table(DRIFT, pd.concat(tables), {"versions": runs.versions("torch")})


if __name__ == "__main__":
    main()
