"""Samples of a trained model: how warm, how cold, and whether they are memory.

Source: https://kexue.fm/archives/7574, its samples, and the nearest training images beside them.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

import pandas as pd
import torch
from torch import Tensor

from core.knobs import Choice, Config, Range
from core.nvae import data
from core.nvae.models import MODELS, model
from core.nvae.outputs import mean_image
from core.nvae.presets import SHIPPED
from core.pictures import picture_table

COUNT = 10  # samples beside each other
LADDER = (0.0, 0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1)  # temperatures of the same latents
KEPT = 4  # latents that climb it
CONTROL = 100  # held-out images whose nearest training images are the yardstick


@dataclass(frozen=True)
class SamplesConfig(Config):
    """Which model, how warm. A scale's own temperature is the common one times its share."""

    model: Annotated[str, Choice(*MODELS)] = "glyphs"
    temperature: Annotated[float, Range(0.0, 1.2, 0.05)] = 0.7
    seed: Annotated[int, Range(0, 99)] = 0
    coarse: Annotated[float, Range(0.0, 1.5, 0.1)] = 1.0
    middle: Annotated[float, Range(0.0, 1.5, 0.1)] = 1.0
    fine: Annotated[float, Range(0.0, 1.5, 0.1)] = 1.0


@dataclass(frozen=True)
class Samples:
    """Pictures, and squared distances summed over pixels."""

    pictures: pd.DataFrame  # row ("sample", "nearest"), column, image
    ladder: pd.DataFrame  # row (latents), column (temperature), image
    gaps: pd.DataFrame  # kind ("sample", "held-out"), gap: to the nearest training image
    ratio: float  # mean gap of samples over that of held-out images; NaN without data


@torch.no_grad()
def samples(config: SamplesConfig) -> Samples:
    """Samples, what they resemble, and the same latents from cold to warm."""
    noise, known = _noise(config), data.available(SHIPPED[config.model].data)
    drawn = pictures(config.model, noise, heat(config))
    rows, kinds = [drawn], ["sample"] * COUNT
    gaps = pd.DataFrame({"kind": [], "gap": []})
    if known:
        gallery = data.known(SHIPPED[config.model].data, "train").images
        gap, index = gallery.nearest(drawn)
        rows.append(gallery[index].view_as(drawn))
        kinds += ["nearest"] * COUNT
        gaps = _gaps({"sample": gap, "held-out": held_out_gaps(config.model)})
    means = gaps.groupby("kind")["gap"].mean()
    climbed = pictures(config.model, [_climbing(part[:KEPT]) for part in noise], 1.0)
    names = [f"latents-{k + 1}" for k in range(KEPT)]
    return Samples(
        pictures=_grid(torch.cat(rows), kinds, list(range(1, COUNT + 1)) * len(rows)),
        ladder=_grid(
            climbed,
            [name for name in names for _ in LADDER],
            list(LADDER) * KEPT,
        ),
        gaps=gaps,
        ratio=float(means["sample"] / means["held-out"]) if known else float("nan"),
    )


@torch.no_grad()
def samples_alone(config: SamplesConfig) -> pd.DataFrame:
    """The first row of `samples`, without looking for what it resembles."""
    drawn = pictures(config.model, _noise(config), heat(config))
    return _grid(drawn, ["sample"] * COUNT, list(range(1, COUNT + 1)))


def _climbing(noise: Tensor) -> Tensor:
    """Draws at each temperature of the ladder, one latent after the other: a scaled unit normal."""
    return (noise[:, None] * torch.tensor(LADDER)[:, None, None, None]).flatten(0, 1)


def _noise(config: SamplesConfig) -> list[Tensor]:
    return model(config.model).noise(COUNT, torch.Generator().manual_seed(config.seed))


def heat(config: SamplesConfig) -> tuple[float, ...]:
    """The temperature of each scale, from the top. Two scales have no middle."""
    shares = (config.coarse, config.middle, config.fine)
    kept = shares if len(SHIPPED[config.model].sides) == 3 else (config.coarse, config.fine)
    return tuple(config.temperature * share for share in kept)


def pictures(name: str, noise: list[Tensor], temperature: float | tuple[float, ...]) -> Tensor:
    """What a model makes of these draws: mean images [n, c, h, w]."""
    net = model(name)
    return mean_image(net.config, net.decode(noise, temperature=temperature).output)


@lru_cache(maxsize=4)
def held_out_gaps(name: str) -> Tensor:
    """Squared distances of held-out images to the nearest training image, summed over pixels."""
    kind = SHIPPED[name].data
    return data.known(kind, "train").images.nearest(data.held_out(kind, CONTROL))[0]


def _gaps(found: dict[str, Tensor]) -> pd.DataFrame:
    tables = [pd.DataFrame({"kind": kind, "gap": gap.tolist()}) for kind, gap in found.items()]
    return pd.concat(tables, ignore_index=True)


def _grid(images: Tensor, rows: list[str], columns: list[int] | list[float]) -> pd.DataFrame:
    return picture_table(list(images[:, 0].numpy()), rows, columns)
