"""Character, font and weight: what a code knows of them, axis by axis, and under rotation.

Source: https://kexue.fm/archives/7725, the last section; Chen et al. 2018 (arXiv:1802.04942) for
the mutual information gap.
"""

import math
from dataclasses import dataclass
from typing import Annotated

import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from core.knobs import Choice, Config, Range
from core.vae import data
from core.vae.measures import mutual_information_gap, upright_excess
from core.vae.models import model
from core.vae.probes import accuracy, explained_variance
from core.vae.training import SHIPPED

ANGLES = range(0, 91, 5)
IMAGES = 1500


@dataclass(frozen=True)
class FactorsConfig(Config):
    """Which model, and by how much its two widest code dimensions are rotated."""

    model: Annotated[str, Choice("vae-8", "ae-8", "vae", "vae-all")] = "vae-8"
    angle: Annotated[int, Range(0, 90, 5)] = 0


@dataclass(frozen=True)
class Factors:
    """Correlations and probes at the chosen angle; what rotation does at every angle."""

    correlations: pd.DataFrame  # factor, code, correlation: absolute
    rotation: pd.DataFrame  # angle (degrees), curve, nats: mean over the images
    table: pd.DataFrame  # factor, pixels, codes: accuracy or R^2 of a linear probe
    gap: float  # MIG, 0 to 1
    excess: float  # nats that the upright ellipses lose at this angle, mean


@torch.no_grad()
def factors(config: FactorsConfig) -> Factors:
    """What is linear in the code of a model that ships; a rotation changes no picture."""
    images = some_images(config.model)
    posterior = model(SHIPPED[config.model]).posterior(images.pixels)
    order = posterior.mean.var(0).argsort(descending=True)
    means, stds = posterior.mean[:, order], posterior.std[:, order]
    turned = means @ rotation(config.angle, means.shape[1]).T
    known = factor_values(images)
    curve = [rotation_excess(stds, angle) for angle in ANGLES]
    return Factors(
        correlations=_correlations(turned, known),
        rotation=pd.DataFrame({"angle": list(ANGLES), "curve": "excess", "nats": curve}),
        table=probes(images, turned),
        gap=mutual_information_gap(turned, known),
        excess=rotation_excess(stds, config.angle),
    )


def some_images(name: str) -> data.Images:
    """What a model learned from; of many images an even selection."""
    images = data.load(SHIPPED[name].data)
    if len(images) <= IMAGES:
        return images
    return images.chosen(torch.linspace(0, len(images) - 1, IMAGES).long())


def factor_values(images: data.Images) -> dict[str, Float[Tensor, " n"]]:
    """What is known of each image: weight of the font, ink (mean of the pixels), font, character.

    The last only where there are few.
    """
    known = {"ink": images.pixels.mean(1)}
    if images.weight is not None:
        known["weight"] = images.weight
    if images.style is not None:
        known["style"] = images.style.float()
    if len(images.label.unique()) <= 12:
        known["character"] = images.label.float()
    return known


def rotation(angle: int | float, size: int) -> Float[Tensor, "d d"]:
    """The first two of `size` axes turned by `angle` degrees."""
    turn = torch.eye(size)
    cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    turn[:2, :2] = torch.tensor([[cosine, -sine], [sine, cosine]])
    return turn


def rotation_excess(stds: Float[Tensor, "n d"], angle: int | float) -> float:
    """Mean nats that the ELBO loses if the rotated ellipses are replaced by upright ones.

    A point has no ellipse: NaN.
    """
    if float(stds.max()) == 0:
        return math.nan
    turn = rotation(angle, stds.shape[1]).double()
    precision = turn @ torch.diag_embed(stds.double() ** -2) @ turn.T
    return float(upright_excess(precision).mean())


def probes(images: data.Images, codes: Float[Tensor, "n d"]) -> pd.DataFrame:
    """Ten-fold linear probes from pixels and from codes: accuracy of a class, R^2 of a number."""
    rows = []
    for name, values in factor_values(images).items():
        scores = []
        for inputs in (images.pixels, codes):
            generator = torch.Generator().manual_seed(0)
            if name in ("style", "character"):
                scores.append(accuracy(inputs, values.long(), generator))
            else:
                scores.append(explained_variance(inputs, values[:, None], generator))
        rows.append((name, *scores))
    return pd.DataFrame(rows, columns=["factor", "pixels", "codes"])


def _correlations(codes: Tensor, known: dict[str, Tensor]) -> pd.DataFrame:
    rows = []
    for name, values in known.items():
        for at, column in enumerate(codes.T):
            rows.append((name, at + 1, _dependence(column, values, name)))
    return pd.DataFrame(rows, columns=["factor", "code", "correlation"])


def _dependence(column: Tensor, values: Tensor, name: str) -> float:
    """|correlation| with a number; with a class the root of the variance between its means."""
    if name in ("style", "character"):
        classes = torch.nn.functional.one_hot(values.long()).double()
        means = classes @ ((classes.T @ column.double()) / classes.sum(0).clamp(min=1))
        return float(means.std() / column.double().std().clamp(min=1e-12))
    pair = torch.stack([column, values]).double()
    return float(torch.nan_to_num(torch.corrcoef(pair)[0, 1]).abs())
