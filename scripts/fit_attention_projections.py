"""Fit Linformer's projections to softmax attention, for every length and number of them.

Writes pretrained/attention/fits.json. Run from the repository root:
`python scripts/fit_attention_projections.py` (five minutes on one core).
"""

import sys
from itertools import product
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import pandas as pd
import torch

from core import runs
from core.attention.projection import COUNTS, FIT, FITS, LENGTHS, FitConfig, fit
from core.tables import save_table


def main() -> None:
    """Every fit in turn."""
    torch.set_num_threads(1)
    rows = []
    for scale, tokens, m in product((1.0, 4.0), map(int, LENGTHS), COUNTS):
        if m <= tokens:
            *_, last = fit(FitConfig(tokens=tokens, projections=m, scale=scale))
            rows.append((tokens, m, scale, last.metrics["error"]))
            print(rows[-1], flush=True)
    table = pd.DataFrame(rows, columns=["tokens", "projections", "scale", "error"])
    card = {"task": FIT.name, "version": FIT.version, "versions": runs.versions("torch")}
    save_table(FITS, table, card)


if __name__ == "__main__":
    main()
