"""Softmax attention, fused for its output and written out for its weights.

Source: https://kexue.fm/archives/7546, eq. (1), (2); the post leaves 1/sqrt(d) out, so scale is 1.
Axes: "..." batch and heads, n queries, m keys, d width of q and k, c width of v.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from core.attention.shapes import check, flat, leading_shape


def softmax_attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *,
    causal: bool = False,
    scale: int | float = 1.0,
) -> Float[Tensor, "*batch n c"]:
    """softmax(scale q k^T) v by torch's fused kernel, which keeps no [n, m] matrix.

    Without keys every output is 0. Raises ValueError on shapes that do not match.
    """
    check(q, k, v, causal=causal)
    leading = leading_shape(q, k, v)
    if 0 in (q.shape[-2], k.shape[-2]):
        return v.new_zeros((*leading, q.shape[-2], v.shape[-1]))
    # torch fuses where there are four axes, and writes the matrix out where there are three.
    q, k, v = (flat(x, leading).unsqueeze(0) for x in (q, k, v))
    out = F.scaled_dot_product_attention(q, k, v, is_causal=causal, scale=scale)
    return out.reshape(*leading, *out.shape[-2:])


def softmax_weights(
    q: Tensor,
    k: Tensor,
    *,
    causal: bool = False,
    scale: int | float = 1.0,
) -> Float[Tensor, "*batch n m"]:
    """softmax(scale q k^T): every row sums to 1."""
    scores = scale * q @ k.mT
    return masked(scores, causal, -torch.inf).softmax(dim=-1)


def masked(scores: Float[Tensor, "*b n m"], causal: bool, fill: int | float = 0.0) -> Tensor:
    """The scores, with `fill` where the key comes after the query if causal."""
    if not causal:
        return scores
    later = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).triu(1)
    return scores.masked_fill(later, fill)
