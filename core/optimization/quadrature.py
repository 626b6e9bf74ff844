"""The density of updates and its mean by quadrature, in one and two dimensions.

p(D | theta) ~ exp(-[l(theta + D) - l(theta)] / alpha), on the whole space or in a ball. Nothing is
asked of the loss but values. A first look finds where the density is; the integral is then taken
over the box (in a disc: over the part of a ring) that holds all but e^-40 of its height, by
Gauss-Legendre rules in equal parts.

Source: https://kexue.fm/archives/7521, eq. (1)-(2).
"""

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from core.optimization.errors import Loss, Unusable, check_positive, check_vector, evaluated, place

NEGLIGIBLE = 40.0  # nats below the largest density
REACH = 8.0  # of the first look on the whole space
DOUBLINGS = 24  # of the reach, before the density is taken for one without norm
PART = 20  # nodes of a rule
LOOKS = 40
FINEST = 1e-12  # a box that must be thinner has no end
FINER = 10  # times as many nodes in one dimension

Box = list[tuple[float, float]]


@dataclass(frozen=True)
class Moments:
    """Of the update."""

    mean: Float[Tensor, " d"]
    covariance: Float[Tensor, "d d"]
    log_partition: float  # ln Z of eq. (1)


def expected_update(
    loss: Loss,
    theta: Float[Tensor, " d"],
    alpha: int | float,
    *,
    radius: int | float | None = None,
    grid: int = 200,
) -> Float[Tensor, " d"]:
    """E D, for d = 1 and 2. `loss` maps points [..., d] to losses [...], +inf where it forbids.

    `radius` restricts D to a ball; None is the whole space. `grid`: nodes an axis in two
    dimensions. Raises ValueError for other d or a bad alpha; Unusable, a ValueError, if the loss
    raises, is NaN, or gives a density without norm.
    """
    return update_moments(loss, theta, alpha, radius=radius, grid=grid).mean


def update_moments(
    loss: Loss,
    theta: Float[Tensor, " d"],
    alpha: int | float,
    *,
    radius: int | float | None = None,
    grid: int = 200,
) -> Moments:
    """Mean, covariance and partition function of D; as `expected_update`."""
    check_positive(alpha=alpha, grid=grid, **({} if radius is None else {"radius": radius}))
    check_vector(theta=theta)
    if theta.shape not in ((1,), (2,)):
        raise ValueError(f"theta has the shape {list(theta.shape)}, but must be [1] or [2]")
    space = _Space(loss, theta.to(torch.float64), float(alpha), radius, grid)
    box = space.whole() if radius is not None else _wide_enough(space)
    return space.moments(_closest(space, box)).to(theta.dtype)


