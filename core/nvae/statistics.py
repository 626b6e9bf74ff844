"""Running statistics against re-adjusted ones, on the same draws.

Source: https://kexue.fm/archives/7574, "batch normalization".
"""

import copy
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock
from typing import Annotated

import pandas as pd
import torch
from torch import Tensor

from core.images import sharpness
from core.knobs import Choice, Config, Range
from core.nvae import data
from core.nvae.batchnorm import put_back, readjusted
from core.nvae.models import MODELS, model
from core.nvae.network import NVAE
from core.nvae.outputs import mean_image
from core.pictures import picture_table

SHOWN = 8
PASSES = (1, 2, 4, 8)
HELD_OUT = 106  # images whose sharpness stands beside that of samples
_alone = Lock()


@dataclass(frozen=True)
class StatisticsConfig(Config):
    """How warm the samples are, and of how many batches of them the statistics are taken."""

    model: Annotated[str, Choice(*MODELS)] = "glyphs"
    temperature: Annotated[float, Range(0.1, 1.2, 0.1)] = 0.5
    passes: Annotated[str, Choice(*map(str, PASSES))] = "4"
    seed: Annotated[int, Range(0, 99)] = 0


@dataclass(frozen=True)
class Statistics:
    """Pictures, and how far they move."""

    pictures: pd.DataFrame  # row ("running", "readjusted"), column, image
    settling: pd.DataFrame  # passes, curve, value: mean square of a pixel's change
    sharpness: pd.DataFrame  # kind, sharpness: of running, re-adjusted, and the data
    moved: float  # mean square of a pixel's change at `passes`


@torch.no_grad()
def statistics(config: StatisticsConfig) -> Statistics:
    """The same draws under both statistics; the change over the number of passes."""
    net = model(config.model)
    noise = net.noise(SHOWN, torch.Generator().manual_seed(config.seed))
    running = _images(net, noise, config.temperature)
    with _alone:
        found = _readjusted(_copy(net), noise, config)
    chosen = found[int(config.passes)]
    return Statistics(
        pictures=picture_table(
            list(torch.cat([running, chosen])[:, 0].numpy()),
            ["running"] * SHOWN + ["readjusted"] * SHOWN,
            list(range(1, SHOWN + 1)) * 2,
        ),
        settling=_settling(found, running),
        sharpness=_sharpness(config.model, running, chosen),
        moved=float((chosen - running).square().mean()),
    )


def _readjusted(net: NVAE, noise: list[Tensor], config: StatisticsConfig) -> dict[int, Tensor]:
    """The draws under the mean statistics of the first 1, 2, ... batches."""
    generator, found = torch.Generator().manual_seed(config.seed + 500), {}
    means = list(readjusted(net, PASSES[-1], config.temperature, generator))
    for passes in PASSES:
        put_back(net, means[passes - 1])
        found[passes] = _images(net, noise, config.temperature)
    return found


@lru_cache(maxsize=2)
def _copy(net: NVAE) -> NVAE:
    """Whose statistics may change, by one reader at a time; made anew it would cost the most."""
    return copy.deepcopy(net)


def _settling(found: dict[int, Tensor], running: Tensor) -> pd.DataFrame:
    """From the running statistics, and from those of the most passes."""
    most = found[PASSES[-1]]
    rows = [("from-running", passes, running) for passes in PASSES]
    rows += [("from-most", passes, most) for passes in PASSES]
    return pd.DataFrame([
        {"passes": passes, "curve": curve, "value": float((found[passes] - other).square().mean())}
        for curve, passes, other in rows
    ])  # fmt: skip


def _sharpness(name: str, running: Tensor, chosen: Tensor) -> pd.DataFrame:
    kinds = {"running": running, "readjusted": chosen}
    if data.available(model(name).config.data):
        kinds["data"] = data.held_out(model(name).config.data, HELD_OUT)
    values = [float(sharpness(part[:, 0]).mean()) for part in kinds.values()]
    return pd.DataFrame({"kind": list(kinds), "sharpness": values})


def _images(net: NVAE, noise: list[Tensor], temperature: float) -> Tensor:
    return mean_image(net.config, net.decode(noise, temperature=temperature).output)
