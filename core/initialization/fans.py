"""m outputs, n inputs: what every scheme does forward and backward, to norms and to mean squares.

A fixed vector's squared norm is multiplied by m times the variance going forward, a gradient's by
n times going back. Counted per coordinate it is n times forward and m times back: the same two
numbers, exchanged. So "keeps the scale" means 1/m to one and 1/n to the other.

Source: https://kexue.fm/archives/7180, corollary 4 and the remarks on Xavier and LeCun.
"""

from dataclasses import dataclass
from typing import Annotated

import pandas as pd
import torch

from core.initialization.meters import stretch
from core.initialization.schemes import DISTRIBUTIONS, SCHEMES, sample_weight, variance
from core.knobs import Choice, Config, Range

LINEAR = ("post", "lecun", "xavier", "geometric", "quadratic", "orthogonal")  # He is for relu
VECTORS = 64


@dataclass(frozen=True)
class FansConfig(Config):
    """The shape of the weight, how size is counted, and the shape of its entries' law."""

    fan_out: Annotated[int, Range(16, 512, 16)] = 400
    fan_in: Annotated[int, Range(16, 512, 16)] = 112
    count: Annotated[str, Choice("norm", "mean-square")] = "norm"
    distribution: Annotated[str, Choice(*DISTRIBUTIONS)] = "normal"
    seed: Annotated[int, Range(0, 99)] = 0


@dataclass(frozen=True)
class Fans:
    """Factors of ||.||^2 or of the mean square, expected and measured with one weight."""

    factors: pd.DataFrame  # scheme, forward, low, high (5 and 95 % of the vectors), backward
    table: pd.DataFrame  # scheme, variance, norm_forward, norm_backward, mean_forward, ...


def fans(config: FansConfig) -> Fans:
    """One weight of every scheme, 64 random vectors through it and 64 gradients back."""
    m, n = config.fan_out, config.fan_in
    exchange = 1.0 if config.count == "norm" else n / m
    rows = []
    for scheme in LINEAR:
        forward, backward = _measured(config, scheme)
        low, middle, high = (float(forward.quantile(q)) * exchange for q in (0.05, 0.5, 0.95))
        rows.append((scheme, middle, low, high, float(backward.mean()) / exchange))
    columns = ["scheme", "forward", "low", "high", "backward"]
    table = pd.DataFrame([(scheme, *expected(scheme, m, n)) for scheme in SCHEMES])
    table.columns = pd.Index(
        ["scheme", "variance", "norm_forward", "norm_backward", "mean_forward", "mean_backward"]
    )
    return Fans(factors=pd.DataFrame(rows, columns=columns), table=table)


def expected(scheme: str, fan_out: int, fan_in: int) -> tuple[float, float, float, float, float]:
    """The variance; the factors of a squared norm forward and back; of a mean square likewise.

    Raises ValueError on an unknown scheme or a size below 1.
    """
    entry = variance(scheme, fan_out, fan_in)
    return entry, fan_out * entry, fan_in * entry, fan_in * entry, fan_out * entry


def _measured(config: FansConfig, scheme: str) -> tuple[torch.Tensor, torch.Tensor]:
    """||Wx||^2 / ||x||^2 of many x, ||W^T g||^2 / ||g||^2 of many g; float64."""
    generator = torch.Generator().manual_seed(config.seed)
    shape = (config.fan_out, config.fan_in)
    weight = sample_weight(
        *shape, scheme, distribution=config.distribution, generator=generator
    ).double()
    g, x = (torch.randn(VECTORS, k, generator=generator, dtype=torch.float64) for k in shape)
    return stretch(weight, x), stretch(weight.T, g)
