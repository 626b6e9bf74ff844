"""Linear attention: phi(q) phi(k)^T in the place of softmax(q k^T), and then the brackets moved.

(phi(q) phi(k)^T) v takes n² (f + c) multiplications; phi(q) (phi(k)^T v) is the same product in
2 n f c. Causal, the same with running sums.

Sources: https://kexue.fm/archives/7546, eq. (3), (4), (9), (10); Katharopoulos et al. 2020
(arXiv:2006.16236), eq. 4-7.
Axes: "..." batch and heads, n queries, m keys, d width of q and k, c width of v, f features.
"""

from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from core.attention import forms
from core.attention.chunkwise import Plan
from core.attention.chunkwise_gradient import Chunkwise
from core.attention.features import FeatureMap, Map, feature_map
from core.attention.normalization import divide, limits, never_negative, rounding
from core.attention.pointwise import IDENTITY, Pointwise
from core.attention.shapes import check, check_chunk, flat, leading_shape, summed_in

FORMS = ("chunkwise", "quadratic", "cumulative", "recurrent")


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
    chunk_size: tokens that the fast form takes at once; None: chosen for speed.
    normalize: whether to divide by the sum of the weights.
    form: how it is summed. "chunkwise" is the fast one; "cumulative" and "recurrent" are causal.

    A row whose weights are nonnegative and sum to 0 gives zeros, with zero gradient. A signed
    kernel's weights can cancel; where nothing but rounding is left of their sum, UnsafeDenominator
    is warned, and `denominators` tells more. Causal "exp" overflows from keys of about 88 on.
    float16 and bfloat16 are summed in float32. Raises ValueError on shapes that do not match, an
    unknown feature map or form, a chunk_size below 1.
    """
    check(q, k, v, causal=causal)
    check_chunk(chunk_size)
    phi = _feature_map(feature_map, q.shape[-1], normalize=normalize, generator=generator)
    if phi.name == "exp" and normalize and not causal:
        q, k = _balanced(q, k)
    if form == "chunkwise":
        return _chunkwise(q, k, v, phi, causal, chunk_size, normalize)
    dtype = q.dtype
    q, k, v = (x.to(summed_in(dtype)) for x in (q, k, v))
    q, k = phi.query(q), phi.key(k)
    numerator, sums = _sums(form, causal)(q, k, v)
    if normalize:
        numerator = divide(numerator, sums, limits(phi, q, k, causal=causal))
    return numerator.to(dtype)


_feature_map = feature_map  # the argument of that name hides it


def _balanced(q: Tensor, k: Tensor) -> tuple[Tensor, Tensor]:
    """q + m, k - m with m the largest key, feature by feature: e^q·e^k is the same, and no key
    overflows. Causal attention must not look for the largest, so it has to do without."""
    if 0 in k.shape[-2:]:
        return q, k
    largest = k.detach().amax(dim=-2, keepdim=True)
    return q + largest, k - largest


def _chunkwise(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    phi: FeatureMap,
    causal: bool,
    chunk_size: int | None,
    normalize: bool,
) -> Tensor:
    """The fast form. It makes pointwise features itself; others are made of all tokens first."""
    query, key = phi.query, phi.key
    if not (isinstance(query, Pointwise) and isinstance(key, Pointwise)):
        dtype = summed_in(q.dtype)
        q, k, query, key = query(q.to(dtype)), key(k.to(dtype)), IDENTITY, IDENTITY
    allowed = rounding(phi, summed_in(q.dtype)) if never_negative(phi, q, k) else None
    size = chunk_size or _chunk_size(causal)
    leading = leading_shape(q, k, v)
    plan = Plan(query, key, causal, size, normalize, allowed)
    out = Chunkwise.apply(*(flat(x, leading) for x in (q, k, v)), plan)
    return out.reshape(*leading, q.shape[-2], v.shape[-1])


def _chunk_size(causal: bool) -> int:
    """Measured: causal, larger squares cost more and smaller products run worse."""
    return 64 if causal else 256


def _sums(form: str, causal: bool) -> partial:
    if form not in FORMS:
        raise ValueError(f"form is {form!r}, but must be one of {FORMS}")
    if form == "quadratic":
        return partial(forms.quadratic, causal=causal)
    if not causal:
        raise ValueError(f"form is {form!r}, which is causal, but causal is False")
    return partial(forms.cumulative if form == "cumulative" else forms.recurrent)
