"""m outputs, n inputs: what every scheme does forward and backward, to norms and to mean squares.

A fixed vector's squared norm is multiplied by m times the variance going forward, a gradient's by
n times going back. Counted per coordinate it is n times forward and m times back: the same two
numbers, exchanged. So "keeps the scale" means 1/m to one and 1/n to the other. In a convolution
every place of an input meets k^2 places of the kernel, and both fans are k^2 times as large.

Source: https://kexue.fm/archives/7180, corollary 4 and the remarks on Xavier and LeCun.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Annotated

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor

from core.initialization.schemes import DISTRIBUTIONS, SCHEMES, kernel_variance, sample_kernel
from core.knobs import Choice, Config, Range

LINEAR = ("post", "lecun", "xavier", "geometric", "quadratic", "orthogonal")  # He is for relu
QUANTILES = torch.tensor([0.05, 0.5, 0.95], dtype=torch.float64)
PLACES = 64  # that are measured: as many vectors, or fewer images of k x k


@dataclass(frozen=True)
class FansConfig(Config):
    """The shape of the weight, how size is counted, and the shape of its entries' law."""

    fan_out: Annotated[int, Range(16, 512, 16)] = 400  # of a kernel: channels
    fan_in: Annotated[int, Range(16, 512, 16)] = 112
    count: Annotated[str, Choice("norm", "mean-square")] = "norm"
    kernel: Annotated[str, Choice("1", "3")] = "1"  # its side k; 1: a weight
    distribution: Annotated[str, Choice(*DISTRIBUTIONS)] = "normal"
    seed: Annotated[int, Range(0, 99)] = 0


@dataclass(frozen=True)
class Fans:
    """Factors of ||.||^2 or of the mean square, expected and measured with one weight."""

    factors: pd.DataFrame  # scheme, forward, low, high (5 and 95 % of the vectors), backward
    table: pd.DataFrame  # scheme, variance, norm_forward, norm_backward, mean_forward, ...


def fans(config: FansConfig) -> Fans:
    """One weight of every scheme, random vectors or images through it and gradients back.

    But for the orthogonal one it is the same draw, scaled: so are all its factors.
    """
    m, n, size = config.fan_out, config.fan_in, int(config.kernel)
    exchange = 1.0 if config.count == "norm" else n / m
    drawn = replace(config, count="norm")
    rows = []
    for scheme in LINEAR:
        source = scheme if scheme == "orthogonal" else "lecun"
        scale = kernel_variance(scheme, m, n, size) / kernel_variance(source, m, n, size)
        low, middle, high, backward = (scale * factor for factor in _measured(drawn, source))
        rows.append(
            (scheme, middle * exchange, low * exchange, high * exchange, backward / exchange)
        )
    columns = ["scheme", "forward", "low", "high", "backward"]
    table = pd.DataFrame([(scheme, *expected(scheme, m, n, size)) for scheme in SCHEMES])
    table.columns = pd.Index(
        ["scheme", "variance", "norm_forward", "norm_backward", "mean_forward", "mean_backward"]
    )
    return Fans(factors=pd.DataFrame(rows, columns=columns), table=table)


def expected(
    scheme: str, fan_out: int, fan_in: int, size: int = 1
) -> tuple[float, float, float, float, float]:
    """The variance; the factors of a squared norm forward and back; of a mean square likewise.

    With a `size` above 1 of a kernel with so many channels. Raises ValueError on an unknown scheme
    or a size below 1.
    """
    entry = kernel_variance(scheme, fan_out, fan_in, size)
    forward, backward = fan_out * size**2 * entry, fan_in * size**2 * entry
    return entry, forward, backward, backward, forward


@lru_cache(maxsize=64)  # counted either way
def _measured(config: FansConfig, scheme: str) -> tuple[float, float, float, float]:
    """||Wx||^2 / ||x||^2 of many x: 5 %, median, 95 %. Mean ||W^T g||^2 / ||g||^2 of many g.

    As a convolution around a torus of k x k places: for k = 1 that is the plain product.
    """
    generator = torch.Generator().manual_seed(config.seed)
    m, n, size = config.fan_out, config.fan_in, int(config.kernel)
    kernel = sample_kernel(
        m, n, size, scheme, distribution=config.distribution, generator=generator
    )
    images = (PLACES // size**2, n, size, size)
    x = torch.randn(images, generator=generator).requires_grad_()
    y = F.conv2d(F.pad(x, [size // 2] * 4, mode="circular"), kernel)
    g = torch.randn(y.shape, generator=generator)
    (back,) = torch.autograd.grad(y, x, g)
    low, middle, high = _factors(x, y).quantile(QUANTILES).tolist()
    return low, middle, high, float(_factors(g, back).mean())


def _factors(before: Tensor, after: Tensor) -> Tensor:
    """By how much each squared norm has grown."""
    squares = (z.detach().double().flatten(1).square().sum(1) for z in (after, before))
    return torch.div(*squares)
