"""The code space of a trained model: points or ellipses, and what its places decode to.

Source: https://kexue.fm/archives/7725, the sections on code space, areas and regularity.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from scipy.stats import norm
from torch import Tensor

from core import library
from core.images import nearest
from core.knobs import Choice, Config, Range
from core.pictures import picture_table
from core.vae import data
from core.vae.measures import draws
from core.vae.models import Measures, measures, model
from core.vae.networks import AutoEncoder, Posterior, VAEConfig
from core.vae.shapes import ellipse_table
from core.vae.training import TRAINING

VIEWS = ("samples", "gaps", "path", "held-out")
COLUMNS = 8
SHOWN = 140  # ellipses at most
CELLS = 16  # of the union's picture on each side of the middle one
STROKES = 400  # points that stand for an ellipse there


@dataclass(frozen=True)
class CodesConfig(Config):
    """Which model is looked at, and what of it is decoded."""

    family: Annotated[str, Choice("point", "fixed", "isotropic", "diagonal", "full")] = "diagonal"
    beta: Annotated[str, Choice("0.25", "1", "4", "20")] = "1"
    view: Annotated[str, Choice(*VIEWS)] = "samples"
    penalty: Annotated[str, Choice("kl", "simple", "none")] = "kl"
    likelihood: Annotated[str, Choice("gaussian", "learned", "bernoulli")] = "gaussian"
    latent: Annotated[int, Range(2, 16)] = 2
    data: Annotated[str, Choice("characters", "digits")] = "characters"
    seed: Annotated[int, Range(0, 9)] = 0

    @property
    def training(self) -> VAEConfig:
        """How the model is trained. What has no effect on it stays at its default."""
        bare = self.family == "point"
        free = bare or self.penalty == "none"
        return VAEConfig(
            data=self.data,
            latent=self.latent,
            family=self.family,
            penalty="kl" if bare else self.penalty,
            beta=1.0 if free else float(self.beta),
            likelihood=self.likelihood,
            seed=self.seed,
        )


@dataclass(frozen=True)
class Codes:
    """The first two code dimensions, decoded places, and the model's measures."""

    areas: pd.DataFrame  # x, y, item, series ("train", "test", "prior"), name
    union: pd.DataFrame  # x, y, excess: its density less that of N(0, I)
    pictures: pd.DataFrame  # row, column, image
    measures: Measures
    training: VAEConfig
    reach: float  # half the side of the square to draw


def codes(config: CodesConfig) -> Codes:
    """Code space and pictures of the chosen model; of the default VAE while that is untrained."""
    wanted = config.training
    training = wanted if library.has(TRAINING.key(wanted)) else VAEConfig()
    return _seen(training, config.view)


@lru_cache(maxsize=16)
def _seen(training: VAEConfig, view: str) -> Codes:
    """What is the same for all settings whose model is not trained."""
    net = model(training)
    areas = code_areas(net, training)
    farthest = max(3.0, float(areas[["x", "y"]].abs().to_numpy().max()))
    cell = math.ceil(20 * farthest / CELLS) / 20  # so that its places are round numbers
    ellipses = net.posterior(data.load(training.data).pixels[:1000])
    return Codes(
        areas=areas,
        union=union_excess(ellipses, cell),
        pictures=decoded(net, training, view),
        measures=measures(training),
        training=training,
        reach=(CELLS + 0.5) * cell,
    )


def union_excess(ellipses: Posterior, cell: float) -> pd.DataFrame:
    """How much denser than N(0, I) the union of the ellipses is, in the first two dimensions.

    Means over square cells of that side around 0; -1/(2 pi) where the union has nothing and N(0, I)
    is densest. The union is a histogram of points that stand for each ellipse.
    """
    centers = cell * np.arange(-CELLS, CELLS + 1)
    edges = np.append(centers - cell / 2, centers[-1] + cell / 2)
    eps = gaussian_points(STROKES)
    lower = ellipses.cholesky[:, :2, :2].double()
    points = (ellipses.mean[:, None, :2].double() + eps @ lower.mT).flatten(0, 1).numpy()
    union, _, _ = np.histogram2d(points[:, 0], points[:, 1], bins=[edges, edges])
    line = np.diff(norm.cdf(edges))
    excess = (union / len(points) - np.outer(line, line)) / cell**2
    x, y = (place.ravel().round(2) for place in np.meshgrid(centers, centers, indexing="ij"))
    return pd.DataFrame({"x": x, "y": y, "excess": excess.ravel()})


def gaussian_points(count: int) -> Float[Tensor, "m 2"]:
    """Points that stand for N(0, I) in the plane: its quantiles of length, turned by golden angles.

    Without the noise of draws.
    """
    share = (torch.arange(count, dtype=torch.float64) + 0.5) / count
    length = (-2 * torch.log1p(-share)).sqrt()
    turn = torch.arange(count) * (math.pi * (3 - math.sqrt(5)))
    return length[:, None] * torch.stack([turn.cos(), turn.sin()], 1)


