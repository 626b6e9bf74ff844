"""A small trained network with GELU inside: what changes when the activation is swapped.

Source: https://kexue.fm/archives/7309, eq. (1), (3), (4). Data: the 8 x 8 digits of scikit-learn.
A network is a dict of tensors "weight0" [64, 64], "bias0" [64], ...; the last layer has 10 rows.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Annotated

import pandas as pd
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from core import datasets
from core.gelu.functions import gelu, gelu_sigmoid, gelu_tanh
from core.gelu.pretrained import retrained
from core.knobs import Choice, Config, Range
from core.numerics import Diverged
from core.runs import trained
from core.store import Tensors
from core.training import Snapshot, Task, pack, restore

WIDTH = 64
CLASSES = 10
SWAPS: dict[str, Callable[[Tensor], Tensor]] = {
    "exact": gelu,
    "tanh": gelu_tanh,
    "sigmoid": gelu_sigmoid,
    "silu": F.silu,
    "relu": F.relu,
}
QUANTILES = (0.5, 0.9, 0.99, 1.0)
BINS = 40


@dataclass(frozen=True)
class TrainConfig(Config):
    """The activation, the depth and the length of a training run."""

    activation: Annotated[str, Choice(*SWAPS)] = "exact"
    depth: Annotated[int, Range(1, 16)] = 4
    epochs: Annotated[int, Range(1, 200)] = 40
    lr: Annotated[float, Range(1e-4, 1e-2)] = 1e-3
    batch_size: Annotated[int, Range(8, 512)] = 64
    seed: Annotated[int, Range(0, 99)] = 0


@dataclass(frozen=True)
class NetworkConfig(Config):
    """What replaces GELU in a trained network, and which network."""

    activation: Annotated[str, Choice("tanh", "sigmoid", "silu", "relu", "own")] = "sigmoid"
    slope: Annotated[float, Range(1.0, 2.5, 0.001)] = 1.702  # of "own": x sigma(slope x)
    depth: Annotated[str, Choice("2", "4", "8", "16")] = "4"
    seed: Annotated[int, Range(0, 9)] = 0

    @property
    def training(self) -> TrainConfig:
        """How the network is trained: with exact GELU."""
        return TrainConfig(depth=int(self.depth), seed=self.seed)


@dataclass(frozen=True)
class Drift:
    """How far the swapped network is from the exact one, on the test set."""

    by_layer: pd.DataFrame  # layer (the last one: logits), relative_drift = ||h' - h|| / ||h||
    logits: pd.DataFrame  # quantile, drift: of |logit' - logit|
    histogram: pd.DataFrame  # low, high, count: of logit' - logit
    logit_scale: float  # standard deviation of the exact logits
    flipped: float  # share of predictions that change
    accuracy_exact: float
    accuracy_swapped: float
    retrained: pd.DataFrame  # activation, seed, accuracy: depth 4, trained with that activation
    retrained_mean: pd.DataFrame  # activation, accuracy: the mean over the seeds


@dataclass(frozen=True)
class Digits:
    """Images as rows of 64 gray values in [0, 1]; every fifth image is for testing."""

    train_x: Float[Tensor, "n 64"]
    train_y: Int[Tensor, " n"]
    test_x: Float[Tensor, "m 64"]
    test_y: Int[Tensor, " m"]
    digest: str


@lru_cache
def digits() -> Digits:
    """The 1797 digits of scikit-learn, 1437 to train on and 360 to test."""
    train, test = (datasets.load("digits", split) for split in ("train", "test"))
    return Digits(
        train.images.flatten(1), train.labels, test.images.flatten(1), test.labels, train.digest
    )


def initial_weights(depth: int, generator: torch.Generator) -> Tensors:
    """`depth` hidden layers and a read-out, He-initialized; biases 0."""
    weights = {}
    for layer in range(depth + 1):
        fan_out = CLASSES if layer == depth else WIDTH
        scale = math.sqrt(2 / WIDTH)
        weights[f"weight{layer}"] = scale * torch.randn(fan_out, WIDTH, generator=generator)
        weights[f"bias{layer}"] = torch.zeros(fan_out)
    return weights


def forward(
    weights: Tensors, x: Float[Tensor, "n 64"], activation: Callable[[Tensor], Tensor]
) -> list[Float[Tensor, "n width"]]:
    """The output of every hidden layer, then the logits."""
    states = []
    depth = len(weights) // 2 - 1
    for layer in range(depth):
        x = activation(F.linear(x, weights[f"weight{layer}"], weights[f"bias{layer}"]))
        states.append(x)
    return [*states, F.linear(x, weights[f"weight{depth}"], weights[f"bias{depth}"])]


def accuracy(weights: Tensors, activation: Callable[[Tensor], Tensor]) -> float:
    """The share of test images that the network gets right."""
    data = digits()
    with torch.no_grad():
        logits = forward(weights, data.test_x, activation)[-1]
    return float((logits.argmax(dim=1) == data.test_y).double().mean())


def train(config: TrainConfig, state: Tensors | None = None) -> Iterator[Snapshot]:
    """Adam on cross-entropy, one snapshot an epoch; all randomness from the config's seed.

    Raises Diverged if the loss is not finite.
    """
    generator = torch.Generator().manual_seed(config.seed)
    weights = initial_weights(config.depth, generator)
    parameters = [weight.requires_grad_() for weight in weights.values()]
    optimizer = torch.optim.Adam(parameters, lr=config.lr)
    done = restore(state, weights, optimizer, generator) if state else 0
    activation = SWAPS[config.activation]
    for epoch in range(done + 1, config.epochs + 1):
        loss = _epoch(weights, activation, optimizer, config.batch_size, generator)
        if not math.isfinite(loss):
            raise Diverged(f"the loss is {loss} in epoch {epoch}")
        yield Snapshot(
            done=epoch,
            total=config.epochs,
            metrics={"loss": loss, "test_accuracy": accuracy(weights, activation)},
            weights=lambda: {name: weight.detach().clone() for name, weight in weights.items()},
            state=partial(pack, weights, optimizer, generator, epoch),
        )


NETWORK = Task("gelu.network", 1, TrainConfig, lambda config: digits().digest, train)
TASKS = {"network": NETWORK}


def drift(config: NetworkConfig) -> Drift:
    """The trained network with its activation swapped, against itself.

    Depths 2, 4, 8 with seeds 0 to 2 ship; any other network is trained first, if it never was.
    """
    weights = trained(NETWORK, config.training).tensors
    data, other = digits(), _swap(config)
    exact, swapped = (forward(weights, data.test_x, f) for f in (gelu, other))
    gap = (swapped[-1] - exact[-1]).flatten()
    return Drift(
        by_layer=_by_layer(exact, swapped),
        logits=_quantiles(gap.abs()),
        histogram=_histogram(gap),
        logit_scale=float(exact[-1].std()),
        flipped=float((exact[-1].argmax(1) != swapped[-1].argmax(1)).double().mean()),
        accuracy_exact=accuracy(weights, gelu),
        accuracy_swapped=accuracy(weights, other),
        retrained=retrained(),
        retrained_mean=retrained()
        .groupby("activation", sort=False)[["accuracy"]]
        .mean()
        .reset_index(),
    )


def _swap(config: NetworkConfig) -> Callable[[Tensor], Tensor]:
    own = partial(gelu_sigmoid, slope=config.slope)
    return own if config.activation == "own" else SWAPS[config.activation]


def _epoch(
    weights: Tensors,
    activation: Callable[[Tensor], Tensor],
    optimizer: torch.optim.Optimizer,
    batch_size: int,
    generator: torch.Generator,
) -> float:
    data, losses = digits(), []
    for batch in torch.randperm(len(data.train_x), generator=generator).split(batch_size):
        logits = forward(weights, data.train_x[batch], activation)[-1]
        loss = F.cross_entropy(logits, data.train_y[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return sum(losses) / len(losses)


def _by_layer(exact: list[Tensor], swapped: list[Tensor]) -> pd.DataFrame:
    drifts = [
        float((new - old).norm() / old.norm()) for old, new in zip(exact, swapped, strict=True)
    ]
    return pd.DataFrame({"layer": range(1, len(drifts) + 1), "relative_drift": drifts})


def _quantiles(gap: Tensor) -> pd.DataFrame:
    values = torch.quantile(gap, torch.tensor(QUANTILES)).tolist()
    return pd.DataFrame({"quantile": QUANTILES, "drift": values})


def _histogram(gap: Tensor) -> pd.DataFrame:
    counts, edges = torch.histogram(gap, BINS)
    low, high = edges[:-1].tolist(), edges[1:].tolist()
    return pd.DataFrame({"low": low, "high": high, "count": counts.int().tolist()})
