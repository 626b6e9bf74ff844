"""What each part of the recipe is worth, on digits of 8 x 8 pixels: one part changed at a time.

The same few seeds for every variant: they give the first weights, the batches and the noise, so
variants are compared seed by seed. Nets this small train in seconds; what they show need not hold
for large ones.

Source: https://kexue.fm/archives/7574, eq. (4) and the section on techniques.
"""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Any

import pandas as pd
import torch
from scipy.stats import t as student

from core import library
from core.images import sharpness
from core.knobs import Choice, Config, Range
from core.numerics import Diverged
from core.nvae import data
from core.nvae.config import NVAEConfig
from core.nvae.gaussians import ACTIVE
from core.nvae.likelihood import Interval
from core.nvae.network import NVAE
from core.nvae.training import Training
from core.store import Tensors
from core.training import Snapshot, Task

BASE = NVAEConfig(groups="1,2", latent=4, width=12, steps=150)
VARIANTS: dict[str, dict[str, Any]] = {
    "base": {},
    "absolute": {"posterior": "absolute"},
    "gentle": {"start": 0.1},
    "no-warmup": {"warmup": 0.0},
    "no-balance": {"balance": False},
    "no-spectral": {"spectral": 0.0},
    "strong-spectral": {"spectral": 0.1},
    "no-gamma": {"gamma": 0.0},
    "flows": {"flows": 1},
    # one scale, 512 latents, in more and more groups
    "groups-1": {"groups": "1", "latent": 8},
    "groups-2": {"groups": "2", "latent": 4},
    "groups-4": {"groups": "4", "latent": 2},
}
MEASURES = (
    "elbo", "gradient", "largest_kl", "response", "active_share", "sharpness", "failed", "seconds",
)  # fmt: skip
SAMPLES = 64


@dataclass(frozen=True)
class AblationConfig(Config):
    """A variant, how long each run is, how many seeds, and the first of them."""

    variant: Annotated[str, Choice(*VARIANTS)] = "base"
    steps: Annotated[int, Range(20, 2000)] = BASE.steps
    seeds: Annotated[int, Range(2, 20)] = 10
    seed: Annotated[int, Range(0, 50)] = 0

    def training(self, at: int) -> NVAEConfig:
        """The run of one seed."""
        return replace(BASE, steps=self.steps, seed=self.seed + at, **VARIANTS[self.variant])


def ablate(config: AblationConfig, state: Tensors | None = None) -> Iterator[Snapshot]:
    """Every seed trained and measured, one a step. A run that diverges counts as failed."""
    rows = state["runs"].tolist() if state else []
    for at in range(len(rows), config.seeds):
        rows.append(list(_measured(config.training(at)).values()))
        runs = torch.tensor(rows, dtype=torch.float64)
        yield Snapshot(
            done=at + 1,
            total=config.seeds,
            metrics={"elbo": float(runs[:, 0].nanmean())},
            weights=partial(dict, {"runs": runs}),
            state=partial(dict, {"runs": runs}),
        )


ABLATION = Task("nvae.ablation", 1, AblationConfig, lambda config: data.digest(BASE.data), ablate)


def runs(config: AblationConfig) -> pd.DataFrame:
    """One row a seed, one column of MEASURES each. Raises KeyError where it was not run."""
    found = library.find(ABLATION.key(config))
    if found is None:
        raise KeyError(ABLATION.key(config))
    return pd.DataFrame(found.tensors["runs"].numpy(), columns=list(MEASURES))


def difference(
    variant: str, other: str, measure: str, config: AblationConfig | None = None
) -> Interval:
    """Of a measure, `variant` less `other`, seed by seed. Raises KeyError as `runs` does."""
    asked = config or AblationConfig()
    first, second = (runs(replace(asked, variant=name))[measure] for name in (variant, other))
    return over_seeds(first - second)


