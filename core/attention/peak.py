"""How much memory an attention takes at most, measured in a process of its own.

`python -m core.attention.peak core.attention.speed:attentions '{"causal": true, ...}' linear 1024
2048` prints megabytes beyond the inputs, a line for each length.
Linux tells a process its peak and lets it start anew; elsewhere there is no answer, and NaN.
"""

import dataclasses
import gc
import json
import math
import os
import pkgutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from core.attention.speed import SpeedConfig

STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")
ROOT = Path(__file__).parents[2]
OWN = "core.attention.speed:attentions"  # what gives the forms by name, causal or not


def peak_megabytes(
    points: Sequence[tuple[str, int]], config: "SpeedConfig", forms: str = OWN
) -> list[float]:
    """The most that a pass of each form and length takes beyond its inputs, output included.

    Each form has a process of its own: what one leaves lying, the next would find and use. NaN
    where it can't be told, or the pass failed.
    """
    found: dict[tuple[str, int], float] = {}
    for form in dict.fromkeys(form for form, _ in points):
        sizes = sorted(n for name, n in points if name == form)
        found |= {
            (form, n): peak
            for n, peak in zip(sizes, _asked(forms, form, sizes, config), strict=False)
        }
    return [found.get((form, n), math.nan) for form, n in points]


def _asked(forms: str, form: str, sizes: list[int], config: "SpeedConfig") -> list[float]:
    """What another process says of a form; nothing if the system does not tell."""
    if not RESET.exists():
        return []
    settings = json.dumps(dataclasses.asdict(config))
    program = [sys.executable, "-m", "core.attention.peak"]
    command = [*program, forms, settings, form, *map(str, sizes)]
    # What is freed goes back to the system at once: a longer pass does not find it, either.
    environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "0"}
    ended = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    return [float(line) for line in ended.stdout.split()] if ended.returncode == 0 else []


def measured(run: Callable[..., "Tensor"], n: int, config: "SpeedConfig") -> float:
    """The same, in this process. Raises OSError where the system does not tell."""
    from core.attention import speed

    speed.once(run, speed.inputs(config, 64), config.backward)  # what it loads is not counted
    qkv = speed.inputs(config, n)
    gc.collect()
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
    where, given, name, *lengths = sys.argv[1:]
    settings = SpeedConfig(**json.loads(given))
    attention = pkgutil.resolve_name(where)(settings.causal)[name]
    for length in lengths:
        print(measured(attention, int(length), settings))
