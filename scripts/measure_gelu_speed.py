"""Measure what every form of GELU costs here, and keep the table that the GELU page shows first.

Writes pretrained/gelu/speed.json. Run from the repository root on an idle machine:
`python scripts/measure_gelu_speed.py` (a few seconds).
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch

from core.gelu.speed import SHIPPED, SpeedConfig, speed


def main() -> None:
    """One thread, as the dashboard runs."""
    torch.set_num_threads(1)
    measured = speed(SpeedConfig())
    print(measured.table.to_string(index=False))
    kept = {"machine": dict(measured.machine), "table": measured.table.to_dict(orient="records")}
    SHIPPED.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
