"""The curvature of a network's loss: eigenvalues of its Hessian, by products with vectors.

One forward and one backward pass build a graph; every product with the Hessian is one more backward
pass through it. Lanczos with full reorthogonalization (core/lanczos.py) does the rest.

Sources: Pearlmutter 1994 for the product; Ghorbani et al. 2019 (arXiv:1901.10159) for the spectrum.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn

from core.lanczos import Multiply, largest, spectral_measure
from core.numerics import Diverged

Loss = Callable[[], Tensor]


def top_eigenvalues(
    loss: Loss,
    parameters: Iterable[Tensor],
    k: int = 1,
    *,
    model: nn.Module | None = None,
    iterations: int | None = None,
    tolerance: float = 1e-5,
    generator: Generator | None = None,
) -> Float[Tensor, " k"]:
    """The k largest (algebraic) Hessian eigenvalues, descending, in float64.

    Each runs until its residual is below `tolerance` times the spectrum's radius, or for
    `iterations`, if given; the next one is sought orthogonal to those found. Parameters and .grad
    stay as they were, and with `model` its buffers and mode, too. Raises ValueError if k does not
    fit, Diverged if the gradient is not finite, NoConvergence if 500 steps do not do.
    """
    weights = list(parameters)
    size = sum(weight.numel() for weight in weights)
    if not 1 <= k <= size:
        raise ValueError(f"k is {k}, but must be from 1 to {size}, the number of parameters")
    with unchanged(model), hessian_product(loss, weights) as multiply:
        return _deflated(multiply, weights[0], size, k, iterations, tolerance, generator)


def spectral_density(
    loss: Loss,
    parameters: Iterable[Tensor],
    *,
    model: nn.Module | None = None,
    starts: int = 4,
    steps: int = 40,
    generator: Generator | None = None,
) -> tuple[Float[Tensor, " m"], Float[Tensor, " m"]]:
    """Places and weights of the Hessian's spectrum by stochastic Lanczos quadrature.

    The weights sum to 1; m is at most starts * steps. State is left as it was.
    """
    weights = list(parameters)
    size = sum(weight.numel() for weight in weights)
    with unchanged(model), hessian_product(loss, weights) as multiply:
        found = [
            spectral_measure(multiply, _start(weights[0], size, generator), steps)
            for _ in range(starts)
        ]
    places, shares = (torch.cat(part) for part in zip(*found, strict=True))
    return places, shares / starts


@contextlib.contextmanager
def hessian_product(loss: Loss, parameters: Sequence[Tensor]) -> Iterator[Multiply]:
    """The map v -> H v on flat vectors; the graph is kept as long as the context."""
    with torch.enable_grad():
        gradients = torch.autograd.grad(
            loss(), parameters, create_graph=True, materialize_grads=True
        )
        slope = torch.cat([part.reshape(-1) for part in gradients])
    if not bool(torch.isfinite(slope).all()):
        raise Diverged("the gradient is not finite, so the loss has no curvature here")

    def multiply(vector: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
        if not slope.requires_grad:  # a linear loss
            return torch.zeros_like(vector)
        parts = torch.autograd.grad(
            slope, parameters, vector, retain_graph=True, materialize_grads=True
        )
        return torch.cat([part.reshape(-1) for part in parts])

    yield multiply


def dense_hessian(loss: Loss, parameters: Iterable[Tensor]) -> Float[Tensor, "n n"]:
    """Column by column: the oracle for small networks, and nothing else."""
    weights = list(parameters)
    size = sum(weight.numel() for weight in weights)
    with hessian_product(loss, weights) as multiply:
        return torch.stack([multiply(row) for row in torch.eye(size, dtype=weights[0].dtype)])


@contextlib.contextmanager
def unchanged(model: nn.Module | None) -> Iterator[None]:
    """Put a model's buffers and mode back at the end, whatever happens."""
    if model is None:
        yield
        return
    modes = {part: part.training for part in model.modules()}
    kept = {name: buffer.clone() for name, buffer in model.named_buffers()}
    try:
        yield
    finally:
        for part, mode in modes.items():
            part.training = mode
        with torch.no_grad():
            for name, buffer in model.named_buffers():
                buffer.copy_(kept[name])


def _deflated(
    multiply: Multiply,
    like: Tensor,
    size: int,
    k: int,
    iterations: int | None,
    tolerance: float,
    generator: Generator | None,
) -> Float[Tensor, " k"]:
    found: list[float] = []
    taken = like.new_zeros(0, size)
    for _ in range(k):

        def outside(vector: Tensor, taken: Tensor = taken) -> Tensor:
            return _without(multiply(vector), taken)

        start = _without(_start(like, size, generator), taken)
        place, vector = largest(outside, start, tolerance=tolerance, iterations=iterations)
        found.append(place)
        taken = torch.cat([taken, vector[None]])
    return torch.tensor(found, dtype=torch.float64).sort(descending=True).values


def _without(vector: Tensor, taken: Tensor) -> Tensor:
    return vector - (taken @ vector) @ taken


def _start(like: Tensor, size: int, generator: Generator | None) -> Tensor:
    return torch.randn(size, generator=generator, dtype=like.dtype, device=like.device)
