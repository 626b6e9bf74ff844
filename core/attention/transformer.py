"""A whole small model: two causal layers that read tokens one after another, trained from nothing.

To recall, n pairs of a key and a value are read token by token, then the keys come again in another
order, and each is to be followed by its value. To copy, 2n symbols are read and are to come again.
What stands beside a token it gets from a convolution over two tokens, which every kind has; what
lies further back only its attention can bring. Linformer can't take part: it is not causal.

Sources: https://kexue.fm/archives/7546, eq. (2), (9), (10); the tasks are the associative recall of
Arora et al. 2023 (arXiv:2312.04927) and the copying of Jelassi et al. 2024 (arXiv:2402.01032).
Axes: b sequences, n pairs, t tokens, h heads, d width of a head.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Annotated

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from core.attention.fading import delta_attention, fading_attention
from core.attention.features import favor, random_directions
from core.attention.linear import linear_attention
from core.attention.recall import GATES, TASK_NAMES
from core.attention.softmax import softmax_attention
from core.knobs import Choice, Config, Range
from core.store import Tensors
from core.training import Snapshot, Task, stepwise

KEYS, VALUES = 64, 32  # symbols; those of the copying task are values
HEADS, LAYERS = 2, 2
FACTOR = 2  # of the width, inside the layers between the attentions
EVERY = 25  # steps between two snapshots
WARM_UP = 50  # steps in which the rate rises
TESTED = 128  # sequences that the accuracy is measured on
KERNELS = ("elu", "relu", "exp", "cosine", "taylor2")
CAUSAL = (
    "softmax", *KERNELS, "favor", "identity-rms", "decay", "delta", "efficient-mended",
)  # fmt: skip


@dataclass(frozen=True)
class TransformerConfig(Config):
    """A task, a model and the length of its training."""

    attention: Annotated[str, Choice(*CAUSAL)] = "elu"
    task: Annotated[str, Choice(*TASK_NAMES)] = "recall"
    pairs: Annotated[int, Range(2, KEYS)] = 16  # to recall; to copy, twice as many symbols
    width: Annotated[int, Range(8, 128, 8)] = 32  # of a token's vector, two heads together
    steps: Annotated[int, Range(25, 10_000, 25)] = 600
    lr: Annotated[float, Range(1e-4, 0.1)] = 0.01
    batch_size: Annotated[int, Range(1, 256)] = 32
    seed: Annotated[int, Range(0, 99)] = 0


@dataclass(frozen=True)
class Sequences:
    """Tokens, and what has to be said at which of them."""

    tokens: Int[Tensor, "b t"]
    asked: Int[Tensor, " places"]  # the tokens after which an answer is due
    answers: Int[Tensor, "b places"]  # values, from 0 on


def sequences(config: TransformerConfig, count: int, generator: torch.Generator) -> Sequences:
    """Sequences of the config's task, without the last answer."""
    draw = partial(torch.randint, VALUES, generator=generator)
    if config.task == "copy":
        n = 2 * config.pairs
        values = draw((count, n))
        mark = torch.zeros(count, 1, dtype=torch.long)  # a key: here the symbols come again
        tokens = torch.cat([KEYS + values, mark, KEYS + values[:, :-1]], dim=1)
        return Sequences(tokens, torch.arange(n, 2 * n), values)
    n = config.pairs
    keys = torch.rand(count, KEYS, generator=generator).argsort(1)[:, :n]
    values, order = draw((count, n)), torch.rand(count, n, generator=generator).argsort(1)
    again = [x.gather(1, order) for x in (keys, values)]
    read, asked = (
        torch.stack([key, KEYS + value], dim=-1).flatten(1)
        for key, value in ((keys, values), again)
    )
    tokens = torch.cat([read, asked[:, :-1]], dim=1)
    return Sequences(tokens, torch.arange(2 * n, 4 * n, 2), again[1])


def initial_weights(config: TransformerConfig, generator: torch.Generator) -> Tensors:
    """Embeddings from N(0, ¼), places smaller, maps of variance 1/fan-in."""
    width, places = config.width, 4 * config.pairs
    maps = {
        f"{layer}.{name}": shape
        for layer in range(LAYERS)
        for name, shape in (
            *((name, (width, width)) for name in "qkvo"),
            ("up", (width, FACTOR * width)), ("down", (FACTOR * width, width)),
        )
    }  # fmt: skip
    maps["out"] = (width, VALUES)
    weights = {
        "symbol": torch.randn(KEYS + VALUES, width, generator=generator) / 2,
        "place": torch.randn(places, width, generator=generator) / 10,
    } | {
        name: torch.randn(shape, generator=generator) / math.sqrt(shape[0])
        for name, shape in maps.items()
    }
    for layer in range(LAYERS):
        weights[f"{layer}.before"] = torch.full(
            (3, width), -1.0
        )  # a logit: 0.27 of the token before
        if config.attention in GATES:
            weights[f"{layer}.gate"] = torch.full((HEADS,), GATES[config.attention])
        if config.attention == "favor":
            d = width // HEADS
            weights[f"{layer}.directions"] = random_directions(d, 4 * d, generator).float()
    return weights


