"""Measure what every form of attention costs here, and keep the table that its page shows first.

Writes pretrained/attention/speed.json. Run from the repository root on an idle machine:
`python scripts/measure_attention_speed.py` (a quarter of an hour, nearly all of it fused softmax).
"""

import itertools
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import pandas as pd

from core.attention.speed import SHIPPED, SIZES, SpeedConfig, machine, measure, table_of
from core.tables import save_table


def main() -> None:
    """Causal and not, without and with the gradient."""
    tables = []
    for causal, backward in itertools.product((True, False), (False, True)):
        config = SpeedConfig(causal=causal, backward=backward, longest=SIZES[-1])
        for snapshot in measure(config):
            print(f"{config}: {snapshot.done} / {snapshot.total}", file=sys.stderr)
        rows = table_of(config, snapshot.weights()["rows"])
        tables.append(rows.assign(causal=causal, backward=backward))
    save_table(SHIPPED, pd.concat(tables, ignore_index=True), {"machine": machine()})


if __name__ == "__main__":
    main()
