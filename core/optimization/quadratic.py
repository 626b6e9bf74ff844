"""Second order: a quadratic loss has a Gaussian density of updates, and its mean is Newton's step.

l(theta + D) - l(theta) = D.g + D.H D/2 gives p(D) = N(-H^-1 g, alpha H^-1) if H is positive
definite: alpha spreads the updates and leaves their mean where it is.

Source: https://kexue.fm/archives/7521, eq. (7)-(8), with the alpha and the inverse it leaves out.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from core.optimization.errors import Unusable, check_positive, check_vector


def second_order_update(
    gradient: Float[Tensor, " d"], hessian: Float[Tensor, "d d"]
) -> Float[Tensor, " d"]:
    """-H^-1 g, whatever alpha is. Raises Unusable if H is not positive definite."""
    check_vector(gradient=gradient)
    return -torch.cholesky_solve(gradient[:, None], _factor(hessian))[:, 0]


def second_order_covariance(
    hessian: Float[Tensor, "d d"], alpha: int | float
) -> Float[Tensor, "d d"]:
    """alpha H^-1. Raises Unusable if H is not positive definite."""
    check_positive(alpha=alpha)
    return alpha * torch.cholesky_inverse(_factor(hessian))


def completed_square(
    gradient: Float[Tensor, " d"], hessian: Float[Tensor, "d d"]
) -> tuple[Tensor, Tensor]:
    """The constant of eq. (8), (D + H^-1 g).H(D + H^-1 g)/2 taken off: as printed, and right.

    The page prints +g.H g/2; it is +g.H^-1 g/2.
    """
    return gradient @ hessian @ gradient / 2, -gradient @ second_order_update(gradient, hessian) / 2


def damped_update(
    gradient: Float[Tensor, " d"], hessian: Float[Tensor, "d d"], rate: int | float
) -> Float[Tensor, " d"]:
    """-(H + I/rate)^-1 g: the mean under the prior N(0, rate alpha I), defined while that matrix
    is positive definite. Raises Unusable if it isn't."""
    check_positive(rate=rate)
    eye = torch.eye(len(gradient), dtype=gradient.dtype)
    return second_order_update(gradient, hessian + eye / rate)


def _factor(hessian: Tensor) -> Tensor:
    values = torch.linalg.eigvalsh(hessian)
    if not values[0] > 1e-12 * values.abs().max():  # a zero, rounded
        raise Unusable("indefinite", f"{float(values[0]):.4g}")
    return torch.linalg.cholesky(hessian)
