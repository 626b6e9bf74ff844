"""What an attention costs on this machine: processor time and memory against its length.

All forms are measured in turn, round after round, so that a busy moment hits them all. It is a task
like a training: it runs in the background, can be stopped and goes on, and its table is kept.

Source: https://kexue.fm/archives/7546, sections 1 and 3.
"""

import json
import math
import os
import platform
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from core.attention.counting import exponent
from core.attention.linear import linear_attention
from core.attention.peak import peak_megabytes
from core.attention.softmax import softmax_attention, softmax_weights
from core.knobs import Choice, Config, Range
from core.runs import trained
from core.store import Tensors
from core.tables import load_table
from core.training import Snapshot, Task

SHIPPED = Path(__file__).parents[2] / "pretrained" / "attention" / "speed.json"
SIZES = (64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384)
ROUNDS = 5
WARM = 1024  # tokens: what a form loads at first, it loads for fewer, too
NOISE = {"seconds": 0.0, "megabytes": 1.0}
Form = Callable[[Tensor, Tensor, Tensor], Tensor]
Tokens = tuple[Tensor, Tensor, Tensor]


@dataclass(frozen=True)
class SpeedConfig(Config):
    """What is measured."""

    causal: bool = True
    backward: bool = False  # whether the gradient is measured, too
    width: Annotated[int, Range(16, 128, 16)] = 64  # of q, k, v in each head
    heads: Annotated[int, Range(1, 16)] = 8
    longest: Annotated[int, Range(256, 16384)] = 2048


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

    curves: pd.DataFrame  # n, value, low, high, curve: median and quartiles of a form's seconds, or
    # its megabytes, weighed once
    table: pd.DataFrame  # form, exponent, n, median, low, high: the last ones at its longest n
    crossing: float  # n from which on "linear" costs less than "fused"; NaN if it never does
    written: float  # the same beside softmax written out
    machine: Mapping[str, str | int]


# Beyond these lengths a form takes minutes, or more memory than a laptop has.
LONGEST = {"cumulative": 1024, "steps": 1024, "written": 4096, "left": 4096}
FITTED = 512  # tokens: the exponents are fitted from here on


def attentions(causal: bool) -> dict[str, Form]:
    """Every way of computing that is measured, by its code."""
    found: dict[str, Form] = {
        "fused": partial(softmax_attention, causal=causal),
        "written": partial(_written, causal=causal),
        "linear": partial(linear_attention, causal=causal),
    }
    if not causal:
        return {**found, "left": _left}
    return found | {
        "cumulative": partial(linear_attention, causal=True, form="cumulative"),
        "steps": partial(linear_attention, causal=True, form="recurrent"),
    }


def measure(config: SpeedConfig, state: Tensors | None = None) -> Iterator[Snapshot]:
    """Time every form on one thread, one snapshot a length; then weigh them all.

    Rows of the result: form (its place in `attentions`), n, seconds of each round, megabytes.
    """
    found = attentions(config.causal)
    sizes = [n for n in SIZES if n <= config.longest]
    rows = state["rows"].tolist() if state else []
    for n in sizes[len({row[1] for row in rows}) :]:
        chosen = [form for form in found if n <= LONGEST.get(form, n)]
        seconds = timed([found[form] for form in chosen], inputs(config, n), config.backward)
        for form, times in zip(chosen, seconds, strict=True):
            rows.append([float(list(found).index(form)), float(n), *times, math.nan])
        yield _snapshot(sizes.index(n) + 1, len(sizes) + 1, rows)
    points = [(list(found)[int(row[0])], int(row[1])) for row in rows]
    for row, megabytes in zip(rows, peak_megabytes(points, config), strict=True):
        row[-1] = megabytes
    yield _snapshot(len(sizes) + 1, len(sizes) + 1, rows)


def timed(forms: Sequence[Form], qkv: Tokens, backward: bool) -> list[list[float]]:
    """Seconds of each form in each round, forms in turn, after an uncounted one on few tokens."""
    q, k, v = (x[..., :WARM, :] for x in qkv)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for form in forms:
            once(form, (q, k, v), backward)
        rounds = [[_seconds(form, qkv, backward) for form in forms] for _ in range(ROUNDS)]
    finally:
        torch.set_num_threads(threads)
    return [list(times) for times in zip(*rounds, strict=True)]


def inputs(config: SpeedConfig, n: int) -> Tokens:
    """Random q, k, v of one sequence; q scaled by 1/sqrt(d), as softmax has it."""
    generator = torch.Generator().manual_seed(0)
    q, k, v = torch.randn(3, 1, config.heads, n, config.width, generator=generator)
    return q / config.width**0.5, k, v


def once(form: Form, qkv: Tokens, backward: bool) -> None:
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
    """What a measurement depends on, in general words; the same in every process of a machine."""
    return {
        "processor": platform.machine(),
        "cores": os.cpu_count() or 1,
        "torch": torch.__version__,
    }


def shipped_speed(config: SpeedConfig) -> tuple[pd.DataFrame, dict[str, str | int]]:
    """The measurement that ships, of width 64. Raises ValueError if it is missing or damaged."""
    columns = ("causal", "backward", "form", "n", "low", "seconds", "high", "megabytes")
    table = load_table(SHIPPED, columns)
    of_it = (table["causal"] == config.causal) & (table["backward"] == config.backward)
    rows = table[of_it & table["form"].isin(attentions(config.causal))]
    about = json.loads(SHIPPED.read_text(encoding="utf-8"))["machine"]
    return rows.drop(columns=["causal", "backward"]).reset_index(drop=True), about


