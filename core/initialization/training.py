"""The loss curves of a start beside those that ship.

`python scripts/train_initialization_networks.py` makes what ships.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import pandas as pd

from core import library
from core.initialization.network import STARTS, TRAINED, TRAINING, TrainConfig
from core.knobs import Choice, Config, Range
from core.runs import trained

SHIPPED: dict[str, TrainConfig] = {
    "relu-post": TrainConfig(scheme="post", activation="relu"),
    "relu-he": TrainConfig(scheme="he", activation="relu"),
    "relu-normalized": TrainConfig(scheme="post", activation="relu", layer_norm=True),
    "tanh-post": TrainConfig(scheme="post", activation="tanh"),
    "tanh-orthogonal": TrainConfig(scheme="orthogonal", activation="tanh"),
    "gelu-tuned": TrainConfig(scheme="tuned", activation="gelu"),
}

LANDMARKS = ("relu-he", "tanh-orthogonal")
Curve = Sequence[Mapping[str, int | float]]  # a training's metrics, snapshot by snapshot


@dataclass(frozen=True)
class StartsConfig(Config):
    """The start of a net that is trained here, if it never was."""

    scheme: Annotated[str, Choice(*STARTS)] = "orthogonal"
    activation: Annotated[str, Choice(*TRAINED)] = "tanh"
    multiple: Annotated[float, Range(0.5, 2.0, 0.05)] = 1.0
    depth: Annotated[int, Range(5, 100, 5)] = 50
    layer_norm: bool = False
    seed: Annotated[int, Range(0, 9)] = 0

    @property
    def training(self) -> TrainConfig:
        """How the net is trained: 300 steps of plain gradient descent."""
        return TrainConfig(
            scheme=self.scheme, activation=self.activation, multiple=self.multiple,
            depth=self.depth, layer_norm=self.layer_norm, seed=self.seed,
        )  # fmt: skip


@dataclass(frozen=True)
class Starts:
    """Curves by step; `curve` is "start" for the chosen one, else a start that ships."""

    losses: pd.DataFrame  # step, curve, loss: mean cross-entropy of the last five batches, nats;
    # of the shipped ones those with the same activation, and two landmarks
    table: pd.DataFrame  # curve, loss, accuracy: at the end, 360 test images


def starts(config: StartsConfig) -> Starts:
    """The chosen start beside those that ship; it is trained first, if it never was."""
    chosen = trained(TRAINING, config.training).meta
    return _compared({"start": chosen, **_shipped(config)}, config.activation)


def shipped_starts(config: StartsConfig) -> Starts:
    """Those that ship alone, while the chosen one is not trained."""
    return _compared(_shipped(config), config.activation)


def live_losses(config: StartsConfig, curve: Curve) -> pd.DataFrame:
    """The losses of `Starts`, the chosen one's as far as they are."""
    return _losses({"start": curve, **_curves(_shipped(config))}, config.activation)


def _shipped(config: StartsConfig) -> dict[str, Mapping[str, Any]]:
    """The cards of all that ship, but for the chosen one."""
    found = {name: library.find(TRAINING.key(settings)) for name, settings in SHIPPED.items()}
    return {
        name: kept.meta
        for name, kept in found.items()
        if kept is not None and SHIPPED[name] != config.training
    }


def _compared(runs: Mapping[str, Mapping[str, Any]], activation: str) -> Starts:
    ends = [
        (name, meta["metrics"]["loss"], meta["metrics"]["test_accuracy"])
        for name, meta in runs.items()
    ]
    return Starts(
        losses=_losses(_curves(runs), activation),
        table=pd.DataFrame(ends, columns=["curve", "loss", "accuracy"]),
    )


def _curves(runs: Mapping[str, Mapping[str, Any]]) -> dict[str, Curve]:
    return {name: meta["curve"] for name, meta in runs.items()}


def _losses(curves: Mapping[str, Curve], activation: str) -> pd.DataFrame:
    """Under each other, over the steps of all; one that has not come so far has gaps."""
    found = {
        name: {point["step"]: point["loss"] for point in points}
        for name, points in curves.items()
        if name in ("start", *LANDMARKS) or name.startswith(activation)
    }
    table = pd.DataFrame(found, dtype=float).rename_axis("step").reset_index()
    return table.melt("step", var_name="curve", value_name="loss")
