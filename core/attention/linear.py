"""Linear attention: phi(q) phi(k)^T in the place of softmax(q k^T), and then the brackets moved.

(phi(q) phi(k)^T) v takes n² (f + c) multiplications; phi(q) (phi(k)^T v) is the same product in
2 n f c. Causal, the same with running sums.

Sources: https://kexue.fm/archives/7546, eq. (3), (4), (9), (10); Katharopoulos et al. 2020
(arXiv:2006.16236), eq. 4-7.
Axes: "..." batch and heads, n queries, m keys, d width of q and k, c width of v, f features.
"""

import warnings
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from core.attention import forms
from core.attention.features import FeatureMap, Map, feature_map
from core.attention.shapes import check, check_chunk
from core.attention.softmax import masked, softmax_weights

CHUNK = 64
FORMS = ("chunkwise", "quadratic", "cumulative", "recurrent")


class UnsafeDenominator(UserWarning):
    """A row was divided by weights that cancel to 0, as those of a signed kernel can."""


def linear_attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *,
    feature_map: str | Map = "elu",
    causal: bool = False,
    chunk_size: int | None = None,
    normalize: bool = True,
    generator: torch.Generator | None = None,
    form: str = "chunkwise",
) -> Float[Tensor, "*batch n c"]:
    """sum_j sim(q_i, k_j) v_j / sum_j sim(q_i, k_j), over j <= i if causal.

    feature_map: "elu", "relu", "exp", "cosine", "taylor2", "favor", "identity", or a function of q
    and k alike, [..., n, d] -> [..., n, f], token by token. "favor" draws its directions with
    `generator`; the others don't use it.
    chunk_size: tokens that the causal form takes at once; None: chosen for speed.
    normalize: whether to divide by the sum of the weights.
    form: how it is summed. "chunkwise" is the fast one; "cumulative" and "recurrent" are causal.

    A row whose weights are nonnegative and sum to 0 gives zeros, with zero gradient. A signed
    kernel's weights can cancel; where nothing but rounding is left of their sum, UnsafeDenominator
    is warned, and `denominators` tells more. float16 and bfloat16 are summed in float32. Raises
    ValueError on shapes that do not match, an unknown feature map or form, a chunk_size below 1.
    """
    check(q, k, v, causal=causal)
    check_chunk(chunk_size)
    phi = _feature_map(feature_map, q.shape[-1], normalize=normalize, generator=generator)
    dtype = q.dtype
    q, k, v = (x.to(_summed_in(dtype)) for x in (q, k, v))
    q, k = phi.query(q), phi.key(k)
    numerator, denominator = _sums(form, causal, chunk_size or CHUNK)(q, k, v)
    if not normalize:
        return numerator.to(dtype)
    return divide(numerator, denominator, _floor(phi, q, k, causal)).to(dtype)


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
    phi = _feature_map(kind, q.shape[-1], normalize=normalize, generator=generator)
    fq, fk = (f(x.to(_summed_in(q.dtype))) for f, x in ((phi.query, q), (phi.key, k)))
    sims = masked(fq @ fk.mT, causal)
    if normalize:
        sims = divide(sims, sims.sum(dim=-1, keepdim=True), _floor(phi, fq, fk, causal))
    return sims.to(q.dtype)


def divide(
    numerator: Float[Tensor, "*b c"], denominator: Float[Tensor, "*b 1"], floor: Tensor | None
) -> Float[Tensor, "*b c"]:
    """The quotient; 0 with zero gradient where the denominator is at most `floor`.

    `floor` None: the kernel is signed, no sum is 0 by right, and one that is 0 is warned about.
    """
    if floor is None:
        _warn_if_unsafe(denominator)
        return numerator / denominator
    empty = denominator <= floor
    return (numerator / denominator.masked_fill(empty, 1)).masked_fill(empty, 0)


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


@dataclass(frozen=True)
class State:
    """All that a causal linear attention remembers of the tokens so far."""

    s: Float[Tensor, "*b f c"]  # sum of phi(k_j) v_j^T
    z: Float[Tensor, "*b f"]  # sum of phi(k_j)
    steps: int = 0
    phi: FeatureMap | None = None  # fixed by the first step: random features stay the same


def recurrent_state(
    leading_shape: tuple[int, ...],
    d_k: int,
    d_v: int,
    *,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str | None = None,
) -> State:
    """The state before the first token: zeros. Raises ValueError for a width below 1.

    All steps compute in the state's dtype; outputs come in the tokens'.
    """
    for name, value in (("d_k", d_k), ("d_v", d_v)):
        if value < 1:
            raise ValueError(f"{name} is {value!r}, but must be an integer >= 1")
    zeros = partial(torch.zeros, dtype=dtype, device=device)
    return State(zeros((*leading_shape, d_k, d_v)), zeros((*leading_shape, d_k)))


