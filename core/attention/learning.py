"""The learning curve of a layer, or of a small transformer, beside those that ship.

`python scripts/train_attention_recall.py` makes what ships.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import pandas as pd

from core import library
from core.attention.capacity import numbers
from core.attention.recall import ATTENTIONS, RECALL, TASK_NAMES, RecallConfig
from core.attention.shipped import LENGTHS, SHIPPED, TRANSFORMERS
from core.attention.transformer import CAUSAL, HEADS, LAYERS, TRANSFORMER, TransformerConfig
from core.knobs import Choice, Config, Range
from core.runs import trained
from core.training import Task


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
    ends = _beside(RECALL, config.training, SHIPPED)
    lengths = LENGTHS.load()
    lengths = lengths[(lengths["task"] == config.task) & lengths["attention"].isin(DRAWN)]
    lengths = lengths.rename(columns={"attention": "curve"})
    rows = [(name, meta["metrics"]["accuracy"]) for name, meta in ends.items()]
    table = pd.DataFrame(rows, columns=["attention", "accuracy"])
    return Learning(
        curves=_curves(ends),
        lengths=lengths[["pairs", "accuracy", "curve"]].reset_index(drop=True),
        table=table,
        accuracy=float(table["accuracy"].iloc[0]),
        softmax=float(ends.get("softmax", ends["own"])["metrics"]["accuracy"]),
    )


@dataclass(frozen=True)
class TransformersConfig(Config):
    """A small transformer that is trained here, if it never was, and its task."""

    attention: Annotated[str, Choice(*CAUSAL)] = "elu"
    task: Annotated[str, Choice(*TASK_NAMES)] = "recall"
    pairs: Annotated[int, Range(4, 32, 4)] = 16
    steps: Annotated[str, Choice("600", "2400")] = "600"
    seed: Annotated[int, Range(0, 9)] = 0

    @property
    def training(self) -> TransformerConfig:
        """How the model is trained: steps of Adam, width 32."""
        return TransformerConfig(
            attention=self.attention, task=self.task, pairs=self.pairs, steps=int(self.steps),
            seed=self.seed,
        )  # fmt: skip


@dataclass(frozen=True)
class Transformers:
    """Accuracies are shares of answers that are right; guessing gets 1/32."""

    curves: pd.DataFrame  # step, accuracy, curve: the chosen attention, "softmax" and the landmarks
    ends: pd.DataFrame  # attention, task, accuracy: what ships, the best of the task first
    table: pd.DataFrame  # attention, numbers: that its states hold, accuracy
    accuracy: float
    softmax: float  # the accuracy of the softmax model that ships, on this task


def transformers(config: TransformersConfig) -> Transformers:
    """The chosen model, trained first if it never was, beside those that ship for its task."""
    ends = _beside(TRANSFORMER, config.training, TRANSFORMERS)
    d = config.training.width // HEADS
    held = {name: LAYERS * HEADS * numbers(name, d) for name in CAUSAL}
    rows = [
        (name, held[config.attention if name == "own" else name], meta["metrics"]["accuracy"])
        for name, meta in ends.items()
    ]
    table = pd.DataFrame(rows, columns=["attention", "numbers", "accuracy"])
    return Transformers(
        curves=_curves(ends),
        ends=_ends(config.task),
        table=table,
        accuracy=float(table["accuracy"].iloc[0]),
        softmax=float(ends.get("softmax", ends["own"])["metrics"]["accuracy"]),
    )


def _beside(task: Task, chosen: Any, shipped: Sequence[Any]) -> dict[str, Any]:
    """The cards of the chosen model, "own", and of those that ship for its task, by attention."""
    cards = {"own": trained(task, chosen).meta}
    for config in shipped:
        if config.task == chosen.task and config != chosen:
            kept = library.find(task.key(config))
            cards |= {config.attention: kept.meta} if kept else {}
    return cards


def _curves(cards: Mapping[str, Any]) -> pd.DataFrame:
    """step, accuracy, curve: of the chosen model and the landmarks."""
    shown = [
        pd.DataFrame(card["curve"])[["step", "accuracy"]].assign(curve=name)
        for name, card in cards.items()
        if name in ("own", *LANDMARKS)
    ]
    return pd.concat(shown, ignore_index=True)


def _ends(task: str) -> pd.DataFrame:
    """How every model that ships ends, on both tasks, in the order of the given one."""
    kept = [(config, library.find(TRANSFORMER.key(config))) for config in TRANSFORMERS]
    rows = [
        (config.attention, config.task, found.meta["metrics"]["accuracy"])
        for config, found in kept
        if found
    ]
    table = pd.DataFrame(rows, columns=["attention", "task", "accuracy"])
    of_task = table[table["task"] == task].sort_values("accuracy", ascending=False, kind="stable")
    places = {name: place for place, name in enumerate(of_task["attention"])}
    return table.sort_values(
        "attention", key=lambda names: names.map(places), kind="stable", ignore_index=True
    )
