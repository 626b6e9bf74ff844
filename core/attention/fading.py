"""Beyond the sum: a state that fades, and a state that corrects itself (the delta rule).

Fading: S_t = g S_(t-1) + k_t v_t^T. Delta rule: S_t = S_(t-1) + b k_t (v_t - S_(t-1)^T k_t)^T, keys
of length 1: what the key reads is replaced by the value. Read as q_t S_t, without a denominator.

Sources: https://kexue.fm/archives/11033 (there with rows for columns); Yang et al. 2024
(arXiv:2406.06484) for the chunkwise delta rule.
Axes: "..." batch and heads, n tokens, f width of q and k, c width of v.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from core.attention.forms import in_chunks
from core.attention.shapes import check, check_chunk

CHUNK = 64
FORMS = ("chunkwise", "quadratic", "recurrent")


def fading_attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *,
    decay: float | Tensor = 1.0,
    form: str = "chunkwise",
    chunk_size: int | None = None,
) -> Float[Tensor, "*batch n c"]:
    """sum over j <= i of decay^(i-j) (q_i·k_j) v_j; decay a number, or one for each leading axis.

    Raises ValueError on shapes that do not match, an unknown form, a decay outside [0, 1].
    """
    rate = _checked(q, k, v, form, chunk_size, "decay", decay, most=1.0)
    if form == "recurrent":
        return _fading_steps(q, k, v, rate)
    n = q.shape[-2]
    size = max(n, 1) if form == "quadratic" else chunk_size or CHUNK
    q, k, v = (in_chunks(x, size) for x in (q, k, v))
    return _fading_chunks(q, k, v, rate)[..., :n, :]


def delta_attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *,
    strength: float | Tensor = 1.0,
    form: str = "chunkwise",
    chunk_size: int | None = None,
) -> Float[Tensor, "*batch n c"]:
    """The delta rule with keys of length 1; strength b a number, or one for each leading axis.

    Raises ValueError on shapes that do not match, an unknown form, a strength outside [0, 2].
    """
    rate = _checked(q, k, v, form, chunk_size, "strength", strength, most=2.0)
    k = F.normalize(k, dim=-1)
    if form == "recurrent":
        return _delta_steps(q, k, v, rate)
    n = q.shape[-2]
    size = max(n, 1) if form == "quadratic" else chunk_size or CHUNK
    q, k, v = (in_chunks(x, size) for x in (q, k, v))
    return _delta_chunks(q, k, v, rate)[..., :n, :]


def _fading_steps(q: Tensor, k: Tensor, v: Tensor, rate: Tensor) -> Tensor:
    state, outs = torch.zeros_like(k[..., :1, :].mT @ v[..., :1, :]), [v[..., :0, :]]
    for query, key, value in _tokens(q, k, v):
        state = rate * state + key.mT @ value
        outs.append(query @ state)
    return torch.cat(outs, dim=-2)


def _fading_chunks(q: Tensor, k: Tensor, v: Tensor, rate: Tensor) -> Tensor:
    """Inside a chunk the matrix of powers of the rate; between chunks one fading state."""
    rate, size = rate.unsqueeze(-1), q.shape[-2]
    place = torch.arange(size).to(q)
    apart = (place.unsqueeze(-1) - place).clamp(min=0)
    own = ((q @ k.mT) * (rate**apart).tril()) @ v
    written = (k * rate ** (size - 1 - place).unsqueeze(-1)).mT @ v
    state, before = torch.zeros_like(written[..., :1, :, :]), []
    for update in written.split(1, dim=-3):
        before.append(state)
        state = rate**size * state + update
    read = (q * rate ** (place + 1).unsqueeze(-1)) @ _joined(before, written)
    return (own + read).flatten(-3, -2)


def _delta_steps(q: Tensor, k: Tensor, v: Tensor, rate: Tensor) -> Tensor:
    state, outs = torch.zeros_like(k[..., :1, :].mT @ v[..., :1, :]), [v[..., :0, :]]
    for query, key, value in _tokens(q, k, v):
        state = state + rate * key.mT @ (value - key @ state)
        outs.append(query @ state)
    return torch.cat(outs, dim=-2)


def _delta_chunks(q: Tensor, k: Tensor, v: Tensor, rate: Tensor) -> Tensor:
    """Inside a chunk a triangular system tells what each token writes, given the state before."""
    rate = rate.unsqueeze(-1)
    system = torch.eye(q.shape[-2]).to(q) + (rate * (k @ k.mT)).tril(-1)
    alone = torch.linalg.solve_triangular(system, rate * v, upper=False, unitriangular=True)
    known = torch.linalg.solve_triangular(system, rate * k, upper=False, unitriangular=True)
    weights = (q @ k.mT).tril()
    state, outs = torch.zeros_like(k[..., :1, :, :].mT @ v[..., :1, :, :]), []
    for chunk in zip(*(x.split(1, dim=-3) for x in (q, k, alone, known, weights)), strict=True):
        queries, keys, values, reads, seen = chunk
        written = values - reads @ state
        outs.append(queries @ state + seen @ written)
        state = state + keys.mT @ written
    return _joined(outs, v).flatten(-3, -2)


def _joined(parts: list[Tensor], like: Tensor) -> Tensor:
    return torch.cat(parts, dim=-3) if parts else torch.zeros_like(like)


def _tokens(*tensors: Tensor) -> zip:
    return zip(*(x.split(1, dim=-2) for x in tensors), strict=True)


def _checked(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    form: str,
    chunk_size: int | None,
    name: str,
    rate: float | Tensor,
    most: float,
) -> Tensor:
    """The rate as [..., 1, 1], after a look at everything."""
    check(q, k, v, causal=True)
    check_chunk(chunk_size)
    if form not in FORMS:
        raise ValueError(f"form is {form!r}, but must be one of {FORMS}")
    given = torch.as_tensor(rate, dtype=v.dtype, device=v.device)
    if not bool(((given >= 0) & (given <= most)).all()):
        raise ValueError(f"{name} is {rate!r}, but must lie between 0 and {most:g}")
    return given[..., None, None]
