"""Does it train? The same deep, narrow net from each start, on handwritten digits.

All hidden layers are 64 x 64, so that the post's 1/m, LeCun's 1/n and Xavier's 2/(m+n) are the
same start; what differs is the factor, exact orthogonality, the activation and normalization.

Source: https://kexue.fm/archives/7180, the last section. Data: scikit-learn's 8 x 8 digits.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from core import datasets
from core.initialization.activations import Function, function, gain
from core.initialization.schemes import sample_weight
from core.knobs import Choice, Config, Range
from core.numerics import Diverged
from core.store import Tensors
from core.training import Snapshot, Task, stepwise

WIDTH = 64
CLASSES = 10
STARTS = ("post", "orthogonal", "he", "tuned")
TRAINED = ("relu", "tanh", "gelu", "silu", "selu", "sigmoid")
EVERY = 5  # steps between two snapshots


@dataclass(frozen=True)
class TrainConfig(Config):
    """A start, a net and the length of its training."""

    scheme: Annotated[str, Choice(*STARTS)] = "he"  # "tuned": the activation's own gain
    activation: Annotated[str, Choice(*TRAINED)] = "relu"
    multiple: Annotated[float, Range(0.5, 2.0, 0.05)] = 1.0  # of every hidden weight
    depth: Annotated[int, Range(1, 100)] = 50
    layer_norm: bool = False
    steps: Annotated[int, Range(5, 2000, 5)] = 300
    lr: Annotated[float, Range(1e-4, 1.0)] = 0.01
    batch_size: Annotated[int, Range(8, 512)] = 64
    seed: Annotated[int, Range(0, 99)] = 0


@lru_cache
def digits() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Train x [1437, 64], train y, test x [360, 64], test y; pixels have mean 0 and variance 1."""
    train, test = (datasets.load("digits", split) for split in ("train", "test"))
    pixels = train.images.flatten(1)
    middle, scale = pixels.mean(), pixels.std()
    inputs = [(part.images.flatten(1) - middle) / scale for part in (train, test)]
    return inputs[0], train.labels, inputs[1], test.labels


def initial_weights(config: TrainConfig, generator: torch.Generator) -> Tensors:
    """`depth` square layers from the chosen start, and a read-out of variance 1/n."""
    tuned = config.scheme == "tuned"
    factor = config.multiple * (gain(config.activation) if tuned else 1.0)
    scheme = "lecun" if tuned else config.scheme
    hidden = [
        sample_weight(WIDTH, WIDTH, scheme, gain=factor, generator=generator)
        for _ in range(config.depth)
    ]
    last = sample_weight(CLASSES, WIDTH, "lecun", generator=generator)
    return {f"weight{layer}": weight for layer, weight in enumerate([*hidden, last])}


def forward(
    weights: Tensors, x: Float[Tensor, "n 64"], phi: Function, layer_norm: bool
) -> Float[Tensor, "n 10"]:
    """Logits: every hidden layer is W, then phi, then layer normalization if asked."""
    *hidden, last = (weights[f"weight{layer}"] for layer in range(len(weights)))
    for weight in hidden:
        x = phi(x @ weight.T)
        x = F.layer_norm(x, (WIDTH,)) if layer_norm else x
    return x @ last.T


def train(config: TrainConfig, state: Tensors | None = None) -> Iterator[Snapshot]:
    """Plain gradient descent on cross-entropy, a snapshot every five steps.

    All randomness is from the config's seed. The weights that are kept are rounded to float16.
    Raises Diverged if the loss is not finite.
    """
    generator = torch.Generator().manual_seed(config.seed)
    weights = initial_weights(config, generator)
    optimizer = torch.optim.SGD([w.requires_grad_() for w in weights.values()], lr=config.lr)
    yield from stepwise(
        lambda at: _step(config, weights, optimizer, generator),
        lambda losses: {"loss": sum(losses) / EVERY, "test_accuracy": accuracy(weights, config)},
        weights,
        optimizer,
        generator,
        total=config.steps,
        every=EVERY,
        state=state,
    )


def accuracy(weights: Tensors, config: TrainConfig) -> float:
    """The share of test images that the network gets right."""
    *_, x, y = digits()
    with torch.no_grad():
        logits = forward(weights, x, function(config.activation), config.layer_norm)
    return float((logits.argmax(dim=1) == y).double().mean())


def _step(
    config: TrainConfig,
    weights: Tensors,
    optimizer: torch.optim.Optimizer,
    generator: torch.Generator,
) -> float:
    x, y, *_ = digits()
    batch = torch.randint(len(x), (config.batch_size,), generator=generator)
    logits = forward(weights, x[batch], function(config.activation), config.layer_norm)
    loss = F.cross_entropy(logits, y[batch])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def final_accuracy(config: TrainConfig) -> tuple[float, float]:
    """Loss and test accuracy at the end of a training; NaN and 0 if it diverged."""
    try:
        *_, last = train(config)
    except Diverged:
        return math.nan, 0.0
    return last.metrics["loss"], last.metrics["test_accuracy"]


TRAINING = Task(
    "initialization.network",
    1,
    TrainConfig,
    lambda config: datasets.load("digits", "train").digest,
    train,
)
