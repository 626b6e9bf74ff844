"""Residual cells: what the towers of an NVAE are built from.

An encoder cell is BN, Swish, 3x3 convolution, twice; a decoder cell the same ("dense"), or the
paper's own: 1x1 convolution to more channels, a depthwise 5x5, and back. All end with
squeeze-and-excitation and add a share of what they found to what came in.

Source: https://kexue.fm/archives/7574, "residual cells"; momentum and sizes are those of the
authors' code, where the share is .1: trainings as short as ours learn faster with .3. Axes: batch
n, channels c, height h, width w.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

BRANCH = 0.3  # of a cell's branch that is added to its input
MOMENTUM = 0.05  # of the running statistics, in torch's meaning: half of torch's own
SQUEEZED = 4  # channels of a squeeze, at least


class SqueezeExcite(nn.Module):
    """Weigh the channels by what is seen of the whole picture."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = max(channels // 16, SQUEEZED)
        self.squeeze = nn.Linear(channels, hidden)
        self.excite = nn.Linear(hidden, channels)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        weights = self.excite(F.relu(self.squeeze(x.mean((2, 3))))).sigmoid()
        return x * weights[:, :, None, None]


class Cell(nn.Module):
    """x + a share of a branch of x; the branch is computed again backward if `recompute`."""

    def __init__(self, branch: nn.Sequential, *, recompute: bool = False) -> None:
        super().__init__()
        self.branch, self.recompute = branch, recompute

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        if self.recompute and self.training and torch.is_grad_enabled():
            found = checkpoint(self.branch, x, use_reentrant=False, context_fn=self._contexts)
        else:
            found = self.branch(x)
        return x + BRANCH * found

    def _contexts(self) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        """Of the first and the second pass: the second leaves the running statistics alone."""
        return nullcontext(), _still(self.branch)


@contextmanager
def _still(module: nn.Module) -> Iterator[None]:
    """Let batch normalization pass without moving its running statistics."""
    found = [part for part in module.modules() if isinstance(part, nn.BatchNorm2d)]
    before = [part.momentum for part in found]
    for part in found:
        part.momentum = 0.0
    try:
        yield
    finally:
        for part, momentum in zip(found, before, strict=True):
            part.momentum = momentum


def encoder_cell(channels: int, *, recompute: bool = False) -> Cell:
    """BN, Swish, 3x3 convolution; twice; squeeze-and-excitation."""
    return Cell(_dense(channels), recompute=recompute)


def decoder_cell(kind: str, channels: int, expansion: int, *, recompute: bool = False) -> Cell:
    """A "dense" cell like the encoder's, or the paper's "depthwise" one."""
    branch = _dense(channels) if kind == "dense" else _depthwise(channels, expansion)
    return Cell(branch, recompute=recompute)


class Down(nn.Module):
    """Half the side, other channels."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, out, 3, stride=2, padding=1)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d i j"]:
        return self.conv(F.silu(x))


class Up(nn.Module):
    """Twice the side (or `side`), other channels: these are mixed first, where it is cheap."""

    def __init__(self, channels: int, out: int, side: int | None = None) -> None:
        super().__init__()
        self.conv, self.side = nn.Conv2d(channels, out, 1), side

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d i j"]:
        return F.interpolate(self.conv(x), self.side or 2 * x.shape[-1], mode="bilinear")


def norm(channels: int) -> nn.BatchNorm2d:
    """Batch normalization with the paper's momentum."""
    return nn.BatchNorm2d(channels, momentum=MOMENTUM)


def _dense(channels: int) -> nn.Sequential:
    return nn.Sequential(
        norm(channels), nn.SiLU(), nn.Conv2d(channels, channels, 3, padding=1, bias=False),
        norm(channels), nn.SiLU(), nn.Conv2d(channels, channels, 3, padding=1),
        SqueezeExcite(channels),
    )  # fmt: skip


def _depthwise(channels: int, expansion: int) -> nn.Sequential:
    inner = expansion * channels
    return nn.Sequential(
        norm(channels), nn.Conv2d(channels, inner, 1, bias=False),
        norm(inner), nn.SiLU(),
        nn.Conv2d(inner, inner, 5, padding=2, groups=inner, bias=False),
        norm(inner), nn.SiLU(), nn.Conv2d(inner, channels, 1, bias=False),
        norm(channels), SqueezeExcite(channels),
    )  # fmt: skip
