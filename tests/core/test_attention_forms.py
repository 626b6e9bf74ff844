"""Attention: all forms are one function; shapes, empty rows, half precision, no look ahead."""

import math
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from core import attention as core

MAPS = (*core.FEATURE_MAPS, "favor")
EVEN = tuple(name for name in MAPS if name != "identity")  # their sums of weights are positive


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def tokens(
    *shape: int, seed: int = 0, values: int | None = None, dtype: torch.dtype = torch.float64
) -> tuple[Tensor, Tensor, Tensor]:
    """q, k of that shape and v with `values` numbers a token."""
    draw = generator(seed)
    q, k = torch.randn(2, *shape, generator=draw, dtype=torch.float64)
    v = torch.randn(*shape[:-1], values or shape[-1], generator=draw, dtype=torch.float64)
    return q.to(dtype), k.to(dtype), v.to(dtype)


def attend(q: Tensor, k: Tensor, v: Tensor, **options: Any) -> Tensor:
    return core.linear_attention(q, k, v, generator=generator(), **options)


def stepped(q: Tensor, k: Tensor, v: Tensor, feature_map: str, normalize: bool = True) -> Tensor:
    state = core.recurrent_state(tuple(q.shape[:-2]), q.shape[-1], v.shape[-1], dtype=q.dtype)
    draw, outs = generator(), []
    for i in range(q.shape[-2]):
        out, state = core.recurrent_step(
            state, q[..., i, :], k[..., i, :], v[..., i, :],
            feature_map=feature_map, normalize=normalize, generator=draw,
        )  # fmt: skip
        outs.append(out)
    return torch.stack(outs, dim=-2)


@settings(deadline=None, max_examples=60)
@given(
    kind=st.sampled_from(MAPS),
    n=st.integers(1, 40),
    widths=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    leading=st.sampled_from([(), (2,), (2, 3)]),
    chunk=st.integers(1, 50),
    seed=st.integers(0, 99),
)
def test_all_causal_forms_are_one_function(
    kind: str, n: int, widths: tuple[int, int], leading: tuple[int, ...], chunk: int, seed: int
) -> None:
    q, k, v = tokens(*leading, n, widths[0], seed=seed, values=widths[1])
    options = {"feature_map": kind, "causal": True, "normalize": kind != "identity"}
    oracle = attend(q, k, v, form="quadratic", **options)
    others = [attend(q, k, v, form=form, **options) for form in core.FORMS]
    others += [attend(q, k, v, chunk_size=chunk, **options)]
    others += [stepped(q, k, v, kind, normalize=kind != "identity")]
    for other in others:
        torch.testing.assert_close(other, oracle, rtol=1e-10, atol=1e-10)


@settings(deadline=None, max_examples=30)
@given(
    kind=st.sampled_from(MAPS),
    n=st.integers(1, 20),
    m=st.integers(1, 20),
    seed=st.integers(0, 99),
    causal=st.booleans(),
)
def test_the_output_is_the_matrix_times_the_values(
    kind: str, n: int, m: int, seed: int, causal: bool
) -> None:
    q, k, v = tokens(2, max(n, m), 4, seed=seed, values=3)
    if not causal:
        q, k, v = q[..., :n, :], k[..., :m, :], v[..., :m, :]
    normalize = kind != "identity"
    matrix = core.attention_matrix(
        q, k, kind, causal=causal, normalize=normalize, generator=generator()
    )
    out = attend(q, k, v, feature_map=kind, causal=causal, normalize=normalize)
    torch.testing.assert_close(out, matrix @ v, rtol=1e-10, atol=1e-10)
    if normalize:
        sums = matrix.sum(dim=-1)
        torch.testing.assert_close(sums, (sums > 0).double())  # 0 where relu leaves no weight


