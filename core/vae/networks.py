"""Autoencoder and variational autoencoder: dense nets of two hidden layers each way.

An encoder gives a point, or an ellipse: a Gaussian whose covariance is fixed, isotropic, diagonal
or full. The decoder gives the mean of the pixels, or for Bernoulli pixels their logits.

Source: https://kexue.fm/archives/7725, eq. (1), (2) and (5). Axes: batch n, latent dimensions d,
samples s.
"""

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Generator, Tensor, nn

from core.knobs import Choice, Config, Range
from core.modules import allocated
from core.vae.data import SIDES
from core.vae.gaussians import full_kl, log_normal, simple_penalty

FAMILIES = ("point", "fixed", "isotropic", "diagonal", "full")
LIKELIHOODS = ("gaussian", "learned", "bernoulli")
PENALTIES = ("kl", "simple", "none")
FLOOR = 1e-4  # of a learned pixel variance
LOG_STD = 12.0  # log std beyond which a posterior is cut off: exp(-12) is about 6e-6


@dataclass(frozen=True)
class VAEConfig(Config):
    """A model, its loss and its training. Losses are nats per image, summed over pixels."""

    data: Annotated[str, Choice(*SIDES)] = "characters"
    latent: Annotated[int, Range(1, 64)] = 2
    family: Annotated[str, Choice(*FAMILIES)] = "diagonal"  # of the posterior; "point": no noise
    penalty: Annotated[str, Choice(*PENALTIES)] = "kl"  # "simple" is eq. (3)
    beta: Annotated[float, Range(0.0, 100.0)] = 1.0
    likelihood: Annotated[str, Choice(*LIKELIHOODS)] = "gaussian"
    variance: Annotated[float, Range(1e-3, 10.0)] = 0.5  # of a pixel; "learned" starts there
    noise: Annotated[float, Range(0.01, 2.0)] = 0.5  # std of a code of the "fixed" family
    hidden: Annotated[int, Range(2, 1024)] = 64
    steps: Annotated[int, Range(20, 100_000, 20)] = 3000
    batch_size: Annotated[int, Range(8, 1024)] = 64
    lr: Annotated[float, Range(1e-5, 0.1)] = 2e-3
    seed: Annotated[int, Range(0, 99)] = 0

    @property
    def pixels(self) -> int:
        """Of an image."""
        return SIDES[self.data] ** 2


@dataclass(frozen=True)
class Posterior:
    """The ellipses of a batch: N(mean, L L') with L lower triangular. A point has L = 0."""

    mean: Float[Tensor, "n d"]
    cholesky: Float[Tensor, "n d d"]

    @property
    def std(self) -> Float[Tensor, "n d"]:
        """The standard deviation of each coordinate."""
        return self.cholesky.square().sum(-1).sqrt()

    def draw(self, eps: Float[Tensor, "*s n d"]) -> Float[Tensor, "*s n d"]:
        """Unit normal draws moved onto the ellipses: mean + L eps."""
        return self.mean + (self.cholesky @ eps.unsqueeze(-1)).squeeze(-1)

    def log_density(self, eps: Float[Tensor, "*s n d"]) -> Float[Tensor, "*s n"]:
        """log q(z | x) at z = draw(eps), nats."""
        zero, one = torch.zeros_like(self.mean), torch.ones_like(self.mean)
        volume = self.cholesky.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        return log_normal(eps, zero, one) - volume

    def kl(self) -> Float[Tensor, " n"]:
        """KL(q(z | x) || N(0, I)), nats."""
        return full_kl(self.mean, self.cholesky)


