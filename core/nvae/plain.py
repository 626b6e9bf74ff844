"""A plain VAE to set beside the NVAE: the same cells, but one vector of latents, prior N(0, I).

All that an image is told by goes through that vector; nothing is drawn on the way down. It answers
to `encode`, `decode`, `noise` as the NVAE does, so its likelihood is measured by the same code.

Source: Kingma and Welling 2013 (arXiv:1312.6114); the cells are those of core.nvae.cells.
"""

from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn

from core.nvae.cells import Down, Up, encoder_cell, norm
from core.nvae.config import PlainConfig
from core.nvae.gaussians import Gaussian, gaussian_kl, soft_clamp
from core.nvae.network import Noise, Pass, draw_weights
from core.nvae.outputs import log_likelihood, mean_image, output_channels


class PlainVAE(nn.Module):
    """x -> one Gaussian vector -> x. Weights are drawn from the config's seed."""

    def __init__(self, config: PlainConfig, *, device: str = "cpu") -> None:
        super().__init__()
        self.config = config
        widths = [config.width, *(2 * config.width for _ in config.halved[1:])]
        self.inside = (widths[-1], config.halved[-1], config.halved[-1])
        flat = widths[-1] * config.halved[-1] ** 2
        self.encoder = _encoder(config, widths)
        self.posterior = nn.Linear(flat, 2 * config.latent)
        self.start = nn.Linear(config.latent, flat)
        self.decoder = _decoder(config, widths[::-1])
        draw_weights(self, torch.Generator().manual_seed(config.seed))
        with torch.no_grad():  # start at the prior: KL near 0, nothing to tell yet
            self.posterior.weight.mul_(0.1)
        self.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def encode(self, x: Float[Tensor, "n c h w"]) -> list[Tensor]:
        """Mean and ln std of the posterior beside each other: one [n, 2 latent]."""
        return [self.posterior(self.encoder(2 * x - 1).flatten(1))]

    def decode(
        self, noise: Noise, seen: list[Tensor] | None = None, *, temperature: float = 1.0
    ) -> Pass:
        """From the posterior if there are features of an image, else from the prior."""
        prior = Gaussian(torch.zeros_like(noise[0]), torch.zeros_like(noise[0]))
        here, heat = prior, temperature
        if seen is not None:
            mean, log_std = seen[0].chunk(2, 1)
            here, heat = Gaussian(mean, soft_clamp(log_std)), 1.0
        z = here.draw(noise[0], heat)
        output = self.decoder(self.start(z).unflatten(1, self.inside))
        ratio = (prior.log_density(z) - here.log_density(z)).sum(1)
        return Pass(output, [z], [prior], [gaussian_kl(here, prior)], ratio)

    def forward(
        self, x: Float[Tensor, "n c h w"], noise: Noise
    ) -> tuple[Float[Tensor, " n"], Float[Tensor, "n latent"]]:
        """-ln p(x | z) of each image, and its KL in each latent; nats."""
        found = self.decode(noise, self.encode(x))
        return -log_likelihood(self.config, found.output, x), found.kl[0]

    @torch.no_grad()
    def sample(
        self, n: int, temperature: float = 1.0, generator: Generator | None = None
    ) -> Float[Tensor, "n c h w"]:
        """Images from the prior: the mean of the pixels in [0, 1]."""
        found = self.decode(self.noise(n, generator), temperature=temperature)
        return mean_image(self.config, found.output)

    def noise(self, n: int, generator: Generator | None = None) -> list[Tensor]:
        """Unit normal draws for `decode`. Raises ValueError for less than one image."""
        if n < 1:
            raise ValueError(f"n is {n}, but must be at least 1")
        drawn = torch.randn(n, self.config.latent, generator=generator)
        return [drawn.to(self.start.weight.device)]


def _encoder(config: PlainConfig, widths: list[int]) -> nn.Sequential:
    """A strided convolution to half the side; from there on a cell at each side, where it is cheap.

    What comes out is flattened.
    """
    parts: list[nn.Module] = [nn.Conv2d(config.channels, widths[0], 3, stride=2, padding=1)]
    for wide, width in pairwise(widths):
        parts += [Down(wide, width), encoder_cell(width)]
    return nn.Sequential(*parts, norm(widths[-1]), nn.SiLU())


def _decoder(config: PlainConfig, widths: list[int]) -> nn.Sequential:
    """The same way back; the last doubling is a sub-pixel convolution."""
    parts: list[nn.Module] = []
    for width, wide in pairwise(widths):
        parts += [encoder_cell(width), Up(width, wide)]
    last, fine = widths[-1], max(16, widths[-1] // 2)
    parts += [norm(last), nn.SiLU(), nn.Conv2d(last, 4 * fine, 3, padding=1), nn.PixelShuffle(2)]
    out = nn.Conv2d(fine, output_channels(config), 3, padding=1)
    return nn.Sequential(*parts, norm(fine), nn.SiLU(), out)
