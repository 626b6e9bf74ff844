"""Normalization in its variants: over which axes, with a shift or not, by which statistics.

Activations are [n, c] or [n, c, h, w]. Over the batch: "batch" (shift and scale), "center" (shift
only), "rms" (scale only). Within a sample: "layer" (all channels and places), "group" (four groups
of channels), "instance" (each channel of an image alone), "rms-norm" (scale only, all channels).

Sources: Ioffe & Szegedy 2015 (arXiv:1502.03167); Ba et al. 2016 (1607.06450); Wu & He 2018
(1803.08494); Zhang & Sennrich 2019 (1910.07467); https://kexue.fm/archives/6992, eq. (14) and (16).
"""

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn

OVER_BATCH = ("batch", "center", "rms")
WITHIN_SAMPLE = ("layer", "group", "instance", "rms-norm")
NORMS = ("none", *OVER_BATCH, *WITHIN_SAMPLE)
GROUPS = 4
REFUSED_ALONE = ("batch", "center")  # a single vector minus its own mean is nothing


def statistics(
    x: Float[Tensor, "n c *places"], norm: str
) -> tuple[Float[Tensor, "..."], Float[Tensor, "..."]]:
    """Mean and variance (biased, about that mean) that broadcast against x.

    Where only the scale is taken the mean is 0, where only the shift is taken the variance is 1.
    """
    if norm == "group":
        return _by_group(x)
    axes: tuple[int, ...] = (0, *range(2, x.ndim))
    if norm in ("layer", "rms-norm"):
        axes = tuple(range(1, x.ndim))
    if norm == "instance":
        axes = tuple(range(2, x.ndim))
    if norm in ("rms", "rms-norm"):
        square = x.square().mean(axes, keepdim=True)
        return torch.zeros_like(square), square
    var, mean = torch.var_mean(x, axes, correction=0, keepdim=True)
    return mean, torch.ones_like(mean) if norm == "center" else var


def _by_group(x: Float[Tensor, "n c *places"]) -> tuple[Tensor, Tensor]:
    """Each channel gets the statistics of its group, [n, c, 1, ...]."""
    groups = x.unflatten(1, (GROUPS, -1))
    var, mean = torch.var_mean(groups, tuple(range(2, groups.ndim)), correction=0, keepdim=True)
    size = groups.shape[2]
    return (
        mean.squeeze(2).repeat_interleave(size, 1),
        var.squeeze(2).repeat_interleave(size, 1),
    )


class Normalization(nn.Module):
    """One normalization of `channels` channels, with gain and offset if `affine`.

    In eval mode the batch's statistics make way for running ones: torch's `momentum`, and the
    unbiased variance, as in nn.BatchNorm. `noise` shifts and scales every unit of every sample at
    random, anew in each pass, as Santurkar et al. do (arXiv:1805.11604, section 2.2); it draws from
    `generator`. Raises ValueError in training mode where there is nothing to average over.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(
        self,
        norm: str,
        channels: int,
        *,
        affine: bool = True,
        momentum: float = 0.1,
        eps: float = 1e-5,
        noise: float = 0.0,
        generator: Generator | None = None,
    ) -> None:
        super().__init__()
        if norm not in NORMS[1:]:
            raise ValueError(f"norm is {norm!r}, but must be one of {NORMS[1:]}")
        if norm == "group" and channels % GROUPS:
            raise ValueError(f"channels is {channels}, but groups need a multiple of {GROUPS}")
        self.norm, self.channels, self.momentum, self.eps = norm, channels, momentum, eps
        self.noise, self.generator = noise, generator
        self.weight = nn.Parameter(torch.ones(channels)) if affine else None
        self.bias = nn.Parameter(torch.zeros(channels)) if affine else None
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: Float[Tensor, "n c *places"]) -> Float[Tensor, "n c *places"]:
        """The same shape, normalized. The gain goes into the scale: one pass over x less."""
        self._check(x)
        mean, var = self._statistics(x)
        scale = (var + self.eps).rsqrt()
        if self.weight is not None:
            scale = scale * _broad(self.weight, x)
        x = (x - mean) * scale
        if self.bias is not None:
            x = x + _broad(self.bias, x)
        return self._noisy(x) if self.noise and self.training else x

    def _statistics(self, x: Tensor) -> tuple[Tensor, Tensor]:
        if self.norm not in OVER_BATCH:
            return statistics(x, self.norm)
        if not self.training:
            return _broad(self.running_mean, x), _broad(self.running_var, x)
        mean, var = statistics(x, self.norm)
        self._follow(x, mean, var)
        return mean, var

    @torch.no_grad()
    def _follow(self, x: Tensor, mean: Tensor, var: Tensor) -> None:
        if not self.momentum:
            return
        count = x.numel() // self.channels
        unbiased = var * count / max(count - 1, 1) if self.norm == "batch" else var
        self.running_mean.lerp_(mean.reshape(-1), self.momentum)
        self.running_var.lerp_(unbiased.reshape(-1), self.momentum)

    def _noisy(self, x: Tensor) -> Tensor:
        """Each unit gets a mean and a scale of its own for this pass, and every sample its draw."""
        units = (2, *x.shape[1:])
        mean, scale = self.noise * torch.rand(units, generator=self.generator).sub_(0.5).mul_(2)
        draws = torch.randn(2, *x.shape, generator=self.generator)
        return x * (1 + scale + self.noise * draws[0]) + mean + self.noise * draws[1]

    def _check(self, x: Tensor) -> None:
        if self.norm == "instance" and x.ndim == 2:
            raise ValueError("instance normalization of a vector: each channel has one number")
        alone = x.numel() == self.channels
        if self.norm in REFUSED_ALONE and self.training and alone:
            raise ValueError(
                "batch size is 1, but must be at least 2: a single sample equals its own mean, so "
                "normalization over the batch would leave nothing of it"
            )

    def extra_repr(self) -> str:
        """What print shows."""
        return f"{self.norm}, {self.channels}"


def _broad(values: Tensor, x: Tensor) -> Tensor:
    """One number a channel, to meet [n, c, ...]."""
    return values.reshape(1, -1, *[1] * (x.ndim - 2))
