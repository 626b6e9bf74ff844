"""Who attends to whom: softmax and a kernel on the same queries and keys, and how they differ.

The size of q·k decides: `scale` multiplies q·k / sqrt(d), so that 1 is what transformers use.

Sources: https://kexue.fm/archives/7546, eq. (2), (3), (5); concentration as the author measures it
in https://kexue.fm/archives/9889, there 1-norm over 2-norm.
Axes: n tokens, d width; a matrix has a row for each query.
"""

import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from core.attention.lowrank import efficient_matrix
from core.attention.matrix import attention_matrix
from core.knobs import Choice, Config, Range

KINDS = ("elu", "relu", "exp", "cosine", "taylor2", "favor", "identity", "efficient")


@dataclass(frozen=True)
class MatricesConfig(Config):
    """A kernel, and the random queries and keys it is given."""

    kernel: Annotated[str, Choice(*KINDS)] = "elu"
    scale: Annotated[float, Range(0.1, 10.0, 0.1)] = 4.0  # of q·k / sqrt(d)
    tokens: Annotated[int, Range(2, 48)] = 24
    dim: Annotated[int, Range(1, 64)] = 16
    causal: bool = False
    seed: Annotated[int, Range(0, 99)] = 0


@dataclass(frozen=True)
class Matrices:
    """Softmax and a kernel side by side; distances are total variation, at most 1 without signs."""

    softmax: pd.DataFrame  # query, key, weight
    kernel: pd.DataFrame  # query, key, weight
    spectrum: pd.DataFrame  # index, value, curve in {"softmax", kernel}: singular values
    rows: pd.DataFrame  # query, value, curve: distance of the row to softmax's
    table: pd.DataFrame  # kind, distance, entropy, evenness, largest, rank
    distance: float  # of the kernel's rows, on average
    entropy: float  # of its rows over that of uniform ones, mean; NaN if weights are negative
    softmax_entropy: float
    rank: int
    softmax_rank: int
    negative: float  # share of weights below 0
    extreme: float  # the largest absolute weight
    empty: int  # rows whose weights are all 0


def matrices(config: MatricesConfig) -> Matrices:
    """Both attentions on queries and keys drawn from N(0, I)."""
    generator = torch.Generator().manual_seed(config.seed)
    q, k = torch.randn(2, config.tokens, config.dim, generator=generator, dtype=torch.float64)
    names = [str(token) for token in range(1, config.tokens + 1)]
    of_kind = every_kind(*scaled(q, k, config.scale), causal=config.causal, seed=config.seed)
    return compare(of_kind, names, config.kernel, causal=config.causal)


def scaled(
    q: Float[Tensor, "*b n d"], k: Float[Tensor, "*b n d"], scale: int | float
) -> tuple[Float[Tensor, "*b n d"], Float[Tensor, "*b n d"]]:
    """Both multiplied by the same factor, so that q·k becomes scale q·k / sqrt(d)."""
    factor = math.sqrt(scale / math.sqrt(q.shape[-1]))
    return factor * q, factor * k


def weights(
    q: Float[Tensor, "n d"],
    k: Float[Tensor, "n d"],
    kind: str,
    *,
    causal: bool = False,
    seed: int = 0,
) -> Float[Tensor, "n n"]:
    """The attention matrix of any kind of the post. Only of the identity may it be anything.

    kind: "softmax", "efficient" (two softmaxes) or a feature map's name.
    """
    if kind == "efficient":
        return efficient_matrix(q, k, causal=causal)
    generator = torch.Generator().manual_seed(seed)
    if kind != "identity":
        return attention_matrix(q, k, kind, causal=causal, generator=generator)
    sims = attention_matrix(q, k, kind, causal=causal, normalize=False)
    return torch.nan_to_num(sims / sims.sum(dim=-1, keepdim=True))


def every_kind(
    q: Float[Tensor, "n d"], k: Float[Tensor, "n d"], *, causal: bool = False, seed: int = 0
) -> dict[str, Float[Tensor, "n n"]]:
    """Softmax first, then every kernel, on the same queries and keys."""
    return {kind: weights(q, k, kind, causal=causal, seed=seed) for kind in ("softmax", *KINDS)}


