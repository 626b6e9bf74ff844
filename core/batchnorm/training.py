"""A network trained by plain descent, and what its landscape is like on the way.

Source: https://kexue.fm/archives/6992, section 2; Santurkar et al. 2018 (arXiv:1805.11604) for the
landscape; Cohen et al. 2021 (arXiv:2103.00065) for curvature against 2/rate.
"""

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from core.batchnorm.data import DATA, load
from core.batchnorm.hessian import top_eigenvalues, unchanged
from core.batchnorm.networks import ACTIVATIONS, PLACEMENTS, STARTS, cnn, mlp
from core.batchnorm.norms import NORMS, Normalization
from core.batchnorm.probes import landscape_along_gradient
from core.knobs import Choice, Config, Range
from core.numerics import Diverged
from core.store import Tensors
from core.training import Snapshot, Task, pack, restore

SNAPSHOTS = 40
WATCHED = 256  # rows on which the landscape is measured, the same ones all the time
LIMIT = 1e4  # a loss above it has left for good
MOST = 1e6  # of what is written down; what lies above is drawn there
RATES = (0.05, 0.1, 0.2, 0.4)  # of the steps along the gradient
LANCZOS = 25  # steps at most; the curve needs no more than a percent
HIDDEN = (48, 48, 48, 48)
CHANNELS = (8, 16, 32)


@dataclass(frozen=True)
class TrainConfig(Config):
    """A network, its data, and how it is trained."""

    data: Annotated[str, Choice(*DATA)] = "digits"
    net: Annotated[str, Choice("mlp", "cnn")] = "mlp"
    norm: Annotated[str, Choice(*NORMS)] = "batch"
    placement: Annotated[str, Choice(*PLACEMENTS)] = "after"
    activation: Annotated[str, Choice(*ACTIVATIONS)] = "relu"
    start: Annotated[str, Choice(*STARTS)] = "torch"
    standardized: bool = False  # the inputs, before the network
    affine: bool = True
    lr: Annotated[float, Range(0.001, 10.0, 0.001)] = 0.3
    batch_size: Annotated[int, Range(1, 4000)] = 64  # the whole data, where there is no more
    steps: Annotated[int, Range(40, 4000, 40)] = 400
    momentum: Annotated[float, Range(0.0001, 1.0)] = 0.1
    noise: Annotated[float, Range(0.0, 1.0, 0.05)] = 0.0
    seed: Annotated[int, Range(0, 99)] = 0


def build(config: TrainConfig, generator: Generator) -> nn.Sequential:
    """The network with its initial weights. Raises ValueError where the norm does not fit it."""
    split = load(config.data)
    options: dict[str, Any] = {
        "start": config.start, "affine": config.affine, "momentum": config.momentum,
        "noise": config.noise, "generator": generator,
    }  # fmt: skip
    kind = (config.activation, config.norm, config.placement)
    if config.net == "cnn":
        if not split.side:
            raise ValueError("net is 'cnn', but the synthetic data are no images")
        net = cnn(CHANNELS, split.side, split.classes, *kind, **options)
        return nn.Sequential(nn.Unflatten(1, (1, split.side, split.side)), *net)
    return mlp((split.x.shape[1], *HIDDEN, split.classes), *kind, **options)


def begin(config: TrainConfig) -> tuple[Generator, nn.Sequential, torch.optim.SGD]:
    """What a training starts with: all its randomness, the network, plain descent."""
    generator = Generator().manual_seed(config.seed)
    model = build(config, generator)
    return generator, model, torch.optim.SGD(model.parameters(), lr=config.lr)


