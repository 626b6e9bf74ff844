"""How much memory an attention takes at most, measured in a process of its own.

`python -m core.attention.peak '{"causal": true, ...}' '[["linear", 1024], ...]'` prints megabytes
beyond the inputs, a line for each form and length.
Linux tells a process its peak and lets it start anew; elsewhere there is no answer, and NaN.
"""

import dataclasses
import json
import math
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.attention.speed import SpeedConfig

STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")
ROOT = Path(__file__).parents[2]


def peak_megabytes(points: Sequence[tuple[str, int]], config: "SpeedConfig") -> list[float]:
    """The most that a pass of each form and length takes beyond its inputs, output included."""
    unknown = [math.nan] * len(points)
    if not RESET.exists():
        return unknown
    command = [sys.executable, "-m", "core.attention.peak"]
    settings = [json.dumps(dataclasses.asdict(config)), json.dumps(points)]
    ended = subprocess.run(
        [*command, *settings], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return [float(line) for line in ended.stdout.split()] if ended.returncode == 0 else unknown


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
    settings = SpeedConfig(**json.loads(sys.argv[1]))
    for name, length in json.loads(sys.argv[2]):
        print(measured(name, length, settings))