@pytest.mark.parametrize("form", core.FORMS)
@pytest.mark.parametrize("kind", MAPS)
def test_single_precision_agrees_to_its_rounding(kind: str, form: str) -> None:
    q, k, v = tokens(2, 4, 301, 16, values=8)
    for normalize in {False, kind != "identity"}:
        options = {"feature_map": kind, "causal": True, "normalize": normalize}
        exact = attend(q, k, v, form="quadratic", **options)
        single = attend(q.float(), k.float(), v.float(), form=form, **options).double()
        assert float((single - exact).abs().max() / exact.abs().max()) < 1e-5


@pytest.mark.parametrize("causal", [False, True])
def test_softmax_attention_is_its_matrix_times_the_values(causal: bool) -> None:
    q, k, v = tokens(2, 3, 19, 5, values=7)
    out = core.softmax_attention(q, k, v, causal=causal)
    matrix = core.attention_matrix(q, k, "softmax", causal=causal)
    torch.testing.assert_close(out, matrix @ v)
    scaled = core.softmax_attention(q, k, v, causal=causal, scale=0.3)
    torch.testing.assert_close(
        scaled, F.scaled_dot_product_attention(q, k, v, is_causal=causal, scale=0.3)
    )


def test_kernels_are_what_their_names_say() -> None:
    q, k, _ = tokens(9, 5)
    sims = {name: core.attention_matrix(q, k, name, normalize=False) for name in core.FEATURE_MAPS}
    cosine = F.cosine_similarity(q[:, None], k[None], dim=-1)
    torch.testing.assert_close(sims["cosine"], 1 + cosine)
    torch.testing.assert_close(sims["identity"], q @ k.T)
    torch.testing.assert_close(sims["taylor2"], 1 + q @ k.T + (q @ k.T).square() / 2)
    torch.testing.assert_close(sims["elu"], (F.elu(q) + 1) @ (F.elu(k) + 1).T)
    torch.testing.assert_close(sims["exp"], torch.logsumexp(q[:, None] + k[None], dim=-1).exp())
    assert core.taylor2(q).shape[-1] == 1 + 5 + 15


@pytest.mark.parametrize("kind", [*MAPS, "softmax", torch.sigmoid])
@pytest.mark.parametrize("causal", [False, True])
def test_no_tokens_and_one_token(kind: str | Callable[[Tensor], Tensor], causal: bool) -> None:
    def run(n: int) -> Tensor:
        q, k, v = tokens(2, n, 3, values=4)
        if kind == "softmax":
            return core.softmax_attention(q, k, v, causal=causal)
        return attend(q, k, v, feature_map=kind, causal=causal)

    assert run(0).shape == (2, 0, 4)
    value = tokens(2, 1, 3, values=4)[2]  # one token sees its own, or nothing where relu is 0
    assert ((run(1) - value).abs() < 1e-12)[0].all()
    assert ((run(1) - value).abs() < 1e-12)[1].all() or kind == "relu"


@pytest.mark.parametrize("kind", ["elu", "cosine", "exp"])
def test_leading_axes_broadcast(kind: str) -> None:
    q, k, v = tokens(2, 1, 7, 3)[0], tokens(3, 7, 3, seed=1)[1], tokens(7, 3, seed=2)[2]
    out = attend(q, k, v, feature_map=kind, causal=True)
    assert out.shape == (2, 3, 7, 3)
    torch.testing.assert_close(out[1, 2], attend(q[1, 0], k[2], v, feature_map=kind, causal=True))
    assert core.softmax_attention(q, k, v, causal=True).shape == (2, 3, 7, 3)


@pytest.mark.parametrize("form", core.FORMS)
@pytest.mark.parametrize("kind", EVEN)
def test_the_future_has_no_say(form: str, kind: str) -> None:
    q, k, v = tokens(2, 21, 4)
    before = attend(q, k, v, feature_map=kind, causal=True, chunk_size=5, form=form)
    for at in (1, 7, 20):
        changed = [x.clone() for x in (q, k, v)]
        for x in changed:
            x[..., at:, :] += 3
        after = attend(*changed, feature_map=kind, causal=True, chunk_size=5, form=form)
        torch.testing.assert_close(after[..., :at, :], before[..., :at, :], rtol=0, atol=1e-12)
        assert float((after - before)[..., at:, :].abs().amax()) > 0.01


