"""What becomes of the angle between two inputs: does a deep net still tell them apart?

Wide layers with the tuned gain, so that sizes are kept and only angles move.

Sources: https://kexue.fm/archives/7180, the last section; Poole et al. 2016 (arXiv:1606.05340).
"""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import pandas as pd

from core.initialization.activations import ACTIVATIONS, angle_map, angles_by_layer
from core.knobs import Choice, Config, Range

POINTS = 101
APART = 0.9  # two inputs with a cosine above it are hard to tell apart


@dataclass(frozen=True)
class CollapseConfig(Config):
    """An activation, how near the two inputs are at first, and how many layers."""

    activation: Annotated[str, Choice(*ACTIVATIONS)] = "relu"
    start: Annotated[float, Range(-0.95, 0.95, 0.05)] = 0.0
    depth: Annotated[int, Range(1, 100)] = 50
    layer_norm: bool = False


@dataclass(frozen=True)
class Collapse:
    """The map of the cosine, the path over it, and the path of every activation."""

    cobweb: pd.DataFrame  # cosine, curve in {"cosine-map", "unmoved", "path"}, value
    paths: pd.DataFrame  # layer, activation, cosine: every activation, those that stay apart first
    last: float  # cosine after `depth` layers
    apart: int  # layers after which the cosine exceeds `APART` for good; -1: never


def collapse(config: CollapseConfig) -> Collapse:
    """How fast two inputs come together, with the chosen activation and with all others."""
    path = _path(config, config.activation)
    return Collapse(
        cobweb=_cobweb(config, path),
        paths=_paths(config),
        last=float(path[-1]),
        apart=_apart(path),
    )


def _path(config: CollapseConfig, activation: str) -> np.ndarray:
    return angles_by_layer(activation, config.start, config.depth, layer_norm=config.layer_norm)


def _cobweb(config: CollapseConfig, path: np.ndarray) -> pd.DataFrame:
    c = np.linspace(-1, 1, POINTS)
    corners = np.repeat(path, 2)
    curves = {
        "cosine-map": (c, angle_map(config.activation, c, layer_norm=config.layer_norm)),
        "unmoved": (c, c),
        "path": (corners[:-1], np.array([0.0, *corners[2:]])),
    }
    tables = [pd.DataFrame({"cosine": a, "curve": k, "value": b}) for k, (a, b) in curves.items()]
    return pd.concat(tables, ignore_index=True)


def _paths(config: CollapseConfig) -> pd.DataFrame:
    found = {name: _path(config, name) for name in ACTIVATIONS}
    layers = [str(layer) for layer in range(config.depth + 1)]
    ordered = sorted(found, key=lambda name: (round(float(found[name].mean()), 9), name))
    tables = [
        pd.DataFrame({"layer": layers, "activation": name, "cosine": found[name]})
        for name in ordered
    ]
    return pd.concat(tables, ignore_index=True)


def _apart(path: np.ndarray) -> int:
    near = np.flatnonzero(path <= APART)
    last = int(near[-1]) if len(near) else -1
    return last + 1 if last < len(path) - 1 else -1
