"""One sum, three orders of summing it: quadratic, cumulative, recurrent. The obvious forms.

Each returns numerator sum_j sim(q_i, k_j) v_j and denominator sum_j sim(q_i, k_j), from features.
The fourth, fast form stands in `chunkwise.py`, and these are what it is tested against.

Source: https://kexue.fm/archives/7546, eq. (3), (9), (10).
Axes: "..." batch and heads, n queries, m keys (n = m if causal), f features, c width of v.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from core.attention.shapes import leading_shape
from core.attention.softmax import masked

Sums = tuple[Float[Tensor, "*b n c"], Float[Tensor, "*qkb n 1"]]


def quadratic(
    q: Float[Tensor, "*qb n f"],
    k: Float[Tensor, "*kb m f"],
    v: Float[Tensor, "*vb m c"],
    *,
    causal: bool,
) -> Sums:
    """(phi(q) phi(k)^T) v: the matrix is written out, n m (f + c) multiplications."""
    sims = masked(q @ k.mT, causal)
    return sims @ v, sims.sum(dim=-1, keepdim=True)


def bracketed(
    q: Float[Tensor, "*qb n f"], k: Float[Tensor, "*kb m f"], v: Float[Tensor, "*vb m c"]
) -> Sums:
    """phi(q) (phi(k)^T v): the brackets moved, (n + m) f c multiplications. Not causal."""
    return q @ (k.mT @ v), q @ k.sum(dim=-2).unsqueeze(-1)


def cumulative(
    q: Float[Tensor, "*qb n f"], k: Float[Tensor, "*kb n f"], v: Float[Tensor, "*vb n c"]
) -> Sums:
    """Running sums of phi(k_j) v_j^T over all tokens at once: causal, n f c numbers of memory."""
    state = (k.unsqueeze(-1) * v.unsqueeze(-2)).cumsum(dim=-3)
    numerator = (q.unsqueeze(-2) @ state).squeeze(-2)
    return numerator, (q * k.cumsum(dim=-2)).sum(dim=-1, keepdim=True)


def recurrent(
    q: Float[Tensor, "*qb n f"], k: Float[Tensor, "*kb n f"], v: Float[Tensor, "*vb n c"]
) -> Sums:
    """The same sums one token after another, with one state of f c + f numbers: causal."""
    leading = leading_shape(q, k, v)
    state = v.new_zeros((*leading, k.shape[-1], v.shape[-1]))
    normalizer = v.new_zeros((*leading, k.shape[-1]))
    numerators = [v.new_zeros((*leading, 0, v.shape[-1]))]
    denominators = [v.new_zeros((*leading, 0, 1))]
    for i in range(q.shape[-2]):
        state = state + k[..., i, :, None] * v[..., i, None, :]
        normalizer = normalizer + k[..., i, :]
        numerators.append(q[..., i, None, :] @ state)
        denominators.append((q[..., i, :] * normalizer).sum(dim=-1)[..., None, None])
    return torch.cat(numerators, dim=-2), torch.cat(denominators, dim=-2)


def chunked(
    q: Float[Tensor, "*qb n f"],
    k: Float[Tensor, "*kb n f"],
    v: Float[Tensor, "*vb n c"],
    *,
    chunk_size: int,
) -> Sums:
    """Quadratic within a chunk, a state between chunks: causal, in operations that autograd knows.

    It keeps one state a chunk. `chunkwise.py` does the same sums without keeping them.
    """
    n = q.shape[-2]
    q, k, v = (in_chunks(x, chunk_size) for x in (q, k, v))
    own, own_sum = quadratic(q, k, v, causal=True)
    state, normalizer = _before(k.mT @ v), _before(k.sum(dim=-2).unsqueeze(-1))
    numerator, denominator = own + q @ state, own_sum + q @ normalizer
    return numerator.flatten(-3, -2)[..., :n, :], denominator.flatten(-3, -2)[..., :n, :]


def in_chunks(x: Float[Tensor, "*b n w"], size: int) -> Float[Tensor, "*b chunks size w"]:
    """Cut into chunks, the last one filled up with zeros, which add nothing to any sum."""
    missing = -x.shape[-2] % size
    return F.pad(x, (0, 0, 0, missing)).unflatten(-2, (-1, size))


def _before(x: Float[Tensor, "*b chunks f c"]) -> Float[Tensor, "*b chunks f c"]:
    """The sum over all earlier chunks."""
    return F.pad(x, (0, 0, 0, 0, 1, 0))[..., :-1, :, :].cumsum(dim=-3)
