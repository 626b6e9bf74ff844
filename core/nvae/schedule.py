"""Along the steps: how the KL comes in, its balance over the groups, what the learning rate does.

Source: the authors' code (https://github.com/NVlabs/NVAE); the paper's formula weighs the sizes
differently.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from core.nvae.config import NVAEConfig, PlainConfig

LEAST = 1e-4  # of the coefficient
LEAST_RATE = 1e-2  # of the learning rate, at the end of the half cosine
SMOOTH = 0.01  # added to a group's mean KL, nats


def kl_coefficient(step: int, total: int, warmup: float) -> float:
    """Rises along a line to 1 over the share `warmup` of all steps, from 1e-4 on."""
    if warmup == 0:
        return 1.0
    return max(min(step / (warmup * total), 1.0), LEAST)


def rate(step: int, total: int, rise: float) -> float:
    """The part of the learning rate that is left: up a line for the share `rise`, down a cosine."""
    cosine = 0.5 * (1 + math.cos(math.pi * step / total))
    return min((step + 1) / max(rise * total, 1), 1.0) * (LEAST_RATE + (1 - LEAST_RATE) * cosine)


def balance(
    config: NVAEConfig | PlainConfig, kl: Float[Tensor, "n groups"], coefficient: float
) -> Float[Tensor, " groups"]:
    """Factors of the groups' KLs, of mean 1: a group that tells more is held back more.

    They are constants for the gradient. Once the KL has come in, all are 1.
    """
    told = kl.detach().abs().mean(0)
    if coefficient >= 1 or isinstance(config, PlainConfig) or not config.balance:
        return torch.ones_like(told)
    found = (told + SMOOTH) / told.new_tensor(importance(config))
    return found / found.mean()


def importance(config: NVAEConfig) -> tuple[float, ...]:
    """What a group is to bear: places of its scale over groups of its scale; the least is 1."""
    places = [
        side**2 / count for side, count in zip(config.sides, config.groups_per_scale, strict=True)
    ]
    return tuple(places[scale] / min(places) for scale in config.scale_of)
