"""Beta is hidden in the scale of the pixels: the linear VAE, direction by direction.

Multiplying the data by c multiplies every variance by c^2, and that is dividing beta by c^2: both
leave the same codes.

Source: https://kexue.fm/archives/7725, eq. (5).
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from core.knobs import Choice, Config, Range
from core.pictures import picture_table
from core.vae import data
from core.vae.linear import linear_vae_direction

DIRECTIONS = 100
SCALES = np.geomspace(0.1, 10, 41)
SAMPLES = 8


@dataclass(frozen=True)
class ScaleConfig(Config):
    """The data, the factor of their pixels, the weight of the KL."""

    data: Annotated[str, Choice("characters", "digits")] = "characters"
    scale: Annotated[float, Range(0.1, 4.0, 0.1)] = 1.0
    beta: Annotated[float, Range(0.1, 16.0, 0.1)] = 1.0
    seed: Annotated[int, Range(0, 99)] = 0


@dataclass(frozen=True)
class Scale:
    """Of the best linear VAE. Squared errors in the units of the unscaled pixels."""

    directions: pd.DataFrame  # direction, curve, value: variance, what is left of it, threshold
    counts: pd.DataFrame  # scale, curve, value: active directions, nats
    pictures: pd.DataFrame  # row, column, image: images, decoded, samples
    active: int
    kl: float  # summed over directions, nats
    reconstruction: float  # summed over directions and the pixels
    variance: float  # of the data, summed over pixels
    equivalent_beta: float  # the beta that does the same to unscaled pixels


def scale(config: ScaleConfig) -> Scale:
    """Every direction solved; then pictures decoded by the same linear VAE."""
    center, axes, variances = principal(config.data)
    beta = config.beta / config.scale**2
    rows = [linear_vae_direction(variance, beta) for variance in variances.tolist()]
    active = sum(row["active"] for row in rows)
    return Scale(
        directions=_directions(config, variances, rows),
        counts=_counts(config.beta, variances),
        pictures=_pictures(config, center, axes, variances, beta),
        active=active,
        kl=sum(row["kl"] for row in rows),
        reconstruction=sum(row["reconstruction"] for row in rows),
        variance=float(variances.sum()),
        equivalent_beta=beta,
    )


@lru_cache
def principal(
    name: str,
) -> tuple[Float[Tensor, " p"], Float[Tensor, "k p"], Float[Tensor, " k"]]:
    """Mean, principal directions and variances of the training images, largest first."""
    x = data.load(name).pixels.double()
    center = x.mean(0)
    _, s, axes = torch.linalg.svd(x - center, full_matrices=False)
    return center, axes, s**2 / len(x)


def _directions(config: ScaleConfig, variances: Tensor, rows: list[dict[str, Any]]) -> pd.DataFrame:
    """In units of the scaled pixels, as the loss sees them."""
    count = min(len(variances), DIRECTIONS)
    seen = (variances * config.scale**2)[:count].clamp(min=1e-6).numpy()
    kept = [config.scale**2 * row["reconstruction"] for row in rows[:count]]
    curves = {
        "variance": seen,
        "left": np.maximum(kept, 1e-6),
        "threshold": np.full(count, config.beta / 2),
    }
    return _table("direction", np.arange(1, count + 1), curves)


def _counts(beta: float, variances: Tensor) -> pd.DataFrame:
    """Active directions and nats over the scale of the pixels."""
    seen = variances.numpy()[None] * SCALES[:, None] ** 2
    active = seen > beta / 2
    nats = np.where(active, 0.5 * np.log(np.maximum(2 * seen / beta, 1)), 0).sum(1)
    return _table("scale", SCALES, {"active": active.sum(1).astype(float), "nats": nats})


def _pictures(
    config: ScaleConfig, center: Tensor, axes: Tensor, variances: Tensor, beta: float
) -> pd.DataFrame:
    """Images, their best linear reconstruction from the code's mean, and samples from N(0, I)."""
    generator = torch.Generator().manual_seed(config.seed)
    x = data.load(config.data).pixels
    images = x[torch.randperm(len(x), generator=generator)[:SAMPLES]].double()
    solved = [linear_vae_direction(variance, beta) for variance in variances.tolist()]
    left = torch.tensor([row["posterior_variance"] for row in solved], dtype=torch.float64)
    z = torch.randn(SAMPLES, len(axes), generator=generator, dtype=torch.float64)
    spread = (variances * (1 - left)).sqrt()  # the decoder's gain: what it shows of a unit code
    decoded = ((images - center) @ axes.T * (1 - left)) @ axes + center
    rows = torch.cat([images, decoded, (z * spread) @ axes + center])
    names = [name for name in ("image", "decoded", "sample") for _ in range(SAMPLES)]
    side = data.SIDES[config.data]
    places = [at % SAMPLES + 1 for at in range(len(rows))]
    return picture_table(list(rows.reshape(-1, side, side).numpy()), names, places)


def _table(axis: str, places: np.ndarray, curves: dict[str, np.ndarray]) -> pd.DataFrame:
    tables = [pd.DataFrame({axis: places, "curve": k, "value": v}) for k, v in curves.items()]
    return pd.concat(tables, ignore_index=True)
