"""An NVAE: how fast it samples, and what it says of MNIST. `python -m benchmarks.nvae`.

Needs LAB_DATA with mnist/. 16 samples of the glyph model's size, 32 x 32; the likelihood of the
test set, binarized once, by the model of MNIST and by the plain VAE beside it, if they are here. A
thousand draws for an image take a second of one core: they are made for --images of them. All
10 000 take three hours of one: --processes share them, and what is kept in --folder is not made
again.
"""

import argparse
import hashlib
import multiprocessing
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Generator, Tensor

from benchmarks.dashboard import machine, write
from benchmarks.figures import Figure, Target, table
from benchmarks.likelihood import binarized, mean_of_all
from benchmarks.server import ROOT
from core.nvae import (
    NVAE,
    SHIPPED,
    Absent,
    PlainVAE,
    data,
    model,
    negative_elbo,
    negative_log_likelihood,
    plain,
)

RESULTS = ROOT / "benchmarks" / "results" / "nvae.json"
ROUNDS = 9
SAMPLES = 1000
PART = 50  # images that are kept together
MODELS: dict[str, Callable[[str], NVAE | PlainVAE]] = {"NVAE": model, "plain VAE": plain}


def sampling() -> list[Figure]:
    """Milliseconds for 16 samples: untrained weights cost the same."""
    net = NVAE(SHIPPED["glyphs"]).eval()
    times = []
    for seed in range(ROUNDS + 1):
        generator = torch.Generator().manual_seed(seed)
        started = time.perf_counter()
        net.sample(16, 0.7, generator)
        times.append(1000 * (time.perf_counter() - started))
    return [Figure("16 samples of 32 × 32", "ms", times[1:], Target("max", 400))]


def bounds_of(name: str, part: int, images: int, folder: Path | None) -> Tensor:
    """-ln p(x) of a part of the first `images` of the test set, nats.

    Every image has draws of its own, so that it doesn't matter who makes them, or when.
    """
    torch.set_num_threads(1)
    net, x = MODELS[name]("mnist"), binarized(data.load("mnist", "test"))[:images]
    kept = folder / f"{name} {digest(net)} {part}.npy" if folder else None
    if kept and kept.exists() and len(found := np.load(kept)) == len(x[part : part + PART]):
        return torch.from_numpy(found)
    draws = [Generator().manual_seed(1 + part + at) for at in range(PART)]
    pairs = zip(x[part : part + PART].split(1), draws, strict=False)
    made = torch.cat([negative_log_likelihood(net, image, SAMPLES, own) for image, own in pairs])
    if kept:
        half = kept.with_suffix(".half.npy")
        np.save(half, made.numpy())
        half.replace(kept)
    return made


def digest(net: NVAE | PlainVAE) -> str:
    """Of its weights: another training is another model."""
    found = hashlib.sha256()
    for weight in net.state_dict().values():
        found.update(weight.contiguous().numpy().tobytes())
    return found.hexdigest()[:12]


def likelihood(
    name: str, net: NVAE | PlainVAE, images: int, processes: int = 1, folder: Path | None = None
) -> list[Figure]:
    """Of a model of MNIST, nats."""
    x = binarized(data.load("mnist", "test"))
    lower = negative_elbo(net, x, Generator().manual_seed(0)).double()
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
    one_part = partial(bounds_of, name, images=images, folder=folder)
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        bound = torch.cat(pool.map(one_part, range(0, images, PART), chunksize=1)).double()
    mean, error = mean_of_all(lower, lower[:images] - bound)
    weights = sum(weight.numel() for weight in net.parameters()) / 1e6
    limits = {"parameters": 2, "nll": 80.3} if name == "NVAE" else {}
    goals = {figure: Target("max", limit) for figure, limit in limits.items()}
    return [
        Figure(f"{name}: parameters", "million", [weights], goals.get("parameters")),
        Figure(f"{name}: -ELBO, mean of the MNIST test set", "nats", [float(lower.mean())]),
        Figure(f"{name}: -log p(x), {SAMPLES} importance samples, mean of the test set", "nats",
               [mean], goals.get("nll")),
        Figure(f"{name}: 1.96 standard errors of it", "nats", [error]),
    ]  # fmt: skip


def main(arguments: list[str] | None = None) -> None:
    """Measure, print and keep the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.nvae", description=__doc__)
    parser.add_argument("--images", type=int, default=200, help="those whose gap is measured")
    parser.add_argument("--processes", type=int, default=1, help="that share the images")
    parser.add_argument("--folder", type=Path, help="keeps the images' numbers")
    parser.add_argument("--only", choices=["sampling", *MODELS], help="measure that alone")
    parser.add_argument("--out", type=Path, help="where the figures go; a part goes nowhere else")
    asked = parser.parse_args(arguments)
    torch.set_num_threads(1)
    about, figures = machine(), sampling() if asked.only in (None, "sampling") else []
    for name, loaded in MODELS.items():
        if asked.only in (None, name):
            try:
                figures += likelihood(
                    name, loaded("mnist"), asked.images, asked.processes, asked.folder
                )
            except Absent as error:
                print(f"left out: {error}", file=sys.stderr)
    print(table(figures))
    if kept := asked.out or (None if asked.only else RESULTS):
        write(kept, about, figures)


if __name__ == "__main__":
    main()
