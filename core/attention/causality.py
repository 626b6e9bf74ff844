"""Change one token, and see which outputs before it change: no causal form may let any.

Every attention is asked to be causal as far as it can be: softmax is masked, a kernel's sums end at
j = i, and so do those of the two softmaxes, whose softmax over all the keys cannot end anywhere.
Linformer mixes all tokens before it looks, and pooling mixes a window of them.

Source: https://kexue.fm/archives/7546, eq. (5), (8), (9), and its section on autoregression.
Axes: n tokens, d width, m projections.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated

import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from core.attention.features import FEATURE_MAPS, favor, random_directions
from core.attention.linear import linear_attention
from core.attention.lowrank import (
    causal_efficient_attention,
    efficient_matrix,
    linformer_attention,
    random_projection,
)
from core.attention.matrices import scaled
from core.attention.softmax import softmax_attention
from core.knobs import Choice, Config, Range

KERNELS = ("elu", "relu", "exp", "cosine", "taylor2", "favor")
FORMS = ("softmax", *KERNELS, "efficient", "efficient-mended", "linformer", "pooling")
WINDOW = 4  # tokens that pooling takes together

Form = Callable[[Tensor, Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class CausalityConfig(Config):
    """Which attention, and which token changes by how much."""

    form: Annotated[str, Choice(*FORMS)] = "efficient"
    token: Annotated[int, Range(1, 32)] = 24  # the one that changes, counted from 1
    change: Annotated[float, Range(0.0, 4.0, 0.1)] = 1.0  # times N(0, I), on its q, k and v
    tokens: Annotated[int, Range(2, 32)] = 24
    dim: Annotated[int, Range(1, 32)] = 16
    seed: Annotated[int, Range(0, 99)] = 0


@dataclass(frozen=True)
class Causality:
    """What a change of one token does to the outputs of the others."""

    changes: pd.DataFrame  # token, value, curve: |new - old| of its output
    table: pd.DataFrame  # form, leak, row_sum
    token: int  # the one that changed: at most the number of tokens
    leak: float  # the largest change of an earlier output
    row_sum: float  # what the weights of the first row add up to: 1, unless sums were cut
    worst: int  # the earlier token that changed most, counted from 1; 0 if there is none


def causality(config: CausalityConfig) -> Causality:
    """Every form with and without the change; the chosen one in full."""
    generator = torch.Generator().manual_seed(config.seed)
    draw = partial(torch.randn, generator=generator, dtype=torch.float64)
    tokens, change = draw(3, config.tokens, config.dim), draw(3, config.dim)
    at = min(config.token, config.tokens) - 1
    changed = tokens.clone()
    changed[:, at] += config.change * change
    tokens, changed = (torch.stack([*scaled(q, k, 1.0), v]) for q, k, v in (tokens, changed))
    found = {
        name: moved(form, tokens, changed)
        for name, form in forms(config.tokens, config.dim, generator).items()
    }
    chosen = found[config.form]
    leaks = {name: leak(by_token, at) for name, by_token in found.items()}
    sums = {name: first_sum(tokens, name) for name in found}
    return Causality(
        changes=_curve(chosen, config.form),
        table=pd.DataFrame(
            {"form": list(found), "leak": list(leaks.values()), "row_sum": list(sums.values())}
        ),
        token=at + 1,
        leak=leaks[config.form],
        row_sum=sums[config.form],
        worst=int(chosen[:at].argmax()) + 1 if leaks[config.form] else 0,
    )


def forms(tokens: int, dim: int, generator: torch.Generator) -> dict[str, Form]:
    """Every form as causal as it can be, by name: q, k, v [n, d] -> [n, d]."""
    e, f = (
        random_projection(max(1, tokens // 4), tokens, generator=generator, dtype=torch.float64)
        for _ in range(2)
    )
    random = favor(random_directions(dim, 4 * dim, generator)).key
    maps = {name: FEATURE_MAPS[name].key for name in KERNELS if name != "favor"} | {"favor": random}
    return {
        "softmax": partial(softmax_attention, causal=True),
        **{
            name: partial(linear_attention, feature_map=phi, causal=True)
            for name, phi in maps.items()
        },
        "efficient": lambda q, k, v: efficient_matrix(q, k, causal=True) @ v,
        "efficient-mended": causal_efficient_attention,
        "linformer": partial(linformer_attention, e=e, f=f),
        "pooling": pooled,
    }


def pooled(
    q: Float[Tensor, "n d"], k: Float[Tensor, "n d"], v: Float[Tensor, "n d"]
) -> Float[Tensor, "n d"]:
    """Masked softmax over means of four tokens, each seen from its window's first token on."""
    size = -(-len(k) // WINDOW)
    keys, values = (
        torch.stack([part.mean(dim=0) for part in x.split(WINDOW)]).reshape(size, -1)
        for x in (k, v)
    )
    later = torch.arange(size) > torch.arange(len(q)).unsqueeze(-1) // WINDOW
    scores = (q @ keys.mT).masked_fill(later, -torch.inf)
    return scores.softmax(dim=-1) @ values


def moved(
    form: Form, before: Float[Tensor, "three n d"], after: Float[Tensor, "three n d"]
) -> Float[Tensor, " n"]:
    """How far each token's output moves: the length of the difference."""
    return (form(*after) - form(*before)).norm(dim=-1)


def leak(by_token: Float[Tensor, " n"], at: int) -> float:
    """The largest change of an output before the token `at`, counted from 0; 0 if there is none."""
    return float(by_token[:at].max()) if at else 0.0


def first_sum(tokens: Float[Tensor, "three n d"], form: str) -> float:
    """What the weights of the first row add up to: only the two softmaxes lose some of it."""
    if form != "efficient":
        return 1.0
    return float(efficient_matrix(tokens[0], tokens[1], causal=True)[0].sum())


def _curve(by_token: Tensor, name: str) -> pd.DataFrame:
    places = range(1, len(by_token) + 1)
    return pd.DataFrame({"token": places, "value": by_token.numpy(), "curve": name})