def associativity(config: AssociativityConfig) -> Speed:
    """Time or memory of every form; raises ValueError if what ships is damaged."""
    if config.measured == "here":
        rows = table_of(config.task, trained(SPEED, config.task).tensors["rows"])
        about = machine()
    else:
        rows, about = shipped_speed(config.task)
    unit = {"time": "seconds", "memory": "megabytes"}[config.quantity]
    rows = rows[rows[unit] > NOISE[unit]]  # memory: no answer, or no more than a process wavers
    crossings = {other: crossing(rows, unit, other) for other in ("fused", "written")}
    width = config.task.width if config.measured == "here" else SpeedConfig().width
    marks = {"crossing": crossings["fused"], "theory": float(width)}
    return Speed(
        curves=_curves(rows, unit, marks),
        table=_summary(rows, unit),
        crossing=crossings["fused"],
        written=crossings["written"],
        machine=about,
    )


def crossing(rows: pd.DataFrame, unit: str, other: str) -> float:
    """The n from which on "linear" takes less than another form, between two that were measured.

    The least n measured if it always does; NaN if at the longest it still does not.
    """
    by_form = rows.pivot(index="n", columns="form", values=unit)
    by_form = by_form.reindex(columns=["linear", other]).dropna()
    gaps = (by_form["linear"] / by_form[other]).map(math.log).to_numpy()
    sizes = by_form.index.to_numpy(float)
    more = np.flatnonzero(gaps > 0)
    if len(sizes) == 0:
        return math.nan
    if len(more) == 0:
        return float(sizes[0])
    last = more[-1]
    if last + 1 == len(sizes):
        return math.nan
    share = gaps[last] / (gaps[last] - gaps[last + 1])
    return float(sizes[last] ** (1 - share) * sizes[last + 1] ** share)


SPEED = Task("attention.speed", 1, SpeedConfig, lambda config: json.dumps(machine()), measure)


def _curves(rows: pd.DataFrame, unit: str, marks: Mapping[str, float]) -> pd.DataFrame:
    """Every form at every length, NaN where it was not measured; marks lie on "linear"."""
    ends = ["low", "high"] if unit == "seconds" else [unit, unit]
    curves = pd.DataFrame(
        {name: rows[column] for name, column in zip(
            ("n", "curve", "value", "low", "high"), ("n", "form", unit, *ends), strict=True
        )}
    )  # fmt: skip
    every = pd.MultiIndex.from_product([curves["curve"].unique(), sorted(curves["n"].unique())])
    curves = curves.set_index(["curve", "n"]).reindex(every).rename_axis(["curve", "n"])
    linear = rows[rows["form"] == "linear"].set_index("n")[unit]
    points = [
        (n, float(np.exp(np.interp(math.log(n), np.log(linear.index), np.log(linear)))), mark)
        for mark, n in marks.items()
        if len(linear) and not math.isnan(n)
    ]
    marked = pd.DataFrame(points, columns=["n", "value", "curve"])
    marked = marked.assign(low=marked["value"], high=marked["value"])
    return pd.concat([curves.reset_index().astype({"n": float}), marked], ignore_index=True)


def _summary(rows: pd.DataFrame, unit: str) -> pd.DataFrame:
    """Exponents fitted where overheads have faded: at the longer half of a form's lengths."""
    found = []
    for form, of_form in rows.groupby("form", sort=False):
        tail = of_form[of_form["n"] >= min(FITTED, of_form["n"].max() / 4)]
        slope = exponent(tail["n"].tolist(), tail[unit].tolist()) if len(tail) > 1 else math.nan
        last = of_form.iloc[-1]
        found.append((form, slope, int(last["n"]), last[unit], last["low"], last["high"]))
    table = pd.DataFrame(found, columns=["form", "exponent", "n", "median", "low", "high"])
    if unit == "seconds":
        return table
    return table.drop(columns=["low", "high"]).rename(columns={"median": unit})


def _written(q: Tensor, k: Tensor, v: Tensor, *, causal: bool) -> Tensor:
    return softmax_weights(q, k, causal=causal) @ v


def _left(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """(q k^T) v: no softmax, the brackets still on the left."""
    return (q @ k.mT) @ v


def _seconds(form: Form, qkv: Tokens, backward: bool) -> float:
    started = time.process_time()  # what other programs take is not counted
    once(form, qkv, backward)
    return time.process_time() - started


def _snapshot(done: int, total: int, rows: list[list[float]]) -> Snapshot:
    keep = partial(_kept, torch.tensor(rows, dtype=torch.float64))
    metrics = {"tokens": rows[-1][1], "seconds": float(np.median(rows[-1][2:-1]))}
    return Snapshot(done, total, metrics, weights=keep, state=keep)


def _kept(rows: Tensor) -> Tensors:
    return {"rows": rows}


def _quartiles(seconds: list[float]) -> list[float]:
    return np.quantile(seconds, [0.25, 0.5, 0.75]).tolist()
