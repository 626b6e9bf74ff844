"""A multilayer perceptron and a small convolutional net, normalized before or after the linear map.

"before": normalize what enters a layer, linear map, activation (the post's advice, which includes
the raw input). "after": linear map, normalize, activation (Ioffe & Szegedy's); the last map stands
alone.

Source: https://kexue.fm/archives/6992, section 2.5.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise

from torch import Generator, nn

from core.batchnorm.norms import NORMS, Normalization
from core.modules import allocated

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU, "tanh": nn.Tanh, "gelu": nn.GELU, "linear": nn.Identity,
}  # fmt: skip
PLACEMENTS = ("before", "after")
STARTS = ("torch", "he")
Norm = Callable[[int], list[nn.Module]]  # channels -> the normalization, or nothing


def mlp(
    widths: Sequence[int],
    activation: str,
    norm: str = "none",
    placement: str = "after",
    *,
    start: str = "torch",
    affine: bool = True,
    momentum: float = 0.1,
    noise: float = 0.0,
    generator: Generator | None = None,
) -> nn.Sequential:
    """widths[0] inputs, widths[-1] outputs, an activation after every map but the last.

    Weights are drawn from `generator`: "torch" as nn.Linear does, "he" with variance 2/n. Raises
    ValueError for an unknown choice, fewer than two widths, or instance normalization, which has
    nothing to average in a vector.
    """
    if len(widths) < 2:
        raise ValueError(f"widths is {tuple(widths)}, but must have at least two entries")
    if norm == "instance":
        raise ValueError("norm is 'instance', but a vector has one number a channel: take a cnn")
    _check(activation, norm, placement, start)
    make = _norm(norm, affine, momentum, noise, generator)
    layers: list[nn.Module] = []
    for at, (n, m) in enumerate(pairwise(widths)):
        linear = _begun(allocated(nn.Linear(n, m, device="meta")), n, start, generator)
        last = at == len(widths) - 2
        layers += _block(linear, n, m, ACTIVATIONS[activation], make, placement, last)
    return nn.Sequential(*layers)


def cnn(
    channels: Sequence[int],
    side: int,
    classes: int,
    activation: str,
    norm: str = "none",
    placement: str = "after",
    *,
    start: str = "torch",
    affine: bool = True,
    momentum: float = 0.1,
    noise: float = 0.0,
    generator: Generator | None = None,
) -> nn.Sequential:
    """One 3 x 3 convolution per entry of `channels`, halving the side after the first two.

    Input [n, 1, side, side]; a linear map reads the classes off what is averaged to at most 4 x 4
    places. Raises ValueError as `mlp` does.
    """
    _check(activation, norm, placement, start)
    make = _norm(norm, affine, momentum, noise, generator)
    layers: list[nn.Module] = []
    for at, (n, m) in enumerate(zip([1, *channels], channels, strict=False)):
        maps: nn.Module = allocated(nn.Conv2d(n, m, 3, padding=1, device="meta"))
        maps = _begun(maps, 9 * n, start, generator)
        layers += _block(maps, n, m, ACTIVATIONS[activation], make, placement, last=False)
        layers += [nn.AvgPool2d(2)] if at < 2 else []
    places = min(4, side // 4)
    flat = channels[-1] * places**2
    last: nn.Module = allocated(nn.Linear(flat, classes, device="meta"))
    last = _begun(last, flat, start, generator)
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(places), nn.Flatten(), last)


def _block(
    linear: nn.Module,
    n: int,
    m: int,
    activation: Callable[[], nn.Module],
    make: Norm,
    placement: str,
    last: bool,
) -> list[nn.Module]:
    act = [] if last else [activation()]
    if placement == "before":
        return [*_that_can(make, n), linear, *act]
    return [linear, *([] if last else make(m)), *act]


def _that_can(make: Norm, channels: int) -> list[nn.Module]:
    """The input of a network may have no groups to normalize: then it is taken as it is."""
    try:
        return make(channels)
    except ValueError:
        return []


def _norm(
    norm: str, affine: bool, momentum: float, noise: float, generator: Generator | None
) -> Norm:
    if norm == "none":
        return lambda channels: []
    build = partial(
        Normalization, norm, affine=affine, momentum=momentum, noise=noise, generator=generator
    )
    return lambda channels: [build(channels)]


def _begun(layer: nn.Module, fan_in: int, start: str, generator: Generator | None) -> nn.Module:
    """The layer with its weights drawn; the bias is drawn with them, or 0 for "he"."""
    assert isinstance(layer, nn.Linear | nn.Conv2d)
    assert layer.bias is not None
    if start == "he":
        nn.init.normal_(layer.weight, std=math.sqrt(2 / fan_in), generator=generator)
        nn.init.zeros_(layer.bias)
    else:
        bound = 1 / math.sqrt(fan_in)
        nn.init.uniform_(layer.weight, -bound, bound, generator=generator)
        nn.init.uniform_(layer.bias, -bound, bound, generator=generator)
    return layer


def _check(activation: str, norm: str, placement: str, start: str) -> None:
    choices = {
        "activation": (activation, tuple(ACTIVATIONS)),
        "norm": (norm, NORMS),
        "placement": (placement, PLACEMENTS),
        "start": (start, STARTS),
    }
    for name, (value, accepted) in choices.items():
        if value not in accepted:
            raise ValueError(f"{name} is {value!r}, but must be one of {accepted}")
