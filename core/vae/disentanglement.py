"""Has every known factor an axis of its own? Two scores: MIG, and DCI with linear rules.

Sources: Chen et al. 2018 (arXiv:1802.04942) for the mutual information gap; Eastwood and Williams,
"A framework for the quantitative evaluation of disentangled representations", ICLR 2018, for
disentanglement and completeness, whose third score, informativeness, is what the probes read off
the codes. Axes: images n, codes d, factors k.
"""

import math
from collections.abc import Mapping

import torch
from jaxtyping import Float, Int
from torch import Tensor

from core.vae.probes import ridge_weights


def mutual_information_gap(
    codes: Float[Tensor, "n d"], factors: Mapping[str, Tensor], bins: int = 12
) -> float:
    """MIG: per factor the gap between the two codes that know most of it, over its entropy.

    Codes and factors with many values are cut into bins of equal counts. Between 0 and 1.
    """
    cells = torch.stack([_binned(column, bins) for column in codes.T])
    gaps = []
    for values in factors.values():
        factor = _binned(values, bins)
        known = sorted((_information(cell, factor) for cell in cells), reverse=True)
        second = known[1] if len(known) > 1 else 0.0
        gaps.append((known[0] - second) / max(_entropy(factor), 1e-12))
    return sum(gaps) / len(gaps)


def importances(
    codes: Float[Tensor, "n d"], targets: Mapping[str, Float[Tensor, "n _"]]
) -> Float[Tensor, "d k"]:
    """How much of a factor's linear rule rests on each code; every factor's column sums to 1.

    The size of a ridge rule's weights for codes of unit variance; over the columns of a target
    (one for each class of a factor without order) their root of the sum of squares.
    """
    standard = (codes - codes.mean(0)) / codes.std(0).clamp(min=1e-12)
    sizes = [ridge_weights(standard, target).norm(dim=1) for target in targets.values()]
    table = torch.stack(sizes, dim=1)
    return table / table.sum(0).clamp(min=1e-300)


def dci(importance: Float[Tensor, "d k"]) -> tuple[float, float]:
    """Disentanglement and completeness, both between 0 and 1.

    Disentanglement is 1 where each code matters for one factor only (codes count by what they
    matter for in all), completeness where each factor rests on one code only.
    """
    codes, factors = importance.shape
    of_codes = 1 - _spread(importance, dim=1) / max(math.log(factors), 1e-12)
    of_factors = 1 - _spread(importance, dim=0) / max(math.log(codes), 1e-12)
    share = importance.sum(1) / importance.sum()
    scores = (share * of_codes).sum(), of_factors.mean()
    return float(scores[0].clamp(0, 1)), float(scores[1].clamp(0, 1))


def _spread(importance: Tensor, dim: int) -> Tensor:
    """Entropy of the shares along an axis, nats."""
    shares = importance / importance.sum(dim, keepdim=True).clamp(min=1e-300)
    return -torch.xlogy(shares, shares).sum(dim)


def _binned(values: Tensor, bins: int) -> Int[Tensor, " n"]:
    """Small integers as they are; other numbers by rank."""
    if len(values.unique()) <= bins:
        return values.unique(return_inverse=True)[1]
    return values.argsort().argsort() * bins // len(values)


def _information(first: Tensor, second: Tensor) -> float:
    joint = first * (int(second.max()) + 1) + second
    return max(_entropy(first) + _entropy(second) - _entropy(joint), 0.0)


def _entropy(cells: Tensor) -> float:
    shares = cells.bincount().double() / len(cells)
    shares = shares[shares > 0]
    return float(-(shares * shares.log()).sum())
