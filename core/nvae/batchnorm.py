"""Running statistics of batch normalization, taken anew from what the model itself generates.

Training sees states that come from posteriors, sampling those that come from priors, cooler ones
at that: their means and variances differ, and running statistics remember the former.

Source: https://kexue.fm/archives/7574, "batch normalization"; the authors' code runs 500 samples
through the model in training mode. Here the mean over all passes is taken, which forgets at once.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Generator, Tensor, nn

from core.nvae.network import NVAE, Temperature

BATCH = 16  # images of a pass


@torch.no_grad()
def readjust_batchnorm(
    model: NVAE,
    *,
    passes: int,
    temperature: Temperature,
    generator: Generator | None = None,
    batch: int = BATCH,
) -> dict[str, Tensor]:
    """Set the decoder's running statistics to those of samples; the old ones, for `put_back`.

    The mean over `passes` batches of samples. Nothing else changes, and the model ends in eval
    mode. Raises ValueError for less than one pass.
    """
    if passes < 1:
        raise ValueError(f"passes is {passes}, but must be at least 1")
    old = running_statistics(model)
    list(readjusted(model, passes, temperature, generator, batch))
    return old


def readjusted(
    model: NVAE,
    passes: int,
    temperature: Temperature,
    generator: Generator | None = None,
    batch: int = BATCH,
) -> Iterator[dict[str, Tensor]]:
    """A copy of the statistics after each pass; the model has those of all, once it is through."""
    with _averaging(model):
        for _ in range(passes):
            model.sample(batch, temperature, generator)
            yield running_statistics(model)


def running_statistics(model: nn.Module) -> dict[str, Tensor]:
    """A copy of every running mean and variance."""
    found = model.named_buffers()
    return {name: value.clone() for name, value in found if name.endswith(STATISTICS)}


@torch.no_grad()
def put_back(model: nn.Module, statistics: dict[str, Tensor]) -> None:
    """Set running statistics to a copy made before."""
    state = dict(model.named_buffers())
    for name, value in statistics.items():
        state[name].copy_(value)


STATISTICS = ("running_mean", "running_var")


@contextmanager
def _averaging(model: nn.Module) -> Iterator[None]:
    """Training mode with a plain average over what is seen from here on; then eval mode."""
    norms = [part for part in model.modules() if isinstance(part, nn.BatchNorm2d)]
    before = [(part.momentum, part.num_batches_tracked) for part in norms]
    for part in norms:
        part.momentum = None
        part.num_batches_tracked = torch.zeros((), dtype=torch.int64)
    model.train()
    try:
        yield
    finally:
        for part, (momentum, count) in zip(norms, before, strict=True):
            part.momentum = momentum
            part.num_batches_tracked = count
        model.eval()
