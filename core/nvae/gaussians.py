"""Conditional Gaussians of the groups: soft bounds, and the KL of a posterior told relative.

Source: https://kexue.fm/archives/7574, eq. (4) and (5). `prior` is p(z_l | z_<l), `posterior`
q(z_l | z_<l, x); the post writes p and q the other way round. All in nats.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

ACTIVE = 0.1  # nats of a channel from which on it counts as active, as in the authors' code
BOUND = 5.0  # of means' and log stds' increments: 5 tanh(x / 5), as in the authors' code


def soft_clamp(x: Tensor) -> Tensor:
    """Nearly x near 0, never beyond ±5: what keeps a KL from running away."""
    return BOUND * torch.tanh(x / BOUND)


def residual_gaussian_kl(
    delta_mean: Float[Tensor, "*n"],
    delta_log_std: Float[Tensor, "*n"],
    log_std: Float[Tensor, "*n"],
) -> Float[Tensor, "*n"]:
    """KL(N(m + delta_mean, (s delta_s)^2) || N(m, s^2)) of each coordinate, eq. (5), nats.

    `log_std` is ln s of the prior, `delta_log_std` is ln delta_s. The prior's mean has no part
    in it, and both increments 0 give exactly 0.
    """
    shift = delta_mean * torch.exp(-log_std)
    return 0.5 * (shift**2 + torch.expm1(2 * delta_log_std)) - delta_log_std


@dataclass(frozen=True)
class Gaussian:
    """Independent normal coordinates: mean and ln std."""

    mean: Tensor
    log_std: Tensor

    def draw(self, eps: Tensor, temperature: float = 1.0) -> Tensor:
        """A unit normal draw moved there; the temperature multiplies the std."""
        return self.mean + temperature * self.log_std.exp() * eps

    def log_density(self, z: Tensor) -> Tensor:
        """Of each coordinate, nats."""
        eps = (z - self.mean) * torch.exp(-self.log_std)
        return -0.5 * (eps**2 + LOG_TWO_PI) - self.log_std

    def residual(self, delta_mean: Tensor, delta_log_std: Tensor) -> "Gaussian":
        """The posterior told relative to this prior, eq. (4)."""
        return Gaussian(self.mean + delta_mean, self.log_std + delta_log_std)


def gaussian_kl(posterior: Gaussian, prior: Gaussian) -> Tensor:
    """KL(posterior || prior) of each coordinate, nats."""
    return residual_gaussian_kl(
        posterior.mean - prior.mean, posterior.log_std - prior.log_std, prior.log_std
    )


LOG_TWO_PI = 1.8378770664093453
