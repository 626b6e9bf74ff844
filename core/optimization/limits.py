"""What alpha does, on one axis: the post's two limits and where they end.

Source: https://kexue.fm/archives/7521, the role of alpha after eq. (2).
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from core.formula import parse
from core.knobs import Choice, Config, Range
from core.optimization.errors import Loss, Unusable
from core.optimization.landscapes import gradient
from core.optimization.quadrature import update_moments

AXES = {
    "linear": "1.5*x",
    "parabola": "1.5*x**2",
    "wells": "(x**2 - 1)**2 + 0.3*x",
    "stairs": "floor(2*x**2) / 2",
    "kink": "abs(x)",
}
ALPHAS = np.logspace(-2.5, 2.5, 41)
SHOWN = 1.8  # half the stretch of the axis that is drawn
NEEDS_A_BALL = "linear"  # does not grow on both sides


@dataclass(frozen=True)
class LimitsConfig(Config):
    """A loss on a line, where one stands, and how far an update may go."""

    axis: Annotated[str, Choice(*AXES)] = "wells"
    theta: Annotated[float, Range(-1.5, 1.5, 0.05)] = 0.9
    log_alpha: Annotated[float, Range(-2.5, 2.5, 0.1)] = -1.0  # base 10
    radius: Annotated[float, Range(0.0, 2.0, 0.1)] = 0.0  # 0: no bound

    @property
    def ball(self) -> float | None:
        """The bound; a linear loss always has one."""
        return self.radius or (1.0 if self.axis == NEEDS_A_BALL else None)


@dataclass(frozen=True)
class Limits:
    """The density now, and its mean for every alpha."""

    densities: pd.DataFrame  # place theta + D, curve (density, loss), value; both scaled to [0, 1]
    means: pd.DataFrame  # alpha, curve, value: the update
    now: float
    coldest: float  # the update at the least alpha
    hottest: float
    gradient: float


def limits(config: LimitsConfig) -> Limits:
    """The density at alpha, and the mean update from alpha = 0.003 to 300."""
    loss = axis_loss(config.axis)
    theta = torch.tensor([config.theta], dtype=torch.float64)
    means = _means(config.axis, config.theta, config.ball)
    slope = float(gradient(loss, theta))
    curves = {"mean": means, "slope": [-slope] * len(means), "zero": [0.0] * len(means)}
    return Limits(
        densities=_densities(config, loss),
        means=pd.concat(
            [
                pd.DataFrame({"alpha": ALPHAS, "curve": name, "value": values})
                for name, values in curves.items()
            ],
            ignore_index=True,
        ),
        now=mean_update(loss, theta, 10.0**config.log_alpha, config.ball),
        coldest=means[0],
        hottest=means[-1],
        gradient=slope,
    )


@lru_cache(maxsize=64)
def _means(axis: str, theta: float, ball: float | None) -> list[float]:
    """The mean update for every alpha."""
    place = torch.tensor([theta], dtype=torch.float64)
    return [mean_update(axis_loss(axis), place, float(alpha), ball) for alpha in ALPHAS]


def axis_loss(name: str) -> Loss:
    """A loss of points [..., 1]."""
    formula = parse(AXES[name])
    return lambda points: formula(points[..., 0])


def mean_update(loss: Loss, theta: Tensor, alpha: float, radius: float | None) -> float:
    """E D; NaN where there is no density."""
    try:
        return float(update_moments(loss, theta, alpha, radius=radius).mean[0])
    except Unusable:
        return math.nan


def _densities(config: LimitsConfig, loss: Loss) -> pd.DataFrame:
    """Over a fixed stretch, each scaled to its largest value there."""
    place = torch.linspace(-SHOWN, SHOWN, 601, dtype=torch.float64)
    values = loss(place[:, None])
    inside = (place - config.theta).abs() <= (config.ball or math.inf)
    log_p = torch.where(inside, -values / 10.0**config.log_alpha, -math.inf)
    shapes = {
        "density": (log_p - log_p.max()).exp(),
        "loss": (values - values.min()) / (values.max() - values.min()),
    }
    return pd.concat(
        [
            pd.DataFrame({"place": place.numpy(), "curve": name, "value": shape.numpy()})
            for name, shape in shapes.items()
        ],
        ignore_index=True,
    )
