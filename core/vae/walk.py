"""A map of pictures to walk on: the 2-D code space of a model that ships, decoded anywhere.

Source: https://kexue.fm/archives/7725, the section on regularity. The map stands at the quantiles
of N(0, I), as in the code that belongs to the series (https://github.com/bojone/vae).
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import pandas as pd
import torch

from core.images import nearest
from core.knobs import Choice, Config, Range
from core.pictures import picture_table
from core.vae import data
from core.vae.models import model
from core.vae.training import SHIPPED

REACH = 3.0
STEPS = 9  # pictures along the path


@dataclass(frozen=True)
class WalkConfig(Config):
    """Whose map, and where the reader stands."""

    model: Annotated[str, Choice("vae", "beta-4", "noise", "ae")] = "vae"
    x: Annotated[float, Range(-REACH, REACH, 0.01)] = -1.5
    y: Annotated[float, Range(-REACH, REACH, 0.01)] = -1.6


@dataclass(frozen=True)
class Walk:
    """The picture here, the way from the origin, and what is near."""

    path: pd.DataFrame  # row, column, image: from the center of the map to here
    gap: float  # squared distance to the nearest training image, summed over pixels
    name: str  # which character that is
    inside: int  # ellipses of two standard deviations that cover this place


@torch.no_grad()
def walk(config: WalkConfig) -> Walk:
    """Decode the way from the center to the place, on the scale of the model's codes."""
    training = SHIPPED[config.model]
    net, images = model(training), data.load(training.data)
    here = scale(config.model) * torch.tensor([[config.x, config.y]])
    way = torch.linspace(0, 1, STEPS)[:, None] * here
    pictures = net.decode(way)
    gap, index = nearest(pictures[-1:], images.pixels)
    posterior = net.posterior(images.pixels)
    away = (here - posterior.mean) / posterior.std.clamp(min=1e-6)
    side = data.SIDES[training.data]
    return Walk(
        path=picture_table(
            list(pictures.reshape(-1, side, side).numpy()),
            ["way"] * STEPS,
            [round(k / (STEPS - 1), 3) for k in range(STEPS)],
        ),
        gap=float(gap),
        name=images.names[int(images.label[index])],
        inside=int((away.norm(dim=1) <= 2).sum()),
    )


def scale(name: str) -> float:
    """How much the map is stretched: 1, but for an autoencoder, whose codes have a size of theirs.

    It is chosen so that the second moment of the centers is 1.
    """
    if SHIPPED[name].family != "point":
        return 1.0
    centers = model(SHIPPED[name]).encode(data.load(SHIPPED[name].data).pixels)
    return float(centers.square().mean().sqrt())


def decoder_weights(name: str) -> Mapping[str, Any]:
    """The decoder as whole numbers with one factor a layer, for the browser; and the centers.

    "layers": of each the rows [weight, bias] / factor, 16-bit, base64. Exact to 2^-16 of the
    layer's largest weight.
    """
    training = SHIPPED[name]
    net = model(training)
    layers = [layer for layer in net.decoder if isinstance(layer, torch.nn.Linear)]
    images = data.load(training.data)
    centers = net.encode(images.pixels) / scale(name)
    return {
        "layers": [_whole(layer) for layer in layers],
        "scale": scale(name),
        "side": data.SIDES[training.data],
        "centers": [[round(value, 3) for value in row] for row in centers.tolist()],
        "names": [images.names[label] for label in images.label.tolist()],
    }


def _whole(layer: torch.nn.Linear) -> dict[str, Any]:
    both = torch.cat([layer.weight, layer.bias[:, None]], dim=1)
    factor = float(both.abs().max()) / 32767
    whole = (both / factor).round().to(torch.int16).numpy().astype("<i2")
    return {
        "rows": len(both),
        "factor": factor,
        "numbers": base64.b64encode(whole.tobytes()).decode(),
    }
