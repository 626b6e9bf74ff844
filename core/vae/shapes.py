"""Four shapes that codes may take, and how much of the plane points or areas cover.

Source: https://kexue.fm/archives/7725, the section on code space and the one from points to areas.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from core.knobs import Choice, Config, Range
from core.toys import toy

SHAPES = ("irregular", "line", "ring", "disc")
SPREAD = 2.0  # the radius of the disc that codes should fill
RADII = np.linspace(0, 0.6, 25)
SIDES = 24  # of the polygon that stands for an ellipse


@dataclass(frozen=True)
class ShapesConfig(Config):
    """Which shape, how many codes, and how large the area around each is."""

    shape: Annotated[str, Choice(*SHAPES)] = "disc"
    count: Annotated[int, Range(20, 300, 20)] = 100
    radius: Annotated[float, Range(0.0, 0.6, 0.05)] = 0.2
    seed: Annotated[int, Range(0, 99)] = 0


@dataclass(frozen=True)
class Shapes:
    """The codes with their areas, and what covers how much."""

    areas: pd.DataFrame  # x, y, item, series, name: polygons, a row a vertex
    coverage: pd.DataFrame  # radius, curve, covered: share of the disc of radius 2
    table: pd.DataFrame  # shape, dimensions, center, covered
    covered: float  # by the chosen shape at the chosen radius


def shapes(config: ShapesConfig) -> Shapes:
    """The chosen shape drawn, all four measured."""
    codes = {shape: sample_codes(shape, config.count, config.seed) for shape in SHAPES}
    covered = {
        shape: _share(_gaps(shape, config.count, config.seed), config.radius) for shape in SHAPES
    }
    rows = [
        (shape, participation_ratio(z), float(z.norm(dim=1).min()), covered[shape])
        for shape, z in codes.items()
    ]
    chosen = codes[config.shape]
    widths = torch.full_like(chosen, max(config.radius, 0.02))
    names = [""] * len(chosen)
    return Shapes(
        areas=ellipse_table(chosen, torch.diag_embed(widths), names, ["code"] * len(chosen)),
        coverage=_coverage(config.count, config.seed),
        table=pd.DataFrame(rows, columns=["shape", "dimensions", "center", "covered"]),
        covered=covered[config.shape],
    )


def sample_codes(shape: str, count: int, seed: int) -> Float[Tensor, "n 2"]:
    """Codes of that shape within radius 2 or so."""
    return SPREAD * toy(shape, count, generator=torch.Generator().manual_seed(seed))


def participation_ratio(codes: Float[Tensor, "n d"]) -> float:
    """(sum of the covariance's eigenvalues)^2 / sum of their squares: 1 on a line, d in a ball."""
    centered = (codes - codes.mean(0)).double()
    covariance = centered.T @ centered / len(codes)
    return float(covariance.trace() ** 2 / covariance.square().sum())


def covered_share(codes: Float[Tensor, "n 2"], radius: float) -> float:
    """Share of the disc of radius 2 that lies within `radius` of a code; points cover nothing."""
    return _share(_to_nearest(codes), radius)


@lru_cache(maxsize=64)
def _gaps(shape: str, count: int, seed: int) -> Float[Tensor, " m"]:
    """From every place of the disc to the nearest code: whatever the radius is."""
    return _to_nearest(sample_codes(shape, count, seed))


def _to_nearest(codes: Float[Tensor, "n 2"], steps: int = 121) -> Float[Tensor, " m"]:
    return torch.cdist(_disc_grid(steps), codes.float()).amin(1)


def _share(gaps: Float[Tensor, " m"], radius: float) -> float:
    return float((gaps <= radius).double().mean()) if radius > 0 else 0.0


def covered_by_chance(count: int, radius: np.ndarray | float) -> np.ndarray:
    """Expected share for `count` uniform codes, edges neglected: 1 - exp(-n r^2 / R^2)."""
    return np.asarray(1 - np.exp(-count * np.asarray(radius) ** 2 / SPREAD**2))


def ellipse_table(
    means: Float[Tensor, "n 2"],
    cholesky: Float[Tensor, "n 2 2"],
    names: list[str],
    series: list[str],
) -> pd.DataFrame:
    """The ellipses mean + L e with |e| = 1 as polygons: x, y, item, series, name."""
    turn = torch.linspace(0, 2 * math.pi, SIDES + 1)[:-1]
    circle = torch.stack([turn.cos(), turn.sin()])
    outline = means[..., None] + cholesky @ circle  # [n, 2, sides]
    item = np.arange(len(means)).repeat(SIDES)
    return pd.DataFrame(
        {
            "x": outline[:, 0].flatten().numpy().round(4),
            "y": outline[:, 1].flatten().numpy().round(4),
            "item": item,
            "series": np.array(series, dtype=object)[item],
            "name": np.array(names, dtype=object)[item],
        }
    )


def _disc_grid(steps: int) -> Float[Tensor, "m 2"]:
    line = torch.linspace(-SPREAD, SPREAD, steps)
    grid = torch.cartesian_prod(line, line)
    return grid[grid.norm(dim=1) <= SPREAD]


@lru_cache(maxsize=64)
def _coverage(count: int, seed: int) -> pd.DataFrame:
    near = {
        shape: _to_nearest(sample_codes(shape, count, seed), steps=81).numpy() for shape in SHAPES
    }
    curves = {
        shape: [float((gap <= r).mean()) if r else 0.0 for r in RADII]
        for shape, gap in near.items()
    }
    curves["chance"] = covered_by_chance(count, RADII).tolist()
    tables = [pd.DataFrame({"radius": RADII, "curve": k, "covered": v}) for k, v in curves.items()]
    return pd.concat(tables, ignore_index=True)
