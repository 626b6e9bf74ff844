"""How many pairs does a state hold? Written with random keys, read back with the same keys.

Softmax attention keeps all pairs and reads them sharply. A state of f x c numbers mixes them: from
some number on, the nearest stored value is not the one that was asked for.

Sources: https://kexue.fm/archives/7546, eq. (10); https://kexue.fm/archives/11033 for decay and the
delta rule. Values are random directions, d wide, and so are keys, of length sqrt(d).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from core.attention.features import FEATURE_MAPS, favor, random_directions
from core.attention.linear import linear_attention
from core.attention.matrices import scaled
from core.attention.memory import write_delta, write_sum
from core.attention.recall import ENOUGH
from core.attention.softmax import softmax_attention
from core.knobs import Choice, Config, Range

KERNELS = ("elu", "relu", "exp", "cosine", "taylor2", "favor")
FORMS = ("softmax", *KERNELS, "sum", "decay", "delta")
DRAWN = ("softmax", "elu", "taylor2", "sum", "decay", "delta")  # the others are in the table
COUNTS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128)
AGED = 64  # draws for the picture by age

Read = Callable[[Tensor, Tensor], Tensor]  # keys [b, n, d], values [b, n, d] -> outputs [b, n, d]


@dataclass(frozen=True)
class CapacityConfig(Config):
    """The width, the size of the keys, and the rules that write."""

    dim: Annotated[str, Choice("4", "8", "16", "32")] = "16"
    scale: Annotated[float, Range(0.5, 10.0, 0.5)] = 4.0  # of q·k / sqrt(d)
    decay: Annotated[float, Range(0.5, 1.0, 0.01)] = 0.9
    passes: Annotated[int, Range(1, 8)] = 1  # of the delta rule over the pairs
    orthogonal: bool = False  # keys orthogonal to each other, in blocks of d
    seed: Annotated[int, Range(0, 99)] = 0


@dataclass(frozen=True)
class Capacity:
    """The share of pairs whose own value is the nearest to what is read."""

    curves: pd.DataFrame  # pairs, value, curve: a form
    ages: pd.DataFrame  # age, value, curve in {"sum", "decay", "delta"}: at 2 d pairs
    table: pd.DataFrame  # form, numbers, capacity
    held: dict[str, int]  # form -> the most pairs of `COUNTS` of which 90 % are recalled


def capacity(config: CapacityConfig) -> Capacity:
    """Every form with more and more pairs, the mean of several draws."""
    generator = torch.Generator().manual_seed(config.seed)
    dim = int(config.dim)
    readers = forms(config, random_directions(dim, 4 * dim, generator).float())
    drawn = {count: pairs(config, count, generator) for count in COUNTS}
    shares = {
        form: [float(recalled(read(*drawn[n]), drawn[n][1]).mean()) for n in COUNTS]
        for form, read in readers.items()
    }
    curves = [
        pd.DataFrame({"pairs": COUNTS, "value": shares[form], "curve": form}) for form in DRAWN
    ]
    held = {form: _held(share) for form, share in shares.items()}
    rows = [(form, numbers(form, dim), held[form]) for form in FORMS]
    return Capacity(
        curves=pd.concat(curves, ignore_index=True),
        ages=_ages(readers, *pairs(config, 2 * dim, generator, draws=AGED)),
        table=pd.DataFrame(rows, columns=["form", "numbers", "capacity"]),
        held=held,
    )


def pairs(
    config: CapacityConfig, count: int, generator: torch.Generator, *, draws: int | None = None
) -> tuple[Float[Tensor, "b n d"], Float[Tensor, "b n d"]]:
    """Keys of length sqrt(d) times the root of the scale, values of length 1, in several draws."""
    dim, draws = int(config.dim), draws or max(8, 512 // count)
    if config.orthogonal:
        blocks = [random_directions(dim, count, generator).float() for _ in range(draws)]
        keys = torch.stack(blocks)
    else:
        keys = torch.randn(draws, count, dim, generator=generator)
    values = torch.randn(draws, count, dim, generator=generator)
    keys = dim**0.5 * F.normalize(keys, dim=-1)
    return scaled(keys, keys, config.scale)[0], F.normalize(values, dim=-1)


def forms(config: CapacityConfig, directions: Float[Tensor, "f d"]) -> dict[str, Read]:
    """How each form reads every pair with its own key."""
    maps = {name: FEATURE_MAPS[name].key for name in KERNELS if name != "favor"}
    maps["favor"] = favor(directions).key
    return {
        "softmax": lambda k, v: softmax_attention(k, k, v),
        **{name: partial(_kernel, phi) for name, phi in maps.items()},
        "sum": lambda k, v: k @ write_sum(k, v),
        "decay": lambda k, v: k @ write_sum(k, v, decay=config.decay),
        "delta": lambda k, v: k @ write_delta(k, v, passes=config.passes),
    }


def recalled(out: Float[Tensor, "b n c"], values: Float[Tensor, "b n c"]) -> Float[Tensor, "b n"]:
    """1 where the value nearest in direction to the output is the pair's own, else 0."""
    nearest = (out @ values.mT).argmax(dim=-1)
    return (nearest == torch.arange(values.shape[-2])).float()


def numbers(form: str, dim: int) -> float:
    """How many numbers S has; infinitely many for softmax, which keeps every pair."""
    features = {"cosine": dim + 1, "taylor2": 1 + dim + dim * (dim + 1) // 2, "favor": 4 * dim}
    return np.inf if form == "softmax" else float(features.get(form, dim) * dim)


def _kernel(phi: Callable[[Tensor], Tensor], k: Tensor, v: Tensor) -> Tensor:
    return linear_attention(k, k, v, feature_map=phi)


def _held(shares: list[float]) -> int:
    """The most pairs before the share falls below `ENOUGH` for the first time."""
    below = (count for count, share in zip(COUNTS, shares, strict=True) if share < ENOUGH)
    first = next(below, None)
    return COUNTS[-1] if first is None else max((c for c in COUNTS if c < first), default=0)


def _ages(readers: dict[str, Read], keys: Tensor, values: Tensor) -> pd.DataFrame:
    """Recall by how many pairs have been written since."""
    ages = range(keys.shape[-2] - 1, -1, -1)
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "age": ages,
                    "value": recalled(readers[form](keys, values), values).mean(dim=0).numpy(),
                    "curve": form,
                }
            )
            for form in ("sum", "decay", "delta")
        ],
        ignore_index=True,
    )
