"""Which kernel copies softmax best, and at which size of q·k.

Besides the kernels of the post: even orders of the Taylor series of e^x, which are positive
everywhere, odd ones, which are not, and random features, as many as one likes.

Sources: https://kexue.fm/archives/7546, eq. (6), (7); https://kexue.fm/archives/7919 on even
orders; Choromanski et al. 2020 (arXiv:2009.14794) on random features.
"""

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Annotated

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from core.attention.features import favor, random_directions
from core.attention.matrices import distances, scaled, weights
from core.attention.matrix import attention_matrix
from core.knobs import Choice, Config, Range

SCALES = np.geomspace(0.05, 20, 25)
KERNELS = ("elu", "relu", "exp", "cosine", "efficient")
ORDERS = (1, 2, 4)
DRAWN = ("elu", "cosine", "taylor2", "taylor4", "favor", "uniform")  # all are in the table


@dataclass(frozen=True)
class ScalesConfig(Config):
    """Random queries and keys, the scale that is marked, and the number of random features."""

    scale: Annotated[float, Range(0.1, 10.0, 0.1)] = 1.0  # of q·k / sqrt(d)
    dim: Annotated[int, Range(2, 64)] = 16
    features: Annotated[str, Choice("16", "64", "256", "1024")] = "64"
    tokens: Annotated[int, Range(8, 256, 8)] = 128
    seed: Annotated[int, Range(0, 99)] = 0


@dataclass(frozen=True)
class Scales:
    """Mean total variation of the rows to softmax's, over the scale."""

    curves: pd.DataFrame  # scale, value, curve: a kernel, "taylor1", ..., "favor" or "uniform"
    table: pd.DataFrame  # kind, features, distance, negative: at the config's scale
    best: str  # the nearest kernel at that scale
    distance: float  # of it
    uniform: float  # of equal weights


def scales(config: ScalesConfig) -> Scales:
    """Every kernel on the same queries and keys, made larger and smaller."""
    q, k, directions = _drawn(config)
    counts = features(config.dim) | {"favor": int(config.features)}
    rows = [
        (kind, counts[kind], distance, negative)
        for kind, distance, negative in _found(q, k, config.scale, directions)
    ]
    table = pd.DataFrame(rows, columns=["kind", "features", "distance", "negative"])
    by_kind = table.set_index("kind")["distance"]
    best = str(by_kind.drop("uniform").idxmin())
    curves = _curves(replace(config, scale=1.0))
    return Scales(curves, table, best, float(by_kind[best]), float(by_kind["uniform"]))


def _drawn(config: ScalesConfig) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, keys and the directions of the random features."""
    generator = torch.Generator().manual_seed(config.seed)
    q, k = torch.randn(2, config.tokens, config.dim, generator=generator, dtype=torch.float64)
    return q, k, random_directions(config.dim, int(config.features), generator)


@lru_cache(maxsize=8)  # the scale that is marked leaves the curves as they are
def _curves(config: ScalesConfig) -> pd.DataFrame:
    """The distance at every scale."""
    q, k, directions = _drawn(config)
    return pd.DataFrame(
        [
            (scale, distance, curve)
            for scale in SCALES
            for curve, distance, _ in _found(q, k, scale, directions)
            if curve in DRAWN
        ],
        columns=["scale", "value", "curve"],
    )


def features(dim: int) -> dict[str, int]:
    """How many numbers phi makes of a vector of `dim`; 0 for equal weights."""
    taylor = {f"taylor{order}": math.comb(dim + order, order) for order in ORDERS}
    plain = {kind: dim for kind in KERNELS}
    return {**plain, "cosine": dim + 1, **taylor, "uniform": 0}


def taylor(x: Float[Tensor, "*any"], order: int) -> Float[Tensor, "*any"]:
    """1 + x + ... + x^order / order!."""
    total = torch.ones_like(x)
    for power in range(order, 0, -1):
        total = 1 + total * x / power
    return total


def _found(
    q: Tensor, k: Tensor, scale: float, directions: Tensor
) -> list[tuple[str, float, float]]:
    """Kind, mean distance to softmax, share of negative weights."""
    q, k = scaled(q, k, scale)
    softmax = weights(q, k, "softmax")
    matrices = {kind: weights(q, k, kind) for kind in KERNELS}
    matrices |= {f"taylor{order}": _normalized(taylor(q @ k.mT, order)) for order in ORDERS}
    phi = favor(directions).key
    matrices["favor"] = attention_matrix(q, k, phi)
    matrices["uniform"] = torch.full_like(softmax, 1 / len(k))
    return [
        (kind, float(distances(found, softmax).mean()), float((found < 0).double().mean()))
        for kind, found in matrices.items()
    ]


def _normalized(sims: Tensor) -> Tensor:
    return torch.nan_to_num(sims / sims.sum(dim=-1, keepdim=True))