class AutoEncoder(nn.Module):
    """x -> z -> x: eq. (1). Weights are drawn from the config's seed, or from `generator`."""

    def __init__(self, config: VAEConfig, generator: Generator | None = None) -> None:
        super().__init__()
        self.config = config
        drawn = generator or torch.Generator().manual_seed(config.seed)
        sizes = (config.pixels, config.hidden, config.hidden)
        self.encoder = dense((*sizes, self.code_size), drawn)
        self.decoder = dense((config.latent, *sizes[::-1]), drawn)
        if config.likelihood == "learned":
            self.log_variance = nn.Parameter(torch.tensor(math.log(config.variance)))

    @property
    def code_size(self) -> int:
        """How many numbers the encoder gives."""
        return self.config.latent

    def posterior(self, x: Float[Tensor, "n ..."]) -> Posterior:
        """Where each image lies in code space."""
        mean = self.encoder(self._rows(x))
        return Posterior(mean, mean.new_zeros(*mean.shape, self.config.latent))

    def encode(self, x: Float[Tensor, "n ..."]) -> Float[Tensor, "n d"]:
        """The code, or the center of the ellipse."""
        return self.posterior(x).mean

    def decode(self, z: Float[Tensor, "*n d"]) -> Float[Tensor, "*n pixels"]:
        """The mean image of a code."""
        output = self.decoder(z)
        return output.sigmoid() if self.config.likelihood == "bernoulli" else output

    def pixel_variance(self) -> Tensor:
        """Of the Gaussian likelihood: fixed, or learned (never below FLOOR)."""
        if self.config.likelihood == "learned":
            return self.log_variance.exp() + FLOOR
        return torch.tensor(self.config.variance)

    def log_likelihood(
        self, x: Float[Tensor, "n ..."], z: Float[Tensor, "*s n d"]
    ) -> Float[Tensor, "*s n"]:
        """log p(x | z), nats, summed over pixels; normalized.

        Bernoulli: x is 0 or 1; for a gray x the mean over its random binarizations.
        """
        rows, output = self._rows(x), self.decoder(z)
        if self.config.likelihood == "bernoulli":
            return (rows * output - F.softplus(output)).sum(-1)
        variance = self.pixel_variance()
        return (-0.5 * ((rows - output) ** 2 / variance + (2 * math.pi * variance).log())).sum(-1)

    def penalty(self, posterior: Posterior) -> Float[Tensor, " n"]:
        """What is added to the reconstruction for each image, without beta: nothing here."""
        return torch.zeros(len(posterior.mean), dtype=posterior.mean.dtype)

    def _rows(self, x: Tensor) -> Float[Tensor, "n pixels"]:
        rows = x.flatten(1)
        if rows.shape[1] != self.config.pixels:
            raise ValueError(
                f"x has {rows.shape[1]} pixels an image, but the model takes {self.config.pixels}"
            )
        return rows


class VAE(AutoEncoder):
    """x -> ellipse -> z -> x: eq. (2) with the penalty (3), (4) or none; eq. (5) by default."""

    @property
    def code_size(self) -> int:
        """Mean, then the logarithms of the stds, then what is below the diagonal of L."""
        d = self.config.latent
        more = {"point": 0, "fixed": 0, "isotropic": 1, "diagonal": d, "full": d + d * (d - 1) // 2}
        return d + more[self.config.family]

    def posterior(self, x: Float[Tensor, "n ..."]) -> Posterior:
        """The ellipse of each image."""
        output, d = self.encoder(self._rows(x)), self.config.latent
        mean, log_std = output[:, :d], output[:, d : 2 * d].clamp(-LOG_STD, LOG_STD)
        if self.config.family == "point":
            return Posterior(mean, mean.new_zeros(len(mean), d, d))
        if self.config.family == "fixed":
            return Posterior(mean, self.config.noise * torch.eye(d).expand(len(mean), d, d))
        cholesky = torch.diag_embed(log_std.exp().expand(-1, d))
        if self.config.family == "full":
            row, column = torch.tril_indices(d, d, -1)
            cholesky[:, row, column] = output[:, 2 * d :]
        return Posterior(mean, cholesky)

    def penalty(self, posterior: Posterior) -> Float[Tensor, " n"]:
        """The KL, eq. (4), or the sketch of it, eq. (3), or nothing."""
        if self.config.penalty == "none" or self.config.family == "point":
            return super().penalty(posterior)
        if self.config.penalty == "simple":
            return simple_penalty(posterior.mean, posterior.std)
        return posterior.kl()


def build(config: VAEConfig) -> AutoEncoder:
    """The untrained model of a configuration."""
    return AutoEncoder(config) if config.family == "point" else VAE(config)


def dense(sizes: tuple[int, ...], generator: Generator) -> nn.Sequential:
    """Linear layers with SiLU between them; He weights, zero biases, all drawn from `generator`."""
    layers: list[nn.Module] = []
    for fan_in, fan_out in pairwise(sizes):
        linear = allocated(nn.Linear(fan_in, fan_out, device="meta"))
        last = len(layers) == 2 * (len(sizes) - 2)
        gain = 1.0 if last else 2.0
        with torch.no_grad():
            linear.weight.normal_(0, math.sqrt(gain / fan_in), generator=generator)
            linear.bias.zero_()
        layers += [linear] if last else [linear, nn.SiLU()]
    return nn.Sequential(*layers)
