"""One layer with one output, as the post takes it apart: where the inputs enter the curvature.

h = <w, x> + b, loss log(1 + exp(-y h)) with labels y = +1 or -1; the activation is the identity,
and the sigmoid is in the loss. All expectations are means over rows.

Source: https://kexue.fm/archives/6992, eq. (6)-(12).
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def output(
    x: Float[Tensor, "n d"], w: Float[Tensor, " d"], b: Float[Tensor, ""]
) -> Float[Tensor, " n"]:
    """h = <w, x> + b of every row."""
    return x @ w + b


def sample_loss(y: Float[Tensor, " n"], h: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
    """Eq. (8): -log sigmoid(y h); its slope in h lies between -1 and 1."""
    return -F.logsigmoid(y * h)


def mean_loss(
    x: Float[Tensor, "n d"],
    y: Float[Tensor, " n"],
    w: Float[Tensor, " d"],
    b: Float[Tensor, ""],
) -> Float[Tensor, ""]:
    """Eq. (6): what training minimizes."""
    return sample_loss(y, output(x, w, b)).mean()


def loss_slope(y: Float[Tensor, " n"], h: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
    """The loss's derivative in h: -y sigmoid(-y h)."""
    return -y * torch.sigmoid(-y * h)


def mean_gradient(
    x: Float[Tensor, "n d"],
    y: Float[Tensor, " n"],
    w: Float[Tensor, " d"],
    b: Float[Tensor, ""],
) -> Float[Tensor, " d+1"]:
    """Eq. (7): the gradient by the chain rule, slope in h times h's own gradient (x, 1)."""
    of_b, of_w = layer_gradients(x, y, w, b)
    return torch.cat([of_w, of_b[None]])


def layer_gradients(
    x: Float[Tensor, "n d"],
    y: Float[Tensor, " n"],
    w: Float[Tensor, " d"],
    b: Float[Tensor, ""],
) -> tuple[Float[Tensor, ""], Float[Tensor, " d"]]:
    """Eq. (9): that of the bias has no x in it, that of the weights has."""
    slope = loss_slope(y, output(x, w, b))
    return slope.mean(), (slope[:, None] * x).mean(0)


def slope_change(
    x: Float[Tensor, "n d"],
    y: Float[Tensor, " n"],
    w: Float[Tensor, " d"],
    b: Float[Tensor, ""],
    step: Float[Tensor, " d"],
) -> Float[Tensor, " n"]:
    """The lambda of eq. (10): how every row's slope changes when w moves by `step`."""
    return loss_slope(y, output(x, w + step, b)) - loss_slope(y, output(x, w, b))


def gradient_change(x: Float[Tensor, "n d"], change: Float[Tensor, " n"]) -> float:
    """Eq. (10): the weights' gradient changes by |E[lambda x]|."""
    return float((change[:, None] * x).mean(0).norm())


def change_per_step(change: Float[Tensor, " n"], step: Float[Tensor, " d"]) -> float:
    """Eq. (11), an assumption of the post: lambda over the step; it hides a factor |x|."""
    return float(change.square().mean().sqrt() / step.norm())


def cauchy_bound(x: Float[Tensor, "n d"], change: Float[Tensor, " n"]) -> float:
    """Eq. (12): sqrt(E lambda^2) times sqrt(E |x|^2), never below the gradient's change."""
    return float(change.square().mean().sqrt() * x.square().sum(1).mean().sqrt())
