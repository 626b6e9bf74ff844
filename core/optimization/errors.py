"""What can be wrong with a density of updates, each with a code that a page has words for."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

Loss = Callable[[Tensor], Tensor]  # maps points [..., d] to losses [...]


class Unusable(ValueError):
    """A loss or density that gives no update. `code` says why, `detail` where or what."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(_REASONS[code].format(detail=detail))
        self.code, self.detail = code, detail


_REASONS = {
    "nan": "the loss is NaN or -inf, or its gradient not finite, at theta = {detail}: give it a "
    "finite value there",
    "raises": "the loss raised {detail}: it must take points [..., d] and return losses [...]",
    "unbounded": "the density of the update can't be normalized, since the loss doesn't grow "
    "{detail}: restrict the update to a ball, or add a term that grows",
    "empty": "the loss is +inf at every point {detail}, so no update has a positive density: "
    "start where it is finite, or let the update go farther",
    "narrow": "the density is narrower than floating-point numbers resolve, near {detail}: raise "
    "alpha, or keep the loss from falling without end there",
    "indefinite": "the Hessian has the eigenvalue {detail}, but must be positive definite: "
    "add damping, or restrict the update to a ball",
}

COLD = (
    ": toward 0 the density shrinks to the place of the least loss; take a small alpha, or search "
    "for that place"
)


def evaluated(loss: Loss, points: Tensor) -> Tensor:
    """The losses of points [..., d], as float64 [...].

    Raises Unusable if the loss raises, has another shape, or is NaN or -inf anywhere.
    """
    try:
        values = loss(points).to(torch.float64)
    except Exception as error:
        raise Unusable("raises", f"{type(error).__name__}: {error}") from error
    if values.shape != points.shape[:-1]:
        wrong = f"the shape {list(values.shape)} for points {list(points.shape)}"
        raise Unusable("raises", wrong)
    bad = torch.isnan(values) | (values == -math.inf)
    if bad.any():
        raise Unusable("nan", place(points[bad][0]))
    return values


def place(point: Tensor) -> str:
    """The first coordinates of a point, to be named in a message."""
    return "[" + ", ".join(f"{x:.4g}" for x in point.tolist()[:3]) + "]"


def check_positive(**numbers: int | float) -> None:
    """Raises ValueError for a number that is not finite and positive, naming it."""
    for name, value in numbers.items():
        if not (math.isfinite(value) and value > 0):
            what_then = COLD if (name, value) == ("alpha", 0) else ""
            raise ValueError(f"{name} is {value}, but must be finite and positive{what_then}")


def check_vector(**vectors: Tensor) -> None:
    """Raises ValueError for a tensor that is no vector or not finite, naming it."""
    for name, vector in vectors.items():
        if vector.ndim < 1 or not bool(torch.isfinite(vector).all()):
            raise ValueError(f"{name} must be a finite vector, not {list(vector.shape)}")
