"""The learning curve of a layer beside those that ship, and what each kind learns as pairs grow.

`python scripts/train_attention_recall.py` makes what ships.
"""

from dataclasses import dataclass
from typing import Annotated

import pandas as pd

from core import library
from core.attention.recall import ATTENTIONS, RECALL, TASK_NAMES, RecallConfig
from core.attention.shipped import LENGTHS, SHIPPED
from core.knobs import Choice, Config, Range
from core.runs import trained


@dataclass(frozen=True)
class LearningConfig(Config):
    """A layer that is trained here, if it never was, and its task."""

    attention: Annotated[str, Choice(*ATTENTIONS)] = "elu"
    task: Annotated[str, Choice(*TASK_NAMES)] = "recall"
    pairs: Annotated[int, Range(4, 64, 4)] = 32
    dim: Annotated[int, Range(4, 32, 4)] = 16
    projections: Annotated[int, Range(4, 64, 4)] = 16
    seed: Annotated[int, Range(0, 9)] = 0

    @property
    def training(self) -> RecallConfig:
        """How the layer is trained: 500 steps of Adam. Only Linformer has projections."""
        linformer = self.attention == "linformer"
        return RecallConfig(
            attention=self.attention, task=self.task, pairs=self.pairs, dim=self.dim,
            projections=self.projections if linformer else RecallConfig().projections,
            seed=self.seed,
        )  # fmt: skip


@dataclass(frozen=True)
class Learning:
    """Accuracies are shares of values read right; guessing gets 1/32."""

    curves: pd.DataFrame  # step, accuracy, curve: the chosen attention, "softmax" and the landmarks
    lengths: pd.DataFrame  # pairs, accuracy, curve: what ships, at width 16
    table: pd.DataFrame  # attention, accuracy: what ships, 32 pairs at width 16
    accuracy: float
    softmax: float  # the accuracy of the softmax layer that ships, on this task


LANDMARKS = ("softmax", "elu", "taylor2", "delta")
DRAWN = ("softmax", "elu", "taylor2", "identity-rms", "decay", "delta")


def learning(config: LearningConfig) -> Learning:
    """The chosen layer, trained first if it never was, beside those that ship for its task."""
    ends = {"own": trained(RECALL, config.training).meta}
    for shipped in SHIPPED:
        kept = library.find(RECALL.key(shipped)) if shipped.task == config.task else None
        if kept is not None and shipped != config.training:
            ends[shipped.attention] = kept.meta
    shown = [name for name in ends if name in ("own", *LANDMARKS)]
    curves = [
        pd.DataFrame(ends[name]["curve"])[["step", "accuracy"]].assign(curve=name) for name in shown
    ]
    lengths = LENGTHS.load()
    lengths = lengths[(lengths["task"] == config.task) & lengths["attention"].isin(DRAWN)]
    lengths = lengths.rename(columns={"attention": "curve"})
    rows = [(name, meta["metrics"]["accuracy"]) for name, meta in ends.items()]
    table = pd.DataFrame(rows, columns=["attention", "accuracy"])
    return Learning(
        curves=pd.concat(curves, ignore_index=True),
        lengths=lengths[["pairs", "accuracy", "curve"]].reset_index(drop=True),
        table=table,
        accuracy=float(table["accuracy"].iloc[0]),
        softmax=float(ends.get("softmax", ends["own"])["metrics"]["accuracy"]),
    )
