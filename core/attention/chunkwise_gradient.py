"""The chunkwise form in autograd: a backward pass that makes the states anew and keeps none.

With G the gradient of the outputs over the denominators and e = -(G·out) that of the denominators,
the weights of row i have the gradient G_i·v_j + e_i, so that

    dphi(q_i) = sum_{j<=i} (G_i·v_j + e_i) phi(k_j)     forwards, as the outputs
    dphi(k_j) = sum_{i>=j} (G_i·v_j + e_i) phi(q_i)     backwards, with the state sum phi(q_i) G_i^T
    dv_j      = sum_{i>=j} (phi(q_i)·phi(k_j)) G_i

Source: Katharopoulos et al. 2020 (arXiv:2006.16236), eq. 13-15, here with the denominator.
Axes: as in `chunkwise.py`.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from core.attention import forms
from core.attention.chunkwise import (
    Chunk,
    Keys,
    Plan,
    Queries,
    State,
    Sums,
    Values,
    bracketed,
    buffers,
    causal,
    chunks,
    whole,
)
from core.attention.normalization import divide, warn_if_unsafe

Gradients = tuple[Queries, Keys, Values]


class Chunkwise(Function):
    """Outputs of a plan, with a gradient, and with a gradient of that gradient."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, plan: Plan) -> Tensor:
        """Outputs; of what it made, only they and one number a row are kept."""
        out, sums = (causal if plan.causal else bracketed)(q, k, v, plan)
        if plan.normalize and plan.rounding is None:
            warn_if_unsafe(sums)
        ctx.plan = plan
        ctx.save_for_backward(q, k, v, out, sums)
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of q, k and v."""
        q, k, v, out, sums = ctx.saved_tensors
        if torch.is_grad_enabled():  # a gradient of this gradient is wanted: leave both to autograd
            again = differentiable(q, k, v, ctx.plan)
            return *torch.autograd.grad(again, (q, k, v), gradients, create_graph=True), None
        adjoint = Adjoint(gradients[0], out, sums, k.shape[1], ctx.plan)
        passes = causal_gradient if ctx.plan.causal else bracketed_gradient
        found = passes(q, k, v, adjoint, ctx.plan)
        return *(dx.to(x.dtype) for dx, x in zip(found, (q, k, v), strict=True)), None


def differentiable(q: Queries, k: Keys, v: Values, plan: Plan) -> Tensor:
    """The same function in operations that autograd knows; it keeps a state a chunk."""
    fq, fk = plan.query(q), plan.key(k)
    if plan.causal:
        numerator, sums = forms.chunked(fq, fk, v, chunk_size=plan.chunk_size)
    else:
        numerator, sums = forms.bracketed(fq, fk, v)
    if not plan.normalize:
        return numerator
    return divide(numerator, sums, plan.limit(sums, slice(0, q.shape[1]), k.shape[1]))


class Adjoint:
    """What reaches the numerators and denominators of a chunk, from the gradient of the outputs."""

    def __init__(self, gradient: Tensor, out: Tensor, sums: Sums, keys: int, plan: Plan) -> None:
        self.gradient, self.out, self.sums, self.keys, self.plan = gradient, out, sums, keys, plan

    def of(self, at: slice, work: Chunk) -> tuple[Tensor, Tensor]:
        """G, the gradient of the numerators, and e, that of the denominators."""
        share = self.plan.share(self.sums[:, at], at, self.keys)
        numerator = torch.mul(self.gradient[:, at], share, out=work.out)
        if not self.plan.normalize:
            return numerator, torch.zeros_like(self.sums[:, at])
        return numerator, -(numerator * self.out[:, at]).sum(dim=-1, keepdim=True)


def causal_gradient(q: Queries, k: Keys, v: Values, adjoint: Adjoint, plan: Plan) -> Gradients:
    """Forwards for q and for what a chunk gives itself, backwards for what it gives later ones."""
    like, (b, n, f), c = adjoint.sums, q.shape, v.shape[-1]
    dq, dk, dv = (like.new_empty(b, n, width) for width in (f, f, c))
    state, work = State(like, f, c), None
    for at in chunks(n, plan.chunk_size):
        work = buffers(like, at, work, f, c)
        fq = work.queries(q[:, at], plan.query)
        fk, values = work.keys(k[:, at], v[:, at], plan.key)
        g, e = adjoint.of(at, work)
        weights = torch.bmm(fq, fk.mT, out=work.weights).tril_()
        dweights = torch.bmm(g, values.mT, out=work.dweights).add_(e).tril_()
        dfq = torch.bmm(dweights, fk, out=work.row)
        if at.start:
            dfq.baddbmm_(g, state.s.mT).addcmul_(e, state.z)
        plan.query.slope(dfq, fq)
        dq[:, at] = dfq
        state.add(fk, values)
        dk[:, at] = torch.bmm(dweights.mT, fq, out=work.row)
        dv[:, at] = torch.bmm(weights.mT, g, out=work.v)
    _add_later(q, k, v, dk, dv, adjoint, plan)
    return dq, dk, dv


def _add_later(
    q: Queries, k: Keys, v: Values, dk: Keys, dv: Values, adjoint: Adjoint, plan: Plan
) -> None:
    """Add to dphi(k), dv what queries of later chunks have of them, and go from phi(k) to k."""
    like, n, f, c = adjoint.sums, q.shape[1], q.shape[-1], v.shape[-1]
    later, work = State(like, f, c), None
    for at in chunks(n, plan.chunk_size, backwards=True):
        work = buffers(like, at, work, f, c)
        fk, values = work.keys(k[:, at], v[:, at], plan.key)
        if at.stop < n:
            dv[:, at] += fk @ later.s
            dk[:, at] += torch.baddbmm(later.z, values, later.s.mT)
        plan.key.slope(dk[:, at], fk)
        if at.start:
            g, e = adjoint.of(at, work)
            later.add_weighted(work.queries(q[:, at], plan.query), g, e)


def bracketed_gradient(q: Queries, k: Keys, v: Values, adjoint: Adjoint, plan: Plan) -> Gradients:
    """Once over the queries, with the state of all keys; once over the keys, with theirs."""
    like, (b, n, f), (m, c) = adjoint.sums, q.shape, v.shape[1:]
    dq, dk, dv = (like.new_empty(b, *shape) for shape in ((n, f), (m, f), (m, c)))
    state, owed, work = whole(k, v, like, plan), State(like, f, c), None
    for at in chunks(n, plan.chunk_size):
        work = buffers(like, at, work, f, c)
        fq = work.queries(q[:, at], plan.query)
        g, e = adjoint.of(at, work)
        dfq = torch.bmm(g, state.s.mT, out=work.row).addcmul_(e, state.z)
        plan.query.slope(dfq, fq)
        dq[:, at] = dfq
        owed.add_weighted(fq, g, e)
    for at in chunks(m, plan.chunk_size):
        work = buffers(like, at, work, f, c)
        fk, values = work.keys(k[:, at], v[:, at], plan.key)
        dv[:, at] = torch.bmm(fk, owed.s, out=work.out)
        dfk = torch.baddbmm(owed.z, values, owed.s.mT, out=work.row)
        plan.key.slope(dfk, fk)
        dk[:, at] = dfk
    return dq, dk, dv
