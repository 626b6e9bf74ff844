"""What an attention costs on this machine: seconds and memory against the number of tokens.

All forms are measured in turn, round after round, so that a busy moment hits them all. It is a task
like a training: it runs in the background, can be stopped and goes on, and its table is kept.

Source: https://kexue.fm/archives/7546, sections 1 and 3.
"""

import json
import math
import os
import platform
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from core.attention import forms
from core.attention.linear import linear_attention
from core.attention.peak import peak_megabytes
from core.attention.softmax import softmax_attention, softmax_weights
from core.knobs import Choice, Config, Range
from core.store import Tensors
from core.tables import load_table
from core.training import Snapshot, Task

SHIPPED = Path(__file__).parents[2] / "pretrained" / "attention" / "speed.json"
SIZES = (64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384)
ROUNDS = 5
WEIGHED = 256  # tokens from which on memory is more than the noise of a process
Form = Callable[[Tensor, Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class SpeedConfig(Config):
    """What is measured."""

    causal: bool = True
    backward: bool = False  # whether the gradient is measured, too
    width: Annotated[int, Range(16, 128, 16)] = 64  # of q, k, v in each head
    heads: Annotated[int, Range(1, 16)] = 8
    longest: Annotated[int, Range(256, 16384)] = 4096


@dataclass(frozen=True)
class AssociativityConfig(Config):
    """Which measurement is looked at."""

    measured: Annotated[str, Choice("shipped", "here")] = "shipped"
    quantity: Annotated[str, Choice("time", "memory")] = "time"
    causal: bool = True
    backward: bool = False
    width: Annotated[int, Range(16, 128, 16)] = 64  # of what is measured here

    @property
    def task(self) -> SpeedConfig:
        """What has to be measured for it."""
        return SpeedConfig(causal=self.causal, backward=self.backward, width=self.width)


@dataclass(frozen=True)
class Speed:
    """The curves, and what follows from them."""

    curves: pd.DataFrame  # curve, n, value, low, high
    table: pd.DataFrame  # form, slope, exponent as theory has it
    crossing: float  # n from which on linear attention is cheaper than fused softmax; NaN: nowhere
    written_crossing: float  # the same beside softmax written out
    width: int  # the crossing of the multiplications
    machine: Mapping[str, str | int]


# Beyond these lengths a form takes minutes, or more memory than a laptop has.
LONGEST = {"written": 4096, "left": 4096, "cumulative": 2048, "recurrent": 2048}
THEORY = {"fused": 2, "written": 2, "left": 2, "linear": 1, "cumulative": 1, "recurrent": 1}


def attentions(causal: bool) -> dict[str, Form]:
    """Every way of computing that is measured, by its code."""
    found: dict[str, Form] = {
        "fused": partial(softmax_attention, causal=causal),
        "written": partial(_written, causal=causal),
        "left": partial(_left, causal=causal),
        "linear": partial(linear_attention, causal=causal),
    }
    if causal:
        found |= {
            form: partial(linear_attention, causal=True, form=form)
            for form in ("cumulative", "recurrent")
        }
    return found


def measure(config: SpeedConfig, state: Tensors | None = None) -> Iterator[Snapshot]:
    """Time every form at every length, then its memory; one snapshot a form and length.

    Rows of the result: form (its place in `attentions`), n, seconds of each round, megabytes.
    """
    found = attentions(config.causal)
    points = [
        (form, n) for n in SIZES for form in found if n <= min(config.longest, LONGEST.get(form, n))
    ]
    rows = state["rows"].tolist() if state else []
    for form, n in points[len(rows) :]:
        seconds = timed(found[form], inputs(config, n), config.backward)
        megabytes = peak_megabytes(form, n, config) if n >= WEIGHED else math.nan
        rows.append([float(list(found).index(form)), float(n), *seconds, megabytes])
        keep = partial(_kept, torch.tensor(rows, dtype=torch.float64))
        metrics = {"tokens": float(n), "seconds": float(np.median(seconds))}
        yield Snapshot(len(rows), len(points), metrics, weights=keep, state=keep)


def timed(form: Form, qkv: tuple[Tensor, ...], backward: bool, rounds: int = ROUNDS) -> list[float]:
    """Seconds of each round, after one that is not counted."""
    return [_seconds(form, qkv, backward) for _ in range(rounds + 1)][1:]


def inputs(config: SpeedConfig, n: int) -> tuple[Tensor, Tensor, Tensor]:
    """Random q, k, v of one sequence; q scaled by 1/sqrt(d), as softmax has it."""
    generator = torch.Generator().manual_seed(0)
    q, k, v = torch.randn(3, 1, config.heads, n, config.width, generator=generator)
    return q / config.width**0.5, k, v


def once(form: Form, qkv: tuple[Tensor, ...], backward: bool) -> None:
    """One pass, with the gradient of the sum of all outputs if asked for."""
    if not backward:
        with torch.no_grad():
            form(*qkv)
        return
    form(*(x.detach().requires_grad_() for x in qkv)).sum().backward()


def table_of(config: SpeedConfig, rows: Tensor) -> pd.DataFrame:
    """What `measure` found: form, n, quartiles low and high of the seconds, median, megabytes."""
    found = list(attentions(config.causal))
    return pd.DataFrame(
        [
            {
                "form": found[int(row[0])],
                "n": int(row[1]),
                **dict(zip(("low", "seconds", "high"), _quartiles(row[2:-1]), strict=True)),
                "megabytes": row[-1],
            }
            for row in rows.tolist()
        ]
    )


def machine() -> dict[str, str | int]:
    """What a measurement depends on, in general words."""
    return {
        "processor": platform.machine(),
        "cores": os.cpu_count() or 1,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }


def shipped_speed(config: SpeedConfig) -> tuple[pd.DataFrame, dict[str, str | int]]:
    """The measurement that ships, of width 64. Raises ValueError if it is missing or damaged."""
    columns = ("causal", "backward", "form", "n", "low", "seconds", "high", "megabytes")
    table = load_table(SHIPPED, columns)
    rows = table[(table["causal"] == config.causal) & (table["backward"] == config.backward)]
    about = json.loads(SHIPPED.read_text(encoding="utf-8"))["machine"]
    return rows.drop(columns=["causal", "backward"]).reset_index(drop=True), about


SPEED = Task("attention.speed", 1, SpeedConfig, lambda config: json.dumps(machine()), measure)


def _written(q: Tensor, k: Tensor, v: Tensor, *, causal: bool) -> Tensor:
    return softmax_weights(q, k, causal=causal) @ v


def _left(q: Tensor, k: Tensor, v: Tensor, *, causal: bool) -> Tensor:
    """(q k^T) v: no softmax, the brackets still on the left."""
    return forms.quadratic(q, k, v, causal=causal)[0]


def _seconds(form: Form, qkv: tuple[Tensor, ...], backward: bool) -> float:
    started = time.perf_counter()
    once(form, qkv, backward)
    return time.perf_counter() - started


def _kept(rows: Tensor) -> Tensors:
    return {"rows": rows}


def _quartiles(seconds: list[float]) -> list[float]:
    return np.quantile(seconds, [0.25, 0.5, 0.75]).tolist()
