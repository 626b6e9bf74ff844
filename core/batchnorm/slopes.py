"""What the post takes for granted: bounded slopes of activations and losses, and nonlinearity.

Source: https://kexue.fm/archives/6992, section 2.1, eq. (8) and (9), and the comments.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

import numpy as np
import pandas as pd
import torch

from core.batchnorm.nonlinearity import SLOPES, largest_slope, nonlinear_share, slope
from core.batchnorm.one_layer import loss_slope
from core.knobs import Choice, Config, Range

PLACES = 400  # of a curve; an even number leaves out 0, where a squared error has no slope
OUTPUTS = 15.0  # of the network, at most
DEVIATIONS = tuple(float(std) for std in np.geomspace(0.1, 10, 21))


@dataclass(frozen=True)
class SlopesConfig(Config):
    """An activation, the deviation of its normal inputs, and how far its slope is looked at."""

    activation: Annotated[str, Choice(*SLOPES)] = "gelu"
    std: Annotated[float, Range(0.1, 10.0, 0.1)] = 1.0
    reach: Annotated[int, Range(2, 50, 1)] = 5


@dataclass(frozen=True)
class Slopes:
    """Three pictures, and the numbers of the chosen activation."""

    activations: pd.DataFrame  # x, curve, slope: g'(x)
    losses: pd.DataFrame  # output (h), curve, slope: its absolute value
    shares: pd.DataFrame  # std, curve, share: of the variance that no straight line explains
    largest: float  # |g'| within the reach
    share: float


def slopes(config: SlopesConfig) -> Slopes:
    """Slopes of all activations and of three losses; how nonlinear each activation is."""
    return Slopes(
        activations=_activations(config.reach),
        losses=_losses(),
        shares=_shares(config),
        largest=largest_slope(config.activation, float(config.reach)),
        share=nonlinear_share(config.activation, config.std),
    )


def _activations(reach: int) -> pd.DataFrame:
    x = torch.linspace(-reach, reach, PLACES, dtype=torch.float64)
    parts = {name: slope(name, x).numpy() for name in SLOPES}
    return _curves("x", x.numpy(), parts, "slope")


@lru_cache(maxsize=1)
def _losses() -> pd.DataFrame:
    """Cross-entropy in p and behind a sigmoid, both of the label 1, and a squared error."""
    h = torch.linspace(-OUTPUTS, OUTPUTS, PLACES, dtype=torch.float64)
    parts = {
        "bare": 1 / torch.sigmoid(h),
        "behind": loss_slope(torch.ones_like(h), h).abs(),
        "squared": (2 * h).abs(),
    }
    return _curves("output", h.numpy(), {k: v.numpy() for k, v in parts.items()}, "slope")


def _shares(config: SlopesConfig) -> pd.DataFrame:
    here = {"std": [config.std], "share": [nonlinear_share(config.activation, config.std)]}
    return pd.concat([_by_deviation(), pd.DataFrame({**here, "curve": "here"})], ignore_index=True)


@lru_cache(maxsize=1)
def _by_deviation() -> pd.DataFrame:
    """The curves of all activations, the same wherever the controls stand."""
    parts = {name: np.array([nonlinear_share(name, std) for std in DEVIATIONS]) for name in SLOPES}
    return _curves("std", np.array(DEVIATIONS), parts, "share")


def _curves(x: str, places: np.ndarray, parts: dict[str, np.ndarray], y: str) -> pd.DataFrame:
    tables = [pd.DataFrame({x: places, "curve": name, y: part}) for name, part in parts.items()]
    return pd.concat(tables, ignore_index=True)
