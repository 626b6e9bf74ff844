"""What is fed to a linear layer decides how curved its loss is: shift, scale, whiten, measure.

A layer with a bias sees x with a 1 appended. The Hessian of least squares is E[x x^T] of that, so
its largest eigenvalue L, its smallest one and their ratio are exact.

Source: https://kexue.fm/archives/6992, eq. (13)-(16).
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Generator, Tensor

TREATMENTS = ("raw", "centered", "rms", "standardized", "whitened")
EPSILON = 1e-12  # of the variance, relative to the largest: pixels that never change stay 0


@dataclass(frozen=True)
class Smoothness:
    """The extreme curvatures of a loss."""

    largest: float  # L, the Lipschitz constant of the gradient
    smallest: float

    @property
    def condition_number(self) -> float:
        """Largest over smallest; infinite for a direction that is flat to rounding."""
        flat = self.smallest <= 1e-12 * self.largest
        return float("inf") if flat else self.largest / self.smallest


def second_moment(x: Float[Tensor, "n d"], bias: bool = True) -> Float[Tensor, "k k"]:
    """E[x x^T], in float64; with a bias x has a 1 appended. k is d or d + 1.

    Raises ValueError for no rows, or numbers that are not finite.
    """
    _check(x)
    x = x.double()
    if bias:
        x = torch.cat([x, x.new_ones(len(x), 1)], dim=1)
    return x.T @ x / len(x)


def least_squares_smoothness(x: Float[Tensor, "n d"], bias: bool = True) -> Smoothness:
    """Exact, for the loss E (<w, x> + b - y)^2 / 2, whatever y is."""
    places = torch.linalg.eigvalsh(second_moment(x, bias))
    return Smoothness(float(places[-1]), max(float(places[0]), 0.0))


def logistic_smoothness(x: Float[Tensor, "n d"], bias: bool = True) -> Smoothness:
    """Of E log(1 + exp(-y h)), h = <w, x> + b, at w = 0, b = 0, where it is most curved.

    Its largest value there, a quarter of that of least squares, is the exact L.
    """
    found = least_squares_smoothness(x, bias)
    return Smoothness(found.largest / 4, found.smallest / 4)


def treated(x: Float[Tensor, "n d"], how: str) -> Float[Tensor, "n d"]:
    """The same data raw, centered, divided by its RMS, standardized or whitened, in float64.

    What does not vary stays 0. Raises ValueError for an unknown treatment.
    """
    if how not in TREATMENTS:
        raise ValueError(f"how is {how!r}, but must be one of {TREATMENTS}")
    _check(x)
    x = x.double()
    if how == "raw":
        return x
    if how == "rms":
        return x / _nonzero(x.square().mean(0).sqrt())
    x = x - best_shift(x)
    if how == "standardized":
        return x / _nonzero(best_scale(x))
    return whitened(x) if how == "whitened" else x


def whitened(x: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
    """Centered data turned and scaled so that its covariance is I where it varies at all."""
    places, axes = torch.linalg.eigh(x.T @ x / len(x))
    kept = places > EPSILON * places[-1]
    scale = torch.where(kept, places.clamp(min=1e-300).rsqrt(), 0.0)
    return x @ (axes * scale) @ axes.T


def trace(x: Float[Tensor, "n d"], shift: Float[Tensor, " d"]) -> float:
    """Eq. (13): E |x - shift|^2, the factor of the bound that the inputs decide."""
    return float((x - shift).square().sum(1).mean())


def best_shift(x: Float[Tensor, "n d"]) -> Float[Tensor, " d"]:
    """Eq. (14): the shift with the least trace is the mean."""
    return x.mean(0)


def scaled_trace(
    x: Float[Tensor, "n d"], shift: Float[Tensor, " d"], scale: Float[Tensor, " d"]
) -> float:
    """Eq. (15): the trace after dividing coordinate k by scale_k."""
    return trace(x / scale, shift / scale)


def best_scale(x: Float[Tensor, "n d"]) -> Float[Tensor, " d"]:
    """Eq. (16): the scale that makes every second moment about the mean 1."""
    return (x - best_shift(x)).square().mean(0).sqrt()


def preconditioner(x: Float[Tensor, "n d"]) -> Float[Tensor, "k k"]:
    """P with which gradient descent on (w, b) for x is plain descent for standardized x.

    From w = w'/s, b = b' - <w', m/s>: P = J J^T of that linear map, k = d + 1.
    """
    shift, scale = best_shift(x.double()), _nonzero(best_scale(x.double()))
    d = len(shift)
    jacobian = torch.eye(d + 1, dtype=torch.float64)
    jacobian[:d, :d] = torch.diag(1 / scale)
    jacobian[d, :d] = -shift / scale
    return jacobian @ jacobian.T


def shifted_inputs(
    count: int, dim: int, generator: Generator, *, shift: float = 1.5
) -> Float[Tensor, "n d"]:
    """Normal inputs whose coordinates have random means and scales: 10^-1 to 10^0.5."""
    means = shift * torch.randn(dim, generator=generator, dtype=torch.float64)
    scales = 10 ** (1.5 * torch.rand(dim, generator=generator, dtype=torch.float64) - 1)
    draws = torch.randn(count, dim, generator=generator, dtype=torch.float64)
    return means + scales * draws


def _nonzero(scale: Tensor) -> Tensor:
    """A coordinate that does not vary is left as it is."""
    return torch.where(scale > EPSILON**0.5 * scale.max(), scale, 1.0)


def _check(x: Tensor) -> None:
    if x.ndim != 2 or not len(x):
        raise ValueError(f"x has shape {tuple(x.shape)}, but must be [n, d] with n at least 1")
    if not bool(torch.isfinite(x).all()):
        raise ValueError("x has entries that are not finite")
