"""Losses over the plane, written as formulas: presets, and a reader's own.

Where the loss has no useful derivative a smooth surrogate stands in for it, as in the post.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from contourpy import contour_generator
from jaxtyping import Float
from scipy.optimize import minimize as simplex
from torch import Tensor

from core.formula import parse
from core.optimization.errors import Loss, Unusable, evaluated, place

VARIABLES = ("x", "y")
WINDOW = 2.5  # half the side of the square that is shown
NODES = 81  # a side, of the grid that contours are traced on
BANDS = 12  # between contours
FLAT = 1e-12  # a range of losses too small to be traced

PRESETS: dict[str, tuple[str, str]] = {  # the loss, its surrogate
    "bowl": ("(3*x**2 + y**2) / 2", "(3*x**2 + y**2) / 2"),
    "wells": ("(x**2 - 1)**2 + 0.3*x + y**2", "(x**2 - 1)**2 + 0.3*x + y**2"),
    "stairs": ("floor(3*x**2 + y**2) / 2", "(3*x**2 + y**2) / 2"),
    "kink": ("abs(x) + 2*abs(y - x/2)", "abs(x) + 2*abs(y - x/2)"),
    "saddle": ("(x**2 - y**2) / 2 + y**4 / 8", "(x**2 - y**2) / 2 + y**4 / 8"),
    "rosenbrock": ("(1 - x)**2 + 5*(y - x**2)**2", "(1 - x)**2 + 5*(y - x**2)**2"),
    "noisy": (
        "(x**2 + y**2)/2 + 0.4*sin(9*x + 4*y)*cos(7*y - 5*x) + 0.3*sin(13*y + x)",
        "(x**2 + y**2) / 2",
    ),
}
KINDS = (*PRESETS, "own")
OWN = "x**2 + y**2 + sin(4*x)"
LONGEST_FORMULA = 120


@dataclass(frozen=True)
class Landscape:
    """A loss and the surrogate whose derivatives guide."""

    loss: Loss
    surrogate: Loss


def landscape(kind: str, formula: str = OWN) -> Landscape:
    """A preset, or the reader's formula in x and y. Raises BadFormula, a ValueError."""
    loss, surrogate = (formula, formula) if kind == "own" else PRESETS[kind]
    return Landscape(_of_points(loss), _of_points(surrogate))


def gradient(loss: Loss, theta: Float[Tensor, " d"]) -> Float[Tensor, " d"]:
    """By automatic differentiation; 0 for a constant. Raises Unusable where it is not finite."""
    free = theta.detach().requires_grad_()
    value = loss(free)
    if not value.requires_grad:
        return torch.zeros_like(theta)
    (found,) = torch.autograd.grad(value, free)
    if not bool(torch.isfinite(found).all()):
        raise Unusable("nan", place(theta))
    return found


def hessian(loss: Loss, theta: Float[Tensor, " d"]) -> Float[Tensor, "d d"]:
    """By automatic differentiation, twice: a row from each of d copies of theta, all in one."""
    copies = theta.detach().repeat(len(theta), 1).requires_grad_()
    value = loss(copies).sum()
    if not value.requires_grad:
        return torch.zeros_like(copies)
    (slopes,) = torch.autograd.grad(value, copies, create_graph=True)
    if not slopes.requires_grad:
        return torch.zeros_like(copies)
    (rows,) = torch.autograd.grad(slopes.diagonal().sum(), copies)
    return rows


@lru_cache(maxsize=64)
def global_minimum(kind: str, formula: str = OWN) -> tuple[float, float, float]:
    """x, y and the loss of the least value in the window: of a grid, then by a simplex search.

    Where many nodes of the grid share the least value, as on a step, the middle of them.
    """
    loss = landscape(kind, formula).loss
    axis = torch.linspace(-WINDOW, WINDOW, 201, dtype=torch.float64)
    points = torch.stack(torch.meshgrid(axis, axis, indexing="ij"), -1).flatten(0, 1)
    values = evaluated(loss, points)
    least = values.min()
    if not bool(torch.isfinite(least)):
        raise Unusable("empty", f"of the square up to {WINDOW}")
    lowest = points[values <= least]
    if len(lowest) > 4:
        middle = lowest.mean(0)
        return float(middle[0]), float(middle[1]), float(least)
    options = {"xatol": 1e-9, "fatol": 1e-12}
    found = simplex(_of_numpy(loss), lowest[0].numpy(), method="Nelder-Mead", options=options)
    return float(found.x[0]), float(found.x[1]), float(found.fun)


def contours(kind: str, formula: str = OWN) -> list[Float[np.ndarray, "points 2"]]:
    """Lines of equal loss in the window, as polygons of x and y; closer where the loss is low.

    Where the loss is no finite number there are none.
    """
    axis = torch.linspace(-WINDOW, WINDOW, NODES, dtype=torch.float64)
    points = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), -1)
    values = landscape(kind, formula).loss(points).broadcast_to(NODES, NODES).numpy()
    known = np.ma.masked_invalid(values)
    if known.count() == 0 or known.max() - known.min() < FLAT:
        return []
    shares = np.arange(1, BANDS) / BANDS
    levels = known.min() + (known.max() - known.min()) * shares**2
    traced = contour_generator(axis.numpy(), axis.numpy(), known)
    return [np.asarray(line) for level in levels for line in traced.lines(float(level))]


def _of_points(text: str) -> Loss:
    formula = parse(text, VARIABLES)
    return lambda points: formula(points[..., 0], points[..., 1])


def _of_numpy(loss: Loss) -> Callable[[np.ndarray], float]:
    def of(point: np.ndarray) -> float:
        value = float(loss(torch.as_tensor(point)))
        return value if np.isfinite(value) else 1e300

    return of
