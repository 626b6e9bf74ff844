"""What the decoder's last layer means: Bernoulli pixels, or mixtures of discretized logistics.

The mixture gives each of 256 gray levels the mass of a logistic between its edges; the first and
the last level take the tails. With three channels, green and blue see the channels before them.

Source: Salimans et al. 2017 (arXiv:1701.05517), as the NVAE uses it. Axes: batch n, channels c,
height h, width w, components k.
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from core.nvae.config import ImagesConfig

COMPONENTS = 10
LEVELS = 256
LOG_SCALE = -7.0  # of a logistic, at least


def output_channels(config: ImagesConfig) -> int:
    """Numbers that the last layer gives for a pixel."""
    if config.output == "bernoulli":
        return config.channels
    coupling = 3 if config.channels == 3 else 0
    return COMPONENTS * (1 + 2 * config.channels + coupling)


def log_likelihood(
    config: ImagesConfig, output: Float[Tensor, "n o h w"], x: Float[Tensor, "n c h w"]
) -> Float[Tensor, " n"]:
    """ln p(x | z), nats, summed over pixels. Bernoulli: x is 0 or 1, or gray as their mean."""
    if config.output == "bernoulli":
        return (x * output - F.softplus(output)).flatten(1).sum(1)
    return mixture_log_mass(output, x).flatten(1).sum(1)


def mean_image(config: ImagesConfig, output: Float[Tensor, "n o h w"]) -> Float[Tensor, "n c h w"]:
    """The mean of every pixel, in [0, 1]."""
    if config.output == "bernoulli":
        return output.sigmoid()
    weight, mean, _, coupling = _parts(output, config.channels)
    centers = [mean[:, :, 0]]
    for channel in range(1, config.channels):
        earlier = (coupling[:, :, channel * (channel - 1) // 2 + at] for at in range(channel))
        steps = (factor * centers[at] for at, factor in enumerate(earlier))
        centers.append(mean[:, :, channel] + sum(steps))
    expected = (weight.softmax(1)[:, :, None] * torch.stack(centers, 2)).sum(1)
    return ((expected + 1) / 2).clamp(0, 1)


def mixture_log_mass(
    output: Float[Tensor, "n o h w"], x: Float[Tensor, "n c h w"]
) -> Float[Tensor, "n h w"]:
    """ln of the mass that the mixture gives each pixel's level, nats; x in [0, 1], rounded."""
    channels = x.shape[1]
    weight, mean, log_scale, coupling = _parts(output, channels)
    level = 2 * (x * (LEVELS - 1)).round() / (LEVELS - 1) - 1  # in [-1, 1]
    seen = level[:, None].expand(-1, COMPONENTS, -1, -1, -1)
    if channels == 3:
        red, green = seen[:, :, 0], seen[:, :, 1]
        moved = [
            mean[:, :, 0],
            mean[:, :, 1] + coupling[:, :, 0] * red,
            mean[:, :, 2] + coupling[:, :, 1] * red + coupling[:, :, 2] * green,
        ]
        mean = torch.stack(moved, 2)
    mass = _log_mass(seen, mean, log_scale).sum(2)
    return (weight.log_softmax(1) + mass).logsumexp(1)


def _log_mass(level: Tensor, mean: Tensor, log_scale: Tensor) -> Tensor:
    """ln of sigmoid(upper edge) - sigmoid(lower edge); outermost levels reach to infinity.

    sigmoid(b) - sigmoid(a) = sigmoid(b) sigmoid(-a) (1 - exp(a - b)): no difference of near ones.
    """
    half, scale = 1 / (LEVELS - 1), torch.exp(-log_scale)
    lower, upper = (level - half - mean) * scale, (level + half - mean) * scale
    inside = F.logsigmoid(upper) + F.logsigmoid(-lower) + torch.log(-torch.expm1(-2 * half * scale))
    found = torch.where(level < half - 1, F.logsigmoid(upper), inside)
    return torch.where(level > 1 - half, F.logsigmoid(-lower), found)


def _parts(output: Tensor, channels: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Logits of the components [n, k, h, w]; means, ln scales, couplings [n, k, c, h, w]."""
    n, _, h, w = output.shape
    k = COMPONENTS
    weight, rest = output[:, :k], output[:, k:].reshape(n, k, -1, h, w)
    mean, log_scale = rest[:, :, :channels], rest[:, :, channels : 2 * channels]
    return weight, mean, log_scale.clamp(min=LOG_SCALE), rest[:, :, 2 * channels :].tanh()


def bits_per_dimension(nats: float, dimensions: int) -> float:
    """Nats of an image told as bits of one of its numbers."""
    return nats / (math.log(2) * dimensions)
