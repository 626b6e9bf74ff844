"""The post's bound against the true smoothness: what it sees of scale and shift, and what not.

Source: https://kexue.fm/archives/6992, eq. (12)-(16).
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float
from torch import Generator, Tensor

from core.batchnorm.data import load
from core.batchnorm.descent import decayed, steps_to
from core.batchnorm.inputs import (
    TREATMENTS,
    Smoothness,
    best_scale,
    best_shift,
    least_squares_smoothness,
    preconditioner,
    second_moment,
    shifted_inputs,
    treated,
)
from core.knobs import Choice, Config, Range

SCALES = tuple(float(s) for s in np.geomspace(0.25, 4, 17))
STEPS = 10_000
DRAWN = 300
SHARE = 1e-3
ROWS = 1000
DIM = 10


@dataclass(frozen=True)
class ScalesConfig(Config):
    """Whose inputs, how they are scaled, and whether the layer has a bias."""

    inputs: Annotated[str, Choice("normal", "digits", "glyphs")] = "normal"
    scale: Annotated[float, Range(0.25, 4.0, 0.25)] = 1.0
    bias: bool = True
    seed: Annotated[int, Range(0, 99)] = 0


@dataclass(frozen=True)
class Scales:
    """Least squares on the inputs, five ways."""

    laws: pd.DataFrame  # scale, curve, value: L and the bound's factor, over those at scale 1
    losses: pd.DataFrame  # step, curve, gap: descent at rate 1/L, over the first
    table: pd.DataFrame  # treatment, factor, largest, condition_number, limit, steps
    same_trace: float  # L of RMS-scaled over L of standardized inputs
    agreement: float  # standardized descent against preconditioned descent, largest difference


def scales(config: ScalesConfig) -> Scales:
    """L, the condition number and the steps to a thousandth, for every treatment."""
    x = config.scale * inputs(config.inputs, config.seed)
    found = {how: _measured(treated(x, how), config) for how in TREATMENTS}
    rows = [{"treatment": how, **numbers} for how, (numbers, _) in found.items()]
    table = pd.DataFrame(rows).set_index("treatment", drop=False)
    return Scales(
        laws=_laws(config.inputs, config.seed),
        losses=pd.concat([_curve(how, gaps) for how, (_, gaps) in found.items()]),
        table=table.reset_index(drop=True),
        same_trace=float(table["largest"]["rms"] / table["largest"]["standardized"]),
        agreement=preconditioned_difference(x),
    )


@lru_cache(maxsize=8)
def inputs(name: str, seed: int) -> Tensor:
    """Ten normal inputs with random means and scales, or pixels that vary."""
    generator = Generator().manual_seed(seed)
    if name == "normal":
        return shifted_inputs(ROWS, DIM, generator)
    x = load(name).x
    chosen = torch.randperm(len(x), generator=generator)[:ROWS]
    return x[chosen][:, _varying(name)].double()


@lru_cache(maxsize=4)
def _varying(name: str) -> Bool[Tensor, " d"]:
    """Which pixels vary over all images."""
    spread = load(name).x.double().std(0)
    return spread > 0.05 * spread.max()


def preconditioned_difference(x: Tensor, steps: int = 50) -> float:
    """Descent on standardized inputs, mapped back, against descent with P: how far apart."""
    generator = Generator().manual_seed(0)
    standardized, one = treated(x, "standardized"), torch.ones(len(x), 1).double()
    standard, raw = torch.cat([standardized, one], 1), torch.cat([x, one], 1)
    y = torch.randn(len(x), generator=generator, dtype=torch.float64)
    rate = 1 / least_squares_smoothness(standardized).largest
    matrix, mapped = preconditioner(x), torch.zeros(raw.shape[1]).double()
    own = torch.zeros_like(mapped)
    for _ in range(steps):
        mapped = mapped - rate * matrix @ (raw.T @ (raw @ mapped - y)) / len(x)
        own = own - rate * standard.T @ (standard @ own - y) / len(x)
    weights = own[:-1] / best_scale(x)
    back = torch.cat([weights, (own[-1] - weights @ best_shift(x))[None]])
    return float((back - mapped).abs().max())


def _measured(x: Tensor, config: ScalesConfig) -> tuple[dict[str, float], Tensor]:
    """The numbers of one treatment, and the gaps of descent at rate 1/L from a fixed start."""
    places = torch.linalg.eigvalsh(second_moment(x, config.bias))
    smoothness = Smoothness(float(places[-1]), max(float(places[0]), 0.0))
    gaps = decayed(places, _owed(places), 1 / smoothness.largest, STEPS)
    numbers = {
        "factor": float(x.square().sum(1).mean().sqrt()),
        "largest": smoothness.largest,
        "condition_number": smoothness.condition_number,
        "limit": 2 / smoothness.largest,
        "steps": steps_to(gaps, SHARE),
    }
    return numbers, gaps


def _owed(places: Float[Tensor, " k"]) -> Float[Tensor, " k"]:
    """Every eigendirection owes the same share of the loss: none is favored."""
    return torch.where(places > 1e-12 * places[-1], 0.5, 0.0).to(places)


def _curve(how: str, gaps: Tensor) -> pd.DataFrame:
    shares = (gaps[: DRAWN + 1] / gaps[0]).clamp(min=1e-9)
    return pd.DataFrame({"step": range(DRAWN + 1), "curve": how, "gap": shares.numpy()})


@lru_cache(maxsize=8)
def _laws(name: str, seed: int) -> pd.DataFrame:
    """Curves over the scale, 1 at scale 1; the second moment itself goes as the square."""
    x = inputs(name, seed)
    moments = torch.stack([second_moment(s * x, bias=False) for s in SCALES])
    curves = {
        "smoothness": torch.linalg.eigvalsh(moments)[:, -1],
        "factor": moments.diagonal(dim1=1, dim2=2).sum(1).sqrt(),
    }
    at_one = SCALES.index(1.0)
    parts = [
        pd.DataFrame({"scale": SCALES, "curve": curve, "value": (values / values[at_one]).numpy()})
        for curve, values in curves.items()
    ]
    return pd.concat(parts, ignore_index=True)
