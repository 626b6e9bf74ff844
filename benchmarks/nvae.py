"""An NVAE: how fast it samples, and what it says of MNIST. `python -m benchmarks.nvae`.

Without arguments: 16 samples of the glyph model's size, 32 x 32. With --likelihood N: the trained
MNIST model (LAB_DATA, LAB_STORE) on the first N test images, binarized once, by importance
sampling with --samples draws each; 1000 draws for 1000 images take hours of one core.
"""

import argparse
import time

import torch

from benchmarks.dashboard import machine, write
from benchmarks.figures import Figure, Target, table
from benchmarks.server import ROOT
from core.nvae import NVAE, SHIPPED, interval, model, negative_elbo, negative_log_likelihood
from core.nvae import data as images

RESULTS = ROOT / "benchmarks" / "results" / "nvae.json"
ROUNDS = 9


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


def likelihood(count: int, samples: int) -> list[Figure]:
    """Of the MNIST model, nats."""
    net, generator = model("mnist"), torch.Generator().manual_seed(0)
    x = torch.bernoulli(images.load("mnist", "test")[:count], generator=generator)
    lower = interval(negative_elbo(net, x, generator))
    bound = interval(negative_log_likelihood(net, x, samples, generator))
    weights = sum(weight.numel() for weight in net.parameters()) / 1e6
    return [
        Figure("parameters", "million", [weights], Target("max", 2)),
        Figure(f"-ELBO, {count} MNIST test images", "nats", [lower.mean]),
        Figure(f"-log p(x), {samples} importance samples", "nats", [bound.mean],
               Target("max", 80.3)),
        Figure("1.96 standard errors of it over the images", "nats", [bound.error]),
    ]  # fmt: skip


def main(arguments: list[str] | None = None) -> None:
    """Measure, print, and keep the sampling's figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.nvae", description=__doc__)
    parser.add_argument("--likelihood", type=int, metavar="N", help="of N MNIST test images")
    parser.add_argument("--samples", type=int, default=1000, help="draws for each of them")
    asked = parser.parse_args(arguments)
    torch.set_num_threads(1)
    about = machine()
    figures = sampling()
    if asked.likelihood:
        figures += likelihood(asked.likelihood, asked.samples)
    print(table(figures))
    write(RESULTS, about, figures)


if __name__ == "__main__":
    main()
