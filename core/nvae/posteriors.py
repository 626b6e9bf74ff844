"""What a Gaussian posterior loses: the gap of the ELBO, exactly, on a grid of two latents.

The gap is KL(q(z | x) || p(z | x)), least over upright Gaussians q. A decoder of one picture for
many latents makes the true posterior a ring; one that is linear makes it a Gaussian, and no gap.

Source: https://kexue.fm/archives/7574, on why pictures blur, eq. (1).
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

REACH, CELLS = 4.0, 81
STEPS = 150

DECODERS: dict[str, Callable[[Tensor], Tensor]] = {
    "ring": lambda z: z.norm(dim=-1),  # one picture for every direction
    "linear": lambda z: z[..., 0],
}


def posterior(decoder: str, x: float, std: float) -> Float[Tensor, "i j"]:
    """ln p(z | x) on the grid, for pixels x ~ N(decoder(z), std^2) and z ~ N(0, I)."""
    z = grid()
    energy = 0.5 * z.square().sum(-1) + 0.5 * ((DECODERS[decoder](z) - x) / std).square()
    return -energy - (-energy).flatten().logsumexp(0)


def gap(decoder: str, x: float = 1.5, std: float = 0.3) -> float:
    """The least KL(q || p(. | x)) over upright Gaussians, nats: by descent from (x, 0)."""
    return _descend(posterior(decoder, x, std), torch.tensor([x, 0.0]))


def grid() -> Float[Tensor, "i j two"]:
    """Places of the plane of latents."""
    axis = torch.linspace(-REACH, REACH, CELLS, dtype=torch.float64)
    return torch.stack(torch.meshgrid(axis, axis, indexing="ij"), -1)


def _descend(log_p: Tensor, start: Tensor) -> float:
    mean = start.double().clone().requires_grad_()
    log_std = torch.full((2,), -0.7, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([mean, log_std], lr=0.1)
    for _ in range(STEPS):
        optimizer.zero_grad()
        _kl(log_p, mean, log_std).backward()
        optimizer.step()
    return float(_kl(log_p, mean, log_std).detach())


def _kl(log_p: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    away = (grid() - mean) / log_std.exp()
    log_q = -0.5 * away.square().sum(-1)
    log_q = log_q - log_q.flatten().logsumexp(0)
    return (log_q.exp() * (log_q - log_p)).sum()
