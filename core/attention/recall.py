"""Can it be learned? One attention layer that reads pairs, or copies, trained from nothing.

A sequence is n pairs of a key and one of 32 values; every key is asked for, once. To recall, the
keys are drawn anew for each sequence from a vocabulary of 256; to copy, they are the places 1 to n.
Key and value enter as one token, so that a single layer suffices and nothing but its attention
decides: embeddings, q, k, v of width d, the attention, a read-out. Random guessing gets 1/32.

Sources: https://kexue.fm/archives/7546, eq. (2), (3), (5), (8); the task is the associative recall
of Arora et al. 2023 (arXiv:2312.04927) with its pairs already bound.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from core.attention.features import favor, random_directions
from core.attention.linear import linear_attention
from core.attention.lowrank import efficient_attention, linformer_attention
from core.attention.memory import write_delta, write_sum
from core.attention.softmax import softmax_attention
from core.knobs import Choice, Config, Range
from core.store import Tensors
from core.training import Snapshot, Task, stepwise

VOCABULARY, VALUES, WIDTH = 256, 32, 64
EVERY = 25  # steps between two snapshots
ENOUGH = 0.9  # of the pairs recalled: so many count as held
TESTED = 256  # sequences that the accuracy is measured on
KERNELS = ("elu", "relu", "exp", "cosine", "taylor2", "favor", "identity")
ATTENTIONS = ("softmax", *KERNELS, "identity-rms", "decay", "delta", "efficient", "linformer")
TASK_NAMES = ("recall", "copy")
GATES = {"decay": 3.0, "delta": 0.0}  # logits of what decay and delta rule learn: 0.95, 0.5


@dataclass(frozen=True)
class RecallConfig(Config):
    """A task, a layer and the length of its training."""

    attention: Annotated[str, Choice(*ATTENTIONS)] = "elu"
    task: Annotated[str, Choice(*TASK_NAMES)] = "recall"
    pairs: Annotated[int, Range(2, 128)] = 32
    dim: Annotated[int, Range(2, 64)] = 16  # width of q, k, v
    projections: Annotated[int, Range(1, 128)] = 16  # m of "linformer"
    steps: Annotated[int, Range(25, 10_000, 25)] = 500
    lr: Annotated[float, Range(1e-4, 0.1)] = 0.01
    batch_size: Annotated[int, Range(1, 256)] = 32
    seed: Annotated[int, Range(0, 99)] = 0


@dataclass(frozen=True)
class Batch:
    """Sequences of pairs: the keys are asked for in the order in which they stand."""

    keys: Int[Tensor, "b n"]
    values: Int[Tensor, "b n"]


def batch(config: RecallConfig, count: int, generator: torch.Generator) -> Batch:
    """Sequences of the config's task."""
    if config.task == "copy":
        keys = torch.arange(config.pairs).expand(count, -1)
    else:
        keys = torch.rand(count, VOCABULARY, generator=generator).argsort(1)[:, : config.pairs]
    values = torch.randint(VALUES, (count, config.pairs), generator=generator)
    return Batch(keys, values)


def initial_weights(config: RecallConfig, generator: torch.Generator) -> Tensors:
    """Embeddings from N(0, 1), maps of variance 1/fan-in, and what the attention itself learns."""
    shapes = {
        "key": (VOCABULARY, WIDTH, 1), "value": (VALUES, WIDTH, 1),
        "q": (WIDTH, config.dim, WIDTH), "k": (WIDTH, config.dim, WIDTH),
        "v": (WIDTH, config.dim, WIDTH), "out": (config.dim, VALUES, config.dim),
    }  # fmt: skip
    if config.attention == "linformer":
        projection = (config.projections, config.pairs, config.projections)
        shapes |= {"e": projection, "f": projection}
    weights = {
        name: torch.randn(rows, columns, generator=generator) / math.sqrt(fan_in)
        for name, (rows, columns, fan_in) in shapes.items()
    }
    if config.attention in GATES:
        weights["gate"] = torch.tensor(GATES[config.attention])
    if config.attention == "favor":
        weights["directions"] = random_directions(config.dim, 4 * config.dim, generator).float()
    return weights


def forward(weights: Tensors, data: Batch, config: RecallConfig) -> Float[Tensor, "b n values"]:
    """Logits of the value of every key, in the order of the keys."""
    asked = weights["key"][data.keys]
    token = asked + weights["value"][data.values]
    q, k, v = asked @ weights["q"], token @ weights["k"], token @ weights["v"]
    return READ[config.attention](q, k, v, weights, config) @ weights["out"]


