"""The chunkwise form's own backward pass: against autograd through the quadratic form."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from core import attention as core
from core.attention.chunkwise import Plan
from core.attention.chunkwise_gradient import Chunkwise
from core.attention.pointwise import ELU, Pointwise
from tests.core.test_attention_forms import MAPS, attend, tokens

POINTWISE = ("elu", "relu", "exp", "identity")


def gradients(q: Tensor, k: Tensor, v: Tensor, weights: Tensor, **options: Any) -> list[Tensor]:
    """Of a weighted sum of the outputs, with respect to q, k and v."""
    leaves = [x.clone().requires_grad_() for x in (q, k, v)]
    out = attend(*leaves, **options)
    return list(torch.autograd.grad((out * weights).sum(), leaves))


def test_the_pointwise_maps_are_those_that_the_fast_form_makes_itself() -> None:
    named = [name for name in core.FEATURE_MAPS if hasattr(core.FEATURE_MAPS[name].query, "slope")]
    assert tuple(named) == POINTWISE


@settings(deadline=None, max_examples=60)
@given(
    kind=st.sampled_from(MAPS),
    n=st.integers(1, 30),
    m=st.integers(1, 30),
    widths=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    chunk=st.integers(1, 40),
    seed=st.integers(0, 99),
    causal=st.booleans(),
    normalize=st.booleans(),
)
def test_gradients_are_those_of_the_quadratic_form(
    kind: str,
    n: int,
    m: int,
    widths: tuple[int, int],
    chunk: int,
    seed: int,
    causal: bool,
    normalize: bool,
) -> None:
    normalize = normalize and kind != "identity"
    q, k, v = tokens(2, 3, max(n, m), widths[0], seed=seed, values=widths[1])
    if not causal:
        q, k, v = q[..., :n, :], k[..., :m, :], v[..., :m, :]
    weights = tokens(*q.shape[:-1], 1, seed=seed + 1, values=widths[1])[2]
    options = {"feature_map": kind, "causal": causal, "normalize": normalize}
    expected = gradients(q, k, v, weights, form="quadratic", **options)
    found = gradients(q, k, v, weights, chunk_size=chunk, **options)
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("kind", POINTWISE)
@pytest.mark.parametrize("causal", [False, True])
def test_gradients_pass_the_finite_difference_check_twice(kind: str, causal: bool) -> None:
    leaves = [x.requires_grad_() for x in tokens(2, 5, 3, seed=4, values=2)]

    def run(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return attend(
            q, k, v, feature_map=kind, causal=causal, chunk_size=2, normalize=kind != "identity"
        )

    assert torch.autograd.gradcheck(run, leaves)
    assert torch.autograd.gradgradcheck(run, leaves)


def test_single_precision_gradients_agree_to_their_rounding() -> None:
    q, k, v = tokens(2, 4, 301, 16, values=8)
    weights = tokens(2, 4, 301, 8, seed=1)[2]
    exact = gradients(q, k, v, weights, causal=True, form="quadratic")
    single = gradients(*(x.float() for x in (q, k, v, weights)), causal=True)
    for ours, theirs in zip(single, exact, strict=True):
        assert float((ours.double() - theirs).abs().max() / theirs.abs().max()) < 1e-5


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("kind", ["elu", "cosine"])
def test_half_precision_gradients_have_the_tokens_dtype(dtype: torch.dtype, kind: str) -> None:
    q, k, v = tokens(2, 200, 8, dtype=dtype)
    weights = tokens(2, 200, 8, seed=1)[2]
    exact = gradients(q.double(), k.double(), v.double(), weights, causal=True, feature_map=kind)
    found = gradients(q, k, v, weights.to(dtype), causal=True, feature_map=kind)
    for ours, theirs in zip(found, exact, strict=True):
        assert ours.dtype == dtype
        error = (ours.double() - theirs).abs().max() / theirs.abs().max()
        assert float(error) < 4 * torch.finfo(dtype).eps


def test_the_gradient_of_expanded_leading_axes_is_summed_over_them() -> None:
    q, k, v = tokens(3, 9, 4)[0], tokens(9, 4, seed=1)[1], tokens(2, 1, 9, 4, seed=2)[2]
    weights = tokens(2, 3, 9, 4, seed=3)[2]
    found = gradients(q, k, v, weights, causal=True, chunk_size=4)
    assert [x.shape for x in found] == [q.shape, k.shape, v.shape]
    for ours, theirs in zip(
        found, gradients(q, k, v, weights, causal=True, form="quadratic"), strict=True
    ):
        torch.testing.assert_close(ours, theirs)


def test_a_trainable_feature_map_gets_its_gradient() -> None:
    layer = torch.nn.Linear(4, 6, dtype=torch.float64)
    q, k, v = tokens(2, 9, 4)
    found = []
    for form in ("chunkwise", "quadratic"):
        layer.zero_grad()
        attend(
            q, k, v, feature_map=lambda x: layer(x).exp(), causal=True, form=form
        ).square().sum().backward()
        assert layer.weight.grad is not None
        found.append(layer.weight.grad.clone())
    torch.testing.assert_close(found[0], found[1])


def test_only_inputs_outputs_and_one_number_a_row_are_kept_for_the_backward_pass() -> None:
    q, k, v = (x.requires_grad_() for x in tokens(2, 3, 100, 8, dtype=torch.float32))
    kept: list[Tensor] = []

    def pack(x: Tensor) -> Tensor:
        kept.append(x)
        return x

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
        attend(q, k, v, causal=True)
    assert sorted(x.numel() for x in kept) == sorted([*[2 * 3 * 100 * 8] * 4, 2 * 3 * 100])


class Largest(TorchDispatchMode):
    """Remembers the largest tensors that are made while it is on."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        if "empty" in str(func) or "zeros" in str(func) or "clone" in str(func):
            self.sizes.append(out.numel())
        return out


@pytest.mark.parametrize("causal", [False, True])
def test_nothing_larger_than_an_output_is_made_and_few_of_those(causal: bool) -> None:
    """Memory linear in n: outputs, three gradients, a few numbers a row; buffers of a chunk."""
    n, width = 16 * 64, 8
    leaves = [x.requires_grad_() for x in tokens(2, n, width, dtype=torch.float32)]
    with Largest() as seen:
        out = Chunkwise.apply(*leaves, Plan(ELU, ELU, causal, chunk_size=16))
        out.sum().backward()
    assert max(seen.sizes) == 2 * n * width
    assert sum(size == 2 * n * width for size in seen.sizes) <= 1 + 3
    assert sum(2 * 16 * 16 < size < 2 * n * width for size in seen.sizes) <= 3  # a number a row


@pytest.mark.parametrize("kind", POINTWISE)
def test_slopes_are_derivatives_also_at_the_seams(kind: str) -> None:
    phi = core.FEATURE_MAPS[kind].query
    assert isinstance(phi, Pointwise)
    x = torch.tensor([-3.0, -1e-6, 0.0, 1e-6, 2.0], dtype=torch.float64, requires_grad=True)
    (expected,) = torch.autograd.grad(phi(x).sum(), x)
    gradient, value = torch.ones(5, dtype=torch.float64), x.detach().clone()
    phi.in_place(value, torch.empty_like(value))
    torch.testing.assert_close(value, phi(x.detach()))
    phi.slope(gradient, value)
    torch.testing.assert_close(gradient, expected)
