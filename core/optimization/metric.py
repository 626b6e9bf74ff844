"""Train for a metric that has no gradient: eight methods, equal budgets, two kinds of start.

Every method hands a vector to the same Adam; a pass is one forward of a batch (a backward is two).
`python scripts/train_optimization_metrics.py` makes what ships.

Sources: https://kexue.fm/archives/7521, eq. (14)-(19); Welleck & Cho 2020 (arXiv:2006.03158).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

import numpy as np
import pandas as pd
import torch
from torch import Generator, Tensor

from core import datasets
from core.knobs import Choice, Config, Range
from core.optimization.outputs import MODELS, Batch, Model
from core.optimization.steps import METHODS
from core.runs import trained
from core.store import Tensors
from core.training import Snapshot, Task

SEEDS = 3
POINTS = 16  # of a curve
PRETRAINING = {
    "accuracy": 30,
    "f1": 30,
    "faint": 300,
    "edit": 250,
}  # steps of cross-entropy, not counted
PRETRAINING_RATE = 0.01
STARTS = ("random", "pretrained")
RUNS = tuple((name, seed) for name in METHODS for seed in range(SEEDS))


@dataclass(frozen=True)
class MetricConfig(Config):
    """What is measured, where training starts, and how many passes a run may take."""

    metric: Annotated[str, Choice(*MODELS)] = "faint"
    start: Annotated[str, Choice(*STARTS)] = "random"
    alpha: Annotated[str, Choice("0.001", "0.01", "0.1", "1")] = "0.01"  # of both kinds of MGS
    passes: Annotated[int, Range(600, 6000, 300)] = 3000
    seed: Annotated[int, Range(0, 9)] = 0


@dataclass(frozen=True)
class Metric:
    """Means over three seeds."""

    curves: pd.DataFrame  # passes, curve (a method), value: the true loss on held-out examples,
    # low and high over the seeds
    along: pd.DataFrame  # passes, curve ("likelihood", "metric"), value, low, high: of the runs of
    # cross-entropy, both losses over their start
    mismatch: pd.DataFrame  # entropy, curve, value: its path over the surrogate's loss
    table: pd.DataFrame  # method, final, low, high (over the seeds), entropy, steps, passes_a_step
    disagreements: float  # share of stretches where cross-entropy and metric move apart; CE's runs
    best: str


def start(model: Model, config: MetricConfig, generator: Generator) -> Tensor:
    """Parameters [p], after some steps of cross-entropy if they are to be pre-trained."""
    theta = model.initial(generator)
    if config.start == "pretrained":
        advance = _stepper(model, theta, "cross-entropy", config, generator, PRETRAINING_RATE)
        for _ in range(PRETRAINING[config.metric]):
            advance()
    return theta.detach()


def one_run(config: MetricConfig, name: str, seed: int) -> np.ndarray:
    """[points, 3]: passes, cross-entropy and true loss on held-out examples."""
    model = MODELS[config.metric]
    test = model.test()
    return np.array([
        (passes, *held_out(model, theta, test)) for passes, theta in stops(config, name, seed)
    ])  # fmt: skip


def stops(config: MetricConfig, name: str, seed: int) -> Iterator[tuple[int, Tensor]]:
    """A run's parameters [p] at every point of its curve, changed in place, and its passes."""
    model, generator = MODELS[config.metric], torch.Generator()
    generator.manual_seed(1000 * config.seed + seed)
    theta = start(model, config, generator)
    advance = _stepper(model, theta, name, config, generator, METHODS[name].rate)
    cost, done = METHODS[name].passes(model), 0
    for stop in np.unique(np.linspace(0, config.passes // cost, POINTS).round().astype(int)):
        for _ in range(stop - done):
            advance()
        done = int(stop)
        yield done * cost, theta


@torch.no_grad()
def held_out(model: Model, theta: Tensor, test: Batch) -> tuple[float, float]:
    """Cross-entropy in nats and the true loss, on examples that no training sees."""
    entropy = float(model.cross_entropy(theta, test))
    return entropy, float(model.metric_loss(theta[None], test)[0])


def train(config: MetricConfig, state: Tensors | None = None) -> Iterator[Snapshot]:
    """One run after the other; what is kept is their curves [runs, points, 3]."""
    curves = list(state["curves"].numpy()) if state else []
    for name, seed in RUNS[len(curves) :]:
        curves.append(one_run(config, name, seed))
        kept = {"curves": torch.tensor(np.stack(curves), dtype=torch.float32)}
        yield Snapshot(
            done=len(curves),
            total=len(RUNS),
            metrics={"true_loss": float(curves[-1][-1, 2])},
            weights=lambda kept=kept: kept,  # type: ignore[misc]
            state=lambda kept=kept: kept,  # type: ignore[misc]
        )


def metric(config: MetricConfig) -> Metric:
    """The curves of a setting; it is trained first, if it never was."""
    return compared(runs_of(config), MODELS[config.metric])


def shipped_metric(config: MetricConfig) -> Metric:
    """What ships of the same metric and start, while a setting is not trained."""
    return _shipped(config.metric, config.start)


@lru_cache
def _shipped(name: str, start: str) -> Metric:
    return metric(MetricConfig(name, start))


def runs_of(config: MetricConfig) -> dict[str, np.ndarray]:
    """Of each method [seeds, points, 3]: passes, cross-entropy, true loss."""
    curves = trained(TRAINING, config).tensors["curves"].double().numpy()
    return {name: curves[[at for at, run in enumerate(RUNS) if run[0] == name]] for name in METHODS}


def compared(runs: dict[str, np.ndarray], model: Model) -> Metric:
    """Means over the seeds, and who won."""
    means = {name: found.mean(0) for name, found in runs.items()}
    cost = {name: METHODS[name].passes(model) for name in runs}
    rows = [
        {
            "method": name, "final": means[name][-1, 2], "low": found[:, -1, 2].min(),
            "high": found[:, -1, 2].max(), "entropy": means[name][-1, 1],
            "steps": found[0, -1, 0] / cost[name], "passes_a_step": cost[name],
        }
        for name, found in runs.items()
    ]  # fmt: skip
    table = pd.DataFrame(rows)
    return Metric(
        curves=_long(runs, "passes", 0),
        along=_along(runs["cross-entropy"]),
        mismatch=_long(runs, "entropy", 1),
        table=table,
        disagreements=disagreements(runs["cross-entropy"]),
        best=str(table["method"][int(table["final"].argmin())]),
    )


def disagreements(curves: np.ndarray) -> float:
    """The share of stretches between two points in which one loss falls while the other rises."""
    entropy, loss = np.diff(curves[..., 1], axis=1), np.diff(curves[..., 2], axis=1)
    return float((entropy * loss < 0).mean())


def cost_of_choice(config: MetricConfig, seed: int) -> float:
    """The true loss lost by stopping a run of cross-entropy where that is least, not the metric.

    The stop is chosen on one half of the held-out examples and judged on the other, then the other
    way round: who chooses by luck gains nothing, so the number may be negative.
    """
    model = MODELS[config.metric]
    test = model.test()  # the copies of a noisy image fall into the same half
    halves = [Batch(test.x[half::2], test.y[half::2]) for half in (0, 1)]
    found = np.array([
        [held_out(model, theta, half) for half in halves]
        for _, theta in stops(config, "cross-entropy", seed)
    ])  # fmt: skip
    return regret(found[:, 0], found[:, 1]) / 2 + regret(found[:, 1], found[:, 0]) / 2


def regret(chosen_on: np.ndarray, judged_on: np.ndarray) -> float:
    """True loss of the stop that cross-entropy chooses minus that of the metric's choice.

    Both arrays are [points, 2]: cross-entropy, true loss.
    """
    by_entropy, by_loss = chosen_on.argmin(0)
    return float(judged_on[by_entropy, 1] - judged_on[by_loss, 1])


def _along(curves: np.ndarray) -> pd.DataFrame:
    """Both losses of each run divided by what it starts with, mean and extremes over the seeds."""
    shares = curves[..., 1:] / curves[:, :1, 1:]
    tables = [
        pd.DataFrame({
            "passes": curves[0, :, 0], "curve": name, "value": shares[..., column].mean(0),
            "low": shares[..., column].min(0), "high": shares[..., column].max(0),
        })
        for column, name in enumerate(("likelihood", "metric"))
    ]  # fmt: skip
    return pd.concat(tables, ignore_index=True)


def _long(runs: dict[str, np.ndarray], across: str, column: int) -> pd.DataFrame:
    """The true loss over another column: its mean over the seeds, and the seeds' extremes."""
    tables = [
        pd.DataFrame(
            {
                across: found[..., column].mean(0), "curve": name, "value": found[..., 2].mean(0),
                "low": found[..., 2].min(0), "high": found[..., 2].max(0),
            }
        )
        for name, found in runs.items()
    ]  # fmt: skip
    return pd.concat(tables, ignore_index=True)


def _stepper(
    model: Model, theta: Tensor, name: str, config: MetricConfig, generator: Generator, rate: float
) -> Callable[[], None]:
    """One step of a method with Adam, in place."""
    optimizer = torch.optim.Adam([theta], lr=rate)

    def advance() -> None:
        data = model.batch(generator)
        step = METHODS[name].step(model, theta.detach(), data, float(config.alpha), generator)
        theta.grad = step.to(theta.dtype)
        optimizer.step()

    return advance


def _digest(config: MetricConfig) -> str:
    return "generated" if config.metric == "edit" else datasets.load("digits", "train").digest


TRAINING = Task("optimization.metric", 2, MetricConfig, _digest, train)
TASKS = {"metric": TRAINING}
SHIPPED = tuple(MetricConfig(metric=name, start=kind) for name in MODELS for kind in STARTS)
