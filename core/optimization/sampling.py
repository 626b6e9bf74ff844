"""Importance sampling on the post's own case: a staircase, a smooth surrogate, a guide that errs.

l is a staircase over (3 x^2 + y^2)/2, theta = (1.5, -1); the guide is minus the surrogate's
gradient at a rate, turned by an angle. The truth comes from quadrature.

Source: https://kexue.fm/archives/7521, eq. (9)-(15).
"""

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Annotated

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from core.knobs import Choice, Config, Range
from core.optimization.importance import (
    DENSITIES,
    Update,
    importance_update,
    log_proposal,
    log_target,
    placed,
)
from core.optimization.landscapes import gradient, landscape
from core.optimization.quadrature import expected_update

THETA = torch.tensor([1.5, -1.0], dtype=torch.float64)
RATE = 0.35  # of the guide: minus the surrogate's gradient, short enough not to overshoot
COUNTS = tuple(2**k for k in range(13))
TRIALS = 200
MIXTURES = {"guided": 0.0, "mixed": 0.5, "unguided": 1.0}


@dataclass(frozen=True)
class SamplingConfig(Config):
    """Draws, temperature, and how good the guide is."""

    log_samples: Annotated[int, Range(0, 12)] = 6  # base 2
    mixture: Annotated[float, Range(0.0, 1.0, 0.05)] = 0.5
    angle: Annotated[int, Range(0, 180, 5)] = 0  # the guide is turned by, degrees
    sigma: Annotated[float, Range(0.1, 2.0, 0.1)] = 0.7
    log_alpha: Annotated[float, Range(-2.0, 1.0, 0.1)] = -0.7
    seed: Annotated[int, Range(0, 99)] = 0

    @property
    def alpha(self) -> float:
        """The temperature."""
        return 10.0**self.log_alpha

    @property
    def samples(self) -> int:
        """How many draws."""
        return int(2**self.log_samples)


@dataclass(frozen=True)
class Sampling:
    """One draw, and many."""

    proposals: pd.DataFrame  # x, y, kind: the heaviest draws that hold 90 % of the weight, and rest
    errors: pd.DataFrame  # samples, curve, value: root mean square distance to the truth
    table: pd.DataFrame  # curve, bias, spread, error, ess: at the chosen number of draws
    delta: tuple[float, float]
    truth: tuple[float, float]
    effective_sample_size: float
    heaviest: float  # weight


@lru_cache
def guide(angle: int) -> Tensor:
    """Minus the surrogate's gradient at THETA, at the rate, turned."""
    down = -RATE * gradient(landscape("stairs").surrogate, THETA)
    turn = math.radians(angle)
    x, y = down
    return torch.stack(
        [x * math.cos(turn) - y * math.sin(turn), x * math.sin(turn) + y * math.cos(turn)]
    )


@lru_cache(maxsize=64)
def truth(alpha: float) -> Tensor:
    """E D by quadrature."""
    return expected_update(landscape("stairs").loss, THETA, alpha, grid=400)


def drawn(config: SamplingConfig, samples: int, mixture: float, seed: int) -> Update:
    """One estimate."""
    return importance_update(
        landscape("stairs").loss, THETA, guide(config.angle), alpha=config.alpha,
        sigma=config.sigma, samples=samples, mixture=mixture,
        generator=torch.Generator().manual_seed(seed),
    )  # fmt: skip


def sampling(config: SamplingConfig) -> Sampling:
    """One estimate drawn, and the error over many for every number of draws."""
    chosen = config.samples
    found, exact = drawn(config, chosen, config.mixture, config.seed), truth(config.alpha)
    counts, alike = COUNTS[::2], replace(config, log_samples=0, mixture=0.0)
    errors = {
        name: [spread_of(alike, n, share)[2] for n in counts] for name, share in MIXTURES.items()
    }
    rows = [(name, *spread_of(alike, chosen, share)) for name, share in MIXTURES.items()]
    return Sampling(
        proposals=_proposals(found, exact, guide(config.angle)),
        errors=pd.concat(
            [
                pd.DataFrame({"samples": counts, "curve": name, "value": values})
                for name, values in errors.items()
            ],
            ignore_index=True,
        ),
        table=pd.DataFrame(rows, columns=["curve", "bias", "spread", "error", "ess"]),
        delta=(float(found.delta[0]), float(found.delta[1])),
        truth=(float(exact[0]), float(exact[1])),
        effective_sample_size=found.effective_sample_size,
        heaviest=float(found.weights.max()),
    )


