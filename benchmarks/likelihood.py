"""The likelihood of a whole test set, when a thousand draws can be paid for some images only.

The ELBO is measured on all images, the gap between it and the bound with many draws on images drawn
at random from them. The sum has a far narrower interval than the bound on as many images alone,
since images differ much more than gaps do.
"""

import math

import torch
from torch import Tensor


def binarized(pixels: Tensor) -> Tensor:
    """All of them, in random order and binarized once: the same in every run."""
    generator = torch.Generator().manual_seed(0)
    order = torch.randperm(len(pixels), generator=generator)
    return torch.bernoulli(pixels[order], generator=generator)


def mean_of_all(lower: Tensor, gap: Tensor) -> tuple[float, float]:
    """Mean of minus the bound over all images, and 1.96 standard errors of it.

    `gap` is that of a random part of the images, drawn without replacement.
    """
    part = len(gap) / len(lower)
    error = float(gap.std()) * math.sqrt((1 - part) / len(gap))
    return float(lower.mean() - gap.mean()), 1.96 * error
