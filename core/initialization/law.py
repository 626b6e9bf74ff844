"""The angle between random vectors, seen: samples beside the exact law and its approximations.

Source: https://kexue.fm/archives/7076, eq. (7)-(11) and the table of variances.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

import numpy as np
import pandas as pd
import torch
from scipy.special import ndtr

from core.initialization.angles import (
    angle_density,
    angle_distribution,
    angle_variance,
    cosine_density,
    mean_absolute_cosine,
    normal_density,
    sample_angles,
)
from core.knobs import Choice, Config, Range

BINS = 40
REACH = 4.5  # standard deviations shown on either side
LARGEST = 4096
SIZES = np.unique(np.geomspace(3, LARGEST, 40).round().astype(int))

# Dimension -> variance as the post prints it.
POST_VARIANCES = {
    3: 0.467401, 10: 0.110661, 20: 0.0525832, 50: 0.0204053, 100: 0.0101007, 200: 0.00502508,
    1000: 0.001001,
}  # fmt: skip


@dataclass(frozen=True)
class AnglesConfig(Config):
    """How many dimensions, what is looked at, how many pairs are drawn."""

    dim: Annotated[int, Range(2, LARGEST)] = 10
    view: Annotated[str, Choice("angle", "cosine")] = "angle"
    count: Annotated[str, Choice("500", "1000", "2000")] = "2000"
    seed: Annotated[int, Range(0, 99)] = 0


@dataclass(frozen=True)
class Angles:
    """Densities, the variance by dimension, and what these samples say."""

    densities: pd.DataFrame  # x (degrees, or the cosine), curve, value: per degree, or per 1
    variances: pd.DataFrame  # dim, curve, value: dim times the variance
    table: pd.DataFrame  # dim, exact, post, laplace, better
    sampled_variance: float  # square radians
    sampled_error: float  # standard error of the former
    variance: float  # exact
    distance_laplace: float  # largest gap between the exact distribution and N(pi/2, 1/(n-2))
    distance_better: float  # and N(pi/2, 1/(n-1))
    mean_absolute_cosine: float
    within_five_degrees: float  # share of pairs within 5 degrees of a right angle, exact


def angles(config: AnglesConfig) -> Angles:
    """Fresh samples at `dim` beside the law, and the post's table computed again."""
    sample = _sample(config.dim, int(config.count), config.seed)
    away = sample - math.pi / 2
    return Angles(
        densities=_densities(config, sample),
        variances=_variances(),
        table=variance_table(),
        sampled_variance=float((away**2).mean()),
        sampled_error=float((away**2).std() / math.sqrt(len(away))),
        variance=angle_variance(config.dim),
        distance_laplace=normal_distance(config.dim, config.dim - 2),
        distance_better=normal_distance(config.dim, config.dim - 1),
        mean_absolute_cosine=mean_absolute_cosine(config.dim),
        within_five_degrees=within(config.dim, math.radians(5)),
    )


@lru_cache(maxsize=16)  # both views show the same
def _sample(dim: int, count: int, seed: int) -> np.ndarray:
    return sample_angles(dim, count, torch.Generator().manual_seed(seed)).numpy()


def variance_table() -> pd.DataFrame:
    """The post's table: what it prints, the exact variance, and two approximations."""
    dims = list(POST_VARIANCES)
    return pd.DataFrame(
        {
            "dim": dims,
            "exact": [angle_variance(dim) for dim in dims],
            "post": list(POST_VARIANCES.values()),
            "laplace": [1 / (dim - 2) for dim in dims],
            "better": [1 / (dim - 1) for dim in dims],
        }
    )


def normal_distance(dim: int, precision: int) -> float:
    """Largest gap between the distribution of the angle and N(pi/2, 1/precision).

    NaN for a precision of 0, which is no distribution.
    """
    if precision == 0:
        return math.nan
    theta = np.linspace(0, math.pi, 4001)
    normal = ndtr((theta - math.pi / 2) * math.sqrt(precision))
    return float(np.abs(angle_distribution(theta, dim) - normal).max())


def within(dim: int, radians: float) -> float:
    """P(|angle - pi/2| <= radians), exact."""
    low, high = angle_distribution(np.array([-1, 1]) * radians + math.pi / 2, dim)
    return float(high - low)


def _densities(config: AnglesConfig, sample: np.ndarray) -> pd.DataFrame:
    """Bins and curves share their places: the middles of the bins."""
    cosine = config.view == "cosine"
    middle, scale = (0.0, 1.0) if cosine else (90.0, 180 / math.pi)
    values = np.cos(sample) if cosine else np.degrees(sample)
    end = min(REACH * math.sqrt(angle_variance(config.dim)), 1 if cosine else math.pi / 2)
    counts, edges = np.histogram(values, BINS, (middle - end * scale, middle + end * scale))
    x = (edges[1:] + edges[:-1]) / 2
    curves = {"sample": counts / len(sample) / np.diff(edges), **_curves(config, x)}
    tables = [pd.DataFrame({"x": x, "curve": k, "value": v}) for k, v in curves.items()]
    return pd.concat(tables, ignore_index=True)


def _curves(config: AnglesConfig, x: np.ndarray) -> dict[str, np.ndarray]:
    """The exact density and the two normal ones; in the plane 1/(n-2) is none."""
    if config.view == "cosine":
        normal = np.sqrt(config.dim / (2 * math.pi)) * np.exp(-config.dim * x**2 / 2)
        return {"exact": cosine_density(x, config.dim), "normal-cosine": normal}
    theta, per_degree = np.radians(x), math.pi / 180
    curves = {"exact": angle_density(theta, config.dim) * per_degree}
    if config.dim > 2:
        curves["laplace"] = normal_density(theta, config.dim - 2) * per_degree
    return curves | {"better": normal_density(theta, config.dim - 1) * per_degree}


@lru_cache
def _variances() -> pd.DataFrame:
    curves = {
        "exact": [dim * angle_variance(int(dim)) for dim in SIZES],
        "laplace": SIZES / (SIZES - 2),
        "better": SIZES / (SIZES - 1),
    }
    tables = [pd.DataFrame({"dim": SIZES, "curve": k, "value": v}) for k, v in curves.items()]
    return pd.concat(tables, ignore_index=True)
