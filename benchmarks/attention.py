"""Measure linear attention against fused softmax and its peers: `python -m benchmarks.attention`.

One run on one thread, forms in turn; of each the least processor time of its rounds. With a CUDA
device the same is measured there, in bfloat16, and the file has the device's name.
"""

import argparse
import importlib
import json
import math
import re
import sys
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.figures import Figure, Target, table
from benchmarks.server import ROOT
from core.attention import elu, linear_attention, softmax_attention
from core.attention.counting import exponent
from core.attention.peak import peak_megabytes
from core.attention.speed import SpeedConfig, Tokens, inputs, machine, once

RESULTS = ROOT / "benchmarks" / "results"
SIZES = (128, 256, 384, 512, 1024, 4096, 16384, 65536)
FITTED = 1024  # exponents are fitted from here on
LONG = 16384  # beyond it softmax takes minutes, without the causal mask an hour
SLOW = {"written-out sums": 4096, "performer-pytorch": 4096}  # minutes beyond
Form = Callable[[Tensor, Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Pass:
    """One way through: causal or not, with or without the gradient."""

    causal: bool
    backward: bool

    @property
    def name(self) -> str:
        """Its words in a figure's name."""
        reach = "causal" if self.causal else "not causal"
        return f"{reach}, {'forward and backward' if self.backward else 'forward'}"


PASSES = tuple(Pass(causal, backward) for causal in (True, False) for backward in (False, True))


def forms(causal: bool) -> dict[str, Form]:
    """Ours, torch's, and every peer that is installed."""
    ours: dict[str, Form] = {
        "fused softmax": partial(softmax_attention, causal=causal),
        "chunkwise": partial(linear_attention, causal=causal),
    }
    if causal:
        ours["written-out sums"] = partial(linear_attention, causal=True, form="cumulative")
    return ours | peers(causal)


def peers(causal: bool) -> dict[str, Form]:
    """The other libraries' functions on elu(x) + 1 features, or on their own."""
    found: dict[str, Form] = {}
    performer = _module("performer_pytorch.performer_pytorch", "performer-pytorch")
    if performer:
        run = performer.causal_linear_attention_noncuda if causal else performer.linear_attention
        found["performer-pytorch"] = lambda q, k, v: run(elu(q), elu(k), v)
    transformer = _module(
        "linear_attention_transformer.linear_attention_transformer", "linear-attention-transformer"
    )
    if transformer:
        run_ = transformer.causal_linear_attn if causal else transformer.linear_attn
        found["linear-attention-transformer"] = run_
    fast = _module("fast_transformers.causal_product", "pytorch-fast-transformers")
    if fast and causal:
        found["fast-transformers"] = partial(_fast_transformers, fast.causal_dot_product)
    flash = _module("fla.ops.linear_attn", "flash-linear-attention") if _cuda() else None
    if flash and causal:
        found["flash-linear-attention"] = partial(_flash_linear_attention, flash)
    return found


def times(
    asked: Pass, longest: int, rounds: int, only: Collection[str] = ()
) -> dict[tuple[str, int], list[float]]:
    """Milliseconds of each round, by form (all, or those named) and number of tokens."""
    found: dict[tuple[str, int], list[float]] = {}
    longest = longest if asked.causal else min(longest, LONG)
    for n in (size for size in SIZES if size <= longest):
        print(f"measuring: {asked.name}, n = {n} ...", file=sys.stderr)
        qkv = _on_device(inputs(SpeedConfig(), n))
        chosen = {
            name: form
            for name, form in forms(asked.causal).items()
            if n <= SLOW.get(name, n) and (not only or name in only)
        }
        for turn in range(rounds):
            for name, form in chosen.items():
                if turn >= _turns(name, n, rounds):
                    continue
                if turn == 0 and n <= FITTED:
                    _milliseconds(form, qkv, asked.backward)  # warm
                found.setdefault((name, n), []).append(_milliseconds(form, qkv, asked.backward))
    return found


def figures(asked: Pass, found: dict[tuple[str, int], list[float]]) -> list[Figure]:
    """Times as they are, then what the targets are about."""
    made = [
        Figure(f"{asked.name}, n = {n}: {name}", "ms", times) for (name, n), times in found.items()
    ]
    least = {key: min(samples) for key, samples in found.items()}
    for n, most in ((LONG, 10 if asked.causal else 30), (65536, 30)):
        for other in (name for name, size in least if size == n and name != "chunkwise"):
            share = least["chunkwise", n] / least[other, n]
            goal = Target("max", 1 / most) if other == "fused softmax" else None
            made.append(Figure(f"{asked.name}, n = {n}: chunkwise / {other}", "", [share], goal))
    if asked.causal and "fused softmax" in {name for name, _ in least}:
        made.append(
            Figure(f"{asked.name}: crossing", "tokens", [crossing(least)], Target("max", 384))
        )
    sizes = [n for name, n in least if name == "chunkwise" and n >= FITTED]
    if len(sizes) > 1:
        slope = exponent(sizes, [least["chunkwise", n] for n in sizes])
        limit = Target("max", 1.1) if asked.causal else None
        made.append(Figure(f"{asked.name}: exponent of chunkwise time in n", "", [slope], limit))
    return made


def memory(longest: int) -> list[Figure]:
    """The most that a pass takes beside its inputs, each in a process of its own."""
    made = []
    for backward in (False, True):
        asked, config = Pass(True, backward), SpeedConfig(backward=backward)
        sizes = [n for n in SIZES if FITTED <= n <= longest]
        points = [
            (name, n)
            for name in forms(causal=True)
            for n in sizes
            if n <= SLOW.get(name, n if name == "chunkwise" else LONG)
        ]
        peaks = peak_megabytes(points, config, "benchmarks.attention:forms")
        told = zip(points, peaks, strict=True)
        taken = {point: peak for point, peak in told if not math.isnan(peak)}
        for (name, n), megabytes in taken.items():
            limited = (name, n, backward) == ("chunkwise", LONG, False)
            made.append(
                Figure(
                    f"{asked.name}, n = {n}: peak memory of {name}", "MB", [megabytes],
                    Target("max", 160) if limited else None,
                )
            )  # fmt: skip
        sizes = [n for name, n in taken if name == "chunkwise"]
        if len(sizes) > 1:
            slope = exponent(sizes, [taken["chunkwise", n] for n in sizes])
            name = f"{asked.name}: exponent of chunkwise memory in n"
            made.append(Figure(name, "", [slope], Target("max", 1.1)))
    return made


def crossing(least: dict[tuple[str, int], float]) -> float:
    """The number of tokens from which on chunkwise is faster, between two that were measured."""
    sizes = [n for name, n in least if name == "chunkwise"]
    gaps = [math.log(least["chunkwise", n] / least["fused softmax", n]) for n in sizes]
    slower = [i for i, gap in enumerate(gaps) if gap > 0]
    if not slower:
        return float(sizes[0])
    i = slower[-1]
    if i + 1 == len(sizes):
        return math.inf
    share = gaps[i] / (gaps[i] - gaps[i + 1])
    return math.exp(math.log(sizes[i]) * (1 - share) + math.log(sizes[i + 1]) * share)


def main(arguments: list[str] | None = None) -> None:
    """Measure, print, and keep the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.attention", description=__doc__)
    parser.add_argument("--longest", type=int, default=65536, help="most tokens")
    parser.add_argument("--rounds", type=int, default=5, help="rounds up to 4096 tokens")
    parser.add_argument("--only", nargs="+", default=[], metavar="PEER", help="beside chunkwise")
    parser.add_argument("--out", type=Path, help="where the figures go")
    asked = parser.parse_args(arguments)
    torch.set_num_threads(1)
    only = ["chunkwise", *asked.only] if asked.only else []
    taken = {p: times(p, asked.longest, asked.rounds, only) for p in PASSES}
    found = [row for p, milliseconds in taken.items() for row in figures(p, milliseconds)]
    if not _cuda() and not only:
        found += memory(asked.longest)
    print(table(found))
    whole = asked.longest == SIZES[-1] and not only
    kept = asked.out or (RESULTS / f"attention{_device_suffix()}.json" if whole else None)
    if kept:
        rows = {"machine": about(), "figures": [figure.to_dict() for figure in found]}
        kept.write_text(json.dumps(rows, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def about() -> dict[str, Any]:
    """What the figures were measured on, and which peers were not there."""
    missing = [name for name, found in _MODULES.items() if found is None]
    device = torch.cuda.get_device_name() if _cuda() else "CPU"
    return {**machine(), "device": device, "heads": 8, "width": 64, "not_installed": missing}


_MODULES: dict[str, Any] = {}


def _module(name: str, package: str) -> Any:
    """A peer's module; None, and a word, if it is not installed."""
    if package not in _MODULES:
        try:
            _MODULES[package] = importlib.import_module(name)
        except ImportError:
            _MODULES[package] = None
            print(f"{package} is not installed; left out.", file=sys.stderr)
    return _MODULES[package]


def _fast_transformers(product: Callable, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    q, k = elu(q), elu(k)
    sums = (q * k.cumsum(dim=-2)).sum(dim=-1, keepdim=True)
    return product(q, k, v) / sums


def _flash_linear_attention(ops: Any, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    q, k, v = (x.transpose(1, 2) for x in (elu(q), elu(k), v))  # [b, n, heads, d]
    out: Tensor = ops.chunk_linear_attn(q, k, v, scale=1.0, normalize=True)[0]
    return out.transpose(1, 2)


def _turns(name: str, n: int, rounds: int) -> int:
    """Fewer where a round of softmax takes a minute; what is fitted has them all."""
    if n <= 4096 or name == "chunkwise" or _cuda():
        return rounds
    return 2 if n <= LONG else 1


def _milliseconds(form: Form, qkv: Tokens, backward: bool) -> float:
    clock = time.perf_counter if _cuda() else time.process_time
    _wait()
    started = clock()
    once(form, qkv, backward)
    _wait()
    return 1e3 * (clock() - started)


def _on_device(qkv: Tokens) -> Tokens:
    q, k, v = qkv
    return (q.cuda().bfloat16(), k.cuda().bfloat16(), v.cuda().bfloat16()) if _cuda() else qkv


def _wait() -> None:
    if _cuda():
        torch.cuda.synchronize()


def _cuda() -> bool:
    return torch.cuda.is_available()


def _device_suffix() -> str:
    if not _cuda():
        return ""
    return "-" + re.sub(r"[^a-z0-9]+", "-", torch.cuda.get_device_name().lower()).strip("-")


if __name__ == "__main__":
    main()
