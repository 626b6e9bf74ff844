"""Orthogonal matrices out of random ones, for every topic that draws a rotation.

Sources: Stewart 1980, The efficient generation of random orthogonal matrices (SIAM J. Numer. Anal.
17), for the product of reflections; LAPACK's geqrf for the form in which it is kept.
"""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor


def orthogonalized(matrix: Float[Tensor, "*b m n"]) -> Float[Tensor, "*b m n"]:
    """Q of the QR decomposition whose R has a positive diagonal; of the transpose if m < n.

    With that sign Q is uniform over all rotations and reflections if the matrix is normal.
    """
    if matrix.shape[-2] < matrix.shape[-1]:
        return orthogonalized(matrix.mT).mT.contiguous()
    q, r = torch.linalg.qr(matrix)
    signs = torch.where(r.diagonal(dim1=-2, dim2=-1) < 0, -1.0, 1.0)
    return q * signs.unsqueeze(-2)


@dataclass(frozen=True)
class Reflections:
    """A matrix with orthonormal columns, or rows, that is never written out: it only multiplies.

    Each of the k columns of `vectors`, from 1 on its diagonal down, is a mirror's normal; the
    product of the mirrors, its first k columns, the signs on them, is the matrix, [m, k].
    """

    vectors: Float[Tensor, "m k"]
    scales: Float[Tensor, " k"]  # 2 / ||normal||^2
    signs: Float[Tensor, " k"]
    transposed: bool = False

    @property
    def shape(self) -> tuple[int, int]:
        """As of a tensor."""
        long, short = self.vectors.shape
        return (short, long) if self.transposed else (long, short)

    @property
    def T(self) -> "Reflections":
        """The transpose."""
        return replace(self, transposed=not self.transposed)

    def __matmul__(self, x: Float[Tensor, "n ..."]) -> Float[Tensor, "m ..."]:
        """The product with a vector or a matrix."""
        long, short = self.vectors.shape
        columns, signs = x.reshape(len(x), -1), self.signs[:, None]
        if self.transposed:
            whole = torch.ormqr(self.vectors, self.scales, columns, transpose=True)
            return (signs * whole[:short]).reshape(-1, *x.shape[1:])
        below = columns.new_zeros(long - short, columns.shape[1])
        whole = torch.ormqr(self.vectors, self.scales, torch.cat([signs * columns, below]))
        return whole.reshape(-1, *x.shape[1:])


def reflections(matrix: Float[Tensor, "m n"]) -> Reflections:
    """Mirrors that send each row, from the diagonal on, to its axis; each column, if m > n.

    Orthonormal rows, or columns, whatever the matrix is; uniform over all rotations and
    reflections, as `orthogonalized` is, if it is normal. Nothing is decomposed: it takes as long as
    drawing the matrix. A row of zeros has no mirror.
    """
    if matrix.shape[0] > matrix.shape[1]:
        return reflections(matrix.T.contiguous()).T
    first, lengths = matrix.diagonal(), matrix.triu().norm(dim=1)
    signs = torch.where(first < 0, 1.0, -1.0).to(matrix)
    away = torch.where(lengths > 0, first - signs * lengths, 1.0)  # from the axis: no cancellation
    scales = torch.where(lengths > 0, 1 + first.abs() / lengths, 0.0)
    return Reflections((matrix / away[:, None]).T, scales, signs, transposed=True)
