"""A picture of the reader's own through a model: made again, renewed by scales, walked from.

Source: https://kexue.fm/archives/7574, "multi-scale".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from core.knobs import Choice, Config, Range, Text
from core.nvae import data
from core.nvae.drawing import CODE, decode_picture, typed
from core.nvae.likelihood import Interval, interval, negative_elbo
from core.nvae.models import MODELS, model, scale_names
from core.nvae.network import NVAE
from core.nvae.outputs import mean_image
from core.nvae.presets import SHIPPED
from core.pictures import picture_table

COUNT = 8  # pictures beside each other
DRAWS = 32  # of the posterior, for what a picture costs
IMAGES = 200  # held-out, whose cost stands beside it


@dataclass(frozen=True)
class OwnConfig(Config):
    """Two characters of the data, or a reader's own picture in the place of the first."""

    first: Annotated[str, Text(1)] = "永"
    second: Annotated[str, Text(1)] = "和"
    temperature: Annotated[float, Range(0.0, 1.2, 0.05)] = 0.7
    model: Annotated[str, Choice(*MODELS)] = "glyphs"
    variant: Annotated[int, Range(0, 13)] = 0  # which picture of a character
    seed: Annotated[int, Range(0, 99)] = 0
    picture: Annotated[str, Text(CODE)] = ""  # letters of `drawing.encode_picture`


@dataclass(frozen=True)
class Own:
    """Pictures, and nats of the first."""

    again: pd.DataFrame  # row ("original", "again"), column (1, 2), image
    changed: pd.DataFrame  # row (a scale drawn anew, or "walk"), column (0: made again), image
    told: pd.DataFrame  # scale, kl: nats that it tells of the first picture
    cost: float  # -ELBO of the first, mean over draws
    usual: Interval  # -ELBO of held-out images
    seen: bool  # whether the first is a character of the training data


@torch.no_grad()
def own(config: OwnConfig) -> Own:
    """All of the panel. Raises Unreadable for a picture that there is not, Absent for a model."""
    net = model(config.model)
    first, seen = _first(config)
    second, _ = typed(config.second, config.model, config.variant)
    both = torch.stack([first, second])
    generator = torch.Generator().manual_seed(config.seed)
    center = [torch.zeros_like(part) for part in net.noise(2)]
    found = net.decode(center, net.encode(both))
    made, names = mean_image(net.config, found.output), scale_names(net.config)
    changed = {
        name: torch.cat([made[:1], _renewed(net, first, at, config.temperature, generator)])
        for at, name in enumerate(names)
    }
    changed["walk"] = walk(net, found.whitened())
    return Own(
        again=_grid({"original": both, "again": made}, [1, 2]),
        changed=_grid(changed, range(COUNT)),
        told=pd.DataFrame({"scale": names, "kl": _by_scale(net, found.kl)}),
        cost=float(negative_elbo(net, first.expand(DRAWS, 1, -1, -1), generator).mean()),
        usual=usual(config.model),
        seen=seen,
    )


def walk(net: NVAE, ends: Sequence[Tensor]) -> Float[Tensor, "n c h w"]:
    """From one picture to another through the priors: each group's draw turns along an arc.

    `ends` are the whitened latents of both pictures, [2, c, h, w] a group.
    """
    path = [arc(part[0], part[1], COUNT) for part in ends]
    return mean_image(net.config, net.decode(path).output)


def arc(start: Tensor, end: Tensor, count: int) -> Tensor:
    """Spherical interpolation, both ends included; a straight line where they are parallel."""
    cosine = torch.dot(start.flatten(), end.flatten()) / (start.norm() * end.norm() + 1e-12)
    angle = torch.acos(cosine.clamp(-1, 1))
    share = torch.linspace(0, 1, count).view(-1, *(1 for _ in start.shape))
    if not 1e-3 < float(angle) < torch.pi - 1e-3:
        return (1 - share) * start + share * end
    here, there = torch.sin((1 - share) * angle), torch.sin(share * angle)
    return (here * start + there * end) / torch.sin(angle)


@lru_cache(maxsize=4)
@torch.no_grad()
def usual(name: str) -> Interval:
    """What held-out images cost, nats, made black and white as a reader's own are."""
    chosen = data.held_out(SHIPPED[name].data, IMAGES)
    return interval(
        negative_elbo(model(name), (chosen > 0.5).float(), torch.Generator().manual_seed(0))
    )


def _first(config: OwnConfig) -> tuple[Tensor, bool]:
    if config.picture:
        return decode_picture(config.picture, config.model), False
    return typed(config.first, config.model, config.variant)


def _renewed(
    net: NVAE, x: Tensor, scale: int, temperature: float, generator: torch.Generator
) -> Tensor:
    """One scale from its prior, the others from the centers of their posteriors."""
    count = COUNT - 1
    noise = [
        fresh if here == scale else torch.zeros_like(fresh)
        for fresh, here in zip(net.noise(count, generator), net.config.scale_of, strict=True)
    ]
    seen = [part.expand(count, -1, -1, -1) for part in net.encode(x[None])]
    found = net.decode(noise, seen, temperature=temperature, redrawn={scale})
    return mean_image(net.config, found.output)


def _by_scale(net: NVAE, kl: Sequence[Tensor]) -> list[float]:
    """Of the first picture."""
    told = torch.stack([part[0].sum() for part in kl])
    sums = torch.zeros(len(net.config.sides)).index_add(0, torch.tensor(net.config.scale_of), told)
    return [float(value) for value in sums]


def _grid(rows: dict[str, Tensor], columns: Sequence[int | float]) -> pd.DataFrame:
    return picture_table(
        [image for part in rows.values() for image in part[:, 0].numpy()],
        [name for name in rows for _ in columns],
        [column for _ in rows for column in columns],
    )
