"""Small batches: the noise of their statistics, and when eval mode breaks.

A batch's statistics do not depend on the momentum of the running ones, so one training follows five
momenta at once. An MLP with normalization after every map, on raw digits, 400 steps.

`python scripts/train_batchnorm_networks.py` makes what ships.

Source: https://kexue.fm/archives/6992, section 2.5.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Annotated

import pandas as pd
import torch
from torch import Tensor, nn

from core.batchnorm.batch_statistics import batch_noise, expected_noise
from core.batchnorm.data import load
from core.batchnorm.hessian import unchanged
from core.batchnorm.training import TrainConfig, begin, descend
from core.knobs import Choice, Config, Range
from core.runs import trained
from core.store import Tensors
from core.training import Snapshot, Task

SIZES = (2, 4, 8, 16, 32, 64, 128)
MOMENTA = (1.0, 0.3, 0.1, 0.01, 0.001)
SEEDS = 3
RUNS = tuple(product(SIZES, range(SEEDS)))
CURVES = {"mean": "mean_std", "std": "std_std", "bias": "std_mean"}


@dataclass(frozen=True)
class BatchesConfig(Config):
    """Which noise is drawn, and how the networks behind the map are trained."""

    view: Annotated[str, Choice(*CURVES)] = "mean"
    learning_rate: Annotated[str, Choice("0.03", "0.1", "0.3")] = "0.1"
    seed: Annotated[int, Range(0, 9)] = 0

    @property
    def training(self) -> "EvalConfig":
        """What the map depends on."""
        return EvalConfig(self.learning_rate, self.seed)


@dataclass(frozen=True)
class EvalConfig(Config):
    """The trainings behind a map."""

    learning_rate: Annotated[str, Choice("0.03", "0.1", "0.3")] = "0.1"
    seed: Annotated[int, Range(0, 9)] = 0


@dataclass(frozen=True)
class Batches:
    """Over the batch size."""

    noise: pd.DataFrame  # size, curve, value: "law" and "sample"
    accuracy: pd.DataFrame  # momentum, size, accuracy: on the test set, eval mode, mean of 3 seeds
    own: pd.DataFrame  # size, curve, accuracy: with the test batch's statistics, and momentum 0.1
    broken: float  # least accuracy on the map
    best: float


def batches(config: BatchesConfig) -> Batches:
    """The noise of the statistics, and the map of eval accuracies."""
    evaluated, own = accuracies(config.training)
    rows = [
        (f"{m:g}", size, float(evaluated[i, j]))
        for i, size in enumerate(SIZES)
        for j, m in enumerate(MOMENTA)
    ]
    lines = {"train": own, "eval": evaluated[:, MOMENTA.index(0.1)]}
    parts = [
        pd.DataFrame({"size": SIZES, "curve": name, "accuracy": values.numpy()})
        for name, values in lines.items()
    ]
    return Batches(
        noise=_noise(config),
        accuracy=pd.DataFrame(rows, columns=["momentum", "size", "accuracy"]),
        own=pd.concat(parts, ignore_index=True),
        broken=float(evaluated.min()),
        best=float(evaluated.max()),
    )


def accuracies(config: EvalConfig) -> tuple[Tensor, Tensor]:
    """Mean over seeds: in eval mode [sizes, momenta], with the test batch's statistics [sizes]."""
    kept = trained(EVAL, config).tensors
    shape = (len(SIZES), SEEDS)
    evaluated = kept["eval"].double().reshape(*shape, len(MOMENTA)).mean(1)
    return evaluated, kept["own"].double().reshape(shape).mean(1)


def train_sizes(config: EvalConfig, state: Tensors | None = None) -> Iterator[Snapshot]:
    """One training after the other; test accuracies are what is kept."""
    evaluated = state["eval"].tolist() if state else []
    own = state["own"].tolist() if state else []
    for size, seed in RUNS[len(own) :]:
        settings = TrainConfig(
            lr=float(config.learning_rate), batch_size=size, momentum=1.0,
            seed=SEEDS * config.seed + seed,
        )  # fmt: skip
        by_momentum, with_own = _one(settings)
        evaluated.append(by_momentum)
        own.append(with_own)
        keep = partial(_kept, tuple(evaluated), tuple(own))
        yield Snapshot(len(own), len(RUNS), {"accuracy": with_own}, keep, keep)


EVAL = Task("batchnorm.batches", 1, EvalConfig, lambda config: load("digits").digest, train_sizes)


def _kept(evaluated: tuple[list[float], ...], own: tuple[float, ...]) -> Tensors:
    return {"eval": torch.tensor(list(evaluated)), "own": torch.tensor(own)}


def _one(config: TrainConfig) -> tuple[list[float], float]:
    """Test accuracies in eval mode for every momentum, and with the test batch's statistics.

    With momentum 1 the model's own running statistics are the last batch's.
    """
    generator, model, optimizer = begin(config)
    buffers = dict(model.named_buffers())
    running = {m: {name: b.clone() for name, b in buffers.items()} for m in MOMENTA}
    for _ in range(config.steps):
        descend(model, optimizer, config, generator)
        for momentum, followed in running.items():
            for name, value in followed.items():
                value.lerp_(buffers[name], momentum)
    with_own = _accuracy(model, train=True)
    found = []
    for followed in running.values():
        for name, value in followed.items():
            buffers[name].copy_(value)
        found.append(_accuracy(model, train=False))
    return found, with_own


@torch.no_grad()
def _accuracy(model: nn.Module, *, train: bool) -> float:
    split = load("digits", "test")
    with unchanged(model):
        model.train(train)
        return float((model(split.x).argmax(1) == split.y).double().mean())


def _noise(config: BatchesConfig) -> pd.DataFrame:
    """Drawn points beside the law."""
    field = CURVES[config.view]
    rows = []
    for size in SIZES:
        rows.append((size, "law", getattr(expected_noise(size), field)))
        rows.append((size, "sample", getattr(batch_noise(size, config.seed), field)))
    return pd.DataFrame(rows, columns=["size", "curve", "value"])