def compare(
    of_kind: dict[str, Float[Tensor, "n n"]],
    names: list[str],
    kernel: str,
    *,
    causal: bool = False,
) -> Matrices:
    """The pictures and meters of softmax and one kernel; `names` are the tokens', all different."""
    softmax, chosen = of_kind["softmax"], of_kind[kernel]
    table = meters(of_kind, softmax, causal=causal)
    by_kind = table.set_index("kind")
    return Matrices(
        softmax=_cells(softmax, names),
        kernel=_cells(chosen, names),
        spectrum=_spectra({"softmax": softmax, kernel: chosen}),
        rows=_rows(chosen, softmax, kernel),
        table=table,
        distance=float(by_kind["distance"][kernel]),
        entropy=float(by_kind["entropy"][kernel]),
        softmax_entropy=float(by_kind["entropy"]["softmax"]),
        rank=int(by_kind["rank"][kernel]),
        softmax_rank=int(by_kind["rank"]["softmax"]),
        negative=float((chosen < 0).double().mean()),
        extreme=float(chosen.abs().max()),
        empty=int((chosen == 0).all(dim=-1).sum()),
    )


def meters(
    of_kind: dict[str, Float[Tensor, "n n"]], softmax: Float[Tensor, "n n"], *, causal: bool
) -> pd.DataFrame:
    """One row per kind: kind, distance, entropy, evenness, largest, rank; means over the rows."""
    rows = [
        (
            kind,
            float(distances(matrix, softmax).mean()),
            float(entropies(matrix, causal=causal).nanmean()),
            float(evenness(matrix, causal=causal).mean()),
            float(matrix.amax(dim=-1).mean()),
            rank(matrix),
        )
        for kind, matrix in of_kind.items()
    ]
    columns = ["kind", "distance", "entropy", "evenness", "largest", "rank"]
    return pd.DataFrame(rows, columns=columns)


def distances(a: Float[Tensor, "n m"], b: Float[Tensor, "n m"]) -> Float[Tensor, " n"]:
    """Total variation between rows: half the sum of absolute differences."""
    return (a - b).abs().sum(dim=-1) / 2


def entropies(matrix: Float[Tensor, "n m"], *, causal: bool = False) -> Float[Tensor, " n"]:
    """Entropy of each row over that of a uniform one, 0 to 1. NaN if a weight is negative, or if
    there is but one key."""
    most = _visible(matrix, causal).log()
    found = -torch.special.xlogy(matrix, matrix).sum(dim=-1) / most
    return found.masked_fill((most == 0) | (matrix < 0).any(dim=-1), torch.nan)


def evenness(matrix: Float[Tensor, "n m"], *, causal: bool = False) -> Float[Tensor, " n"]:
    """|a|_1 / (sqrt(n) |a|_2) of each row: 1 if all weights are equal, 1/sqrt(n) if all is one key.

    0 for a row of zeros.
    """
    size = matrix.norm(dim=-1) * _visible(matrix, causal).sqrt()
    return matrix.abs().sum(dim=-1) / torch.where(size == 0, 1, size)


def rank(matrix: Float[Tensor, "n m"]) -> int:
    """How many singular values are more than rounding."""
    return int(torch.linalg.matrix_rank(matrix))


def _visible(matrix: Tensor, causal: bool) -> Tensor:
    """How many keys each row may look at."""
    n, m = matrix.shape
    return torch.arange(1, n + 1).to(matrix) if causal else torch.full((n,), m).to(matrix)


def _cells(matrix: Tensor, names: list[str]) -> pd.DataFrame:
    queries = [name for name in names for _ in names]
    return pd.DataFrame(
        {"query": queries, "key": names * len(names), "weight": matrix.flatten().numpy()}
    )


def _spectra(matrices: dict[str, Tensor]) -> pd.DataFrame:
    return pd.concat(
        [
            pd.DataFrame(
                {"index": range(1, len(matrix) + 1), "value": _singular(matrix), "curve": curve}
            )
            for curve, matrix in matrices.items()
        ],
        ignore_index=True,
    )


def _singular(matrix: Tensor) -> np.ndarray:
    """Singular values; NaN where they are but rounding."""
    values = torch.linalg.svdvals(matrix)
    floor = values.max() * len(matrix) * torch.finfo(matrix.dtype).eps
    return values.masked_fill(values <= floor, torch.nan).numpy()


def _rows(chosen: Tensor, softmax: Tensor, kernel: str) -> pd.DataFrame:
    """The kernel's distances row by row, beside those of uniform weights."""
    uniform = (softmax > 0).to(softmax)
    curves = {kernel: chosen, "uniform": uniform / uniform.sum(dim=-1, keepdim=True)}
    places = range(1, len(softmax) + 1)
    return pd.concat(
        [
            pd.DataFrame(
                {"query": places, "value": distances(matrix, softmax).numpy(), "curve": curve}
            )
            for curve, matrix in curves.items()
        ],
        ignore_index=True,
    )
