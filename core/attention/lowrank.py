"""Two attentions that are linear in n another way: two softmaxes, and fewer keys and values.

Sources: https://kexue.fm/archives/7546, eq. (5), (8); Shen et al. 2018 (arXiv:1812.01243); Wang et
al. 2020 (arXiv:2006.04768).
Axes: "..." batch and heads, n tokens, m projections, d width of q and k, c width of v.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from core.attention.shapes import check
from core.attention.softmax import masked, softmax_attention


def efficient_attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
) -> Float[Tensor, "*batch n c"]:
    """softmax over d of q, times (softmax over tokens of k)^T v.

    A key's feature depends on all keys, so this is no kernel sim(q, k), and has no causal form.
    Raises ValueError on shapes that do not match.
    """
    check(q, k, v)
    return q.softmax(dim=-1) @ (k.softmax(dim=-2).mT @ v)


def efficient_matrix(q: Tensor, k: Tensor, *, causal: bool = False) -> Float[Tensor, "*batch n m"]:
    """Its weights written out. Their rows sum to 1 until `causal` cuts the sums at j = i."""
    check(q, k, k, causal=causal)
    return masked(q.softmax(dim=-1) @ k.softmax(dim=-2).mT, causal)


def causal_efficient_attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
) -> Float[Tensor, "*batch n c"]:
    """What a causal form of it would be: at every token, its softmax over the keys so far.

    Feature by feature, sum of e^k v^T over sum of e^k. A softmax over d of q weighs the features.
    """
    check(q, k, v, causal=True)
    so_far = k.logcumsumexp(dim=-2)
    later = torch.ones(k.shape[-2], k.shape[-2], dtype=torch.bool, device=k.device).triu(1)
    log_weights = k.unsqueeze(-3) - so_far.unsqueeze(-2)  # [..., i, j, d]
    weights = log_weights.masked_fill(later.unsqueeze(-1), -torch.inf).exp()
    return torch.einsum("...id,...ijd->...ij", q.softmax(dim=-1), weights) @ v


def linformer_attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    e: Tensor,
    f: Tensor,
    *,
    scale: int | float = 1.0,
) -> Float[Tensor, "*batch n c"]:
    """softmax(scale q (e k)^T) f v: m mixtures of all tokens in the place of the tokens.

    Raises ValueError on shapes that do not match.
    """
    check(q, k, v)
    for name, projection in (("e", e), ("f", f)):
        if projection.dim() < 2 or projection.shape[-1] != k.shape[-2]:
            raise ValueError(
                f"{name} has shape {list(projection.shape)}, but must be [..., m, {k.shape[-2]}]"
            )
    return softmax_attention(q, e @ k, f @ v, scale=scale)


def linformer_matrix(
    q: Tensor,
    k: Tensor,
    e: Tensor,
    f: Tensor,
    *,
    scale: int | float = 1.0,
) -> Float[Tensor, "*batch n n"]:
    """What the output takes of each token's value: softmax(scale q (e k)^T) f, of rank m."""
    return (scale * q @ (e @ k).mT).softmax(dim=-1) @ f


def random_projection(
    m: int,
    n: int,
    *,
    generator: torch.Generator | None = None,
    dtype: torch.dtype = torch.float32,
) -> Float[Tensor, "m n"]:
    """Entries from N(0, 1/m), which keep inner products on average (Johnson-Lindenstrauss)."""
    return torch.randn(m, n, generator=generator, dtype=dtype) / m**0.5