@torch.no_grad()
def code_areas(net: AutoEncoder, config: VAEConfig) -> pd.DataFrame:
    """The ellipses of training and held-out images in the first two dimensions.

    Of two standard deviations, as that of the prior.
    """
    tables = []
    for split in ("train", "test"):
        images = data.load(config.data, split)
        images = images.chosen(torch.arange(min(len(images), SHOWN)))
        posterior = net.posterior(images.pixels)
        names = [images.names[label] for label in images.label.tolist()]
        mean, cholesky = posterior.mean[:, :2], posterior.cholesky[:, :2, :2]
        tables.append(ellipse_table(mean, 2 * cholesky, names, [split] * len(names)))
    tables[1]["item"] += tables[0]["item"].max() + 1
    circle = ellipse_table(torch.zeros(1, 2), 2 * torch.eye(2)[None], [""], ["prior"])
    tables.append(circle.assign(item=-1))
    return pd.concat(tables, ignore_index=True)


@torch.no_grad()
def decoded(net: AutoEncoder, config: VAEConfig, view: str) -> pd.DataFrame:
    """Pictures of one view, eight to a row.

    "samples": codes from N(0, I). "gaps": codes of that kind that are far from every image's.
    "path": from one image to another. "held-out": images left out of training above their
    reconstructions.
    """
    generator = torch.Generator().manual_seed(config.seed)
    side = data.SIDES[config.data]
    pictures, rows = VIEW[view](net, config, generator)
    columns = [at % COLUMNS + 1 for at in range(len(pictures))]
    images = pictures.reshape(-1, side, side).numpy()
    return picture_table(list(images), rows, columns)


def _samples(
    net: AutoEncoder, config: VAEConfig, generator: torch.Generator
) -> tuple[Tensor, list[str]]:
    z = torch.randn(3 * COLUMNS, config.latent, generator=generator)
    return net.decode(z), _rows("sample", 3)


def _gaps(
    net: AutoEncoder, config: VAEConfig, generator: torch.Generator
) -> tuple[Tensor, list[str]]:
    """Codes far from all ellipses' centers, and the training image that each picture is next to."""
    z = gap_codes(net, config, COLUMNS, generator)
    pictures = net.decode(z)
    train = data.load(config.data).pixels[:1000]
    _, index = nearest(pictures, train)
    return torch.cat([pictures, train[index]]), ["gap"] * COLUMNS + ["nearest"] * COLUMNS


def gap_codes(
    net: AutoEncoder, config: VAEConfig, count: int, generator: torch.Generator
) -> Float[Tensor, "m d"]:
    """Of 400 draws from a Gaussian fitted to the codes, those that are farthest from every one."""
    posterior = net.posterior(data.load(config.data).pixels[:1000])
    mean = posterior.mean
    spread, _ = draws(posterior, 4000, generator)
    center, std = spread.mean(0), spread.std(0)
    z = center + std * torch.randn(400, config.latent, generator=generator)
    inside = z[((z - center) / std).norm(dim=1) < config.latent**0.5 + 0.5]
    far = torch.cdist(inside / std, mean / std).amin(1)
    return inside[far.argsort(descending=True)[:count]]


def _path(
    net: AutoEncoder, config: VAEConfig, generator: torch.Generator
) -> tuple[Tensor, list[str]]:
    """Straight lines in code space, and the same cross-faded pixel by pixel."""
    images = data.load(config.data).pixels
    pick = torch.randint(len(images), (4,), generator=generator)
    ends, t = images[pick], torch.linspace(0, 1, COLUMNS)[:, None]
    z = net.encode(ends)
    rows = [net.decode(z[k] + t * (z[k + 1] - z[k])) for k in range(3)]
    faded = ends[0] + t * (ends[1] - ends[0])
    names = [name for k in range(3) for name in [f"path-{k + 1}"] * COLUMNS]
    return torch.cat([*rows, faded]), [*names, *["faded"] * COLUMNS]


def _held_out(
    net: AutoEncoder, config: VAEConfig, generator: torch.Generator
) -> tuple[Tensor, list[str]]:
    images = data.load(config.data, "test").pixels[: 2 * COLUMNS]
    again = net.decode(net.encode(images))
    parts = [images[:COLUMNS], again[:COLUMNS], images[COLUMNS:], again[COLUMNS:]]
    names = ("image-1", "decoded-1", "image-2", "decoded-2")
    rows = [name for name, part in zip(names, parts, strict=True) for _ in part]
    return torch.cat(parts), rows


def _rows(name: str, count: int) -> list[str]:
    return [f"{name}-{k + 1}" for k in range(count) for _ in range(COLUMNS)]


VIEW = {"samples": _samples, "gaps": _gaps, "path": _path, "held-out": _held_out}
