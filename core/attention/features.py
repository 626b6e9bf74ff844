"""Feature maps: functions phi with sim(q, k) = phi(q)·phi(k), the only thing linear attention asks.

Sources: https://kexue.fm/archives/7546, eq. (4), (6), (7); Katharopoulos et al. 2020
(arXiv:2006.16236) for elu(x) + 1; Choromanski et al. 2020 (arXiv:2009.14794) for random features.
Axes: "..." any, n tokens, d width of q and k, f features.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from core.attention.pointwise import ELU, EXP, IDENTITY, RELU, SHIFTED_EXP, shifted_exp
from core.orthogonal import orthogonalized

Map = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class FeatureMap:
    """What becomes of a query and of a key; what is known of the sign of their product."""

    name: str
    query: Map
    key: Map
    nonnegative: bool | None  # whether sim(q, k) >= 0 for all q, k; None: only the features tell
    rounding: float = 0.0  # a sum of sims below this many eps a key is 0 as far as can be told


def cosine(x: Float[Tensor, "*any d"]) -> Float[Tensor, "*any f"]:
    """[1, x/|x|], so that sim(q, k) = 1 + cos(q, k); a vector of zeros has no direction: [1, 0]."""
    return torch.cat([torch.ones_like(x[..., :1]), _direction(x)], dim=-1)


def taylor2(x: Float[Tensor, "*any d"]) -> Float[Tensor, "*any f"]:
    """1 + d + d(d+1)/2 features with sim(q, k) = 1 + q·k + (q·k)²/2, which is at least 1/2."""
    i, j = torch.triu_indices(x.shape[-1], x.shape[-1], device=x.device)
    weight = torch.where(i == j, 0.5, 1.0).to(x).sqrt()
    return torch.cat([torch.ones_like(x[..., :1]), x, x[..., i] * x[..., j] * weight], dim=-1)


def random_directions(
    width: int, count: int, generator: torch.Generator | None = None
) -> Float[Tensor, "f d"]:
    """Rows from N(0, I), orthogonal to each other within each block of `width`; float64.

    Raises ValueError for a width or a count below 1.
    """
    for name, value in (("width", width), ("count", count)):
        if value < 1:
            raise ValueError(f"{name} is {value!r}, but must be an integer >= 1")
    blocks = math.ceil(count / width)
    draw = torch.randn(2, blocks, width, width, generator=generator, dtype=torch.float64)
    lengths = draw[1].norm(dim=-1, keepdim=True)
    return (lengths * orthogonalized(draw[0])).flatten(0, 1)[:count]


def favor(directions: Float[Tensor, "f d"], *, shifted: bool = False) -> FeatureMap:
    """Positive random features: sim(q, k) is e^(q·k) on average over the directions.

    `shifted` divides the features of each query by their largest, which a normalized row cancels.
    """

    def key(x: Tensor) -> Tensor:
        return _exponents(x, directions).exp() / math.sqrt(len(directions))

    def query(x: Tensor) -> Tensor:
        return shifted_exp(_exponents(x, directions)) / math.sqrt(len(directions))

    return FeatureMap("favor", query if shifted else key, key, nonnegative=True)


def feature_map(
    kind: str | Map,
    width: int,
    *,
    normalize: bool = True,
    generator: torch.Generator | None = None,
) -> FeatureMap:
    """The feature map of that name, or a callable as one, for q and k of `width` numbers.

    "favor" draws 4 width random directions. With `normalize` the exponential maps divide each
    query's features by their largest: no row changes, and none overflows. Raises ValueError for an
    unknown name.
    """
    if callable(kind):
        return FeatureMap("callable", kind, kind, nonnegative=None)
    if kind == "favor":
        directions = random_directions(width, 4 * width, generator)
        return favor(directions, shifted=normalize)
    if kind not in FEATURE_MAPS:
        raise ValueError(
            f"feature_map is {kind!r}, but must be callable or one of {(*FEATURE_MAPS, 'favor')}"
        )
    if kind == "exp" and normalize:
        return FeatureMap("exp", SHIFTED_EXP, EXP, nonnegative=True)
    return FEATURE_MAPS[kind]


def _exponents(x: Tensor, directions: Tensor) -> Tensor:
    return x @ directions.to(x).T - x.square().sum(dim=-1, keepdim=True) / 2


def _direction(x: Tensor) -> Tensor:
    # Divided by its largest entry, which changes no direction, a vector's norm neither over- nor
    # underflows.
    largest = x.detach().abs().amax(dim=-1, keepdim=True)
    return F.normalize(x / torch.where(largest == 0, 1, largest), dim=-1, eps=0.5)


def _same(name: str, phi: Map, nonnegative: bool, rounding: float = 0.0) -> FeatureMap:
    return FeatureMap(name, phi, phi, nonnegative, rounding)


FEATURE_MAPS: dict[str, FeatureMap] = {
    "elu": _same("elu", ELU, True),
    "relu": _same("relu", RELU, True),
    "exp": _same("exp", EXP, True),
    "cosine": _same("cosine", cosine, True, rounding=4.0),
    "taylor2": _same("taylor2", taylor2, True),
    "identity": _same("identity", IDENTITY, False),
}