def forward(
    weights: Tensors, tokens: Int[Tensor, "b t"], config: TransformerConfig
) -> Float[Tensor, "b t values"]:
    """Logits of the value that follows each token."""
    x = weights["symbol"][tokens] + weights["place"][: tokens.shape[1]]
    for layer in range(LAYERS):
        own = {
            name.partition(".")[2]: weight
            for name, weight in weights.items()
            if name.startswith(f"{layer}.")
        }
        x = x + _attended(own, _normalized(x), config)
        x = x + F.gelu(_normalized(x) @ own["up"]) @ own["down"]
    return _normalized(x) @ weights["out"]


def accuracy(weights: Tensors, config: TransformerConfig) -> float:
    """The share of right answers, over sequences that no training has seen."""
    generator = torch.Generator().manual_seed(config.seed + 1_000_000)
    data = sequences(config, TESTED, generator)
    with torch.no_grad():
        logits = forward(weights, data.tokens, config)[:, data.asked]
    return float((logits.argmax(dim=-1) == data.answers).double().mean())


def train(config: TransformerConfig, state: Tensors | None = None) -> Iterator[Snapshot]:
    """Adam on the cross-entropy of the answers; its rate rises, then falls to 0 as a cosine.

    A snapshot every 25 steps. All randomness is from the config's seed. Raises Diverged if the
    loss is not finite.
    """
    generator = torch.Generator().manual_seed(config.seed)
    weights = initial_weights(config, generator)
    learned = [w.requires_grad_() for name, w in weights.items() if "directions" not in name]
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
    config: TransformerConfig,
    weights: Tensors,
    optimizer: torch.optim.Optimizer,
    generator: torch.Generator,
    at: int,
) -> float:
    for group in optimizer.param_groups:
        falling = (1 + math.cos(math.pi * at / config.steps)) / 2
        group["lr"] = config.lr * min(1.0, (at + 1) / WARM_UP) * falling
    data = sequences(config, config.batch_size, generator)
    logits = forward(weights, data.tokens, config)[:, data.asked]
    loss = F.cross_entropy(logits.flatten(0, 1), data.answers.flatten())
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_([w for w in weights.values() if w.requires_grad], 1.0)
    optimizer.step()
    return loss.item()


def _attended(own: Tensors, x: Tensor, config: TransformerConfig) -> Tensor:
    """What a layer's heads bring to each token; q, k and v also have some of the token before."""
    q, k, v = (
        _with_token_before(x @ own[name], share).unflatten(-1, (HEADS, -1)).transpose(1, 2)
        for name, share in zip("qkv", own["before"].sigmoid(), strict=True)
    )
    return ATTEND[config.attention](q, k, v, own).transpose(1, 2).flatten(-2) @ own["o"]


def _with_token_before(x: Float[Tensor, "b t w"], share: Float[Tensor, " w"]) -> Tensor:
    return torch.lerp(x, F.pad(x, (0, 0, 1, -1)), share)


def _normalized(x: Tensor) -> Tensor:
    return F.rms_norm(x, x.shape[-1:], eps=1e-6)


# ---- how each attention reads what came before: q, k, v [b, h, t, d], weights -> [b, h, t, d]

Attend = Callable[[Tensor, Tensor, Tensor, Tensors], Tensor]


def _softmax(q: Tensor, k: Tensor, v: Tensor, own: Tensors) -> Tensor:
    return softmax_attention(q, k, v, causal=True, scale=q.shape[-1] ** -0.5)


def _kernel(name: str) -> Attend:
    return lambda q, k, v, own: linear_attention(q, k, v, feature_map=name, causal=True)


def _favor(q: Tensor, k: Tensor, v: Tensor, own: Tensors) -> Tensor:
    return linear_attention(q, k, v, feature_map=favor(own["directions"]).key, causal=True)


def _decay(q: Tensor, k: Tensor, v: Tensor, own: Tensors) -> Tensor:
    return _normalized(fading_attention(q, k, v, decay=own["gate"].sigmoid()))


def _identity_rms(q: Tensor, k: Tensor, v: Tensor, own: Tensors) -> Tensor:
    return _normalized(fading_attention(q, k, v))


def _delta(q: Tensor, k: Tensor, v: Tensor, own: Tensors) -> Tensor:
    return _normalized(delta_attention(q, k, v, strength=own["gate"].sigmoid()))


def _efficient(q: Tensor, k: Tensor, v: Tensor, own: Tensors) -> Tensor:
    """`causal_efficient_attention` in O(n): its weights for each feature, not for each pair."""
    features = (k - k.detach().amax(dim=-2, keepdim=True)).exp()  # the divisor cancels
    return fading_attention(q.softmax(dim=-1) / features.cumsum(dim=-2), features, v)


ATTEND: dict[str, Attend] = {
    "softmax": _softmax,
    **{name: _kernel(name) for name in KERNELS},
    "favor": _favor,
    "identity-rms": _identity_rms,
    "decay": _decay,
    "delta": _delta,
    "efficient-mended": _efficient,
}

TRANSFORMER = Task("attention.transformer", 1, TransformerConfig, lambda config: "generated", train)
