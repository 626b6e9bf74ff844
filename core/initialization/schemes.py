"""How large and of what shape: every scaling the post names or implies, from every distribution.

A weight is [fan_out, fan_in] as in torch: m outputs, n inputs. A scheme decides the variance of
its entries, a distribution their shape; every distribution is drawn with variance 1 and scaled, in
place where a large weight would be copied.

Sources: https://kexue.fm/archives/7180 (1/m and its corollaries); Glorot & Bengio 2010 (2/(m+n));
He et al. 2015 (2/n, arXiv:1502.01852).
"""

import math
from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from core.orthogonal import orthogonalized

Shape = tuple[int, int]
Draw = Callable[[Shape, torch.Generator | None, torch.dtype], Tensor]

SCHEMES: dict[str, Callable[[int, int], float]] = {
    "post": lambda m, n: 1 / m,
    "lecun": lambda m, n: 1 / n,
    "xavier": lambda m, n: 2 / (m + n),
    "geometric": lambda m, n: 1 / math.sqrt(m * n),
    "quadratic": lambda m, n: (m + n) / (m * m + n * n),
    "orthogonal": lambda m, n: 1 / max(m, n),
    "he": lambda m, n: 2 / n,
    "he-post": lambda m, n: 2 / m,  # the post writes He's 2 over its own m
}
CUT = 2.0  # the truncated normal ends at two standard deviations, as in TensorFlow
NONZERO = 3  # entries of a sparse row that are not zero, on average


def truncated_variance(cut: int | float = CUT) -> float:
    """Variance of N(0, 1) restricted to [-cut, cut]: 0.7737413035 for two standard deviations."""
    height = math.exp(-cut * cut / 2) / math.sqrt(2 * math.pi)
    return 1 - 2 * cut * height / math.erf(cut / math.sqrt(2))


def _normal(shape: Shape, generator: torch.Generator | None, dtype: torch.dtype) -> Tensor:
    return torch.randn(shape, generator=generator, dtype=dtype)


def _uniform(shape: Shape, generator: torch.Generator | None, dtype: torch.dtype) -> Tensor:
    return math.sqrt(3) * (2 * _share(shape, generator, dtype) - 1)


def _truncated_normal(
    shape: Shape, generator: torch.Generator | None, dtype: torch.dtype
) -> Tensor:
    below = math.erfc(CUT / math.sqrt(2)) / 2
    z = torch.special.ndtri(below + (1 - 2 * below) * _share(shape, generator, dtype))
    return z.div_(math.sqrt(truncated_variance()))


def _rademacher(shape: Shape, generator: torch.Generator | None, dtype: torch.dtype) -> Tensor:
    return (_share(shape, generator, dtype) < 0.5).to(dtype).mul_(2).sub_(1)


def _laplace(shape: Shape, generator: torch.Generator | None, dtype: torch.dtype) -> Tensor:
    u = _share(shape, generator, dtype).sub_(0.5)
    beyond = u.abs().mul_(2).clamp_(max=1 - torch.finfo(dtype).eps)  # the logarithm of 0 is none
    return beyond.neg_().log1p_().div_(math.sqrt(2)).copysign_(u)


def _student(freedom: float) -> Draw:
    """A normal number over the root of a chi-square one, as defined; t has variance f / (f - 2)."""

    def draw(shape: Shape, generator: torch.Generator | None, dtype: torch.dtype) -> Tensor:
        seed = torch.randint(2**62, (1,), generator=generator).item()
        kind = np.float64 if dtype is torch.float64 else np.float32
        gamma = np.random.default_rng(int(seed)).standard_gamma(freedom / 2, shape, dtype=kind)
        root = torch.from_numpy(gamma).to(dtype).div_(freedom / 2 - 1).sqrt_()
        return _normal(shape, generator, dtype).div_(root)

    return draw


def _sparse(shape: Shape, generator: torch.Generator | None, dtype: torch.dtype) -> Tensor:
    density = min(1.0, NONZERO / shape[1])
    kept = _share(shape, generator, dtype) < density
    return _rademacher(shape, generator, dtype).mul_(kept).div_(math.sqrt(density))


def _share(shape: Shape, generator: torch.Generator | None, dtype: torch.dtype) -> Tensor:
    return torch.rand(shape, generator=generator, dtype=dtype)