def over_seeds(values: pd.Series) -> Interval:
    """Their mean, and half of Student's 95 % interval: seeds are few."""
    wide = float(student.ppf(0.975, len(values) - 1))
    return Interval(float(values.mean()), wide * float(values.std()) / math.sqrt(len(values)))


@dataclass(frozen=True)
class PartsConfig(Config):
    """Which measure of the variants is drawn; with another first seed all are trained anew."""

    measure: Annotated[str, Choice(*MEASURES)] = "elbo"
    seed: Annotated[int, Range(0, 50)] = 0

    @property
    def trainings(self) -> list[AblationConfig]:
        """What the panel needs."""
        return [AblationConfig(variant=variant, seed=self.seed) for variant in VARIANTS]


@dataclass(frozen=True)
class Parts:
    """One row a variant: means over the seeds."""

    means: pd.DataFrame  # variant, value, low, high: of the measure, Student's 95 %
    gains: pd.DataFrame  # variant, gain, error_95: less the base, seed by seed
    table: pd.DataFrame  # variant and every measure


def parts(config: PartsConfig) -> Parts:
    """What was measured, side by side. Raises KeyError where a variant was not run."""
    found = {training.variant: runs(training) for training in config.trainings}
    means = {variant: over_seeds(table[config.measure]) for variant, table in found.items()}
    gains = {
        variant: over_seeds(table[config.measure] - found["base"][config.measure])
        for variant, table in found.items() if variant != "base"
    }  # fmt: skip
    return Parts(
        means=pd.DataFrame([
            {"variant": variant, "value": here.mean,
             "low": here.mean - here.error, "high": here.mean + here.error}
            for variant, here in means.items()
        ]),
        gains=pd.DataFrame([
            {"variant": variant, "gain": here.mean, "error_95": here.error}
            for variant, here in gains.items()
        ]),
        table=pd.DataFrame([
            {"variant": variant, **table.mean().to_dict()} for variant, table in found.items()
        ]),
    )  # fmt: skip


def _measured(config: NVAEConfig) -> dict[str, float]:
    """Train and look; NaN where it broke before anything could be seen."""
    run, images, norms = Training(config), data.load(config.data), []
    run.model.train()
    started, failed = time.process_time(), 0.0
    try:
        for at in range(config.steps):
            run.step(images, at)
            norms.append(_gradient(run.model))
    except Diverged:
        failed = 1.0
    seconds = time.process_time() - started
    assert isinstance(run.model, NVAE)
    found = _looked_at(run.model.eval(), config.seed)
    largest = max(norms[len(norms) // 2 :], default=float("nan"))
    measured = {"gradient": largest, "failed": failed, "seconds": seconds, **found}
    return {name: measured[name] for name in MEASURES}


@torch.no_grad()
def _looked_at(net: NVAE, seed: int) -> dict[str, float]:
    """On held-out images, and on what is drawn."""
    generator = torch.Generator().manual_seed(seed)
    x = data.binarized(net.config, data.load(net.config.data, "test"), generator)
    noise = net.noise(len(x), generator)
    nll, kl = net(x, noise)
    flipped = x.clone()
    places = torch.randint(x[0].numel(), (len(x), 1), generator=generator)
    flipped.flatten(1).scatter_(1, places, 1 - x.flatten(1).gather(1, places))
    _, moved = net(flipped, noise)
    active = torch.cat([part.sum((2, 3)).mean(0) for part in net.decode(noise, net.encode(x)).kl])
    return {
        "elbo": float((nll + kl.sum(1)).mean()),
        "largest_kl": float(kl.sum(1).max()),
        "response": float((moved - kl).sum(1).abs().mean()),  # to one flipped pixel
        "active_share": float((active > ACTIVE).float().mean()),
        "sharpness": float(sharpness(net.sample(SAMPLES, 1.0, generator)[:, 0]).mean()),
    }


def _gradient(model: torch.nn.Module) -> float:
    """Its norm over all weights."""
    found = [part.grad.norm() for part in model.parameters() if part.grad is not None]
    return float(torch.stack(found).norm())
