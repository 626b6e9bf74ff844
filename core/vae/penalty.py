"""Two penalties, eq. (3) and eq. (4), and what each does to a linear VAE.

Source: https://kexue.fm/archives/7725, the section on regularity.
"""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import pandas as pd
import torch

from core.knobs import Config, Range
from core.vae.gaussians import UNIFORM_EXCESS, gaussian_kl, simple_penalty, uniform_kl
from core.vae.linear import best_mean_square, direction_loss, linear_vae_direction

STDS = np.geomspace(0.001, 3, 121)


@dataclass(frozen=True)
class PenaltyConfig(Config):
    """The variance of the data in one direction, and the center of an ellipse."""

    variance: Annotated[float, Range(0.1, 25.0, 0.1)] = 4.0
    mean: Annotated[float, Range(0.0, 3.0, 0.1)] = 0.0


@dataclass(frozen=True)
class Penalty:
    """Penalties of one ellipse, losses of a direction; nats where it is a KL."""

    penalties: pd.DataFrame  # std, curve ("kl", "simple", "box"), value
    losses: pd.DataFrame  # std, curve ("kl", "simple"), value: at the best E[mu^2]
    moments: pd.DataFrame  # std, curve, value: E[mu^2] + sigma^2 there
    best_std: float  # with the KL
    simple_std: float  # the best on the grid with eq. (3)
    simple_moment: float  # E[mu^2] + sigma^2 there
    infimum: float  # of the loss with eq. (3): min(variance, 1)
    excess: float  # of the box over the Gaussian, nats, the same everywhere


def penalty(config: PenaltyConfig) -> Penalty:
    """Both penalties over the half axis, alone and in the loss of a linear VAE."""
    std = torch.tensor(STDS)[:, None]
    mean = torch.full_like(std, config.mean)
    alone = {
        "kl": gaussian_kl(mean, 2 * std.log()).numpy(),
        "simple": simple_penalty(mean, std).numpy(),
        "box": uniform_kl(mean, std).numpy(),
    }
    squares = {name: best_mean_square(config.variance, STDS, name) for name in ("kl", "simple")}
    losses = {
        name: direction_loss(config.variance, square, STDS, name)
        for name, square in squares.items()
    }
    best = int(losses["simple"].argmin())
    return Penalty(
        penalties=_table(alone),
        losses=_table(losses),
        moments=_table({name: square + STDS**2 for name, square in squares.items()}),
        best_std=linear_vae_direction(config.variance)["posterior_variance"] ** 0.5,
        simple_std=float(STDS[best]),
        simple_moment=float(squares["simple"][best] + STDS[best] ** 2),
        infimum=min(config.variance, 1.0),
        excess=UNIFORM_EXCESS,
    )


def _table(curves: dict[str, np.ndarray]) -> pd.DataFrame:
    tables = [pd.DataFrame({"std": STDS, "curve": k, "value": v}) for k, v in curves.items()]
    return pd.concat(tables, ignore_index=True)
