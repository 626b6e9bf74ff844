"""A world without training: a few pictures, an ellipse for each, and the best decoder exactly.

Source: https://kexue.fm/archives/7725, eq. (2), (4) and (5).
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any

import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from core.images import sharpness
from core.knobs import Config, Text
from core.vae import data
from core.vae.exact import expected_reconstruction, gauss_hermite, optimal_decoder
from core.vae.gaussians import gaussian_kl

REACH = 3.0  # the code space that is drawn: a square from -3 to 3
STDS = (0.05, 2.0)  # the least and the largest half axis
CAST = "大口山水中"
FONT = "noto-sans-sc"
ORDER = 8  # quadrature nodes an axis
SPREAD = "-1.2,0.9,0.4,0.4;1.2,0.9,0.4,0.4;0,-0.1,0.4,0.4;-1,-1.3,0.4,0.4;1.1,-1.2,0.4,0.4"


@dataclass(frozen=True)
class WorldConfig(Config):
    """The ellipses: center x, y and half axes, with commas between them, a semicolon after each."""

    ellipses: Annotated[str, Text(240)] = SPREAD


@dataclass(frozen=True)
class World:
    """Squared errors are summed over the pixels of an image, the KL over the two dimensions."""

    table: pd.DataFrame  # picture, reconstruction, kl, blur
    reconstruction: float  # mean over the pictures
    kl: float  # mean over the pictures, nats
    blur: float  # share of the pictures' gradient energy that the decoded ones lack, mean


def world(config: WorldConfig) -> World:
    """Reconstruction, KL and blur of these ellipses with the best decoder, by quadrature."""
    means, stds = parse_ellipses(config.ellipses)
    x = pictures().double()
    rows = pd.DataFrame(
        {
            "picture": list(CAST),
            "reconstruction": expected_reconstruction(means, stds, x, ORDER).numpy(),
            "kl": gaussian_kl(means, 2 * stds.log()).numpy(),
            "blur": blur(means, stds, x).numpy(),
        }
    )
    return World(rows, *(float(rows[name].mean()) for name in ("reconstruction", "kl", "blur")))


def blur(
    means: Float[Tensor, "k 2"], stds: Float[Tensor, "k 2"], x: Float[Tensor, "k h w"]
) -> Float[Tensor, " k"]:
    """1 - E sharpness(D*(z)) / sharpness(x_k) over z in ellipse k."""
    eps, weight = gauss_hermite(ORDER, means.dtype)
    z = means[:, None] + stds[:, None] * eps
    decoded = optimal_decoder(z.flatten(0, 1), means, stds, x).unflatten(0, z.shape[:2])
    return 1 - sharpness(decoded) @ weight / sharpness(x)


@lru_cache
def pictures() -> Float[Tensor, "k 32 32"]:
    """One character an ellipse, in the sans-serif font at about its regular weight."""
    found = data.everything("characters")
    assert found.style is not None
    assert found.weight is not None
    font = found.styles.index(FONT)
    chosen = []
    for name in CAST:
        far = (found.weight - 500).abs() + 1e6 * (found.style != font).float()
        far += 1e6 * (found.label != found.names.index(name)).float()
        chosen.append(found.pixels[far.argmin()].reshape(32, 32))
    return torch.stack(chosen)


def parse_ellipses(text: str) -> tuple[Float[Tensor, "k 2"], Float[Tensor, "k 2"]]:
    """Centers and half axes. Raises ValueError unless there are four numbers for each picture."""
    try:
        rows = [[float(cell) for cell in part.split(",")] for part in text.split(";")]
        table = torch.tensor(rows, dtype=torch.float64)
    except (ValueError, TypeError, RuntimeError) as error:
        raise ValueError(f"ellipses is {text!r}, but must be x,y,a,b;x,y,a,b;...") from error
    if table.shape != (len(CAST), 4) or not bool(table.isfinite().all()):
        raise ValueError(f"ellipses is {text!r}, but must have {len(CAST)} times four numbers")
    return table[:, :2].clamp(-REACH, REACH), table[:, 2:].clamp(*STDS)


def format_ellipses(means: Tensor, stds: Tensor) -> str:
    """The text that `parse_ellipses` reads, with two decimals."""
    rows = torch.cat([means, stds], dim=1).tolist()
    return ";".join(",".join(f"{round(cell, 2):g}" for cell in row) for row in rows)


def arranged(name: str) -> str:
    """The ellipses of a preset: "points", "overlap", "prior" or "apart"."""
    means, _ = parse_ellipses(SPREAD)
    half = {"points": 0.05, "overlap": 1.0, "prior": 1.0, "apart": 0.25}[name]
    factor = {"points": 1.0, "overlap": 0.5, "prior": 0.0, "apart": 1.8}[name]
    return format_ellipses(factor * means, torch.full_like(means, half))


def world_data() -> dict[str, Any]:
    """What the drawing needs: pictures as levels to 255, names, quadrature nodes, bounds."""
    eps, weight = gauss_hermite(ORDER)
    return {
        "pictures": (255 * pictures()).round().int().flatten(1).tolist(),
        "names": list(CAST),
        "nodes": torch.cat([eps, weight[:, None]], dim=1).tolist(),
        "reach": REACH,
        "stds": list(STDS),
    }