DISTRIBUTIONS: dict[str, Draw] = {
    "normal": _normal,
    "truncated-normal": _truncated_normal,
    "uniform": _uniform,
    "rademacher": _rademacher,
    "laplace": _laplace,
    "student-t": _student(5.0),
    "heavy-t": _student(2.5),  # no fourth moment
    "sparse": _sparse,  # another distribution for every n
}


def kurtosis(distribution: str, fan_in: int) -> float:
    """E[x^4] / E[x^2]^2; infinite for "heavy-t", growing with fan_in for "sparse".

    Raises ValueError on an unknown distribution.
    """
    _one_of("distribution", distribution, DISTRIBUTIONS)
    if distribution == "sparse":
        return max(1.0, fan_in / NONZERO)
    if distribution == "truncated-normal":
        return _truncated_kurtosis()
    known = {"normal": 3, "uniform": 1.8, "rademacher": 1, "laplace": 6, "student-t": 9}
    return float(known.get(distribution, math.inf))


def variance(scheme: str, fan_out: int, fan_in: int) -> float:
    """Variance of the entries of a [fan_out, fan_in] weight.

    Raises ValueError on an unknown scheme or a size below 1.
    """
    _one_of("scheme", scheme, SCHEMES)
    for name, size in {"fan_out": fan_out, "fan_in": fan_in}.items():
        if size < 1:
            raise ValueError(f"{name} is {size!r}, but must be an integer >= 1")
    return SCHEMES[scheme](fan_out, fan_in)


def kernel_variance(scheme: str, out_channels: int, in_channels: int, size: int) -> float:
    """Variance of the entries of a square convolution kernel; of size 1 it is a weight.

    Each fan is a number of channels times size^2; an orthogonal one is so as a matrix
    [out_channels, in_channels size^2]. Raises ValueError as `variance` does.
    """
    if size < 1:
        raise ValueError(f"size is {size!r}, but must be an integer >= 1")
    area = size * size
    fan_out = out_channels if scheme == "orthogonal" else out_channels * area
    return variance(scheme, fan_out, in_channels * area)


def sample_weight(
    fan_out: int,
    fan_in: int,
    scheme: str,
    *,
    distribution: str = "normal",
    gain: int | float = 1.0,
    generator: torch.Generator | None = None,
    dtype: torch.dtype = torch.float32,
) -> Float[Tensor, "fan_out fan_in"]:
    """A fresh weight, times `gain`. The distribution changes its shape, never its variance.

    "orthogonal" takes the nearest thing to a rotation out of a drawn matrix: orthonormal columns,
    or rows where there are fewer of them. Raises ValueError on an unknown scheme or distribution,
    a size below 1, a gain that is negative or not finite.
    """
    _one_of("distribution", distribution, DISTRIBUTIONS)
    if not 0 <= gain < math.inf:
        raise ValueError(f"gain is {gain!r}, but must be a finite number >= 0")
    scale = gain * math.sqrt(variance(scheme, fan_out, fan_in))
    drawn = DISTRIBUTIONS[distribution]((fan_out, fan_in), generator, dtype)
    return drawn.mul_(scale) if scheme != "orthogonal" else orthogonalized(drawn).mul_(gain)


def sample_kernel(
    out_channels: int,
    in_channels: int,
    size: int,
    scheme: str,
    *,
    distribution: str = "normal",
    generator: torch.Generator | None = None,
    dtype: torch.dtype = torch.float32,
) -> Float[Tensor, "out_channels in_channels size size"]:
    """A fresh square convolution kernel, with the entries' variance that `kernel_variance` says.

    Raises ValueError as `sample_weight` does.
    """
    meant, area = kernel_variance(scheme, out_channels, in_channels, size), size * size
    flat = sample_weight(
        out_channels, in_channels * area, scheme, distribution=distribution, generator=generator,
        dtype=dtype,
    )  # fmt: skip
    now = variance(scheme, out_channels, in_channels * area)
    return (flat * math.sqrt(meant / now)).reshape(out_channels, in_channels, size, size)


def _truncated_kurtosis() -> float:
    height = math.exp(-CUT * CUT / 2) / math.sqrt(2 * math.pi)
    fourth = 3 - 2 * height * (CUT**3 + 3 * CUT) / math.erf(CUT / math.sqrt(2))
    return fourth / truncated_variance() ** 2


def _one_of(name: str, value: str, options: dict) -> None:
    if value not in options:
        raise ValueError(f"{name} is {value!r}, but must be one of {tuple(options)}")
