"""Linear attention a chunk at a time: matrix products within, one state between, none kept.

Causal, a chunk is a small square of weights plus one product with the state before it. Every buffer
is as large as a chunk and is filled again, and the backward pass (`chunkwise_gradient.py`) makes
the states anew: memory beside inputs and outputs does not grow with n.

Axes: b batch and heads together, n queries, m keys (n = m if causal), f features, c width of v.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from core.attention.pointwise import IDENTITY, Pointwise
from core.attention.shapes import summed_in

Queries = Float[Tensor, "b n f"]
Keys = Float[Tensor, "b m f"]
Values = Float[Tensor, "b m c"]
Sums = Float[Tensor, "b n 1"]


@dataclass(frozen=True)
class Plan:
    """What is summed, and how."""

    query: Pointwise = IDENTITY  # what makes features of a chunk of q, k
    key: Pointwise = IDENTITY
    causal: bool = True
    chunk_size: int = 64
    normalize: bool = True
    rounding: float | None = 0.0  # what a key may add to a sum that is 0; None: a signed kernel

    def limit(self, sums: Tensor, at: slice, keys: int) -> Tensor | None:
        """Up to where the sums of some rows are 0 as far as rounding can tell; None: never."""
        if self.rounding is None:
            return None
        if self.rounding == 0:
            return sums.new_zeros(())
        last = at.stop if self.causal else keys
        first = at.start + 1 if self.causal else keys
        seen = torch.linspace(first, last, at.stop - at.start, dtype=sums.dtype)
        return self.rounding * seen.to(sums).unsqueeze(-1)

    def share(self, sums: Tensor, at: slice, keys: int) -> Tensor:
        """What a chunk's numerators are multiplied by."""
        if not self.normalize:
            return torch.ones_like(sums)
        limit = self.limit(sums, at, keys)
        share = sums.reciprocal()
        return share if limit is None else share.masked_fill_(sums <= limit, 0)


class Chunk:
    """Buffers of one chunk. They have the dtype that is summed in, whatever the tokens have."""

    def __init__(self, like: Tensor, size: int, features: int, width: int) -> None:
        rows = like.new_empty
        b = like.shape[0]
        self.size = size
        self.fq, self.fk, self.row = (rows(b, size, features) for _ in range(3))
        self.v, self.out = (rows(b, size, width) for _ in range(2))
        self.weights, self.dweights = (rows(b, size, size) for _ in range(2))

    def queries(self, q: Tensor, phi: Pointwise) -> Tensor:
        """The features of some tokens of q."""
        phi.in_place(self.fq.copy_(q), self.row)
        return self.fq

    def keys(self, k: Tensor, v: Tensor, phi: Pointwise) -> tuple[Tensor, Tensor]:
        """The features of some tokens of k, and their values."""
        phi.in_place(self.fk.copy_(k), self.row)
        return self.fk, self.v.copy_(v)


class State:
    """The sums over the keys so far: s of phi(k) v^T, z of phi(k)."""

    def __init__(self, like: Tensor, features: int, width: int) -> None:
        self.s = like.new_zeros(like.shape[0], features, width)
        self.z = like.new_zeros(like.shape[0], 1, features)

    def add(self, features: Tensor, values: Tensor) -> None:
        """Take some tokens in."""
        self.s.baddbmm_(features.mT, values)
        self.z += features.sum(dim=1, keepdim=True)

    def add_weighted(self, features: Tensor, values: Tensor, weights: Tensor) -> None:
        """The same with a weight for each token in z."""
        self.s.baddbmm_(features.mT, values)
        self.z += (features * weights).sum(dim=1, keepdim=True)


def chunks(n: int, size: int, *, backwards: bool = False) -> Iterator[slice]:
    """Where the chunks of n tokens lie, the last one as short as it has to be."""
    starts = range(0, n, size)
    for start in reversed(starts) if backwards else starts:
        yield slice(start, min(start + size, n))


def buffers(like: Tensor, at: slice, kept: Chunk | None, features: int, width: int) -> Chunk:
    """The buffers of the last chunk again, unless this one is of another size."""
    size = at.stop - at.start
    return kept if kept and kept.size == size else Chunk(like, size, features, width)


def causal(q: Queries, k: Keys, v: Values, plan: Plan) -> tuple[Values, Sums]:
    """The outputs, and the sums of the weights of each row."""
    (_, n, f), c = q.shape, v.shape[-1]
    out, sums = torch.empty_like(v), v.new_empty(*q.shape[:2], 1, dtype=summed_in(v.dtype))
    state, work = State(sums, f, c), None
    for at in chunks(n, plan.chunk_size):
        work = buffers(sums, at, work, f, c)
        fq = work.queries(q[:, at], plan.query)
        fk, values = work.keys(k[:, at], v[:, at], plan.key)
        weights = torch.bmm(fq, fk.mT, out=work.weights).tril_()
        numerator = torch.bmm(weights, values, out=work.out)
        torch.sum(weights, dim=-1, keepdim=True, out=sums[:, at])
        if at.start:
            numerator.baddbmm_(fq, state.s)
            sums[:, at] += torch.mul(fq, state.z, out=work.row).sum(dim=-1, keepdim=True)
        torch.mul(numerator, plan.share(sums[:, at], at, n), out=out[:, at])
        if at.stop < n:
            state.add(fk, values)
    return out, sums


def bracketed(q: Queries, k: Keys, v: Values, plan: Plan) -> tuple[Float[Tensor, "b n c"], Sums]:
    """The same where every query sees every key: one state, made first."""
    f, c, m = q.shape[-1], v.shape[-1], k.shape[1]
    out, sums = v.new_empty(*q.shape[:2], c), v.new_empty(*q.shape[:2], 1, dtype=summed_in(v.dtype))
    state, work = whole(k, v, sums, plan), None
    for at in chunks(q.shape[1], plan.chunk_size):
        work = buffers(sums, at, work, f, c)
        fq = work.queries(q[:, at], plan.query)
        numerator = torch.bmm(fq, state.s, out=work.out)
        sums[:, at] = torch.mul(fq, state.z, out=work.row).sum(dim=-1, keepdim=True)
        torch.mul(numerator, plan.share(sums[:, at], at, m), out=out[:, at])
    return out, sums


def whole(k: Keys, v: Values, like: Tensor, plan: Plan) -> State:
    """The state after all keys."""
    f, c = k.shape[-1], v.shape[-1]
    state, work = State(like, f, c), None
    for at in chunks(k.shape[1], plan.chunk_size):
        work = buffers(like, at, work, f, c)
        state.add(*work.keys(k[:, at], v[:, at], plan.key))
    return state