def accuracy(weights: Tensors, config: RecallConfig) -> float:
    """The share of values that are read right, over sequences that no training has seen."""
    generator = torch.Generator().manual_seed(config.seed + 1_000_000)
    data = batch(config, TESTED, generator)
    with torch.no_grad():
        logits = forward(weights, data, config)
    return float((logits.argmax(dim=-1) == data.values).double().mean())


def train(config: RecallConfig, state: Tensors | None = None) -> Iterator[Snapshot]:
    """Adam on cross-entropy, its rate falling to 0 as a cosine; a snapshot every 25 steps.

    All randomness is from the config's seed. Raises Diverged if the loss is not finite.
    """
    generator = torch.Generator().manual_seed(config.seed)
    weights = initial_weights(config, generator)
    learned = [w.requires_grad_() for name, w in weights.items() if name != "directions"]
    optimizer = torch.optim.Adam(learned, lr=config.lr)
    yield from stepwise(
        lambda at: _step(config, weights, optimizer, generator, at),
        lambda losses: {"accuracy": accuracy(weights, config), "loss": sum(losses) / EVERY},
        weights,
        optimizer,
        generator,
        total=config.steps,
        every=EVERY,
        state=state,
    )


def _step(
    config: RecallConfig,
    weights: Tensors,
    optimizer: torch.optim.Optimizer,
    generator: torch.Generator,
    at: int,
) -> float:
    for group in optimizer.param_groups:
        group["lr"] = config.lr * (1 + math.cos(math.pi * at / config.steps)) / 2
    data = batch(config, config.batch_size, generator)
    logits = forward(weights, data, config)
    loss = F.cross_entropy(logits.flatten(0, 1), data.values.flatten())
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_([w for w in weights.values() if w.requires_grad], 1.0)
    optimizer.step()
    return loss.item()


# ---- how each attention reads the pairs: q, k, v [b, n, d], weights, config -> [b, n, d]

Read = Callable[[Tensor, Tensor, Tensor, Tensors, RecallConfig], Tensor]


def _softmax(q: Tensor, k: Tensor, v: Tensor, weights: Tensors, config: RecallConfig) -> Tensor:
    return softmax_attention(q, k, v, scale=config.dim**-0.5)


def _kernel(q: Tensor, k: Tensor, v: Tensor, weights: Tensors, config: RecallConfig) -> Tensor:
    return linear_attention(q, k, v, feature_map=config.attention)


def _favor(q: Tensor, k: Tensor, v: Tensor, weights: Tensors, config: RecallConfig) -> Tensor:
    return linear_attention(q, k, v, feature_map=favor(weights["directions"]).key)


def _identity(q: Tensor, k: Tensor, v: Tensor, weights: Tensors, config: RecallConfig) -> Tensor:
    """Divided by a sum that may be 0 or negative: what the post warns of."""
    return q @ (k.mT @ v) / (q @ k.sum(dim=-2).unsqueeze(-1))


def _identity_rms(
    q: Tensor, k: Tensor, v: Tensor, weights: Tensors, config: RecallConfig
) -> Tensor:
    return _normalized(q @ (k.mT @ v))


def _decay(q: Tensor, k: Tensor, v: Tensor, weights: Tensors, config: RecallConfig) -> Tensor:
    return _normalized(q @ write_sum(k, v, decay=weights["gate"].sigmoid()))


def _delta(q: Tensor, k: Tensor, v: Tensor, weights: Tensors, config: RecallConfig) -> Tensor:
    return _normalized(q @ write_delta(k, v, strength=weights["gate"].sigmoid()))


def _efficient(q: Tensor, k: Tensor, v: Tensor, weights: Tensors, config: RecallConfig) -> Tensor:
    return efficient_attention(q, k, v)


def _linformer(q: Tensor, k: Tensor, v: Tensor, weights: Tensors, config: RecallConfig) -> Tensor:
    scale = config.dim**-0.5
    return linformer_attention(q, k, v, weights["e"], weights["f"], scale=scale)


def _normalized(x: Tensor) -> Tensor:
    """RMSNorm in the place of a denominator, as later forms have it."""
    return F.rms_norm(x, x.shape[-1:], eps=1e-6)


READ: dict[str, Read] = {
    "softmax": _softmax,
    **dict.fromkeys(("elu", "relu", "exp", "cosine", "taylor2"), _kernel),
    "favor": _favor,
    "identity": _identity,
    "identity-rms": _identity_rms,
    "decay": _decay,
    "delta": _delta,
    "efficient": _efficient,
    "linformer": _linformer,
}

RECALL = Task("attention.recall", 1, RecallConfig, lambda config: "generated", train)
