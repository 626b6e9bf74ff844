"""Before the first step: how curved is the loss, with and without normalization, by initialization?

Sources: Santurkar et al. 2018 (arXiv:1805.11604), figure 4, for the curves along the gradient;
Ghorbani et al. 2019 (arXiv:1901.10159) for the spectrum.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import torch.nn.functional as F
from torch import Generator

from core.batchnorm.hessian import spectral_density
from core.batchnorm.networks import STARTS
from core.batchnorm.probes import smoothness_along_gradient
from core.batchnorm.training import TrainConfig, build, quiet, sharpness, watched
from core.knobs import Choice, Config, Range
from core.tables import load_table

VARIANTS: Mapping[str, tuple[str, str]] = {
    "none": ("none", "after"),
    "batch-before": ("batch", "before"),
    "batch-after": ("batch", "after"),
    "layer-after": ("layer", "after"),
}
SHARPNESS = Path(__file__).parents[2] / "pretrained" / "batchnorm" / "sharpness.json"
COLUMNS = ("data", "standardized", "start", "variant", "seed", "sharpness")
SEEDS = 3
RATES = tuple(float(rate) for rate in np.geomspace(1e-3, 1, 10))
MOST = 1e4  # of what is drawn
WIDTH = 0.15  # of a bell in the spectrum, in units of arcsinh


@dataclass(frozen=True)
class CurvatureConfig(Config):
    """Data, initialization, and which of the networks' spectrum is shown."""

    data: Annotated[str, Choice("digits", "synthetic", "glyphs")] = "digits"
    start: Annotated[str, Choice(*STARTS)] = "torch"
    standardized: bool = False
    spectrum: Annotated[str, Choice(*VARIANTS)] = "batch-after"
    seed: Annotated[int, Range(0, 9)] = 0

    def training(self, variant: str, start: str) -> TrainConfig:
        """The network of a variant."""
        norm, placement = VARIANTS[variant]
        return TrainConfig(
            data=self.data, norm=norm, placement=placement, start=start,
            standardized=self.standardized, seed=self.seed,
        )  # fmt: skip


@dataclass(frozen=True)
class Curvature:
    """At the start of the training, on 256 rows."""

    smoothness: pd.DataFrame  # rate, curve, value: change of the gradient over the step's length
    density: pd.DataFrame  # place (an eigenvalue), density on an arcsinh axis
    table: pd.DataFrame  # variant, torch, he: largest eigenvalue by initialization, 3 seeds
    least: float  # eigenvalue of the shown spectrum
    largest: float


def curvature(config: CurvatureConfig) -> Curvature:
    """Curves along the gradient of every variant, one spectrum, and the table."""
    probed = {name: _probe(config.training(name, config.start)) for name in VARIANTS}
    places, shares = _spectrum(config.training(config.spectrum, config.start))
    return Curvature(
        smoothness=_smoothness(probed),
        density=_density(places, shares),
        table=_table(config),
        least=float(places.min()),
        largest=float(places.max()),
    )


@lru_cache(maxsize=256)
def sharpness_at_start(config: TrainConfig) -> float:
    """Largest Hessian eigenvalue before the first step, to a percent or better."""
    return sharpness(build(config, Generator().manual_seed(config.seed)), config)


@lru_cache(maxsize=512)
def _probe(config: TrainConfig) -> np.ndarray:
    """The effective smoothness by rate."""
    model = build(config, Generator().manual_seed(config.seed))
    with quiet(model):
        found = smoothness_along_gradient(model, watched(config), RATES)
    return found.nan_to_num(MOST).clamp(max=MOST).double().numpy()


def _smoothness(probed: Mapping[str, np.ndarray]) -> pd.DataFrame:
    parts = [
        pd.DataFrame({"rate": RATES, "curve": name, "value": part}) for name, part in probed.items()
    ]
    return pd.concat(parts, ignore_index=True)


@lru_cache(maxsize=512)
def _spectrum(config: TrainConfig) -> tuple[np.ndarray, np.ndarray]:
    generator = Generator().manual_seed(config.seed)
    model = build(config, generator)
    x, y = watched(config)
    places, shares = spectral_density(
        lambda: F.cross_entropy(model(x), y), model.parameters(), model=model, starts=2, steps=30,
        generator=generator,
    )  # fmt: skip
    return places.numpy(), shares.numpy()


def _density(places: np.ndarray, shares: np.ndarray) -> pd.DataFrame:
    """Bells of equal width on an arcsinh axis, so that both signs and all sizes are seen."""
    at = np.arcsinh(10 * places)
    axis = np.linspace(min(at.min(), 0) - 0.5, at.max() + 0.5, 201)
    bells = np.exp(-(((axis[:, None] - at) / WIDTH) ** 2) / 2) / (WIDTH * np.sqrt(2 * np.pi))
    density = np.maximum(bells @ shares, 1e-8)
    return pd.DataFrame({"place": np.sinh(axis) / 10, "density": density})


def _table(config: CurvatureConfig) -> pd.DataFrame:
    """Largest eigenvalues at the start, means of three seeds, as they ship."""
    rows = load_table(SHARPNESS, COLUMNS)
    chosen = rows[(rows["data"] == config.data) & (rows["standardized"] == config.standardized)]
    means = chosen.groupby(["variant", "start"])["sharpness"].mean().unstack()
    return means.loc[list(VARIANTS), list(STARTS)].rename_axis(columns=None).reset_index()


def sharpness_table() -> pd.DataFrame:
    """Everything that ships, measured now: minutes."""
    rows = []
    for data, standardized, start, variant, seed in product(
        ("digits", "synthetic", "glyphs"), (False, True), STARTS, VARIANTS, range(SEEDS)
    ):
        settings = CurvatureConfig(data=data, standardized=standardized, seed=seed)
        found = sharpness_at_start(settings.training(variant, start))
        rows.append((data, standardized, start, variant, seed, found))
    return pd.DataFrame(rows, columns=list(COLUMNS))
