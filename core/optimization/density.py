"""One density over all updates, and what its mean is beside the steps of the usual optimizers.

On the whole plane p(D | theta), as a density of where one lands, doesn't know theta: it is
exp(-l/alpha), and every update ends in the same place. In a ball it looks only at what is near.

Source: https://kexue.fm/archives/7521, eq. (1)-(2).
"""

import base64
import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from core.knobs import Choice, Config, Range, Text
from core.optimization.errors import evaluated
from core.optimization.landscapes import (
    KINDS,
    LONGEST_FORMULA,
    OWN,
    WINDOW,
    contours,
    global_minimum,
    gradient,
    hessian,
    landscape,
)
from core.optimization.quadratic import second_order_update
from core.optimization.quadrature import update_moments

FIELD = 4.0  # half the side of the square of losses that the browser gets: window and a ball
CELLS = 161
HIGHEST = 1e30  # loss that the browser hears of: its numbers are of single precision


@dataclass(frozen=True)
class DensityConfig(Config):
    """A landscape, a place in it, the temperature, and how far an update may go."""

    landscape: Annotated[str, Choice(*KINDS)] = "wells"
    log_alpha: Annotated[float, Range(-3.0, 2.0, 0.1)] = -1.0  # base 10
    radius: Annotated[float, Range(0.0, 1.5, 0.1)] = 0.0  # 0: the whole plane
    formula: Annotated[str, Text(LONGEST_FORMULA)] = OWN
    x: Annotated[float, Range(-WINDOW, WINDOW, 0.01)] = 0.9
    y: Annotated[float, Range(-WINDOW, WINDOW, 0.01)] = 0.6

    @property
    def alpha(self) -> float:
        """The temperature."""
        return 10.0**self.log_alpha

    @property
    def own(self) -> str:
        """The formula if it is used, so that an unused one is not looked at."""
        return self.formula if self.landscape == "own" else OWN


@dataclass(frozen=True)
class Density:
    """The mean update and its rivals."""

    steps: pd.DataFrame  # step, dx, dy, length, loss_after; NaN where a step doesn't exist
    mean: tuple[float, float]
    std: float  # of the landing place, root of the mean variance over both axes
    cosine: float  # of mean and minus gradient; NaN without a gradient
    loss: float  # at theta


def density(config: DensityConfig) -> Density:
    """Raises BadFormula or Unusable, ValueErrors, where there is no density."""
    field = landscape(config.landscape, config.own)
    theta = torch.tensor([config.x, config.y], dtype=torch.float64)
    moments = update_moments(field.loss, theta, config.alpha, radius=config.radius or None)
    down = -gradient(field.loss, theta)
    steps = {
        "mean": moments.mean,
        "slope": down,
        "newton": _newton(config, theta),
        "global": torch.tensor(global_minimum(config.landscape, config.own)[:2]) - theta,
    }
    return Density(
        steps=pd.DataFrame([_row(name, step, field.loss, theta) for name, step in steps.items()]),
        mean=(float(moments.mean[0]), float(moments.mean[1])),
        std=math.sqrt(float(moments.covariance.trace()) / 2),
        cosine=cosine(moments.mean, down),
        loss=float(field.loss(theta)),
    )


def cosine(a: Tensor, b: Tensor) -> float:
    """Of the angle between two vectors; NaN if one of them is 0."""
    size = float(a.norm() * b.norm())
    return float(a @ b) / size if size > 1e-12 else math.nan


@lru_cache(maxsize=32)
def field_data(kind: str, formula: str) -> dict[str, Any]:
    """The losses on a square grid for the browser: row by row from the top, float32 in base 64.

    What is not finite there is as high as the highest finite value, at most HIGHEST. And lines of
    equal loss in the window, as polygons of x and y.
    """
    axis = torch.linspace(-FIELD, FIELD, CELLS, dtype=torch.float64)
    y, x = torch.meshgrid(axis.flip(0), axis, indexing="ij")
    values = evaluated(landscape(kind, formula).loss, torch.stack([x, y], -1)).numpy()
    finite = values[np.isfinite(values)]
    clipped = np.clip(values, finite.min(), min(finite.max(), HIGHEST)).astype("<f4")
    return {
        "numbers": base64.b64encode(clipped.tobytes()).decode(),
        "cells": CELLS, "reach": FIELD, "window": WINDOW,
        "contours": [line.round(2).tolist() for line in contours(kind, formula)],
    }  # fmt: skip


def _newton(config: DensityConfig, theta: Tensor) -> Tensor:
    """NaN where the Hessian is not positive definite."""
    loss = landscape(config.landscape, config.own).loss
    try:
        return second_order_update(gradient(loss, theta), hessian(loss, theta))
    except ValueError:  # Unusable is one
        return torch.full_like(theta, math.nan)


def _row(name: str, step: Tensor, loss: Any, theta: Tensor) -> dict[str, Any]:
    return {
        "step": name, "dx": float(step[0]), "dy": float(step[1]), "length": float(step.norm()),
        "loss_after": float(loss(theta + step)),
    }  # fmt: skip
