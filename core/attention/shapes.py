"""What the attentions take: q [..., n, d], k [..., m, d], v [..., m, c], leading axes broadcast."""

import math

import numpy as np
import torch
from torch import Tensor


def check(q: Tensor, k: Tensor, v: Tensor, *, causal: bool = False) -> None:
    """Raise ValueError, naming what does not match, unless q, k and v belong together."""
    for name, x in (("q", q), ("k", k), ("v", v)):
        if x.dim() < 2:
            raise ValueError(f"{name} has shape {_shape(x)}, but must be [..., tokens, width]")
    if q.shape[-1] != k.shape[-1]:
        raise ValueError(f"k has width {k.shape[-1]}, but must have that of q, {q.shape[-1]}")
    if k.shape[-2] != v.shape[-2]:
        raise ValueError(f"v has {v.shape[-2]} tokens, but must have as many as k, {k.shape[-2]}")
    if causal and q.shape[-2] != k.shape[-2]:
        raise ValueError(
            f"k has {k.shape[-2]} tokens, but causal attention needs as many as q, {q.shape[-2]}"
        )
    if not (q.dtype == k.dtype == v.dtype and q.is_floating_point()):
        raise ValueError(
            f"q, k, v are {q.dtype}, {k.dtype}, {v.dtype}, but must share a floating-point dtype"
        )
    leading_shape(q, k, v)


def leading_shape(*tensors: Tensor) -> torch.Size:
    """Batch and head axes of all of them together. Raises ValueError if they do not broadcast."""
    try:
        # Not torch.broadcast_shapes, for which torch imports sympy: half a second, 40 MB.
        return torch.Size(np.broadcast_shapes(*(x.shape[:-2] for x in tensors)))
    except ValueError as error:
        shapes = ", ".join(str(_shape(x)) for x in tensors)
        raise ValueError(f"q, k, v have shapes {shapes}: leading axes must broadcast") from error


def flat(x: Tensor, leading: torch.Size) -> Tensor:
    """[b, tokens, width]: the leading axes, broadcast to `leading`, as one."""
    return x.expand(*leading, *x.shape[-2:]).reshape(math.prod(leading), *x.shape[-2:])


def check_chunk(chunk_size: int | None) -> None:
    """Raise ValueError unless chunk_size is None or a positive integer."""
    if chunk_size is not None and chunk_size < 1:
        raise ValueError(f"chunk_size is {chunk_size!r}, but must be None or an integer >= 1")


def summed_in(dtype: torch.dtype) -> torch.dtype:
    """The dtype of sums over tokens: float32 for half precision."""
    return torch.float32 if dtype in (torch.float16, torch.bfloat16) else dtype


def _shape(x: Tensor) -> list[int]:
    return list(x.shape)
