"""Order by order: what a truncated loss makes of the density, beside what the page prints.

First order in a ball, closed form beside draws that ask for no Bessel function; second order, its
Gaussian beside quadrature. Where the post slips, both numbers stand.

Source: https://kexue.fm/archives/7521, eq. (3)-(8).
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from core.knobs import Choice, Config, Range
from core.optimization.ball import (
    first_order_update,
    log_partition,
    part_along,
    part_aside,
    shrinkage,
)
from core.optimization.priors import box_update, ellipsoid_update, gaussian_update
from core.optimization.quadratic import (
    completed_square,
    damped_update,
    second_order_covariance,
    second_order_update,
)
from core.optimization.quadrature import Moments, update_moments

KAPPAS = np.logspace(-2, 5, 71)
DRAWS = 1000
TURNS = 144  # gradients around a circle


@dataclass(frozen=True)
class FirstConfig(Config):
    """A linear loss in a ball."""

    dim: Annotated[str, Choice("1", "2", "3", "10", "100", "1000")] = "10"
    log_kappa: Annotated[float, Range(-2.0, 5.0, 0.1)] = 1.0  # kappa = radius |g| / alpha, base 10
    seed: Annotated[int, Range(0, 9)] = 0


@dataclass(frozen=True)
class First:
    """The length of the mean update in radii, and the numbers at the chosen kappa."""

    lengths: pd.DataFrame  # kappa, curve (closed, plain, clip, sample), value
    table: (
        pd.DataFrame
    )  # d, closed, sampled, error (2 standard errors), cosine of draws' mean and g
    closed: float
    plain: float  # kappa/(d+2): gradient descent of rate radius^2/((d+2) alpha)
    printed: float  # -dlnZ/d|g| without the alpha, for alpha = 0.3
    corrected: float  # with it; radius 1


ALPHA = 0.3  # at which the slip of eq. (6) is shown


def first(config: FirstConfig) -> First:
    """Closed form and draws."""
    dim, kappa = int(config.dim), 10.0**config.log_kappa
    some = KAPPAS[::5]
    curves = {
        "closed": (KAPPAS, shrinkage(KAPPAS, dim)),
        "proportional": (KAPPAS, np.where(KAPPAS / (dim + 2) < 1.5, KAPPAS / (dim + 2), np.nan)),
        "clip": (KAPPAS, np.ones_like(KAPPAS)),
        "sample": (some, [drawn_length(dim, float(k), config.seed)[0] for k in some]),
    }
    lengths = [
        pd.DataFrame({"kappa": x, "curve": name, "value": y}) for name, (x, y) in curves.items()
    ]
    slope = log_partition_slope(kappa * ALPHA, 1.0, ALPHA, dim)
    return First(
        lengths=pd.concat(lengths, ignore_index=True),
        table=pd.DataFrame([_row(d, kappa, config.seed) for d in (1, 2, 3, 10, 100, 1000)]),
        closed=float(shrinkage(np.array(kappa), dim)),
        plain=kappa / (dim + 2),
        printed=-slope,
        corrected=-ALPHA * slope,
    )


@lru_cache(maxsize=1024)  # the curve and the table meet the same again when one control moves
def drawn_length(dim: int, kappa: float, seed: int) -> tuple[float, float, float]:
    """Of a mean over draws: its part against g in radii, 2 standard errors, its cosine with g."""
    uniform, aside = _draws(dim, seed)
    along = part_along(uniform, kappa, dim)
    reach = (1 - along**2).clamp(min=0).sqrt()
    length, across = -float(along.mean()), float((reach @ aside).norm()) / DRAWS
    return length, 2 * float(along.std()) / math.sqrt(DRAWS), -length / math.hypot(length, across)


@lru_cache(maxsize=6)  # the table's dimensions for one seed: 9 MB
def _draws(dim: int, seed: int) -> tuple[Float[Tensor, " n"], Float[Tensor, "n d"]]:
    """What draws for every kappa have in common: their place in the distribution of the part along
    g, and their part across it."""
    generator = torch.Generator().manual_seed(seed)
    uniform = torch.rand(DRAWS, generator=generator, dtype=torch.float64)
    direction = torch.eye(1, dim, dtype=torch.float64)[0]
    return uniform, part_aside(direction, DRAWS, generator)


def log_partition_slope(norm: float, radius: float, alpha: float, dim: int) -> float:
    """d ln Z / d|g| by central differences."""
    step = 1e-5 * norm
    high, low = (log_partition(norm + sign * step, radius, alpha, dim) for sign in (1, -1))
    return (high - low) / (2 * step)


def _row(dim: int, kappa: float, seed: int) -> dict[str, int | float]:
    length, error, cosine = drawn_length(dim, kappa, seed)
    closed = float(shrinkage(np.array(kappa), dim))
    return {
        "dim": dim, "closed": closed, "sampled": length, "error": error, "cosine": cosine,
    }  # fmt: skip


@dataclass(frozen=True)
class SecondConfig(Config):
    """A quadratic loss: curvatures along two axes, turned, and the temperature."""

    curvature_1: Annotated[float, Range(-1.0, 5.0, 0.1)] = 3.0
    curvature_2: Annotated[float, Range(-1.0, 5.0, 0.1)] = 1.0
    angle: Annotated[int, Range(0, 90, 5)] = 30
    log_alpha: Annotated[float, Range(-2.0, 2.0, 0.1)] = 0.6

    @property
    def alpha(self) -> float:
        """The temperature."""
        return 10.0**self.log_alpha

    @property
    def hessian(self) -> Tensor:
        """The matrix of these curvatures."""
        turn = math.radians(self.angle)
        axes = torch.tensor(
            [[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]],
            dtype=torch.float64,
        )
        curvatures = torch.tensor([self.curvature_1, self.curvature_2], dtype=torch.float64)
        return axes @ torch.diag(curvatures) @ axes.T


GRADIENT = torch.tensor([1.5, -1.0], dtype=torch.float64)


@dataclass(frozen=True)
class Second:
    """Newton's step and the spread, three times: as printed, corrected, by quadrature."""

    table: pd.DataFrame  # quantity, printed, corrected, quadrature
    areas: pd.DataFrame  # x, y, item, name, series: two standard deviations
    newton: tuple[float, float]


