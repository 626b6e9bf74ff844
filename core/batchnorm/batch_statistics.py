"""The noise of a batch's mean and deviation, drawn beside its law.

Source: https://kexue.fm/archives/6992, section 2.5: (14) and (16) are of the population.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Generator

BATCHES = 20_000


@dataclass(frozen=True)
class Noise:
    """Of batches of standard normal numbers; the deviation is the biased one that training uses."""

    mean_std: float  # standard deviation of a batch's mean
    std_std: float  # of its deviation
    std_mean: float  # the deviation's mean: below 1


@lru_cache(maxsize=128)
def batch_noise(size: int, seed: int) -> Noise:
    """Drawn. Raises ValueError for a size below 2, where no deviation is left."""
    if size < 2:
        raise ValueError(f"size is {size}, but must be at least 2")
    generator = Generator().manual_seed(seed)
    x = torch.randn(BATCHES, size, generator=generator)
    mean = x.mean(1)
    std = torch.linalg.vector_norm(x - mean[:, None], dim=1) / math.sqrt(size)  # x.std takes longer
    return Noise(float(mean.std()), float(std.std()), float(std.mean()))


def expected_noise(size: int) -> Noise:
    """Exact: the deviation is a chi variable with size - 1 degrees of freedom over sqrt(size)."""
    middle = math.sqrt(2 / size) * math.exp(math.lgamma(size / 2) - math.lgamma((size - 1) / 2))
    spread = math.sqrt((size - 1) / size - middle**2)
    return Noise(1 / math.sqrt(size), spread, middle)
