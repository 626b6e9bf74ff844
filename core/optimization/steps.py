"""One step of each method for a metric without a gradient, and what it costs.

A step gives the vector that Adam then takes for a gradient. Its cost is counted in passes of a
batch through the network: a forward is one, a backward two. Every parameter vector needs a forward
of its own; so does every output that is spelled letter by letter, while one forward of a classifier
gives as many outputs as are asked for.

Sources: https://kexue.fm/archives/7521, eq. (14)-(19); Shen et al. 2016 for minimum risk.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from core.optimization.importance import mgs_update
from core.optimization.outputs import Batch, Model
from core.optimization.priors import evolution_gradient

SAMPLES = 4  # outputs, candidates or pairs in a step
SIGMA = 0.05  # of evolution strategies
LONGEST = 1.0  # the norm to which the guide of MGS is cut, as in its program


@dataclass(frozen=True)
class Method:
    """A step, what it costs, its rate of Adam: tried on one seed, shared by all metrics."""

    step: Callable[[Model, Tensor, Batch, float, Generator], Tensor]
    rate: float = 0.01
    outputs: int = 1  # whose probability is differentiated
    candidates: int = 0  # parameter vectors tried, without a way back

    def passes(self, model: Model) -> int:
        """Of a batch through the network, in one step."""
        forwards = min(1, self.outputs) if model.one_pass else self.outputs
        return 3 * forwards + self.candidates


def cross_entropy(
    model: Model, theta: Float[Tensor, " p"], data: Batch, alpha: float, generator: Generator
) -> Float[Tensor, " p"]:
    """The surrogate alone."""
    return _gradient(lambda free: model.cross_entropy(free, data), theta)


def policy_gradient(
    model: Model, theta: Float[Tensor, " p"], data: Batch, alpha: float, generator: Generator,
    *, samples: int = 1,
) -> Float[Tensor, " p"]:  # fmt: skip
    """REINFORCE, eq. (19); with several samples each has the mean of the others as baseline."""

    def surrogate(free: Tensor) -> Tensor:
        log_p, loss = model.sampled(free, data, samples, generator)
        if samples > 1:
            loss = (loss - loss.mean(0)) * samples / (samples - 1)
        return (loss * log_p).mean()

    return _gradient(surrogate, theta)


def minimum_risk(
    model: Model, theta: Float[Tensor, " p"], data: Batch, alpha: float, generator: Generator
) -> Float[Tensor, " p"]:
    """The expected loss over the drawn outputs alone, their probabilities renormalized."""

    def risk(free: Tensor) -> Tensor:
        log_p, loss = model.sampled(free, data, SAMPLES, generator)
        return (loss * torch.softmax(log_p, 0)).sum(0).mean()

    return _gradient(risk, theta)


def evolution(
    model: Model, theta: Float[Tensor, " p"], data: Batch, alpha: float, generator: Generator
) -> Float[Tensor, " p"]:
    """Antithetic pairs around theta."""
    loss = partial(_metric, model, data)
    return evolution_gradient(loss, theta, SIGMA, SAMPLES, generator)


def mgs(
    model: Model, theta: Float[Tensor, " p"], data: Batch, alpha: float, generator: Generator,
    *, density: str = "unit", guided: bool = True,
) -> Float[Tensor, " p"]:  # fmt: skip
    """Four candidates, two of them along the surrogate's gradient; minus their weighted mean.

    Unguided all four lie around theta, with the same noise: what is left is what the guide buys.
    """
    gradient = cross_entropy(model, theta, data, alpha, generator)
    gradient = gradient * min(1.0, LONGEST / max(float(gradient.norm()), 1e-12))
    noise = noise_of(model, gradient)
    loss = partial(_metric, model, data)
    guide = gradient if guided else torch.zeros_like(gradient)
    found = mgs_update(
        loss, theta, guide, alpha=alpha, noise=noise, samples=SAMPLES, density=density,
        generator=generator,
    )  # fmt: skip
    return -found.delta


def noise_of(model: Model, gradient: Float[Tensor, " p"]) -> Float[Tensor, " p"]:
    """In every matrix the mean size of the gradient's entries there, as in the program."""
    parts = gradient.split([rows * columns for rows, columns in model.shapes])
    return torch.cat([part.abs().mean().expand(len(part)) for part in parts])


def _metric(model: Model, data: Batch, thetas: Tensor) -> Tensor:
    return model.metric_loss(thetas, data)


def _gradient(loss: Callable[[Tensor], Tensor], theta: Tensor) -> Tensor:
    free = theta.detach().requires_grad_()
    return torch.autograd.grad(loss(free), free)[0]


METHODS: dict[str, Method] = {
    "cross-entropy": Method(cross_entropy),
    "mgs": Method(mgs, candidates=SAMPLES),
    "mgs-honest": Method(partial(mgs, density="honest"), candidates=SAMPLES),
    "mgs-unguided": Method(partial(mgs, guided=False), candidates=SAMPLES),
    "policy-gradient": Method(policy_gradient, rate=0.003),
    "policy-gradient-baseline": Method(partial(policy_gradient, samples=SAMPLES), outputs=SAMPLES),
    "minimum-risk": Method(minimum_risk, outputs=SAMPLES),
    "evolution-strategies": Method(evolution, outputs=0, candidates=2 * SAMPLES),
}
