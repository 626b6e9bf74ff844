"""What a state of fixed size keeps: pairs written into it, read with their own keys.

A state S [f, c] is written by adding phi(k) v^T, after fading or after erasing what stood there,
and read as phi(q) S. Softmax attention has no state: it keeps every pair.

Sources: https://kexue.fm/archives/7546, eq. (10); decay and the delta rule from its sequel
https://kexue.fm/archives/11033: S_t = S_(t-1) (I - k k^T) + v k^T, there with rows for columns.
Axes: "..." batch, n pairs, f features of a key, c width of a value.
"""

import torch
from jaxtyping import Float
from torch import Tensor


def write_sum(
    keys: Float[Tensor, "*b n f"], values: Float[Tensor, "*b n c"], *, decay: float | Tensor = 1.0
) -> Float[Tensor, "*b f c"]:
    """sum over j of decay^(n-j) k_j v_j^T: with decay 1 every pair counts the same."""
    age = torch.arange(keys.shape[-2] - 1, -1, -1).to(keys)
    return (keys * (decay**age).unsqueeze(-1)).mT @ values


def write_delta(
    keys: Float[Tensor, "*b n f"],
    values: Float[Tensor, "*b n c"],
    *,
    passes: int = 1,
    strength: float | Tensor = 1.0,
) -> Float[Tensor, "*b f c"]:
    """Each pair replaces what its key reads: S + strength k (v - k S), keys taken of length 1.

    The last pair is kept exactly, an earlier one only as far as later keys are orthogonal to it.
    Over many passes independent keys are all kept: it is Kaczmarz' method for K S = V.
    """
    keys = torch.nn.functional.normalize(keys, dim=-1)
    state = values.new_zeros((*keys.shape[:-2], keys.shape[-1], values.shape[-1]))
    for _ in range(passes):
        for key, value in zip(keys.unbind(-2), values.unbind(-2), strict=True):
            missing = value - (key.unsqueeze(-2) @ state).squeeze(-2)
            state = state + strength * key.unsqueeze(-1) * missing.unsqueeze(-2)
    return state
