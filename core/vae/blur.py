"""Why the pictures of a VAE blur: overlap, and a loss that prefers the mean.

Ellipses on a line around sharp pictures, and the best decoder between them: under squared error it
is a weighted mean, under absolute error a weighted median, which is a picture where one has more
than half of the weight.

Source: https://kexue.fm/archives/7725, the comments on blur.
"""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import pandas as pd
import torch

from core.images import sharpness
from core.knobs import Choice, Config, Range
from core.pictures import picture_table
from core.vae.exact import ellipse_weights, median_decoder, optimal_decoder
from core.vae.world import pictures

PLACES = 10  # an even number: half way, every value between both pictures is a median
CURVE = 80


@dataclass(frozen=True)
class BlurConfig(Config):
    """Two or five ellipses in a row: their distance and half axis."""

    distance: Annotated[float, Range(0.5, 4.0, 0.1)] = 2.0
    std: Annotated[float, Range(0.05, 2.0, 0.05)] = 0.5
    count: Annotated[str, Choice("2", "5")] = "2"


@dataclass(frozen=True)
class Blur:
    """What stands between the centers, under both losses."""

    pictures: pd.DataFrame  # row ("l2", "l1"), column (place in code space), image
    sharpness: pd.DataFrame  # place, curve ("l2", "l1", "share"), value: share of the
    # sharpness of the likeliest picture; its weight
    kept_l2: float  # share of its sharpness where the first picture has 60 % of the weight
    kept_l1: float
    overlap: float  # chance that a code drawn from one ellipse is likelier another's


def blur_between(config: BlurConfig) -> Blur:
    """The way from the first center to the last, decoded by both rules."""
    x = pictures()[: int(config.count)]
    means = torch.zeros(len(x), 2)
    means[:, 0] = config.distance * (torch.arange(len(x)) - (len(x) - 1) / 2)
    stds = torch.full_like(means, config.std)
    end = float(means[-1, 0])
    few, many = (_line(end, steps) for steps in (PLACES, CURVE))
    shown = [rule(few, means, stds, x) for rule in (optimal_decoder, median_decoder)]
    smooth = [rule(many, means, stds, x) for rule in (optimal_decoder, median_decoder)]
    weights = ellipse_weights(many, means, stds)
    level = sharpness(x)[weights.argmax(1)]
    shares = [(sharpness(part) / level).numpy() for part in smooth]
    curves = {"l2": shares[0], "l1": shares[1], "share": weights.max(1).values.numpy()}
    place = [round(value, 2) for value in few[:, 0].tolist()]
    at = int((weights[: CURVE // 2, 0] - 0.6).abs().argmin())
    kept = [float(sharpness(part[at]) / sharpness(x[0])) for part in smooth]
    return Blur(
        pictures=picture_table(
            list(torch.cat(shown).numpy()), ["l2"] * PLACES + ["l1"] * PLACES, place * 2
        ),
        sharpness=_table(many[:, 0].numpy(), curves),
        kept_l2=kept[0],
        kept_l1=kept[1],
        overlap=overlap(config.distance, config.std),
    )


def overlap(distance: float, std: float) -> float:
    """P(a draw from N(0, std^2) is nearer to `distance` than to 0): the tail beyond the middle."""
    tail = torch.special.ndtr(torch.tensor(-distance / (2 * std), dtype=torch.float64))
    return float(tail)


def _line(end: float, steps: int) -> torch.Tensor:
    return torch.stack([torch.linspace(-end, end, steps), torch.zeros(steps)], dim=1)


def _table(place: np.ndarray, curves: dict[str, np.ndarray]) -> pd.DataFrame:
    tables = [pd.DataFrame({"place": place, "curve": k, "value": v}) for k, v in curves.items()]
    return pd.concat(tables, ignore_index=True)
