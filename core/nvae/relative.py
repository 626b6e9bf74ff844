"""What a posterior costs that is told relative to its prior: eq. (5), and what sampling finds.

Source: https://kexue.fm/archives/7574, eq. (4) and (5).
"""

import math
from dataclasses import dataclass
from typing import Annotated

import pandas as pd
import torch

from core.knobs import Config, Range
from core.nvae.gaussians import BOUND, Gaussian, residual_gaussian_kl, soft_clamp

POINTS = 121
SAMPLED = 13  # places at which it is sampled, too
REACH = 12.0


@dataclass(frozen=True)
class RelativeConfig(Config):
    """The increments, the prior's std, and how many draws estimate the KL."""

    delta_mean: Annotated[float, Range(-4.0, 4.0, 0.1)] = 1.0
    delta_std: Annotated[float, Range(0.1, 3.0, 0.05)] = 0.5
    std: Annotated[float, Range(0.1, 3.0, 0.05)] = 1.0
    draws: Annotated[int, Range(10, 10_000, 10)] = 200
    seed: Annotated[int, Range(0, 99)] = 0


@dataclass(frozen=True)
class Relative:
    """Nats of one coordinate."""

    curves: pd.DataFrame  # shift (asked-for mean increment), curve, value: nats
    kl: float  # eq. (5), here
    estimate: float  # mean of ln q - ln p over the draws
    error: float  # 1.96 standard errors of it
    quadrature: float


def relative(config: RelativeConfig) -> Relative:
    """The KL over the mean increment: closed, sampled, and with the increment softly clamped."""
    shift = torch.linspace(-REACH, REACH, POINTS, dtype=torch.float64)
    places = torch.linspace(-REACH, REACH, SAMPLED, dtype=torch.float64)
    generator = torch.Generator().manual_seed(config.seed)
    mean, _ = estimate(places, config, generator)
    curves = {
        "closed": (shift, _closed(shift, config)),
        "clamped": (shift, _closed(soft_clamp(shift), config)),
        "sampled": (places, mean),
    }
    here = torch.tensor([config.delta_mean], dtype=torch.float64)
    value, error = estimate(here, config, generator)
    tables = [
        pd.DataFrame({"shift": x.tolist(), "curve": name, "value": y.tolist()})
        for name, (x, y) in curves.items()
    ]
    return Relative(
        curves=pd.concat(tables, ignore_index=True),
        kl=float(_closed(here, config)),
        estimate=float(value),
        error=float(error),
        quadrature=quadrature_kl(config),
    )


def estimate(
    shift: torch.Tensor, config: RelativeConfig, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean of ln q(z) - ln p(z) over draws from q, for every shift; 1.96 standard errors."""
    eps = torch.randn(len(shift), config.draws, generator=generator, dtype=torch.float64)
    prior, posterior = _pair(shift[:, None], config)
    z = posterior.draw(eps)
    ratio = posterior.log_density(z) - prior.log_density(z)
    return ratio.mean(1), 1.96 * ratio.std(1) / math.sqrt(config.draws)


def quadrature_kl(config: RelativeConfig, points: int = 20_001) -> float:
    """The same KL as an integral over z, by the trapezoid rule over twelve stds each way."""
    prior, posterior = _pair(torch.tensor(config.delta_mean, dtype=torch.float64), config)
    reach = 12 * float(posterior.log_std.exp())
    z = float(posterior.mean) + torch.linspace(-reach, reach, points, dtype=torch.float64)
    log_q = posterior.log_density(z)
    return float(torch.trapezoid(log_q.exp() * (log_q - prior.log_density(z)), z))


def _pair(shift: torch.Tensor, config: RelativeConfig) -> tuple[Gaussian, Gaussian]:
    prior = Gaussian(torch.zeros_like(shift), torch.full_like(shift, math.log(config.std)))
    widening = torch.full_like(shift, math.log(config.delta_std))
    return prior, prior.residual(shift, widening)


def _closed(shift: torch.Tensor, config: RelativeConfig) -> torch.Tensor:
    logs = (torch.full_like(shift, math.log(part)) for part in (config.delta_std, config.std))
    return residual_gaussian_kl(shift, *logs)


__all__ = ["BOUND", "Relative", "RelativeConfig", "estimate", "quadrature_kl", "relative"]
