"""Lanczos: a few products with a symmetric matrix tell its spectrum, the ends of it first.

Source: Golub & Meurant 2010, Matrices, Moments and Quadrature, chapters 4 and 7; Ubaru, Chen & Saad
2017 for spectral densities from random starts.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import torch
from jaxtyping import Float
from torch import Tensor

from core.numerics import NoConvergence

Multiply = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Krylov:
    """What so many steps know of the matrix: its part on their basis, and what leaves it."""

    diagonal: Sequence[float]
    beside: Sequence[float]
    basis: Float[Tensor, "k n"]
    length: float  # of the last image's part outside the basis; 0 where the space is exhausted

    def ritz(self) -> tuple[Float[Tensor, " k"], Float[Tensor, "k k"]]:
        """Eigenvalues of the matrix on the basis, ascending, and its eigenvectors as columns."""
        beside = _exact(self.beside)
        matrix = torch.diag(_exact(self.diagonal))
        return torch.linalg.eigh(matrix + torch.diag(beside, 1) + torch.diag(beside, -1))


def krylov(multiply: Multiply, start: Float[Tensor, " n"]) -> Iterator[Krylov]:
    """Lanczos step by step, for who wants to stop when the answer is good enough.

    Every new vector is made orthogonal to all before it, twice, so that no eigenvalue comes back as
    a ghost. Ends where the space is exhausted.
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
        exhausted = length <= 100 * torch.finfo(start.dtype).eps * max(map(abs, diagonal))
        exhausted = exhausted or len(diagonal) == len(start)
        yield Krylov(tuple(diagonal), tuple(beside), basis, 0.0 if exhausted else length)
        if exhausted:
            return
        beside.append(length)
        vector = image / length
        basis = torch.cat([basis, vector[None]])


def largest(
    multiply: Multiply,
    start: Float[Tensor, " n"],
    *,
    tolerance: float = 1e-5,
    iterations: int | None = None,
    most: int = 500,
) -> tuple[float, Float[Tensor, " n"]]:
    """The largest eigenvalue (algebraic, not in magnitude) and its unit eigenvector.

    Ends when the residual |A v - place v| is at most `tolerance` times the spectrum's radius, or
    after `iterations`, if given. The eigenvalue's error is at most the residual, and of the order
    of its square. Raises NoConvergence after `most` steps.
    """
    for count, space in enumerate(krylov(multiply, start), 1):
        places, vectors = space.ritz()
        residual = space.length * abs(float(vectors[-1, -1]))
        if residual <= tolerance * float(places.abs().max()) or count == iterations:
            break
        if count == most:
            raise NoConvergence(f"residual {residual:.3g} after {most} Lanczos steps")
    vector = vectors[:, -1].to(space.basis.dtype) @ space.basis
    return float(places[-1]), vector / vector.norm()


def spectral_measure(
    multiply: Multiply, start: Float[Tensor, " n"], steps: int
) -> tuple[Float[Tensor, " k"], Float[Tensor, " k"]]:
    """Places and weights, ascending, with sum w f(place) = v^T f(A) v for polynomials f.

    v is the unit vector along `start`; the equality holds up to degree 2k - 1. The outer places are
    near the ends of the spectrum, from inside; for a random start the weights are near the
    spectrum's density.
    """
    *_, last = islice(krylov(multiply, start), steps)
    places, vectors = last.ritz()
    return places, vectors[0] ** 2


def _exact(numbers: Sequence[float]) -> Tensor:
    return torch.tensor(numbers, dtype=torch.float64)
