"""Dividing by the sum of the weights, also where it is 0.

Axes: "..." batch and heads, n queries, m keys, c width of what is divided.
"""

import warnings

import torch
from jaxtyping import Float
from torch import Tensor

from core.attention.features import FeatureMap


class UnsafeDenominator(UserWarning):
    """A row was divided by weights that cancel to 0, as those of a signed kernel can."""


def limits(
    phi: FeatureMap, q: Float[Tensor, "*b n f"], k: Float[Tensor, "*kb m f"], *, causal: bool
) -> Float[Tensor, "n 1"] | None:
    """Up to where a row's sum is 0 as far as rounding can tell: more for more keys.

    None: the kernel may be negative, and no sum is 0 by right.
    """
    if not never_negative(phi, q, k):
        return None
    n, m = q.shape[-2], k.shape[-2]
    keys = torch.arange(1, n + 1) if causal else torch.full((n,), m)
    return rounding(phi, q.dtype) * keys.to(q).unsqueeze(-1)


def rounding(phi: FeatureMap, dtype: torch.dtype) -> float:
    """What a key may add to a sum of weights that is really 0."""
    return phi.rounding * torch.finfo(dtype).eps


def never_negative(phi: FeatureMap, q: Tensor, k: Tensor) -> bool:
    """Whether sim(q, k) >= 0: known of the map, or seen by its features."""
    if phi.nonnegative is None:
        return bool((q >= 0).all() and (k >= 0).all())
    return phi.nonnegative


def divide(
    numerator: Float[Tensor, "*b c"], denominator: Float[Tensor, "*sums 1"], limit: Tensor | None
) -> Float[Tensor, "*b c"]:
    """The quotient; 0 with zero gradient where the denominator is at most `limit`.

    `limit` None: nothing is 0 by right, and a denominator that is 0 is warned about.
    """
    if limit is None:
        warn_if_unsafe(denominator)
        return numerator / denominator
    empty = denominator <= limit
    return (numerator / denominator.masked_fill(empty, 1)).masked_fill(empty, 0)


def warn_if_unsafe(denominator: Float[Tensor, "*b n 1"]) -> None:
    """Warn of rows whose sum is nothing but rounding beside the largest."""
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
