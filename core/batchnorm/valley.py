"""One weight and one bias: the valley of least squares for an input of given mean and deviation.

E[x x^T] of (x, 1) is [[m^2 + s^2, m], [m, 1]]: long and narrow as soon as m or s leave 0 and 1.
Descent with rate eta multiplies each eigendirection by 1 - eta * eigenvalue, so it breaks at 2/L.

Source: https://kexue.fm/archives/6992, eq. (2)-(5).
"""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from core.batchnorm.descent import quadratic_gaps, quadratic_path
from core.batchnorm.inputs import Smoothness
from core.knobs import Config, Range

REACH = 3.0  # of the picture, in both parameters
START = (2.2, 1.7)  # along no axis of the valley, wherever the controls stand
STEPS = 60
LEVELS = tuple(2.0**k for k in range(-5, 7))  # of the loss
MULTIPLES = tuple(
    sorted({round(0.05 * k, 2) for k in range(1, 45)} | {1.95, 1.99, 2.0, 2.01, 2.02, 2.05})
)
AFTER = 60  # steps
FLOOR, CEILING = 1e-12, 1e6  # of the drawn gaps


@dataclass(frozen=True)
class ValleyConfig(Config):
    """The input's mean and standard deviation, and the learning rate."""

    mean: Annotated[float, Range(-2.0, 2.0, 0.1)] = 1.0
    std: Annotated[float, Range(0.1, 3.0, 0.1)] = 0.5
    learning_rate: Annotated[float, Range(0.01, 3.0, 0.01)] = 0.8
    bias: bool = True


@dataclass(frozen=True)
class Valley:
    """Contours and path seen from the optimum; the gap is the loss above its least value."""

    picture: pd.DataFrame  # w, b, curve: "level" or "path"
    breaking: pd.DataFrame  # multiple (rate x L), gap after 60 steps over the first, curve
    smoothness: Smoothness
    limit: float  # 2/L
    gap: float  # after STEPS steps, over the first
    descends: bool


def moment(mean: float, std: float) -> Float[Tensor, "2 2"]:
    """E[x x^T] of (x, 1)."""
    return torch.tensor([[mean**2 + std**2, mean], [mean, 1.0]], dtype=torch.float64)


def valley(config: ValleyConfig) -> Valley:
    """Contours, the path of descent, and where descent breaks.

    Without a bias only w moves, and the curvature is E x^2.
    """
    hessian = moment(config.mean, config.std)
    if not config.bias:
        hessian = hessian * torch.tensor([[1.0, 0.0], [0.0, 0.0]], dtype=torch.float64)
    places = torch.linalg.eigvalsh(hessian)
    least = places[0] if config.bias else places[1]
    found = Smoothness(float(places[1]), max(float(least), 0.0))
    start = torch.tensor(START, dtype=torch.float64)
    gaps = quadratic_gaps(hessian, start, config.learning_rate, STEPS)
    share = float(gaps[-1] / gaps[0])
    return Valley(
        picture=pd.concat([_contours(hessian), _path(hessian, start, config.learning_rate)]),
        breaking=_breaking(hessian, start, config.learning_rate * found.largest),
        smoothness=found,
        limit=2 / found.largest,
        gap=share,
        descends=bool((gaps[1:] <= gaps[:-1] * (1 + 1e-12)).all()),
    )


def _contours(hessian: Tensor) -> pd.DataFrame:
    """Closed curves of equal loss, with gaps between them and where they leave the picture."""
    places, axes = np.linalg.eigh(hessian.numpy())
    turn = np.linspace(0, 2 * np.pi, 181)
    circle = np.stack([np.cos(turn), np.sin(turn)])
    radii = 1 / np.sqrt(np.maximum(places, 1e-9))
    rows = [np.sqrt(2 * level) * (axes * radii) @ circle for level in LEVELS]
    points = np.concatenate([np.append(row, [[np.nan], [np.nan]], axis=1) for row in rows], axis=1)
    points[:, np.abs(points).max(0) > REACH] = np.nan
    return pd.DataFrame({"w": points[0], "b": points[1], "curve": "level"})


def _path(hessian: Tensor, start: Tensor, learning_rate: float) -> pd.DataFrame:
    """Until it leaves the picture."""
    points = quadratic_path(hessian, start, learning_rate, STEPS).numpy()
    outside = (np.abs(points).max(1) > 2 * REACH).nonzero()[0]
    points = points[: outside[0] + 1] if len(outside) else points
    return pd.DataFrame({"w": points[:, 0], "b": points[:, 1], "curve": "path"})


def _breaking(hessian: Tensor, start: Tensor, own: float) -> pd.DataFrame:
    """The gap after many steps over the rate; the reader's own rate is a point."""
    largest = float(torch.linalg.eigvalsh(hessian)[-1])

    def share(multiple: float) -> float:
        gaps = quadratic_gaps(hessian, start, multiple / largest, AFTER)
        return min(max(float(gaps[-1] / gaps[0]), FLOOR), CEILING)

    rows = [(multiple, share(multiple), "gap") for multiple in MULTIPLES]
    rows.append((min(own, MULTIPLES[-1]), share(own), "own"))
    return pd.DataFrame(rows, columns=["multiple", "gap", "curve"])