@dataclass(frozen=True)
class _Space:
    """The log density over coordinates: D itself, or in a disc radius and angle."""

    loss: Loss
    theta: Tensor
    alpha: float
    radius: float | None
    grid: int

    @property
    def polar(self) -> bool:
        return self.radius is not None and len(self.theta) == 2

    @cached_property
    def start(self) -> Tensor:
        """The loss at theta; 0 where that is not finite."""
        return evaluated(self.loss, self.theta).nan_to_num(posinf=0.0)

    def whole(self) -> Box:
        """All of the ball."""
        assert self.radius is not None
        return (
            [(0.0, self.radius), (-math.pi, math.pi)]
            if self.polar
            else [(-self.radius, self.radius)]
        )

    def nodes(self, box: Box) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Places and weights on each axis."""
        count = self.grid * (1 if len(box) == 2 else FINER)
        rules = [_rule(max(1, count // PART)) for _ in box]
        places = [low + (high - low) * x for (low, high), (x, _) in zip(box, rules, strict=True)]
        weights = [(high - low) * w for (low, high), (_, w) in zip(box, rules, strict=True)]
        return places, weights

    def log_density(self, places: list[np.ndarray]) -> tuple[Tensor, Tensor]:
        """Updates [*axes, d], and the unnormalized log density with the Jacobian [*axes]."""
        axes = torch.meshgrid(*map(torch.as_tensor, places), indexing="ij")
        jacobian: Tensor | float = 0.0
        if self.polar:
            distance, angle = axes
            axes, jacobian = (distance * angle.cos(), distance * angle.sin()), distance.log()
        update = torch.stack(tuple(axes), dim=-1)
        values = evaluated(self.loss, self.theta + update)
        return update, (self.start - values) / self.alpha + jacobian

    def moments(self, box: Box) -> "_Moments":
        places, weights = self.nodes(box)
        update, log_density = self.log_density(places)
        product = torch.as_tensor(weights[0])
        for other in weights[1:]:
            product = product[:, None] * torch.as_tensor(other)
        log_weight = log_density + product.log()
        total = torch.logsumexp(log_weight.flatten(), 0)
        share = (log_weight - total).exp().flatten()
        flat = update.reshape(len(share), -1)
        mean = share @ flat
        gap = flat - mean
        return _Moments(mean, (share[:, None] * gap).mT @ gap, float(total))


class _Moments(Moments):
    def to(self, dtype: torch.dtype) -> Moments:
        return Moments(self.mean.to(dtype), self.covariance.to(dtype), self.log_partition)


def _wide_enough(space: _Space) -> Box:
    """A box around theta outside of which the density is negligible, as far as its edge tells."""
    reach = REACH
    for _ in range(DOUBLINGS):
        box: Box = [(-reach, reach)] * len(space.theta)
        _, log_density = space.log_density(space.nodes(box)[0])
        top, edge = log_density.max(), _edge(log_density)
        if not bool(torch.isfinite(top)):
            raise Unusable("empty", f"within {reach:g} of theta")
        if edge < top - NEGLIGIBLE:
            return box
        reach *= 2
    raise Unusable("unbounded", f"within {reach:g} of theta")


def _edge(values: Tensor) -> float:
    ends = [values.select(axis, at).max() for axis in range(values.ndim) for at in (0, -1)]
    return float(torch.stack(ends).max())


def _closest(space: _Space, box: Box) -> Box:
    """The box shrunk to where the density is not negligible. Raises Unusable if that is nowhere."""
    for look in range(LOOKS):
        places, _ = space.nodes(box)
        update, log_density = space.log_density(places)
        top = log_density.max()
        if not bool(torch.isfinite(top)):
            raise Unusable("empty", f"within {space.radius:g} of theta" if space.radius else "")
        if space.polar and look == 0:  # so that the density is not cut where the angle begins
            at = int(log_density.amax(0).argmax())
            box = [box[0], (places[1][at] - math.pi, places[1][at] + math.pi)]
            places, _ = space.nodes(box)
            update, log_density = space.log_density(places)
        smaller = _support(log_density >= top - NEGLIGIBLE, places, box)
        if _size(smaller) > 0.7 * _size(box):
            return box
        box = smaller
        if min(high - low for low, high in box) < FINEST:
            break
    raise Unusable("narrow", place((space.theta + update)[log_density == top][0]))


def _support(kept: Tensor, places: list[np.ndarray], box: Box) -> Box:
    """The box around what is kept, with a node to spare on each side."""
    found: Box = []
    for axis, (low, high) in enumerate(box):
        others = tuple(other for other in range(kept.ndim) if other != axis)
        line = kept.any(dim=others) if others else kept
        where = line.nonzero()[:, 0]
        first, last = int(where[0]) - 1, int(where[-1]) + 1
        ends = places[axis]
        found.append((ends[first] if first >= 0 else low, ends[last] if last < len(ends) else high))
    return found


def _size(box: Box) -> float:
    return math.prod(high - low for low, high in box)


@lru_cache
def _rule(parts: int) -> tuple[np.ndarray, np.ndarray]:
    """Places and weights on [0, 1]: a Gauss-Legendre rule in each of the equal parts."""
    x, w = np.polynomial.legendre.leggauss(PART)
    starts = np.arange(parts)[:, None]
    places = (starts + (x + 1) / 2) / parts
    return places.ravel(), np.tile(w / 2 / parts, parts)
