"""Many networks at once: of one kind, on the same rows, each with weights of its own.

torch.func.vmap does it for any layer, but takes thrice the time for linear maps and for the two
normalizations that are asked for most. Axes: networks a, rows n, channels c.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.func import functional_call, vmap

from core.batchnorm.norms import Normalization
from core.store import Tensors


def losses(
    model: nn.Sequential, weights: Tensors, x: Float[Tensor, "n d"], y: Int[Tensor, " n"]
) -> Float[Tensor, " a"]:
    """Mean cross-entropy of each network in training mode; `weights` by name, networks first.

    Running statistics must not follow: see `training.quiet`.
    """
    count = len(next(iter(weights.values())))
    h = x.expand(count, *x.shape)
    for place, layer in model.named_children():
        own = {name: weights[f"{place}.{name}"] for name, _ in layer.named_parameters()}
        h = _layer(layer, own, h)
    return F.cross_entropy(h.mT, y.expand(count, -1), reduction="none").mean(1)


def broad(values: Float[Tensor, " a"], weight: Float[Tensor, "*c"]) -> Tensor:
    """One number a network, to meet its weight."""
    return values.reshape(-1, *[1] * weight.ndim)


def _layer(layer: nn.Module, weights: Tensors, h: Float[Tensor, "a n *c"]) -> Tensor:
    if isinstance(layer, nn.Linear):
        return torch.baddbmm(weights["bias"][:, None], h, weights["weight"].mT)
    if isinstance(layer, Normalization) and layer.norm in ("batch", "layer"):
        return _scaled(_normalized(layer, h), weights)
    return vmap(lambda own, x: functional_call(layer, own, (x,)))(dict(weights), h)


def _normalized(
    layer: Normalization, h: Float[Tensor, "a n c *places"]
) -> Float[Tensor, "a n c *places"]:
    if layer.norm == "layer":
        return F.layer_norm(h, h.shape[2:], eps=layer.eps)
    beside = h.transpose(0, 1).flatten(1, 2)  # channels of all networks as if those of one
    found = F.batch_norm(beside, None, None, training=True, eps=layer.eps)
    return found.unflatten(1, (len(h), -1)).transpose(0, 1)


def _scaled(h: Float[Tensor, "a n c *places"], weights: Tensors) -> Float[Tensor, "a n c *places"]:
    if not weights:
        return h
    gain, offset = (
        weights[name].reshape(len(h), 1, -1, *[1] * (h.ndim - 3)) for name in ("weight", "bias")
    )
    return torch.addcmul(offset, h, gain)
