"""A plain VAE on MNIST: what it says of test images, in nats. `python -m benchmarks.vae`.

Needs LAB_DATA with mnist/. It trains from the start every time, on one thread: about 20 minutes of
processor time, and one for the thousand samples.
"""

import argparse
import sys
import time

import torch
from torch import Tensor

from benchmarks.dashboard import machine, write
from benchmarks.figures import Figure, Target, table
from benchmarks.likelihood import binarized, mean_of_all
from benchmarks.server import ROOT
from core.vae import VAE, VAEConfig, elbo, importance_weighted_bound, restored, train
from core.vae import data as images

RESULTS = ROOT / "benchmarks" / "results" / "vae.json"
MODEL = VAEConfig(
    data="mnist", latent=40, hidden=500, likelihood="bernoulli", steps=34_000, batch_size=128,
    lr=1.5e-3,
)  # fmt: skip
IMAGES = 1000  # those whose gap is measured
SAMPLES = 1000


def trained(config: VAEConfig) -> tuple[VAE, float]:
    """The model, and the minutes of processor time that its training took."""
    started = time.process_time()
    for last in train(config):
        if last.done % 1000 == 0:
            print(last.done, dict(last.metrics), file=sys.stderr)
    minutes = (time.process_time() - started) / 60
    model = restored(config, last.weights())
    assert isinstance(model, VAE)
    return model, minutes


def likelihood(model: VAE, x: Tensor, gaps: int) -> tuple[Tensor, Tensor]:
    """Nats, one number an image: minus the ELBO of all; what the bound with a thousand samples is
    below it, of the first `gaps`.

    """
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        lower = -elbo(model, x, generator)
        parts = x[:gaps].split(10)
        bound = [-importance_weighted_bound(model, part, SAMPLES, generator) for part in parts]
    return lower.double(), lower[:gaps].double() - torch.cat(bound).double()


def main(arguments: list[str] | None = None) -> None:
    """Train, measure, print and keep the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.vae", description=__doc__)
    parser.add_argument("--steps", type=int, default=MODEL.steps, help="another training length")
    asked = parser.parse_args(arguments)
    torch.set_num_threads(1)
    config = VAEConfig(**{**vars(MODEL), "steps": asked.steps})
    about = machine()
    model, minutes = trained(config)
    lower, gap = likelihood(model, binarized(images.load("mnist", "test").pixels), IMAGES)
    mean, error = mean_of_all(lower, gap)
    figures = [
        Figure("processor time of the training", "min", [minutes], Target("max", 20)),
        Figure("-ELBO, mean of the test set", "nats", [float(lower.mean())]),
        Figure("-log p(x), 1000 importance samples, mean of the test set", "nats", [mean],
               Target("max", 87.0)),
        Figure("1.96 standard errors of it", "nats", [error]),
    ]  # fmt: skip
    print(table(figures))
    if config == MODEL:
        write(RESULTS, about, figures)


if __name__ == "__main__":
    main()
