"""Three meters of orthogonality against the size of the matrix, its singular values, its stretch.

Source: https://kexue.fm/archives/7180, corollaries 2 to 4.
"""

import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from core.initialization.meters import (
    Orthogonality,
    expected_mse,
    from_singular_values,
    marchenko_pastur,
    marchenko_pastur_edges,
    orthogonality,
    post_code,
    singular_values,
    stretch,
)
from core.initialization.schemes import DISTRIBUTIONS, kurtosis, sample_weight
from core.knobs import Choice, Config, Range

SWEEP = (8, 16, 32, 64, 128, 256)  # measured too, as far as they are below the chosen size
LARGEST = 1024
VECTORS = 200
BINS = 40  # at most
METERS = ("entrywise", "frobenius", "spectral")
RUNS = 100  # of the post's code


@dataclass(frozen=True)
class MetersConfig(Config):
    """How many inputs, how many outputs for each, and what the entries are drawn from."""

    size: Annotated[int, Range(8, LARGEST, 8)] = 128
    distribution: Annotated[str, Choice(*DISTRIBUTIONS)] = "normal"
    scheme: Annotated[str, Choice("post", "orthogonal")] = "post"
    aspect: Annotated[str, Choice("0.25", "0.5", "1", "2", "4")] = "1"  # outputs per input
    seed: Annotated[int, Range(0, 99)] = 0


@dataclass(frozen=True)
class Meters:
    """The meters by size, measured and expected; singular values and stretches at `size`."""

    curves: pd.DataFrame  # n, curve (a meter, or its name with "-theory"), value: NaN for 0, inf
    spectrum: pd.DataFrame  # s, curve in {"sample", "law"}, value: density of singular values
    stretches: pd.DataFrame  # vector, stretch = ||Wx||^2 / ||x||^2: means of many and extremes
    entrywise_mse: float
    expected_mse: float  # (n + kurtosis - 2) / (mn); infinite without a fourth moment
    relative_frobenius: float
    spectral: float
    condition_number: float
    low: float  # the edges of the singular values: exact, or of large matrices
    high: float


@dataclass(frozen=True)
class CodeConfig(Config):
    """The two things that can vary in the post's seven lines."""

    n: Annotated[int, Range(2, 128)] = 100
    seed: Annotated[int, Range(0, 99)] = 0


@dataclass(frozen=True)
class Code:
    """What the code block prints with that seed, and with the hundred seeds 0 to 99."""

    runs: pd.DataFrame  # low, high, count: how often the mean falls into a bin
    printed: float
    expected: float  # (n + 1) / n^2
    mean: float  # over the seeds
    spread: float  # standard deviation over the seeds


def meters(config: MetersConfig) -> Meters:
    """Weights of growing size, the last of `size` inputs."""
    weight = _weight(config, config.size)
    values, ratio = singular_values(weight), weight.shape[1] / weight.shape[0]
    found = from_singular_values(values, *weight.shape)
    low, high = marchenko_pastur_edges(ratio) if config.scheme == "post" else (1.0, 1.0)
    return Meters(
        curves=_curves(config, found),
        spectrum=_spectrum(config, values.numpy(), ratio),
        stretches=_stretches(config, weight, values),
        entrywise_mse=found.entrywise_mse,
        expected_mse=_expected(config, config.size),
        relative_frobenius=found.relative_frobenius,
        spectral=found.spectral,
        condition_number=found.condition_number,
        low=low,
        high=high,
    )


def code(config: CodeConfig) -> Code:
    """The post's code with one seed, and what a hundred seeds give."""
    values = np.array([post_code(config.n, seed)[1] for seed in range(RUNS)])
    counts, edges = np.histogram(values, 16)
    return Code(
        runs=pd.DataFrame({"low": edges[:-1], "high": edges[1:], "count": counts}),
        printed=float(values[config.seed]),
        expected=expected_mse(config.n, config.n),
        mean=float(values.mean()),
        spread=float(values.std(ddof=1)),
    )


