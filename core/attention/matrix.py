"""The weights of an attention written out, to be looked at; no output needs them.

Source: https://kexue.fm/archives/7546, eq. (1)-(4).
Axes: "..." batch and heads, n queries, m keys, d width of q and k, f features.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from core.attention.features import Map, feature_map
from core.attention.normalization import divide, limits
from core.attention.shapes import check, summed_in
from core.attention.softmax import masked, softmax_weights


def attention_matrix(
    q: Tensor,
    k: Tensor,
    kind: str | Map,
    *,
    causal: bool = False,
    normalize: bool = True,
    generator: torch.Generator | None = None,
) -> Float[Tensor, "*batch n m"]:
    """The weights written out: row i holds what output i takes of each value.

    kind: "softmax" (of q k^T, unscaled), or a feature map as in `linear_attention`. Without
    `normalize`, e^(q·k) or sim(q, k) as it is. Raises ValueError as `linear_attention` does.
    """
    check(q, k, k, causal=causal)
    if kind == "softmax" and normalize:
        return softmax_weights(q, k, causal=causal)
    if kind == "softmax":
        return masked((q @ k.mT).exp(), causal)
    phi = feature_map(kind, q.shape[-1], normalize=normalize, generator=generator)
    fq, fk = (f(x.to(summed_in(q.dtype))) for f, x in ((phi.query, q), (phi.key, k)))
    sims = masked(fq @ fk.mT, causal)
    if normalize:
        sims = divide(sims, sims.sum(dim=-1, keepdim=True), limits(phi, fq, fk, causal=causal))
    return sims.to(q.dtype)


@dataclass(frozen=True)
class Denominators:
    """What the rows of a kernel would be divided by."""

    smallest: float  # least absolute sum of a row
    share_not_positive: float  # rows whose weights sum to 0 or less
    share_negative: float  # weights below 0
    amplification: float  # largest sum of absolute weights of a row after the division; 1 is safe


def denominators(
    q: Tensor,
    k: Tensor,
    kind: str | Map,
    *,
    causal: bool = False,
    generator: torch.Generator | None = None,
) -> Denominators:
    """How near to 0 the sums of the weights come, from the matrix written out.

    Raises ValueError as `attention_matrix` does, and if there are no weights.
    """
    sims = attention_matrix(q, k, kind, causal=causal, normalize=False, generator=generator)
    if sims.numel() == 0:
        raise ValueError(f"q has {q.shape[-2]} tokens and k {k.shape[-2]}, but both need some")
    sums = sims.sum(dim=-1)
    seen = masked(torch.ones_like(sims), causal).sum()
    return Denominators(
        smallest=float(sums.abs().min()),
        share_not_positive=float((sums <= 0).double().mean()),
        share_negative=float((sims < 0).sum() / seen),
        amplification=float((sims.abs().sum(dim=-1) / sums.abs()).max()),
    )