@pytest.mark.parametrize(
    ("kind", "q", "k"),
    [
        ("relu", [-1.0, -2.0], [1.0, 3.0]),
        ("relu", [2.0, -1.0], [-1.0, 5.0]),
        ("cosine", [0.3, 0.7], [-0.9, -2.1]),
    ],
)
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_row_without_weight_is_zero_and_has_no_gradient(
    kind: str, q: list[float], k: list[float], causal: bool, dtype: torch.dtype
) -> None:
    empty = torch.tensor([q, q, q], dtype=dtype).requires_grad_()
    keys = torch.tensor([k, k, k], dtype=dtype).requires_grad_()
    values = torch.ones(3, 2, dtype=dtype).requires_grad_()
    out = attend(empty, keys, values, feature_map=kind, causal=causal)
    assert torch.equal(out, torch.zeros_like(out))
    for gradient in torch.autograd.grad(out.sum(), (empty, keys, values)):
        assert torch.equal(gradient, torch.zeros_like(gradient))


def test_a_signed_kernel_is_reported_and_not_mended() -> None:
    q, k, v = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]]), torch.ones(1, 1)
    with pytest.warns(core.UnsafeDenominator, match="1 of 1 rows cancel to 0"):
        assert not attend(q, k, v, feature_map="identity").isfinite().any()
    with pytest.warns(core.UnsafeDenominator):
        attend(torch.tensor([[1.0, -1.0]]), torch.ones(1, 2), v, feature_map=torch.tanh)
    report = core.denominators(*tokens(300, 16)[:2], "identity")
    assert report.share_negative == pytest.approx(0.5, abs=0.02)
    assert report.amplification > 100
    safe = core.denominators(*tokens(300, 16)[:2], "elu")
    assert safe.share_negative == safe.share_not_positive == 0
    assert safe.amplification == pytest.approx(1)


@pytest.mark.parametrize("kind", EVEN)
def test_not_a_number_propagates_and_only_forward(kind: str) -> None:
    q, k, v = tokens(12, 4)
    k[5, 0] = math.nan
    out = attend(q, k, v, feature_map=kind, causal=True, chunk_size=4)
    assert out[:5].isfinite().all()
    assert out[5:].isnan().all()


def test_large_numbers_do_not_overflow() -> None:
    q, k, v = (3 * x for x in tokens(40, 8, dtype=torch.float32))
    q[7] = 300
    for kind in ("exp", "favor", "cosine"):
        assert attend(q, k, v, feature_map=kind, causal=True).isfinite().all()
    huge = core.cosine(torch.tensor([1e30, 1e30]))
    torch.testing.assert_close(huge, torch.tensor([1, 0.5**0.5, 0.5**0.5]))


def test_exponential_keys_of_any_size_are_weighed_without_overflow() -> None:
    q, k, v = (40 * x for x in tokens(2, 9, 5, values=3))
    k = k + 900
    leaves = [x.requires_grad_() for x in (q, k, v)]
    out = attend(*leaves, feature_map="exp")
    log_sims = torch.logsumexp(q.unsqueeze(-2) + k.unsqueeze(-3), dim=-1)
    exact = log_sims.softmax(dim=-1) @ v
    torch.testing.assert_close(out, exact)
    for ours, theirs in zip(
        torch.autograd.grad(out.square().sum(), leaves),
        torch.autograd.grad(exact.square().sum(), leaves),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs)


