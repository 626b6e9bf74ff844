"""Character, font and weight: what a code knows of them, axis by axis, and under rotation.

Source: https://kexue.fm/archives/7725, the last section.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from core.knobs import Choice, Config, Range
from core.vae import data
from core.vae.disentanglement import dci, importances, mutual_information_gap
from core.vae.measures import total_correlation, upright, upright_excess
from core.vae.models import model
from core.vae.probes import missed, one_hot, predicted, unexplained
from core.vae.training import SHIPPED

CLASSES = ("style", "character")  # factors whose values have no order
ANGLES = range(0, 91, 5)
IMAGES = 1500
DRAWS = 1000  # codes, of which the total correlation is the mean


@dataclass(frozen=True)
class FactorsConfig(Config):
    """Which model, and by how much its two widest code dimensions are rotated."""

    model: Annotated[str, Choice("vae-8", "ae-8", "vae", "vae-all")] = "vae-8"
    angle: Annotated[int, Range(0, 90, 5)] = 0


@dataclass(frozen=True)
class Factors:
    """Correlations at the chosen angle; what rotation does to the ellipses and to the scores."""

    correlations: pd.DataFrame  # factor, code, correlation: absolute
    rotation: pd.DataFrame  # angle (degrees), curve, nats: mean over the images
    table: pd.DataFrame  # factor, pixels, codes: accuracy or R^2 of a linear probe, at any angle
    scores: pd.DataFrame  # score, trained, turned: the last is nats, NaN for points
    gap: float  # MIG, 0 to 1
    excess: float  # nats that the upright ellipses lose at this angle, mean


@torch.no_grad()
def factors(config: FactorsConfig) -> Factors:
    """What is linear in the code of a model that ships; a rotation changes no picture."""
    means, stds = widest_first(config.model)
    turn = rotation(config.angle, means.shape[1])
    known = factor_values(some_images(config.model))
    before = disentanglement(config.model, 0)
    after = disentanglement(config.model, config.angle)
    curve = excesses(config.model)
    return Factors(
        correlations=_correlations(means @ turn.T, known),
        rotation=pd.DataFrame({"angle": curve.keys(), "curve": "excess", "nats": curve.values()}),
        table=read_off(config.model),
        scores=pd.DataFrame({"score": before.keys(), "trained": before.values(),
                             "turned": after.values()}),
        gap=after["mig"],
        excess=rotation_excess(stds, config.angle),
    )  # fmt: skip


@lru_cache(maxsize=4)
def some_images(name: str) -> data.Images:
    """What a model learned from; of many images an even selection."""
    return data.some(SHIPPED[name].data, IMAGES)


@lru_cache(maxsize=4)
@torch.no_grad()
def widest_first(name: str) -> tuple[Float[Tensor, "n d"], Float[Tensor, "n d"]]:
    """Centers and half axes of a model's ellipses, the widest code dimension first."""
    posterior = model(SHIPPED[name]).posterior(some_images(name).pixels)
    order = posterior.mean.var(0).argsort(descending=True)
    return posterior.mean[:, order], posterior.std[:, order]


@lru_cache(maxsize=4)
def read_off(name: str) -> pd.DataFrame:
    """The probes of a model: no rotation of its codes changes them."""
    return probes(some_images(name), widest_first(name)[0])


@lru_cache(maxsize=4)
def excesses(name: str) -> dict[int, float]:
    """What rotation costs a model's upright ellipses, by angle."""
    stds = widest_first(name)[1]
    return {angle: rotation_excess(stds, angle) for angle in ANGLES}


@lru_cache(maxsize=128)
def disentanglement(name: str, angle: int) -> dict[str, float]:
    """MIG, the two scores of DCI, and the total correlation in nats, of a model's turned codes.

    The last is NaN for points, which have no density.
    """
    means, stds = widest_first(name)
    turn = rotation(angle, means.shape[1])
    turned, images = means @ turn.T, some_images(name)
    pure, complete = dci(importances(turned, probe_targets(images)))
    generator = torch.Generator().manual_seed(0)
    has_density = float(stds.max()) > 0
    return {
        "mig": mutual_information_gap(turned, factor_values(images)),
        "disentanglement": pure,
        "completeness": complete,
        "total_correlation": total_correlation(upright(means, stds), generator, DRAWS, turn)
        if has_density
        else math.nan,
    }


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
    turn = rotation(angle, 2).double()  # the other axes stay, and lose nothing
    precision = turn @ torch.diag_embed(stds[:, :2].double() ** -2) @ turn.T
    return float(upright_excess(precision).mean())


def probe_targets(images: data.Images) -> dict[str, Float[Tensor, "n _"]]:
    """What a linear rule is to give: a number, or a column for each class."""
    return {
        name: one_hot(values.long()) if name in CLASSES else values[:, None]
        for name, values in factor_values(images).items()
    }


def probes(images: data.Images, codes: Float[Tensor, "n d"]) -> pd.DataFrame:
    """Ten-fold linear probes from pixels and from codes: accuracy of a class, R^2 of a number."""
    targets = probe_targets(images)
    both = torch.cat(list(targets.values()), dim=1)
    columns = {
        kind: {
            name: 1 - float(errors.mean())
            for name, errors in misread(
                predicted(inputs, both, torch.Generator().manual_seed(0)), targets
            ).items()
        }
        for kind, inputs in (("pixels", images.pixels), ("codes", codes))
    }
    return pd.DataFrame(columns).rename_axis("factor").reset_index()


def misread(
    guess: Float[Tensor, "n k"], targets: dict[str, Tensor]
) -> dict[str, Float[Tensor, " n"]]:
    """Image by image what a guess of all targets' columns misses; the means are 1 - accuracy of a
    class and 1 - R^2 of a number.
    """
    parts = guess.split([target.shape[1] for target in targets.values()], dim=1)
    return {
        name: (missed if name in CLASSES else unexplained)(target, part)
        for (name, target), part in zip(targets.items(), parts, strict=True)
    }


def _correlations(codes: Tensor, known: dict[str, Tensor]) -> pd.DataFrame:
    rows = []
    for name, values in known.items():
        for at, column in enumerate(codes.T):
            rows.append((name, at + 1, _dependence(column, values, name)))
    return pd.DataFrame(rows, columns=["factor", "code", "correlation"])


def _dependence(column: Tensor, values: Tensor, name: str) -> float:
    """|correlation| with a number; with a class the root of the variance between its means."""
    if name in CLASSES:
        classes = torch.nn.functional.one_hot(values.long()).double()
        means = classes @ ((classes.T @ column.double()) / classes.sum(0).clamp(min=1))
        return float(means.std() / column.double().std().clamp(min=1e-12))
    pair = torch.stack([column, values]).double()
    return float(torch.nan_to_num(torch.corrcoef(pair)[0, 1]).abs())
