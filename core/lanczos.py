"""Lanczos: a few products with a symmetric matrix tell its spectrum, the ends of it first.

Source: Golub & Meurant 2010, Matrices, Moments and Quadrature, chapters 4 and 7; Ubaru, Chen & Saad
2017 for spectral densities from random starts.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

Multiply = Callable[[Tensor], Tensor]


def tridiagonal(
    multiply: Multiply, start: Float[Tensor, " n"], steps: int
) -> tuple[Float[Tensor, " k"], Float[Tensor, " k-1"]]:
    """Diagonal and off-diagonal of the matrix on the Krylov space of `start`, in float64.

    Every new vector is made orthogonal to all before it, twice, so that no eigenvalue comes back as
    a ghost. k is `steps`, or less where the space is exhausted.
    """
    vector = start / start.norm()
    basis = vector[None]
    diagonal: list[float] = []
    beside: list[float] = []
    while True:
        image = multiply(vector)
        diagonal.append(float(vector @ image))
        for _ in range(2):
            image = image - (basis @ image) @ basis
        length = float(image.norm())
        exhausted = length <= 10 * torch.finfo(start.dtype).eps * max(map(abs, diagonal))
        if exhausted or len(diagonal) == steps:
            return _exact(diagonal), _exact(beside)
        beside.append(length)
        vector = image / length
        basis = torch.cat([basis, vector[None]])


def spectral_measure(
    multiply: Multiply, start: Float[Tensor, " n"], steps: int
) -> tuple[Float[Tensor, " k"], Float[Tensor, " k"]]:
    """Places and weights, ascending, with sum w f(place) = v^T f(A) v for polynomials f.

    v is the unit vector along `start`; the equality holds up to degree 2k - 1. The outer places are
    near the ends of the spectrum, from inside; for a random start the weights are near the
    spectrum's density.
    """
    diagonal, beside = tridiagonal(multiply, start, steps)
    matrix = torch.diag(diagonal) + torch.diag(beside, 1) + torch.diag(beside, -1)
    places, vectors = torch.linalg.eigh(matrix)
    return places, vectors[0] ** 2


def _exact(numbers: list[float]) -> Tensor:
    return torch.tensor(numbers, dtype=torch.float64)
