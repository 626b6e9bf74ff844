"""How fast the exact and the approximate forms are on this machine, and what they cost in error.

`python scripts/measure_gelu_speed.py` measures and keeps the table that ships.

Source: https://kexue.fm/archives/7309, the section on the exact erf in frameworks.
"""

import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from scipy.special import ndtr

from core.gelu.functions import gelu, gelu_sigmoid, gelu_tanh
from core.knobs import Config, Range

SHIPPED = Path(__file__).parents[2] / "pretrained" / "gelu" / "speed.json"

# Each form takes the tensor and the NumPy view of the same memory, and uses one of them.
FORMS: dict[str, Callable[[torch.Tensor, np.ndarray], torch.Tensor | np.ndarray]] = {
    "exact": lambda x, _: F.gelu(x),
    "tanh-fused": lambda x, _: F.gelu(x, approximate="tanh"),
    "tanh": lambda x, _: gelu_tanh(x),
    "sigmoid": lambda x, _: gelu_sigmoid(x),
    "silu-fused": lambda x, _: F.silu(1.702 * x) / 1.702,
    "scipy-exact": lambda _, array: array * ndtr(array),
}


@dataclass(frozen=True)
class SpeedConfig(Config):
    """How many numbers at once, as a power of two, and how often."""

    log2_size: Annotated[int, Range(12, 22)] = 20
    rounds: Annotated[int, Range(5, 50)] = 15


@dataclass(frozen=True)
class Speed:
    """A measurement and what it depends on."""

    table: pd.DataFrame  # columns as in `measure_speed`
    machine: Mapping[str, str | int]


def speed(config: SpeedConfig) -> Speed:
    """Measure now, on this machine."""
    return Speed(measure_speed(1 << config.log2_size, config.rounds), machine())


def measure_speed(size: int = 1 << 20, rounds: int = 15) -> pd.DataFrame:
    """Time every form on the same float32 numbers, in turn, so that a busy moment hits them all.

    Columns: form; milliseconds_median, milliseconds_low, milliseconds_high (quartiles); ratio
    (median / the exact form's median); max_error (of GELU, against float64). Threads: torch's own
    setting, unchanged.
    """
    for name, value in (("size", size), ("rounds", rounds)):
        if value < 1:
            raise ValueError(f"{name} is {value}, but must be at least 1")
    x = torch.randn(size, generator=torch.Generator().manual_seed(0))
    array = x.numpy()
    times: dict[str, list[float]] = {name: [] for name in FORMS}
    for _ in range(rounds + 1):
        for name, form in FORMS.items():
            times[name].append(_milliseconds(form, x, array))
    median = float(np.median(times["exact"][1:]))
    return pd.DataFrame([_row(name, times[name][1:], median) for name in FORMS])


def machine() -> dict[str, str | int]:
    """What the timing depends on, in general words."""
    return {
        "cores": os.cpu_count() or 1,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "numpy": np.__version__,
    }


def shipped_speed() -> Speed:
    """The measurement that ships, of the default config. Raises ValueError if damaged."""
    try:
        found = json.loads(SHIPPED.read_text(encoding="utf-8"))
        return Speed(pd.DataFrame(found["table"]), dict(found["machine"]))
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{SHIPPED.name} is missing or damaged: {error!r}") from error


def _milliseconds(form: Callable, x: torch.Tensor, array: np.ndarray) -> float:
    started = time.perf_counter()
    form(x, array)
    return 1e3 * (time.perf_counter() - started)


def _row(name: str, times: list[float], exact: float) -> dict[str, str | float]:
    low, median, high = np.quantile(times, [0.25, 0.5, 0.75]).tolist()
    return {
        "form": name,
        "milliseconds_median": median,
        "milliseconds_low": low,
        "milliseconds_high": high,
        "ratio": median / exact,
        "max_error": _max_error(name),
    }


def _max_error(name: str) -> float:
    x = torch.linspace(-8, 8, 4001)
    value = torch.as_tensor(FORMS[name](x, x.numpy())).double()
    return float((value - gelu(x.double())).abs().max())
