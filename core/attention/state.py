"""The recurrence: a state that takes one token after another, as an RNN does.

Sources: https://kexue.fm/archives/7546, eq. (10); Katharopoulos et al. 2020 (arXiv:2006.16236),
eq. 16-20.
Axes: "..." batch and heads, d width of q and k, c width of v, f features.
"""

from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from core.attention import features
from core.attention.features import FeatureMap, Map
from core.attention.normalization import divide, never_negative, rounding


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
        out = divide(out, total, _limit(phi, query, z, state.steps + 1))
    return out.to(v.dtype), State(s, z, state.steps + 1, phi)


def _limit(phi: FeatureMap, query: Tensor, z: Tensor, steps: int) -> Tensor | None:
    if not never_negative(phi, query, z):
        return None
    return query.new_tensor(rounding(phi, query.dtype) * steps)


def _kept_map(
    state: State,
    kind: str | Map,
    width: int,
    normalize: bool,
    generator: torch.Generator | None,
) -> FeatureMap:
    if state.phi is None:
        return features.feature_map(kind, width, normalize=normalize, generator=generator)
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
