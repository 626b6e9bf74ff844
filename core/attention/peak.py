"""How much memory an attention takes at most, measured in a process of its own.

`python -m core.attention.peak FORM N '{"causal": true, ...}'` prints megabytes beyond the inputs.
Linux tells a process its peak and lets it start anew; elsewhere there is no answer, and NaN.
"""

import dataclasses
import json
import math
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.attention.speed import SpeedConfig

STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")
ROOT = Path(__file__).parents[2]


def peak_megabytes(form: str, n: int, config: "SpeedConfig") -> float:
    """The most that one pass takes beyond its inputs; its output is part of it."""
    if not RESET.exists():
        return math.nan
    command = [sys.executable, "-m", "core.attention.peak", form, str(n)]
    settings = json.dumps(dataclasses.asdict(config))
    ended = subprocess.run(
        [*command, settings], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return float(ended.stdout) if ended.returncode == 0 else math.nan


def measured(form: str, n: int, config: "SpeedConfig") -> float:
    """The same, in this process. Raises OSError where the system does not tell."""
    from core.attention import speed

    run = speed.attentions(config.causal)[form]
    speed.once(run, speed.inputs(config, 16), config.backward)  # what it loads is not counted
    qkv = speed.inputs(config, n)
    RESET.write_text("5")  # the peak is from now on
    before = _kilobytes("VmRSS")
    speed.once(run, qkv, config.backward)
    return (_kilobytes("VmHWM") - before) / 1024


def _kilobytes(name: str) -> int:
    lines = STATUS.read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


if __name__ == "__main__":
    import torch

    from core.attention.speed import SpeedConfig

    torch.set_num_threads(1)
    print(measured(sys.argv[1], int(sys.argv[2]), SpeedConfig(**json.loads(sys.argv[3]))))