def test_elu_keeps_its_precision_where_the_written_form_rounds_to_zero() -> None:
    x = torch.linspace(-20, 20, 401)
    for dtype in (torch.bfloat16, torch.float16, torch.float32, torch.float64):
        cast = x.to(dtype)
        exact = torch.where(cast > 0, cast.double() + 1, cast.double().clamp(max=0).exp())
        error = ((core.elu(cast).double() - exact).abs() / exact)[exact > 1e-4].max()
        assert float(error) < 2 * torch.finfo(dtype).eps
    low = torch.tensor(-9.0, dtype=torch.bfloat16)
    assert float(F.elu(low) + 1) == 0
    assert float(core.elu(low)) == pytest.approx(math.exp(-9), rel=0.01)
    at = torch.tensor([-1.0, 0.0, 1.0, 200.0], requires_grad=True)
    core.elu(at).sum().backward()
    torch.testing.assert_close(at.grad, torch.tensor([math.exp(-1), 1, 1, 1]))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("causal", [False, True])
def test_half_precision_is_the_exact_result_rounded_once(dtype: torch.dtype, causal: bool) -> None:
    q, k, v = tokens(2, 2000, 8, dtype=dtype)
    exact = attend(q.double(), k.double(), v.double(), causal=causal)
    out = attend(q, k, v, causal=causal)
    assert out.dtype == dtype
    torch.testing.assert_close(out, exact.to(dtype), rtol=2 * torch.finfo(dtype).eps, atol=1e-5)


@pytest.mark.parametrize("count", [8, 3])
def test_random_features_are_unbiased_with_orthogonal_directions(count: int) -> None:
    """The mean over independent blocks of directions is within 4.5 standard errors of e^(q·k)."""
    q, k = 0.5 * torch.randn(2, 8, generator=generator(3), dtype=torch.float64)
    directions = core.random_directions(8, 8 * 20_000, generator()).unflatten(0, (-1, 8))
    found = sims_of_blocks(directions[:, :count], q, k)
    error = float(found.std() / math.sqrt(len(found)))
    exact = float((q @ k).exp())
    assert abs(float(found.mean()) - exact) < 4.5 * error
    assert error < 0.02 * exact


def test_without_the_sign_of_the_qr_random_features_are_biased() -> None:
    """torch.linalg.qr alone leaves a negative diagonal in R, whose Q prefers a direction."""
    q = 0.5 * torch.randn(8, generator=generator(3), dtype=torch.float64)
    draw = torch.randn(20_000, 8, 8, generator=generator(), dtype=torch.float64)
    raw = torch.linalg.qr(draw)[0]
    mean = raw[:, 0, 0].mean() / (raw[:, 0, 0].std() / math.sqrt(len(raw)))
    fixed = core.random_directions(8, 8 * 20_000, generator()).unflatten(0, (-1, 8))
    assert abs(float(mean)) > 50  # standard errors from 0
    assert abs(float((fixed @ q).mean())) < 4.5 * float((fixed @ q).std()) / math.sqrt(160_000)


def sims_of_blocks(directions: Tensor, q: Tensor, k: Tensor) -> Tensor:
    """sim(q, k) of each block of directions by itself."""
    half = (q.square().sum() + k.square().sum()) / 2
    return (directions @ (q + k) - half).exp().mean(dim=-1)


def test_the_random_feature_map_is_the_mean_over_its_directions() -> None:
    q, k, _ = tokens(1, 8)
    directions = core.random_directions(8, 24, generator())
    phi = core.favor(directions)
    sim = phi.query(q) @ phi.key(k).T
    torch.testing.assert_close(sim.squeeze(), sims_of_blocks(directions, q[0], k[0]))


def test_directions_are_orthogonal_within_a_block_and_as_long_as_normal_vectors() -> None:
    rows = core.random_directions(6, 15, generator())
    gram = rows @ rows.T
    for block in (gram[:6, :6], gram[6:12, 6:12], gram[12:, 12:]):
        torch.testing.assert_close(block, block.diagonal().diag(), atol=1e-12, rtol=0)
    lengths = core.random_directions(6, 60_000, generator()).square().sum(dim=-1)
    assert float(lengths.mean()) == pytest.approx(6, rel=0.01)
    assert float(lengths.var()) == pytest.approx(12, rel=0.05)


