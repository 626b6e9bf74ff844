"""How far chains of Gaussians reach in the plane, exactly, on a grid.

The data are a density on a grid: points of a plane set, each blurred. Against it stand the best of
each family: a diagonal and a full Gaussian (by their moments); the chain p(x1) p(x2 | x1) with any
mean and std of x2 as functions of x1, which is what two groups of eq. (2) can do; and chains with
one more latent before them. The latent's normal line cut into k parts of equal mass, with a chain
of constant means for each, is a mixture of k upright Gaussians: only this reaches any density.

Source: https://kexue.fm/archives/7574, eq. (2), and its section on autoregressive distributions.
Axes: i over x1, j over x2.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

import pandas as pd
import torch
from jaxtyping import Float
from torch import Generator, Tensor

from core.knobs import Choice, Config, Range
from core.toys import toy

REACH, CELLS = 2.0, 81  # of the grid: from -2 to 2 each way
POINTS = 400
TINY = 1e-300
PARTS = (1, 2, 4, 8, 16, 32)  # of the extra latent's line
ROUNDS = 60  # of expectation and maximization
FAMILIES = ("diagonal", "full", "chain", "extra")


@dataclass(frozen=True)
class ToysConfig(Config):
    """What is fitted, and how finely the extra latent is used."""

    shape: Annotated[str, Choice("moons", "ring", "swiss-roll", "irregular")] = "moons"
    family: Annotated[str, Choice(*FAMILIES)] = "chain"
    blur: Annotated[float, Range(0.08, 0.4, 0.02)] = 0.12
    parts: Annotated[str, Choice(*map(str, PARTS[1:]))] = "16"
    seed: Annotated[int, Range(0, 99)] = 0


@dataclass(frozen=True)
class Toys:
    """Densities and their gaps, nats."""

    data: pd.DataFrame  # x, y, density
    fitted: pd.DataFrame  # the same of the family
    gaps: pd.DataFrame  # family, gap: KL(data || best of the family), codes of the cells included
    reach: pd.DataFrame  # parts, curve ("extra", "chain"), value: nats
    gap: float  # of the chosen family


def toys(config: ToysConfig) -> Toys:
    """Fit every family and show the chosen one."""
    density = target(config.shape, config.blur, config.seed)
    fits = {
        "diagonal": diagonal(density),
        "full": full(density),
        "chain": chain(density),
        "extra": mixture(density, int(config.parts), config.seed),
    }
    codes = {"independent": independent(density), "codes": coded(density)}
    gaps = {name: kl(density, fit) for name, fit in (fits | codes).items()}
    curve = [kl(density, mixture(density, parts, config.seed)) for parts in PARTS]
    rows = [{"parts": k, "curve": "extra", "value": v} for k, v in zip(PARTS, curve, strict=True)]
    rows += [{"parts": k, "curve": "chain", "value": gaps["chain"]} for k in PARTS]
    return Toys(
        data=_table(density),
        fitted=_table(fits[config.family]),
        gaps=pd.DataFrame({"family": list(gaps), "gap": list(gaps.values())}),
        reach=pd.DataFrame(rows),
        gap=gaps[config.family],
    )


@lru_cache(maxsize=8)
def target(shape: str, blur: float, seed: int) -> Float[Tensor, "i j"]:
    """The data: cell masses that sum to 1."""
    points = toy(shape, POINTS, generator=torch.Generator().manual_seed(seed)).double()
    near = _normal(axis()[:, None], points[:, 0], torch.tensor(blur, dtype=torch.float64))
    other = _normal(axis()[:, None], points[:, 1], torch.tensor(blur, dtype=torch.float64))
    return _normalized(near @ other.T)


def kl(density: Float[Tensor, "i j"], fit: Float[Tensor, "i j"]) -> float:
    """KL(data || fit) over the cells, nats; never below 0."""
    ratio = (density.clamp(min=TINY) / fit.clamp(min=TINY)).log()
    return float((density * ratio).sum().clamp(min=0))


def diagonal(density: Float[Tensor, "i j"]) -> Float[Tensor, "i j"]:
    """The best upright Gaussian: the moments of both margins."""
    sides = (_gaussian(margin) for margin in (density.sum(1), density.sum(0)))
    return torch.outer(*sides)


def full(density: Float[Tensor, "i j"]) -> Float[Tensor, "i j"]:
    """The best Gaussian: mean and covariance."""
    grid = torch.stack(torch.meshgrid(axis(), axis(), indexing="ij"), -1)
    mean = (density[..., None] * grid).sum((0, 1))
    away = grid - mean
    covariance = torch.einsum("ij,ijk,ijl->kl", density, away, away)
    energy = torch.einsum("ijk,kl,ijl->ij", away, covariance.inverse(), away)
    return _normalized(torch.exp(-0.5 * energy))


def chain(density: Float[Tensor, "i j"]) -> Float[Tensor, "i j"]:
    """x1 normal, then x2 normal with the best mean and std for every x1: two groups of eq. (2)."""
    margin = density.sum(1)
    conditional = density / margin.clamp(min=TINY)[:, None]
    rows = torch.stack([_gaussian(row) for row in conditional])
    return _gaussian(margin)[:, None] * rows


def independent(density: Float[Tensor, "i j"]) -> Float[Tensor, "i j"]:
    """The best pair of discrete codes, a value a cell, that know nothing of each other."""
    return torch.outer(density.sum(1), density.sum(0))


def coded(density: Float[Tensor, "i j"]) -> Float[Tensor, "i j"]:
    """The chain of two discrete codes, each conditional a table: any density of cells."""
    margin = density.sum(1)[:, None]
    return margin * (density / margin.clamp(min=TINY))


def mixture(density: Float[Tensor, "i j"], parts: int, seed: int = 0) -> Float[Tensor, "i j"]:
    """A latent before the chain, its line cut into parts: upright Gaussians of equal weight.

    Fitted by expectation and maximization on the cells; one part is the diagonal Gaussian.
    """
    generator = torch.Generator().manual_seed(seed)
    found = fit_mixture(density, parts, generator)
    return _mixed(*found)


def fit_mixture(
    density: Float[Tensor, "i j"], parts: int, generator: Generator, rounds: int = ROUNDS
) -> tuple[Float[Tensor, "k 2"], Float[Tensor, "k 2"]]:
    """Means and stds of the parts, started at draws from the data."""
    cells = torch.multinomial(density.flatten(), parts, generator=generator)
    mean = torch.stack([axis()[cells // CELLS], axis()[cells % CELLS]], 1)
    std = torch.full_like(mean, 0.5)
    for _ in range(rounds):
        left, right = _sides(mean, std)
        ratio = density / (left.T @ right).clamp(min=TINY)
        margins = torch.stack([left * (ratio @ right.T).T, right * (ratio.T @ left.T).T], 1)
        mean, std = _moments(margins)
    return mean, std


def axis() -> Float[Tensor, " i"]:
    """The middles of the cells, each way."""
    return torch.linspace(-REACH, REACH, CELLS, dtype=torch.float64)


def _moments(margins: Float[Tensor, "k two i"]) -> tuple[Tensor, Tensor]:
    """Mean and std of each part, both ways; a std is never below half a cell."""
    mass = margins.sum(2).clamp(min=TINY)
    mean = (margins * axis()).sum(2) / mass
    variance = (margins * (axis() - mean[..., None]).square()).sum(2) / mass
    return mean, variance.sqrt().clamp(min=REACH / CELLS)


def _sides(mean: Float[Tensor, "k 2"], std: Float[Tensor, "k 2"]) -> tuple[Tensor, Tensor]:
    """The margins of each part, as masses of the cells: over x1 [k, i], over x2 [k, j]."""
    density = _normal(axis(), mean[..., None], std[..., None])
    masses = density / density.sum(2, keepdim=True)
    return masses[:, 0], masses[:, 1]


def _mixed(mean: Float[Tensor, "k 2"], std: Float[Tensor, "k 2"]) -> Float[Tensor, "i j"]:
    left, right = _sides(mean, std)
    return left.T @ right / len(mean)


def _gaussian(margin: Float[Tensor, " i"]) -> Float[Tensor, " i"]:
    """The normal with the moments of a margin, as masses of the cells."""
    mean = (margin * axis()).sum() / margin.sum()
    variance = (margin * (axis() - mean).square()).sum() / margin.sum()
    return _normalized(_normal(axis(), mean, variance.sqrt().clamp(min=REACH / CELLS)))


def _normal(x: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    return torch.exp(-0.5 * ((x - mean) / std).square()) / std / math.sqrt(2 * math.pi)


def _normalized(density: Tensor) -> Tensor:
    return density / density.sum()


def _table(density: Float[Tensor, "i j"]) -> pd.DataFrame:
    """Every second cell: what a picture needs."""
    places = axis()[::2].tolist()
    height = density[::2, ::2] / density.max()
    rows = [(x, y) for x in places for y in places]
    return pd.DataFrame({
        "x": [round(x, 3) for x, _ in rows], "y": [round(y, 3) for _, y in rows],
        "density": height.flatten().tolist(),
    })  # fmt: skip
