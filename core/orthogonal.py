"""Orthogonal matrices out of random ones, for every topic that draws a rotation."""

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
