"""Three meters of orthogonality against the size of the matrix, its singular values, its stretch.

Source: https://kexue.fm/archives/7180, corollaries 2 to 4.
"""

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Annotated

import numpy as np
import pandas as pd
import torch
from scipy.stats import norm
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
from core.initialization.sketch import sketch
from core.knobs import Choice, Config, Range
from core.orthogonal import Reflections, reflections

SWEEP = (8, 16, 32, 64, 128, 256)  # measured too, as far as they are below the chosen size
LARGEST = 4096
DECOMPOSED = 1024  # a weight with two longer sides is sketched
VECTORS = 200
SKETCHED_VECTORS = 40
BINS = 40  # at most
METERS = ("entrywise", "frobenius", "spectral")
RUNS = 100  # of the post's code


@dataclass(frozen=True)
class MetersConfig(Config):
    """The longer side, how many outputs for each input, and what the entries are drawn from."""

    size: Annotated[int, Range(8, LARGEST, 8)] = 128
    distribution: Annotated[str, Choice(*DISTRIBUTIONS)] = "normal"
    scheme: Annotated[str, Choice("post", "orthogonal")] = "post"
    aspect: Annotated[str, Choice("0.25", "0.5", "1", "2", "4")] = "1"  # outputs per input
    seed: Annotated[int, Range(0, 99)] = 0

    @property
    def decomposed(self) -> bool:
        """Whether all singular values are computed; if not, products with vectors tell of them."""
        return min(sides(self, self.size)) <= DECOMPOSED


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

    n: Annotated[int, Range(2, 120)] = 100
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
    """Weights of growing size, the longer side of the last one `size`."""
    fan_out, fan_in = sides(config, config.size)
    last, ratio = _measured(config), fan_in / fan_out
    low, high = marchenko_pastur_edges(ratio) if config.scheme == "post" else (1.0, 1.0)
    return Meters(
        curves=_curves(config, last.found),
        spectrum=_spectrum(config, last.spectrum, ratio),
        stretches=pd.DataFrame(last.stretches, columns=["vector", "stretch"]),
        entrywise_mse=last.found.entrywise_mse,
        expected_mse=_expected(config, fan_out, fan_in),
        relative_frobenius=last.found.relative_frobenius,
        spectral=last.found.spectral,
        condition_number=last.found.condition_number,
        low=low,
        high=high,
    )


def code(config: CodeConfig) -> Code:
    """The post's code with one seed, and what a hundred seeds give."""
    values = _printed(config.n)
    counts, edges = np.histogram(values, 16)
    return Code(
        runs=pd.DataFrame({"low": edges[:-1], "high": edges[1:], "count": counts}),
        printed=float(values[config.seed]),
        expected=expected_mse(config.n, config.n),
        mean=float(values.mean()),
        spread=float(values.std(ddof=1)),
    )


@lru_cache(maxsize=64)
def _printed(n: int) -> np.ndarray:
    """What the code prints, seed by seed."""
    return np.array([post_code(n, seed)[1] for seed in range(RUNS)])


def sides(config: MetersConfig, size: int) -> tuple[int, int]:
    """Outputs m and inputs n of a weight whose longer side is `size`."""
    aspect = float(config.aspect)
    return round(size * min(aspect, 1)), round(size / max(aspect, 1))


def _weight(config: MetersConfig, size: int) -> Tensor:
    generator = torch.Generator().manual_seed(config.seed)
    return sample_weight(
        *sides(config, size), config.scheme, distribution=config.distribution, generator=generator
    )


def _large(config: MetersConfig) -> Tensor | Reflections:
    """The same; an orthogonal one is drawn as reflections, which takes no decomposition."""
    if config.scheme == "orthogonal":
        return reflections(_weight(replace(config, scheme="post"), config.size))
    return _weight(config, config.size)


def _expected(config: MetersConfig, m: int, n: int) -> float:
    """E of the entrywise meter. With orthonormal columns 0, with m < n rows (n - m) / n^2."""
    if config.scheme == "orthogonal":
        return max(n - m, 0) / n**2
    return expected_mse(m, n, kurtosis(config.distribution, n))


def _curves(config: MetersConfig, last: Orthogonality) -> pd.DataFrame:
    """Measured up to `size`, expected beyond it too, so that the axes stand still."""
    sweep = {size: replace(config, size=size) for size in SWEEP if size < config.size}
    found = {size: _orthogonality(smaller) for size, smaller in sweep.items()}
    found[config.size] = last
    rows = [row for size, one in found.items() for row in _row(sides(config, size)[1], one)]
    for m, n in (sides(config, size) for size in (*SWEEP, 512, 1024, LARGEST)):
        mse, edge = _expected(config, m, n), _worst(config)
        limits = zip(METERS, (mse, math.sqrt(n * mse), edge), strict=True)
        rows += [(n, f"{meter}-theory", value) for meter, value in limits]
    table = pd.DataFrame(rows, columns=["n", "curve", "value"])
    shown = (table["value"] > 0) & np.isfinite(table["value"])
    return table.assign(value=table["value"].where(shown))