def outputs(config: MetersConfig, n: int) -> int:
    """How many outputs a weight with n inputs has."""
    return max(2, round(float(config.aspect) * n))


def _weight(config: MetersConfig, n: int) -> Tensor:
    generator = torch.Generator().manual_seed(config.seed)
    return sample_weight(
        outputs(config, n), n, config.scheme, distribution=config.distribution, generator=generator
    )


def _expected(config: MetersConfig, n: int) -> float:
    """E of the entrywise meter. With orthonormal columns 0, with m < n rows (n - m) / n^2."""
    m = outputs(config, n)
    if config.scheme == "orthogonal":
        return max(n - m, 0) / n**2
    return expected_mse(m, n, kurtosis(config.distribution, n))


def _curves(config: MetersConfig, last: Orthogonality) -> pd.DataFrame:
    """Measured up to `size`, expected beyond it too, so that the axes stand still."""
    found = {n: orthogonality(_weight(config, n)) for n in SWEEP if n < config.size}
    found[config.size] = last
    rows = [row for n, one in found.items() for row in _measured(n, one)]
    for n in (*SWEEP, 512, LARGEST):
        mse, edge = _expected(config, n), _worst(config)
        limits = zip(METERS, (mse, math.sqrt(n * mse), edge), strict=True)
        rows += [(n, f"{meter}-theory", value) for meter, value in limits]
    table = pd.DataFrame(rows, columns=["n", "curve", "value"])
    shown = (table["value"] > 0) & np.isfinite(table["value"])
    return table.assign(value=table["value"].where(shown))


def _measured(n: int, found: Orthogonality) -> list[tuple[int, str, float]]:
    values = (found.entrywise_mse, found.relative_frobenius, found.spectral)
    return [(n, meter, value) for meter, value in zip(METERS, values, strict=True)]


def _worst(config: MetersConfig) -> float:
    """What the spectral meter tends to as n grows, for entries with a fourth moment."""
    if config.scheme == "orthogonal":
        return 1.0 if float(config.aspect) < 1 else 0.0
    low, high = marchenko_pastur_edges(1 / float(config.aspect))
    return max(high**2 - 1, 1.0 if float(config.aspect) < 1 else 1 - low**2)


def _spectrum(config: MetersConfig, values: np.ndarray, ratio: float) -> pd.DataFrame:
    """Bins of the singular values, and the law at many places; exact weights follow none."""
    low, high = marchenko_pastur_edges(ratio)
    bins = min(BINS, 6 + len(values) // 12)
    counts, edges = np.histogram(values, bins, (0, max(1.05 * high, float(values.max()) * 1.01)))
    drawn = {"s": (edges[1:] + edges[:-1]) / 2, "curve": "sample"}
    drawn["value"] = counts / len(values) / np.diff(edges)
    if config.scheme == "orthogonal":
        return pd.DataFrame(drawn)
    s = np.linspace(low, high, 201)
    law = {"s": s, "curve": "law", "value": marchenko_pastur(s, ratio)}
    return pd.concat([pd.DataFrame(drawn), pd.DataFrame(law)], ignore_index=True)


def _stretches(config: MetersConfig, weight: Tensor, values: Tensor) -> pd.DataFrame:
    """Many random vectors, and the two that the weight treats worst."""
    generator = torch.Generator().manual_seed(config.seed + 1000)
    x = torch.randn(VECTORS, weight.shape[1], generator=generator)
    factors = stretch(weight, x).double()
    least = 0.0 if weight.shape[0] < weight.shape[1] else float(values[-1]) ** 2
    rows = [
        ("random", float(factors.mean())),
        ("random-low", float(factors.quantile(0.05))),
        ("random-high", float(factors.quantile(0.95))),
        ("worst-high", float(values[0]) ** 2),
        ("worst-low", least),
    ]
    return pd.DataFrame(rows, columns=["vector", "stretch"])
