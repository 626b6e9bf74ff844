"""What each level holds: keep some scales, draw others anew; the KL that each group tells.

Source: https://kexue.fm/archives/7574, "multi-scale".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

import pandas as pd
import torch
from torch import Tensor

from core.knobs import Choice, Config, Range
from core.nvae import data
from core.nvae.gaussians import ACTIVE
from core.nvae.models import MODELS, card, model, scale_names
from core.nvae.network import NVAE
from core.nvae.presets import SHIPPED
from core.nvae.samples import pictures
from core.nvae.training import TRAINING
from core.pictures import picture_table

COUNT = 9  # pictures beside the first
IMAGES = 200  # on which KLs are measured
ALONG = ("scale", "group", "active")  # what is drawn over the training: KLs, or a count of channels


@dataclass(frozen=True)
class ScalesConfig(Config):
    """Which scales are drawn anew; the others keep their draws."""

    model: Annotated[str, Choice(*MODELS)] = "glyphs"
    temperature: Annotated[float, Range(0.0, 1.2, 0.05)] = 0.7
    seed: Annotated[int, Range(0, 99)] = 0
    coarse: bool = False
    middle: bool = True
    fine: bool = True
    along: Annotated[str, Choice(*ALONG)] = "scale"


@dataclass(frozen=True)
class Scales:
    """Pictures, and nats per image."""

    pictures: pd.DataFrame  # row (a scale drawn anew, or "chosen"), column (0: the first), image
    groups: pd.DataFrame  # group, scale, side, kl, active: channels above ACTIVE, of: channels
    training: (
        pd.DataFrame
    )  # step, curve (a scale, a group, "active"), value; what was not noted of a
    #                         training is missing
    changes: pd.DataFrame  # scale, change: mean square of a pixel's change when it is drawn anew
    information: float  # the KL of all groups


@torch.no_grad()
def scales(config: ScalesConfig) -> Scales:
    """Each scale drawn anew alone, then those chosen together; the KL by group."""
    names = scale_names(SHIPPED[config.model])
    chosen = [name for name in names if getattr(config, name)]
    rows = {**{name: [name] for name in names}, "chosen": chosen}
    found = {
        row: redrawn(config, [names.index(name) for name in part]) for row, part in rows.items()
    }
    table = kl_by_group(config.model)
    every = torch.cat(list(found.values()))[:, 0].numpy()
    return Scales(
        pictures=picture_table(
            list(every),
            [row for row in rows for _ in range(COUNT + 1)],
            list(range(COUNT + 1)) * len(rows),
        ),
        groups=table,
        training=along_training(config),
        changes=pd.DataFrame([{"scale": name, "change": _change(found[name])} for name in names]),
        information=float(table["kl"].sum()),
    )


def redrawn(config: ScalesConfig, scales: Sequence[int]) -> Tensor:
    """The first picture, then COUNT with the draws of these scales made anew: [n, c, h, w]."""
    net = model(config.model)
    first = net.noise(1, torch.Generator().manual_seed(config.seed))
    other = net.noise(COUNT, torch.Generator().manual_seed(config.seed + 1000))
    mixed = [
        torch.cat([kept, new if scale in scales else kept.expand_as(new)])
        for kept, new, scale in zip(first, other, net.config.scale_of, strict=True)
    ]
    return pictures(config.model, mixed, config.temperature)


@lru_cache(maxsize=4)
def kl_by_group(name: str) -> pd.DataFrame:
    """KL of each group, nats per image, on held-out images, and how many channels are active.

    A model whose data are not here is measured on its own samples at temperature 1.
    """
    net, generator = model(name), torch.Generator().manual_seed(0)
    return group_table(net, _images(net, generator), generator)


@torch.no_grad()
def group_table(net: NVAE, x: Tensor, generator: torch.Generator) -> pd.DataFrame:
    """The rows of `kl_by_group` for a model and binary images in hand."""
    found = net.decode(net.noise(len(x), generator), net.encode(x))
    names, config = scale_names(net.config), net.config
    rows = []
    for number, (part, scale) in enumerate(zip(found.kl, config.scale_of, strict=True)):
        channels = part.sum((2, 3)).mean(0)
        rows.append({
            "group": number + 1, "scale": names[scale], "side": config.sides[scale],
            "kl": float(channels.sum()), "active": int((channels > ACTIVE).sum()),
            "of": config.latent,
        })  # fmt: skip
    return pd.DataFrame(rows)


def _images(net: NVAE, generator: torch.Generator) -> Tensor:
    if not data.available(net.config.data):
        return torch.bernoulli(net.sample(IMAGES, 1.0, generator), generator=generator)
    return data.binarized(net.config, data.held_out(net.config.data, IMAGES), generator)


def along_training(config: ScalesConfig) -> pd.DataFrame:
    """Rows step, curve, value of a hundred steps: nats of each scale or group, or active channels.

    Empty where a training did not note it.
    """
    names, groups = scale_names(SHIPPED[config.model]), SHIPPED[config.model].scale_of
    columns = {
        "scale": {f"kl_{at}": name for at, name in enumerate(names, 1)},
        "group": {f"group_{at}": str(at) for at in range(1, len(groups) + 1)},
        "active": {"active": "active"},
    }[config.along]
    points = card(TRAINING, SHIPPED[config.model])["curve"]
    rows = [
        (int(point["step"]), curve, point[column])
        for column, curve in columns.items()
        for point in points[:: max(1, len(points) // 100)] if column in point
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["step", "curve", "value"])


def _change(images: Tensor) -> float:
    return float((images[1:] - images[:1]).square().mean())