def train(config: TrainConfig, state: Tensors | None = None) -> Iterator[Snapshot]:
    """Stochastic gradient descent on cross-entropy, forty snapshots.

    A loss above LIMIT ends it: the last snapshot says in which step, and keeps the curve finite.
    """
    generator, model, optimizer = begin(config)
    weights = model.state_dict()
    done = restore(state, weights, optimizer, generator) if state else 0
    every = config.steps // SNAPSHOTS
    metrics = _start_of(model, config)
    for at in range(done, config.steps, every):
        try:
            metrics = _some_steps(model, optimizer, config, generator, at, every)
        except _Left as left:
            metrics = {**metrics, "diverged": float(left.step), "reached": min(left.loss, MOST)}
        gone = metrics["diverged"] > 0
        yield Snapshot(
            done=config.steps if gone else at + every,
            total=config.steps,
            metrics=metrics,
            weights=lambda: {name: value.detach().half() for name, value in weights.items()},
            state=partial(pack, weights, optimizer, generator, at + every),
        )
        if gone:
            return


class _Left(Exception):
    """The loss is above LIMIT, or no number any more."""

    def __init__(self, step: int, loss: float) -> None:
        super().__init__(step, loss)
        self.step, self.loss = step, loss if math.isfinite(loss) else math.inf


def descend(
    model: nn.Module, optimizer: torch.optim.Optimizer, config: TrainConfig, generator: Generator
) -> float:
    """One step on one batch; its loss before the step."""
    split = load(config.data, "train", config.standardized)
    x, y = split.x, split.y
    if config.batch_size < len(x):
        chosen = torch.randint(len(x), (config.batch_size,), generator=generator)
        x, y = x[chosen], y[chosen]
    loss = F.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def finished(config: TrainConfig) -> tuple[nn.Sequential, bool]:
    """The network after a training that nobody watches, and whether its loss stayed below LIMIT."""
    generator, model, optimizer = begin(config)
    for _ in range(config.steps):
        if not descend(model, optimizer, config, generator) < LIMIT:
            return model, False
    return model, True


def final_accuracy(config: TrainConfig) -> float:
    """Test accuracy after a training; that of chance or so if it diverged."""
    return accuracy(finished(config)[0], config)


def watched(config: TrainConfig) -> tuple[Tensor, Tensor]:
    """The rows on which the landscape is measured."""
    split = load(config.data, "train", config.standardized)
    return split.x[:WATCHED], split.y[:WATCHED]


@torch.no_grad()
def accuracy(model: nn.Module, config: TrainConfig) -> float:
    """Share of test rows that the network gets right, in eval mode."""
    split = load(config.data, "test", config.standardized)
    with unchanged(model):
        model.eval()
        return float((model(split.x).argmax(1) == split.y).double().mean())


def sharpness(
    model: nn.Module, config: TrainConfig, *, tolerance: float = 1e-2, iterations: int | None = None
) -> float:
    """Largest eigenvalue of the loss's Hessian on the watched rows, in training mode."""
    x, y = watched(config)
    with quiet(model):
        found = top_eigenvalues(
            lambda: F.cross_entropy(model(x), y), model.parameters(), model=model,
            tolerance=tolerance, iterations=iterations, generator=Generator().manual_seed(0),
        )  # fmt: skip
    return float(found[0])


@contextlib.contextmanager
def quiet(model: nn.Module) -> Iterator[None]:
    """Without injected noise, since a landscape that changes with every look has no curvature.

    Nor do running statistics follow what is only looked at.
    """
    norms = [part for part in model.modules() if isinstance(part, Normalization)]
    kept = [(part.noise, part.momentum) for part in norms]
    for part in norms:
        part.noise = part.momentum = 0.0
    try:
        yield
    finally:
        for part, (noise, momentum) in zip(norms, kept, strict=True):
            part.noise, part.momentum = noise, momentum