def recurrent_step(
    state: State,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *,
    feature_map: str | Map = "elu",
    normalize: bool = True,
    generator: torch.Generator | None = None,
) -> tuple[Float[Tensor, "*batch c"], State]:
    """One token of causal linear attention: its output, and the state that the next one needs.

    The first step fixes the feature map, which may have more features than q has numbers. Raises
    ValueError on shapes that do not match, or when the feature map changes between steps.
    """
    phi = _kept_map(state, feature_map, q.shape[-1], normalize, generator)
    query, key, value = phi.query(q.to(state.s)), phi.key(k.to(state.s)), v.to(state.s)
    state = _fitting(state, key, value)
    s = state.s + key.unsqueeze(-1) * value.unsqueeze(-2)
    z = state.z + key
    out = (query.unsqueeze(-2) @ s).squeeze(-2)
    if normalize:
        total = (query * z).sum(dim=-1, keepdim=True)
        out = divide(out, total, _step_floor(phi, query, z, state.steps + 1))
    return out.to(v.dtype), State(s, z, state.steps + 1, phi)


_feature_map = feature_map  # the argument of that name hides it


def _summed_in(dtype: torch.dtype) -> torch.dtype:
    return torch.float32 if dtype in (torch.float16, torch.bfloat16) else dtype


def _sums(form: str, causal: bool, chunk_size: int) -> partial:
    if form not in FORMS:
        raise ValueError(f"form is {form!r}, but must be one of {FORMS}")
    if form == "quadratic":
        return partial(forms.quadratic, causal=causal)
    if not causal and form != "chunkwise":
        raise ValueError(f"form is {form!r}, which is causal, but causal is False")
    if not causal:
        return partial(forms.bracketed)
    if form == "chunkwise":
        return partial(forms.chunked, chunk_size=chunk_size)
    return partial(forms.cumulative if form == "cumulative" else forms.recurrent)


def _floor(phi: FeatureMap, q: Tensor, k: Tensor, causal: bool) -> Tensor | None:
    """Up to what a row's sum is 0 to rounding: a little for each of its keys. None: signed."""
    if not _never_negative(phi, q, k):
        return None
    n, m = q.shape[-2], k.shape[-2]
    keys = torch.arange(1, n + 1) if causal else torch.full((n,), m)
    return (phi.rounding * torch.finfo(q.dtype).eps * keys.to(q)).unsqueeze(-1)


def _step_floor(phi: FeatureMap, query: Tensor, z: Tensor, steps: int) -> Tensor | None:
    if not _never_negative(phi, query, z):
        return None
    return query.new_tensor(phi.rounding * torch.finfo(query.dtype).eps * steps)


def _never_negative(phi: FeatureMap, q: Tensor, k: Tensor) -> bool:
    if phi.nonnegative is None:
        return bool((q >= 0).all() and (k >= 0).all())
    return phi.nonnegative


def _warn_if_unsafe(denominator: Tensor) -> None:
    if denominator.numel() == 0:
        return
    size = denominator.detach().abs()
    unsafe = int((size <= torch.finfo(size.dtype).eps * size.max()).sum())
    if unsafe:
        warnings.warn(
            f"the weights of {unsafe} of {size.numel()} rows cancel to 0: their outputs are noise",
            UnsafeDenominator,
            stacklevel=4,
        )


def _kept_map(
    state: State,
    kind: str | Map,
    width: int,
    normalize: bool,
    generator: torch.Generator | None,
) -> FeatureMap:
    if state.phi is None:
        return _feature_map(kind, width, normalize=normalize, generator=generator)
    if kind != state.phi.name and kind not in (state.phi.query, state.phi.key):
        raise ValueError(f"feature_map is {kind!r}, but the state was begun with {state.phi.name}")
    return state.phi


def _fitting(state: State, key: Tensor, v: Tensor) -> State:
    """The state, widened to the map's features before its first token."""
    if state.steps == 0 and key.shape[-1] != state.z.shape[-1]:
        shape = state.s.shape[:-2]
        s = state.s.new_zeros((*shape, key.shape[-1], state.s.shape[-1]))
        state = State(s, state.z.new_zeros((*shape, key.shape[-1])))
    if key.shape[-1] != state.z.shape[-1] or v.shape[-1] != state.s.shape[-1]:
        raise ValueError(
            f"k has {key.shape[-1]} features and v {v.shape[-1]} numbers, but the state "
            f"holds {state.z.shape[-1]} by {state.s.shape[-1]}"
        )
    return state
