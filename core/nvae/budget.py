"""Where the paper's latents lie: how many numbers at each scale, and how large its models are.

Source: https://kexue.fm/archives/7574, eq. (6); the settings are the authors' own.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import pandas as pd

from core.knobs import Choice, Config
from core.nvae.config import PAPER, NVAEConfig, latent_size
from core.nvae.network import NVAE
from core.tables import load_table

BUILDS = Path(__file__).parents[2] / "pretrained" / "nvae" / "builds.json"
COLUMNS = ("build", "groups", "latents", "pixels", "ratio", "parameters")


@dataclass(frozen=True)
class BudgetConfig(Config):
    """Whose latents."""

    build: Annotated[str, Choice(*PAPER)] = "ffhq"


@dataclass(frozen=True)
class Budget:
    """Numbers of latents, and of weights."""

    scales: pd.DataFrame  # scale ("8 × 8"), groups, latents, share: percent
    builds: pd.DataFrame  # build, groups, latents, pixels, ratio, parameters: millions
    latents: int
    pixels: int  # numbers of an image, all channels
    finest: float  # share of the finest scale


def budget(config: BudgetConfig) -> Budget:
    """The latents of one build by scale, and all builds beside each other."""
    build = PAPER[config.build]
    total, rows = _latents(build), []
    for side, groups in zip(build.sides, build.groups_per_scale, strict=True):
        count = latent_size((groups,), (side,), build.latent)
        rows.append({
            "scale": f"{side} × {side}", "groups": groups, "latents": count,
            "share": round(100 * count / total, 2),
        })  # fmt: skip
    return Budget(
        scales=pd.DataFrame(rows),
        builds=builds(),
        latents=total,
        pixels=build.dimensions,
        finest=latent_size((groups,), (side,), build.latent) / total,
    )


def builds() -> pd.DataFrame:
    """Every build of the paper as it was counted. Raises ValueError if the file is not there."""
    return load_table(BUILDS, COLUMNS).round({"ratio": 1, "parameters": 2})


def counted() -> pd.DataFrame:
    """Every build of the paper, built without memory and counted: takes seconds."""
    rows = [
        {
            "build": name,
            "groups": sum(build.groups_per_scale),
            "latents": _latents(build),
            "pixels": build.dimensions,
            "ratio": _latents(build) / build.dimensions,
            "parameters": parameters(build) / 1e6,
        }
        for name, build in PAPER.items()
    ]
    return pd.DataFrame(rows)


def parameters(config: NVAEConfig) -> int:
    """How many weights a model has; nothing is drawn, no memory taken."""
    return sum(weight.numel() for weight in NVAE(config, device="meta").parameters())


def _latents(config: NVAEConfig) -> int:
    return latent_size(config.groups_per_scale, config.sides, config.latent)
