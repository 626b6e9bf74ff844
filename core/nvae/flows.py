"""Flows inside a group: additive, autoregressive, two cells with mirrored order.

new_z = z - m(z), where m at a place sees only places and channels before it: the Jacobian is
triangular with ones on its diagonal, so the log determinant is 0. A second cell sees the places
the other way round. Sampling from the prior needs no inverse: flows act on posteriors alone.

Source: Kingma et al. 2016 (arXiv:1606.04934); additive as in the authors' NVAE code.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

KERNEL = 3


class MaskedConv(nn.Conv2d):
    """A 3x3 convolution that sees places before its own, and at its own place only some channels.

    `strict`: at its own place output channel i sees input channels below i; else up to i.
    Channels are taken in equal parts where there are more of one kind than of the other.
    """

    mask: Tensor

    def __init__(self, channels: int, out: int, parts: int, *, strict: bool, mirror: bool) -> None:
        super().__init__(channels, out, KERNEL, padding=KERNEL // 2)
        self.shape = (out, channels, parts, strict, mirror)
        self.register_buffer("mask", torch.empty_like(self.weight))

    def reset(self) -> None:
        """Fill the mask."""
        self.mask.copy_(autoregressive_mask(*self.shape))

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d h w"]:
        return F.conv2d(x, self.weight * self.mask, self.bias, padding=self.padding)


class Flow(nn.Module):
    """Pairs of autoregressive cells over the latents of a group."""

    def __init__(self, latent: int, width: int, pairs: int) -> None:
        super().__init__()
        hidden = latent * max(1, width // latent)
        self.shifts = nn.ModuleList(
            nn.Sequential(
                MaskedConv(latent, hidden, latent, strict=True, mirror=mirror),
                nn.ELU(),
                MaskedConv(hidden, latent, latent, strict=False, mirror=mirror),
            )
            for _ in range(pairs)
            for mirror in (False, True)
        )

    def forward(self, z: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        for shift in self.shifts:
            z = z - shift(z)
        return z

    def reset(self) -> None:
        """Fill the masks."""
        for part in self.modules():
            if isinstance(part, MaskedConv):
                part.reset()


def autoregressive_mask(
    out: int, channels: int, parts: int, strict: bool, mirror: bool
) -> Float[Tensor, "o i k k"]:
    """1 where a weight may act. Places are read row by row; `mirror`: from the last to the first.

    `parts`: how many latent channels there are; hidden ones belong to them in equal shares.
    """
    mask = torch.zeros(out, channels, KERNEL, KERNEL)
    middle = KERNEL // 2
    mask[:, :, :middle] = 1
    mask[:, :, middle, :middle] = 1
    to, by = (torch.arange(n) * parts // n for n in (out, channels))
    own = by[None, :] < to[:, None] if strict else by[None, :] <= to[:, None]
    if mirror:
        mask = mask.flip(2, 3)
        own = by[None, :] > to[:, None] if strict else by[None, :] >= to[:, None]
    mask[:, :, middle, middle] = own.float()
    return mask