def _some_steps(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    config: TrainConfig,
    generator: Generator,
    at: int,
    every: int,
) -> dict[str, float]:
    """Steps, the last of them watched."""
    losses = []
    for step in range(at + 1, at + every + 1):
        last = step == at + every
        before = _maps(model), _moments(model, config) if last else []
        losses.append(descend(model, optimizer, config, generator))
        if not losses[-1] < LIMIT:
            raise _Left(step, losses[-1])
    try:
        return {
            "loss": sum(losses) / every,
            "accuracy": accuracy(model, config),
            **_landscape(model, config),
            "shift": _shift(before[1], _moments(model, config)),
            **_updates(before[0], _maps(model)),
            "diverged": 0.0,
            "reached": 0.0,
        }
    except Diverged:
        raise _Left(at + every, math.inf) from None


def _start_of(model: nn.Module, config: TrainConfig) -> dict[str, float]:
    """What can be said before the first step."""
    count = len(_maps(model))
    try:
        landscape = _landscape(model, config)
    except Diverged:
        landscape = dict.fromkeys(("sharpness", "lowest", "highest", "distance", "smoothness"), 0.0)
    x, y = watched(config)
    with torch.no_grad(), unchanged(model), quiet(model):
        loss = min(F.cross_entropy(model(x), y).nan_to_num(MOST).item(), MOST)
    return {
        "loss": loss, "accuracy": accuracy(model, config), **landscape, "shift": 0.0,
        **{f"update_{k + 1}": 0.0 for k in range(count)}, "diverged": 0.0, "reached": 0.0,
    }  # fmt: skip


def _landscape(model: nn.Module, config: TrainConfig) -> dict[str, float]:
    """Sharpness, and the three measures along the gradient."""
    with quiet(model):
        table = landscape_along_gradient(model, F.cross_entropy, watched(config), RATES)
    table = table.fillna(MOST).clip(upper=MOST)
    return {
        "sharpness": min(sharpness(model, config, iterations=LANCZOS), MOST),
        "lowest": float(table["loss"].min()),
        "highest": float(table["loss"].max()),
        "distance": float(table["gradient_distance"].max()),
        "smoothness": float(table["effective_smoothness"].max()),
    }


def _maps(model: nn.Module) -> list[Tensor]:
    """The weights of the linear maps and convolutions, copied."""
    return [
        part.weight.detach().clone()
        for part in model.modules()
        if isinstance(part, nn.Linear | nn.Conv2d)
    ]


def _updates(before: list[Tensor], after: list[Tensor]) -> dict[str, float]:
    """By how much of its length each layer's weights moved in one step."""
    moved = [float((b - a).norm() / a.norm()) for a, b in zip(before, after, strict=True)]
    return {f"update_{k + 1}": min(value, MOST) for k, value in enumerate(moved)}


@torch.no_grad()
def _moments(model: nn.Module, config: TrainConfig) -> list[tuple[Tensor, Tensor]]:
    """Mean and standard deviation of what every map but the first is fed, unit by unit."""
    found: list[tuple[Tensor, Tensor]] = []

    def look(part: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        units = inputs[0].transpose(0, 1).flatten(1)  # [c, n] or [c, n h w]
        found.append((units.mean(1), units.std(1)))

    maps = [part for part in model.modules() if isinstance(part, nn.Linear | nn.Conv2d)]
    hooks = [part.register_forward_pre_hook(look) for part in maps[1:]]
    try:
        with unchanged(model):
            model(watched(config)[0])
    finally:
        for hook in hooks:
            hook.remove()
    return found


def _shift(before: list[tuple[Tensor, Tensor]], after: list[tuple[Tensor, Tensor]]) -> float:
    """Internal covariate shift of one step: how far means and deviations of a layer's inputs moved,

    root mean square over units, in units of the deviation; mean over layers.
    """
    moved = []
    for (mean, std), (mean_now, std_now) in zip(before, after, strict=True):
        far = (mean_now - mean).square() + (std_now - std).square()
        moved.append(float((far.mean() / std.square().mean().clamp(min=1e-12)).sqrt()))
    return min(sum(moved) / len(moved), MOST) if all(map(math.isfinite, moved)) else MOST


TRAINING = Task("batchnorm.network", 1, TrainConfig, lambda config: load(config.data).digest, train)
