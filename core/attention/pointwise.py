"""Feature maps that take each number, or each token, by itself and can be done in place.

They are called like functions; the chunkwise form fills one small buffer again and again instead.
Source of elu(x) + 1: Katharopoulos et al. 2020 (arXiv:2006.16236), eq. 7.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Pointwise:
    """A map, the same in place, and its derivative where only its value is left."""

    map: Callable[[Tensor], Tensor]
    in_place: Callable[[Tensor, Tensor], object]  # of x, with scratch space as large as x
    slope: Callable[[Tensor, Tensor], object]  # multiply a gradient, in place, by the derivative

    def __call__(self, x: Tensor) -> Tensor:
        """The features of x."""
        return self.map(x)


def elu(x: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
    """elu(x) + 1 by its branches, e^x below 0 and x + 1 above, to full relative precision.

    Computed as written, (e^x - 1) + 1 rounds to 0 in bfloat16 from about x = -8 on.
    """
    return x.clamp(max=0).exp() + F.relu(x)  # at 0 only one of them has a slope


def shifted_exp(x: Float[Tensor, "*any d"]) -> Float[Tensor, "*any d"]:
    """e^x divided by the largest of each row; the divisor is a constant to the gradient."""
    if x.shape[-1] == 0:
        return x.exp()
    return (x - x.detach().amax(dim=-1, keepdim=True)).exp()


def _elu_in_place(x: Tensor, scratch: Tensor) -> None:
    torch.clamp(x, min=0, out=scratch)
    x.clamp_(max=0).exp_().add_(scratch)


def _times_value(gradient: Tensor, value: Tensor) -> Tensor:
    return gradient.mul_(value)


ELU = Pointwise(elu, _elu_in_place, lambda gradient, y: gradient.mul_(y.clamp(max=1)))
RELU = Pointwise(F.relu, lambda x, _: x.clamp_(min=0), lambda gradient, y: gradient.mul_(y > 0))
EXP = Pointwise(torch.exp, lambda x, _: x.exp_(), _times_value)
SHIFTED_EXP = Pointwise(
    shifted_exp, lambda x, _: x.sub_(x.amax(dim=-1, keepdim=True)).exp_(), _times_value
)
IDENTITY = Pointwise(lambda x: x, lambda x, _: x, lambda gradient, y: gradient)
