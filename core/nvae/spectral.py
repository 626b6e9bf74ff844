"""Keep layers gentle: a penalty on the largest singular value of every convolution.

Power iteration finds it, a few steps an update from where it stood; matrices of one shape go
together. To it comes the largest |gamma| of every batch normalization. An additive penalty: not
spectral normalization, which divides.

Source: https://kexue.fm/archives/7574; Yoshida and Miyato 2017 (arXiv:1705.10941). Axes: matrices
of one shape m, rows r, columns c.
"""

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn

ITERATIONS = 4  # of an update
FIRST = 40  # of the first


class SpectralPenalty:
    """Sums over a model: of its convolutions' largest singular values, and of max |gamma|."""

    def __init__(self, model: nn.Module, generator: Generator | None = None) -> None:
        self.matrices = _by_shape(model)
        self.scales = [part.weight for part in model.modules() if isinstance(part, nn.BatchNorm2d)]
        self.left = [
            _unit(torch.randn(len(found), len(found[0]), generator=generator).to(found[0].device))
            for found in self.matrices
        ]
        self._iterate(FIRST)

    def __call__(self) -> tuple[Tensor, Tensor]:
        """Both sums, with their gradients; the iteration goes on by a few steps."""
        self._iterate(ITERATIONS)
        gammas = torch.stack([scale.abs().max() for scale in self.scales])
        return torch.cat(list(self.norms())).sum(), gammas.sum()

    def norms(self) -> Iterator[Float[Tensor, " m"]]:
        """Estimates u'Wv of the largest singular values, shape by shape; never above them."""
        for found, left in zip(self.matrices, self.left, strict=True):
            stack = _stacked(found)
            with torch.no_grad():
                right = _unit(torch.einsum("mr,mrc->mc", left, stack))
            yield torch.einsum("mr,mrc,mc->m", left, stack, right)

    def state(self) -> dict[str, Tensor]:
        """Where the iteration stands, for a checkpoint; the tensors themselves."""
        return {f"spectral.{at}": left for at, left in enumerate(self.left)}

    @torch.no_grad()
    def _iterate(self, count: int) -> None:
        for found, left in zip(self.matrices, self.left, strict=True):
            stack = _stacked(found)
            for _ in range(count):
                right = _unit(torch.einsum("mr,mrc->mc", left, stack))
                left.copy_(_unit(torch.einsum("mrc,mc->mr", stack, right)))


def _by_shape(model: nn.Module) -> list[list[Tensor]]:
    """The convolutions' weights, those of one matrix shape together."""
    found: dict[tuple[int, int], list[Tensor]] = {}
    for part in model.modules():
        if isinstance(part, nn.Conv2d):
            rows = len(part.weight)
            found.setdefault((rows, part.weight[0].numel()), []).append(part.weight)
    return list(found.values())


def _stacked(weights: list[Tensor]) -> Float[Tensor, "m r c"]:
    return torch.stack([weight.flatten(1) for weight in weights])


def _unit(x: Tensor) -> Tensor:
    return x / x.norm(dim=-1, keepdim=True).clamp(min=1e-12)