def test_the_two_softmaxes_are_their_matrix_and_sum_to_one() -> None:
    q, k, v = tokens(2, 30, 4, values=3)
    matrix = core.efficient_matrix(q, k)
    torch.testing.assert_close(core.efficient_attention(q, k, v), matrix @ v)
    torch.testing.assert_close(matrix.sum(dim=-1), torch.ones(2, 30, dtype=torch.float64))
    causal = core.causal_efficient_attention(q, k, v)
    torch.testing.assert_close(causal[..., -1, :], core.efficient_attention(q, k, v)[..., -1, :])
    torch.testing.assert_close(
        causal[..., 9, :],
        core.efficient_attention(q[..., :10, :], k[..., :10, :], v[..., :10, :])[..., 9, :],
    )


def test_linformer_is_its_matrix_and_softmax_where_nothing_is_projected() -> None:
    q, k, v = tokens(2, 12, 4, values=3)
    e, f = (core.random_projection(5, 12, generator=generator(i), dtype=q.dtype) for i in (1, 2))
    out = core.linformer_attention(q, k, v, e, f)
    torch.testing.assert_close(out, core.linformer_matrix(q, k, e, f) @ v)
    eye = torch.eye(12, dtype=q.dtype)
    torch.testing.assert_close(
        core.linformer_attention(q, k, v, eye, eye), core.softmax_attention(q, k, v)
    )


BAD: dict[str, tuple[Callable[[], object], str]] = {
    "widths": (lambda: attend(torch.ones(3, 2), torch.ones(3, 4), torch.ones(3, 2)), "k has width"),
    "tokens": (lambda: attend(torch.ones(3, 2), torch.ones(3, 2), torch.ones(4, 2)), "v has 4"),
    "causal": (
        lambda: attend(torch.ones(2, 2), torch.ones(3, 2), torch.ones(3, 2), causal=True),
        "k has 3 tokens",
    ),
    "leading": (
        lambda: attend(torch.ones(2, 3, 2), torch.ones(3, 3, 2), torch.ones(3, 2)),
        "must broadcast",
    ),
    "vector": (lambda: attend(torch.ones(2), torch.ones(3, 2), torch.ones(3, 2)), "q has shape"),
    "dtype": (
        lambda: attend(torch.ones(3, 2), torch.ones(3, 2).double(), torch.ones(3, 2)),
        "share a floating-point dtype",
    ),
    "map": (lambda: attend(*tokens(3, 2), feature_map="gelu"), "feature_map is 'gelu'"),
    "form": (lambda: attend(*tokens(3, 2), form="fast"), "form is 'fast'"),
    "not causal": (lambda: attend(*tokens(3, 2), form="recurrent"), "which is causal"),
    "chunk": (lambda: attend(*tokens(3, 2), causal=True, chunk_size=0), "chunk_size is 0"),
    "projection": (
        lambda: core.linformer_attention(*tokens(3, 2), torch.ones(2, 4), torch.ones(2, 3)),
        "e has shape",
    ),
    "state": (lambda: core.recurrent_state((), 0, 2), "d_k is 0"),
    "directions": (lambda: core.random_directions(3, 0), "count is 0"),
    "no weights": (lambda: core.denominators(*tokens(0, 2)[:2], "elu"), "both need some"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_named(case: str) -> None:
    run, message = BAD[case]
    with pytest.raises(ValueError, match=message):
        run()


def test_a_state_keeps_its_feature_map() -> None:
    token = torch.ones(3)
    _, state = core.recurrent_step(core.recurrent_state((), 3, 3), token, token, token)
    with pytest.raises(ValueError, match="the state was begun with elu"):
        core.recurrent_step(state, token, token, token, feature_map="relu")
    with pytest.raises(ValueError, match="the state holds 3 by 3"):
        core.recurrent_step(state, token, token, torch.ones(2))


def test_a_chunk_larger_than_the_sequence_is_fine_and_says_nothing() -> None:
    q, k, v = tokens(5, 3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        out = attend(q, k, v, causal=True, chunk_size=1000)
    torch.testing.assert_close(out, attend(q, k, v, causal=True, form="quadratic"))