@lru_cache(maxsize=512)
def spread_of(config: SamplingConfig, samples: int, mixture: float) -> tuple[float, ...]:
    """Bias, spread, root mean square error and mean effective sample size over many estimates.

    The config's own number of draws and mixture play no part.
    All in one call: TRIALS times `samples` draws, cut into estimates.
    """
    trials = max(20, min(TRIALS, 40_000 // samples))
    found = estimates(config, samples, mixture, trials)
    exact, mean = truth(config.alpha), found.deltas.mean(0)
    bias = float((mean - exact).norm())
    spread = math.sqrt(float(found.deltas.var(0, correction=0).sum()))
    return bias, spread, math.hypot(bias, spread), float(found.sizes.mean())


@dataclass(frozen=True)
class Estimates:
    """Of independent trials."""

    deltas: Tensor  # [trials, 2]
    sizes: Tensor  # effective sample sizes [trials]


def estimates(config: SamplingConfig, samples: int, mixture: float, trials: int) -> Estimates:
    """`trials` self-normalized estimates of `samples` draws each, cut from one long draw."""
    center = guide(config.angle)
    proposals = placed(*_noise(samples * trials, config.seed + 1), center, config.sigma, mixture)
    log_p = log_target(landscape("stairs").loss, THETA + proposals, config.alpha)
    log_q = log_proposal(proposals, center, config.sigma, mixture)
    weights = torch.softmax((log_p - log_q).view(trials, samples), 1)
    deltas = (weights[:, None] @ proposals.view(trials, samples, 2))[:, 0]
    return Estimates(deltas, 1 / weights.square().sum(1))


@lru_cache(maxsize=8)  # the counts of one seed: 4 MB
def _noise(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """What `propose` draws: coins [count] and noise [count, 2]."""
    generator = torch.Generator().manual_seed(seed)
    coin = torch.rand(count, generator=generator)
    return coin, torch.randn(count, 2, generator=generator, dtype=THETA.dtype)


def _proposals(found: Update, exact: Tensor, center: Tensor) -> pd.DataFrame:
    """What one sees: heavy draws, light draws, and four places."""
    order = found.weights.argsort(descending=True)
    heavy = torch.zeros(len(order), dtype=torch.bool)
    count = int((found.weights[order].cumsum(0) < 0.9).sum()) + 1
    heavy[order[:count]] = True
    keep = order[:600]  # more dots than that nobody tells apart
    kinds = np.where(heavy[keep].numpy(), "heavy", "light")
    places = torch.stack([found.delta, exact, center])
    named = np.array(["estimate", "truth", "guide"])
    xy = torch.cat([found.proposals[keep], places]).numpy()
    return pd.DataFrame({"x": xy[:, 0], "y": xy[:, 1], "kind": np.concatenate([kinds, named])})


@dataclass(frozen=True)
class DimensionConfig(Config):
    """MGS in high dimension: how many candidates."""

    samples: Annotated[str, Choice("2", "4", "16", "64")] = "4"
    norm: Annotated[float, Range(0.1, 5.0, 0.1)] = 1.0  # of the gradient
    seed: Annotated[int, Range(0, 9)] = 0


@dataclass(frozen=True)
class Dimension:
    """Effective sample size with the loss left out: what the density alone does to the weights."""

    sizes: pd.DataFrame  # dim, curve (a density), value: mean effective sample size
    ranges: pd.DataFrame  # dim, curve, value: mean range of log q
    honest: float  # effective sample size at d = 1000
    unit: float


DIMS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000, 4000, 16_000, 64_000, 250_000, 1_000_000)
SETS = 400  # of candidates, in every dimension


def dimension(config: DimensionConfig) -> Dimension:
    """Over the dimension, with noise of the size of the gradient's entries, as in the program."""
    found = {
        (dim, name): mgs_weights(dim, int(config.samples), config.norm, name, config.seed)
        for dim in DIMS
        for name in DENSITIES[:2]
    }
    dims, names = zip(*found, strict=True)
    sizes, ranges = zip(*found.values(), strict=True)
    return Dimension(
        sizes=pd.DataFrame({"dim": dims, "curve": names, "value": sizes}),
        ranges=pd.DataFrame({"dim": dims, "curve": names, "value": ranges}),
        honest=found[1000, "honest"][0],
        unit=found[1000, "unit"][0],
    )


def mgs_weights(
    dim: int, samples: int, norm: float, density: str, seed: int
) -> tuple[float, float]:
    """Mean effective sample size and mean range of log q, over trials.

    Of a draw only two numbers matter, and they are drawn as such: its part along the gradient, and
    the squared length of the rest, chi-squared with d - 1 degrees of freedom. So a million
    dimensions cost no more than two. |g|/d <= mean|g| <= |g|/sqrt(d); a Gaussian gradient's is
    taken, sqrt(2/(pi d)) |g|.
    """
    noise = norm * math.sqrt(2 / (math.pi * dim))
    normal, square = _two_numbers(dim, samples, seed)
    along = noise * normal + norm * (np.arange(samples) % 2 == 0)  # measured along minus g
    aside = noise**2 * square
    scale = noise if density == "honest" else 1.0
    logs = [-((along - center) ** 2 + aside) / (2 * scale**2) for center in (0.0, norm)]
    log_q = np.logaddexp(*logs)
    weights = np.exp(-log_q - (-log_q).max(1, keepdims=True))
    weights /= weights.sum(1, keepdims=True)
    sizes = 1 / (weights**2).sum(1)
    return float(sizes.mean()), float(np.ptp(log_q, axis=1).mean())


@lru_cache(maxsize=len(DIMS))  # of one number of candidates: 6 MB at most
def _two_numbers(dim: int, samples: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Of standard normal draws [sets, samples]: one coordinate, the squared length of the rest."""
    generator, shape = np.random.default_rng(seed), (SETS, samples)
    normal = generator.standard_normal(shape)
    return normal, generator.chisquare(dim - 1, shape) if dim > 1 else np.zeros(shape)