def second(config: SecondConfig) -> Second:
    """Raises Unusable if the Hessian is not positive definite."""
    hessian = config.hessian
    newton = second_order_update(GRADIENT, hessian)
    right = second_order_covariance(hessian, config.alpha)
    found = quadratic_moments(hessian, config.alpha)
    printed, corrected = completed_square(GRADIENT, hessian)
    exact = config.alpha * (found.log_partition - gaussian_volume(right))
    rows: list[tuple[str, Any, Any, Any]] = [
        ("mean_1", newton[0], newton[0], found.mean[0]),
        ("mean_2", newton[1], newton[1], found.mean[1]),
        ("variance_1", right[0, 0] / config.alpha, right[0, 0], found.covariance[0, 0]),
        ("variance_2", right[1, 1] / config.alpha, right[1, 1], found.covariance[1, 1]),
        ("constant", printed, corrected, exact),
    ]
    return Second(
        table=pd.DataFrame(
            [(name, float(a), float(b), float(c)) for name, a, b, c in rows],
            columns=["quantity", "printed", "corrected", "quadrature"],
        ),
        areas=pd.concat(
            [
                _ellipse(newton, right / config.alpha, "printed"),
                _ellipse(newton, right, "corrected"),
            ],
            ignore_index=True,
        ),
        newton=(float(newton[0]), float(newton[1])),
    )


def quadratic_moments(hessian: Tensor, alpha: float) -> Moments:
    """Of D.g + D.H D/2 by quadrature."""

    def loss(points: Tensor) -> Tensor:
        return points @ GRADIENT + ((points @ hessian) * points).sum(-1) / 2

    return update_moments(loss, torch.zeros(2, dtype=torch.float64), alpha)


def gaussian_volume(covariance: Tensor) -> float:
    """ln of the integral of exp(-D.C^-1 D/2)."""
    return math.log(2 * math.pi) + float(torch.logdet(covariance)) / 2


@dataclass(frozen=True)
class PriorsConfig(Config):
    """How large the gradient is, and where the priors end."""

    log_size: Annotated[float, Range(-1.0, 2.0, 0.1)] = 0.6  # |g|, base 10
    log_alpha: Annotated[float, Range(-2.0, 1.0, 0.1)] = -0.3
    radius: Annotated[float, Range(0.2, 2.0, 0.1)] = 1.0


@dataclass(frozen=True)
class Priors:
    """Where the mean update ends while the gradient turns once around."""

    ends: pd.DataFrame  # x, y, item, name, series: a closed line for each prior
    table: (
        pd.DataFrame
    )  # prior, dx, dy, length, cosine with minus gradient, for a slanting gradient


METRIC = torch.tensor([4.0, 0.5], dtype=torch.float64)
CURVED = torch.tensor([[3.0, 0.0], [0.0, 0.5]], dtype=torch.float64)


def priors(config: PriorsConfig) -> Priors:
    """The same linear (for "damped": quadratic) loss under five priors."""
    size, alpha, radius = 10.0**config.log_size, 10.0**config.log_alpha, config.radius
    turn = torch.arange(TURNS, dtype=torch.float64) * (2 * math.pi / TURNS)
    around = size * torch.stack([turn.cos(), turn.sin()], 1)
    slanting = size * torch.tensor([[math.cos(0.4), math.sin(0.4)]], dtype=torch.float64)
    ends, rows = [], []
    for name in PRIORS:
        places = prior_update(name, around, alpha, radius)
        ends.append(_outline(places, name))
        step = prior_update(name, slanting, alpha, radius)[0]
        cosine = float(-step @ slanting[0] / (step.norm() * size))
        rows.append((name, float(step[0]), float(step[1]), float(step.norm()), cosine))
    table = pd.DataFrame(rows, columns=["prior", "dx", "dy", "length", "cosine"])
    return Priors(pd.concat(ends, ignore_index=True), table)


PRIORS = ("ball", "box", "ellipsoid", "gaussian", "damped")


def prior_update(name: str, gradients: Tensor, alpha: float, radius: float) -> Tensor:
    """Mean updates [n, 2]. The Gaussian's rate is the ball's for small gradients."""
    rate = radius**2 / (4 * alpha)
    if name == "ball":
        return first_order_update(gradients, radius, alpha)
    if name == "box":
        return box_update(gradients, radius, alpha)
    if name == "ellipsoid":
        return ellipsoid_update(gradients, METRIC, radius, alpha)
    if name == "gaussian":
        return gaussian_update(gradients, rate)
    return torch.stack([damped_update(gradient, CURVED, rate) for gradient in gradients])


def _ellipse(center: Tensor, covariance: Tensor, name: str) -> pd.DataFrame:
    turn = torch.arange(TURNS, dtype=torch.float64) * (2 * math.pi / TURNS)
    circle = torch.stack([turn.cos(), turn.sin()], 1)
    return _outline(center + 2 * circle @ torch.linalg.cholesky(covariance).T, name)


def _outline(places: Tensor, name: str) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "x": places[:, 0].numpy(), "y": places[:, 1].numpy(), "item": name, "name": "",
            "series": name,
        }
    )  # fmt: skip
