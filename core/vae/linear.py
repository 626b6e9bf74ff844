"""A linear VAE solved exactly, one principal direction of the data at a time.

In a direction of variance v the encoder is N(a x, s^2) and the decoder w z. The losses are those
of the post, whose squared error stands without a half: a Gaussian likelihood of variance 1/2.

Source: https://kexue.fm/archives/7725, eq. (3)-(5).
"""

import math
from typing import Any

import numpy as np

NOISE = 0.5  # the variance of the pixel noise that is hidden in eq. (5)


def linear_vae_direction(variance: int | float, beta: int | float = 1.0) -> dict[str, Any]:
    """The minimum of (1 - w a)^2 v + w^2 s^2 + beta/2 (a^2 v + s^2 - ln s^2 - 1).

    "active" whether the code says anything about this direction: if v > beta/2. Then
    "posterior_variance" s^2 = beta/(2 v), and "mean_square" E[mu^2] = 1 - s^2; their sum is 1 in
    either case. "reconstruction" is the squared error, "kl" nats, without beta. Raises ValueError
    if variance is negative or beta not positive.
    """
    if not (variance >= 0 and math.isfinite(variance)):
        raise ValueError(f"variance is {variance}, but must be at least 0 and finite")
    if not (beta > 0 and math.isfinite(beta)):
        raise ValueError(f"beta is {beta}, but must be positive and finite")
    active = variance > beta * NOISE
    posterior = beta * NOISE / variance if active else 1.0
    return {
        "active": active,
        "posterior_variance": posterior,
        "mean_square": 1.0 - posterior,
        "reconstruction": variance * posterior,
        "kl": -0.5 * math.log(posterior),
    }


def direction_loss(
    variance: int | float,
    mean_square: np.ndarray | int | float,
    std: np.ndarray | int | float,
    penalty: str,
) -> np.ndarray:
    """The loss in one direction with the best decoder: squared error plus "kl" or "simple".

    The best decoder of a code with E[mu^2] = mean_square and noise std leaves the squared error
    v std^2 / (mean_square + std^2).
    """
    m, s = np.asarray(mean_square, float), np.asarray(std, float)
    kept = variance * s**2 / (m + s**2)
    if penalty == "kl":
        return kept + 0.5 * (m + s**2 - 2 * np.log(s) - 1)
    if penalty == "simple":
        return kept + m + (s - 1) ** 2
    raise ValueError(f"penalty is {penalty!r}, but must be 'kl' or 'simple'")


def best_mean_square(variance: int | float, std: np.ndarray, penalty: str) -> np.ndarray:
    """E[mu^2] that minimizes `direction_loss` for this std: its derivative there is 0."""
    weight = {"kl": 0.5, "simple": 1.0}[penalty]
    return np.maximum(std * np.sqrt(variance / weight) - std**2, 0.0)
