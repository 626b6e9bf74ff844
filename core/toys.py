"""Points on plane sets inside [-1, 1]²: what an encoder can be watched to straighten.

Uniform on the set: by length on the line, the ring and the moons, by area on the disc and the
irregular region. The Swiss roll is sampled evenly in its squared angle, by length to 3 percent.
"""

import math
from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Generator, Tensor

Sampler = Callable[[int, Generator | None], Tensor]
ROLL = (1.5 * math.pi, 4.5 * math.pi)  # first and last angle of the Swiss roll, radians


def toy(
    name: str, count: int, *, generator: Generator | None = None, noise: float = 0.0
) -> Float[Tensor, "n 2"]:
    """`count` points of the set `name`, with Gaussian noise of that standard deviation added.

    Raises ValueError for a name not in TOYS, a count below 1, or a negative or infinite noise.
    """
    if name not in TOYS:
        raise ValueError(f"name is {name!r}, but must be one of {tuple(TOYS)}")
    if count < 1:
        raise ValueError(f"count is {count}, but must be at least 1")
    if not (math.isfinite(noise) and noise >= 0):
        raise ValueError(f"noise is {noise}, but must be finite and at least 0")
    points = TOYS[name](count, generator)
    return points + noise * torch.randn(count, 2, generator=generator)


def line(count: int, generator: Generator | None) -> Float[Tensor, "n 2"]:
    """The segment from (-1, -1/2) to (1, 1/2)."""
    x = 2 * torch.rand(count, generator=generator) - 1
    return torch.stack([x, x / 2], dim=1)


def ring(count: int, generator: Generator | None) -> Float[Tensor, "n 2"]:
    """The circle of radius 1."""
    return _polar(torch.ones(count), 2 * math.pi * torch.rand(count, generator=generator))


def disc(count: int, generator: Generator | None) -> Float[Tensor, "n 2"]:
    """The disc of radius 1."""
    radius, turn = torch.rand(2, count, generator=generator)
    return _polar(radius.sqrt(), 2 * math.pi * turn)


def irregular(count: int, generator: Generator | None) -> Float[Tensor, "n 2"]:
    """Three lobes with a hole in one of them, by rejection from the square."""
    kept = torch.empty(0, 2)
    while len(kept) < count:
        points = 2 * torch.rand(4 * count, 2, generator=generator) - 1
        kept = torch.cat([kept, points[in_irregular(points)]])
    return kept[:count]


def in_irregular(points: Float[Tensor, "n 2"]) -> Bool[Tensor, " n"]:
    """Whether points lie in the irregular region."""
    x, y = points.unbind(dim=1)
    lobes = torch.hypot(x, y) < 0.65 + 0.35 * torch.cos(3 * torch.atan2(y, x))
    return lobes & (torch.hypot(x - 0.5, y) > 0.2)


def moons(count: int, generator: Generator | None) -> Float[Tensor, "n 2"]:
    """Two interleaved half circles of radius 2/3, each with half of the points on average."""
    turn, coin = torch.rand(2, count, generator=generator)
    side = torch.where(coin < 0.5, 1.0, -1.0)
    arc = _polar(side * 2 / 3, math.pi * turn)
    return arc + torch.stack([-side / 3, -side / 6], dim=1)


def swiss_roll(count: int, generator: Generator | None) -> Float[Tensor, "n 2"]:
    """A spiral whose radius grows with its angle to 1, over one and a half turns."""
    first, last = ROLL
    u = torch.rand(count, generator=generator)
    angle = torch.sqrt(first**2 + u * (last**2 - first**2))
    return _polar(angle / last, angle)


def _polar(radius: Float[Tensor, " n"], angle: Float[Tensor, " n"]) -> Float[Tensor, "n 2"]:
    return torch.stack([radius * angle.cos(), radius * angle.sin()], dim=1)


TOYS: dict[str, Sampler] = {
    "line": line,
    "ring": ring,
    "disc": disc,
    "irregular": irregular,
    "moons": moons,
    "swiss-roll": swiss_roll,
}