@lru_cache(maxsize=64)  # of all sizes that are looked at, the sweep is the same
def _orthogonality(config: MetersConfig) -> Orthogonality:
    return orthogonality(_weight(config, config.size))


def _row(n: int, found: Orthogonality) -> list[tuple[int, str, float]]:
    values = (found.entrywise_mse, found.relative_frobenius, found.spectral)
    return [(n, meter, value) for meter, value in zip(METERS, values, strict=True)]


def _worst(config: MetersConfig) -> float:
    """What the spectral meter tends to as n grows, for entries with a fourth moment."""
    if config.scheme == "orthogonal":
        return 1.0 if float(config.aspect) < 1 else 0.0
    low, high = marchenko_pastur_edges(1 / float(config.aspect))
    return max(high**2 - 1, 1.0 if float(config.aspect) < 1 else 1 - low**2)


def _spectrum(config: MetersConfig, drawn: pd.DataFrame, ratio: float) -> pd.DataFrame:
    """The drawn singular values, and the law at many places; exact weights follow none."""
    if config.scheme == "orthogonal":
        return drawn
    s = np.linspace(*marchenko_pastur_edges(ratio), 201)
    law = {"s": s, "curve": "law", "value": marchenko_pastur(s, ratio)}
    return pd.concat([drawn, pd.DataFrame(law)], ignore_index=True)


@dataclass(frozen=True)
class _Measured:
    """What was found in one weight."""

    found: Orthogonality
    spectrum: pd.DataFrame  # s, curve = "sample", value
    stretches: list[tuple[str, float]]


def _measured(config: MetersConfig) -> _Measured:
    generator = torch.Generator().manual_seed(config.seed + 1000)
    if config.decomposed:
        return _decomposed(_weight(config, config.size), generator)
    return _sketched(_large(config), generator)


def _decomposed(weight: Tensor, generator: torch.Generator) -> _Measured:
    """All singular values, many random vectors, and the two that the weight treats worst."""
    values, (fan_out, fan_in) = singular_values(weight), weight.shape
    factors = stretch(weight, torch.randn(VECTORS, fan_in, generator=generator))
    least = 0.0 if fan_out < fan_in else float(values[-1]) ** 2
    bins = min(BINS, 6 + len(values) // 12)
    end = max(1.05 * marchenko_pastur_edges(fan_in / fan_out)[1], float(values.max()) * 1.01)
    counts, edges = np.histogram(values, bins, (0, end))
    return _Measured(
        found=from_singular_values(values, fan_out, fan_in),
        spectrum=_sample((edges[1:] + edges[:-1]) / 2, counts / len(values) / np.diff(edges)),
        stretches=[
            *_quantiles(factors),
            ("worst-high", float(values[0]) ** 2),
            ("worst-low", least),
        ],
    )


def _sketched(weight: Tensor | Reflections, generator: torch.Generator) -> _Measured:
    """The same as far as products with vectors tell; each place is spread over its surroundings."""
    found, (fan_out, fan_in) = sketch(weight, SKETCHED_VECTORS, generator), weight.shape
    values = found.values.numpy()
    kept = values > 0.05 if fan_out < fan_in else values >= 0  # the null space is no singular value
    shares = found.shares.numpy()[kept] / found.shares.numpy()[kept].sum()
    s = np.linspace(0, 1.05 * max(values.max(), marchenko_pastur_edges(fan_in / fan_out)[1]), BINS)
    both = np.array([values[kept], -values[kept]])  # what is spread beyond 0 comes back
    spread = norm.pdf(s[:, None, None], both, s[1]).sum(axis=1)
    return _Measured(
        found=found.orthogonality,
        spectrum=_sample(s, spread @ shares),
        stretches=[*_quantiles(found.stretches), ("worst-high", float(values[-1]) ** 2)],
    )


def _sample(s: np.ndarray, density: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame({"s": s, "curve": "sample", "value": density})


def _quantiles(factors: Tensor) -> list[tuple[str, float]]:
    """What happens to random vectors: on average, and to all but a tenth of them."""
    exact = factors.double()
    return [
        ("random", float(exact.mean())),
        ("random-low", float(exact.quantile(0.05))),
        ("random-high", float(exact.quantile(0.95))),
    ]
