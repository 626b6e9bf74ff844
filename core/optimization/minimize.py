"""Every optimizer of the post on one loss, with an equal budget of evaluations.

One value of the loss is an evaluation; a gradient by backpropagation is taken for two more, a
Hessian for two more per coordinate. CMA-ES is the `cma` package's.

Sources: https://kexue.fm/archives/7521; Hansen, Akimoto & Baudis, pycma.
"""

import math
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from torch import Generator, Tensor

from core.knobs import Config, Range
from core.optimization.ball import first_order_update
from core.optimization.errors import Loss, Unusable, check_vector, evaluated
from core.optimization.importance import importance_update
from core.optimization.landscapes import gradient, hessian
from core.optimization.priors import box_update, ellipsoid_update, evolution_gradient
from core.optimization.quadratic import damped_update


@dataclass(frozen=True)
class MinimizeConfig(Config):
    """The budget and the settings that the methods share."""

    evaluations: Annotated[int, Range(10, 1_000_000)] = 400
    rate: Annotated[float, Range(1e-6, 10.0)] = 0.05  # of gradients, of any kind
    radius: Annotated[float, Range(1e-6, 100.0)] = 0.3  # of the ball, the box, the ellipsoid
    alpha: Annotated[float, Range(1e-9, 1e6)] = 0.1
    sigma: Annotated[float, Range(1e-9, 100.0)] = 0.2  # of every kind of noise
    samples: Annotated[int, Range(2, 4096)] = 8  # draws in a step
    seed: Annotated[int, Range(0, 9999)] = 0


@dataclass(frozen=True)
class _Step:
    """What a method sees."""

    loss: Loss
    surrogate: Loss
    config: MinimizeConfig
    generator: Generator

    def slope(self, theta: Tensor) -> Tensor:
        return gradient(self.surrogate, theta)


def _gradient(at: _Step, theta: Tensor) -> tuple[Tensor, int]:
    return -at.config.rate * at.slope(theta), 3


def _newton(at: _Step, theta: Tensor) -> tuple[Tensor, int]:
    """Raw: at a saddle it goes to the saddle. A singular Hessian is solved by least squares."""
    curvature = hessian(at.surrogate, theta)
    step = torch.linalg.lstsq(curvature, -at.slope(theta)[:, None], driver="gelsd").solution
    return step[:, 0], 3 + 2 * len(theta)


def _first_order(at: _Step, theta: Tensor) -> tuple[Tensor, int]:
    """The rate decides alpha, so that small gradients make the steps of gradient descent."""
    config = at.config
    alpha = config.radius**2 / ((len(theta) + 2) * config.rate)
    return first_order_update(at.slope(theta), config.radius, alpha), 3


def _box(at: _Step, theta: Tensor) -> tuple[Tensor, int]:
    """Every coordinate a ball of one dimension, by the ball's rule for alpha."""
    config = at.config
    alpha = config.radius**2 / (3 * config.rate)
    return box_update(at.slope(theta), config.radius, alpha), 3


def _ellipsoid(at: _Step, theta: Tensor) -> tuple[Tensor, int]:
    """The metric is the Hessian's diagonal, without signs, scaled to the volume of the ball.

    The diagonal costs as much as the Hessian: a product with it for every coordinate.
    """
    config = at.config
    sizes = hessian(at.surrogate, theta).diagonal().abs()
    sizes = sizes.clamp(min=max(FLATTEST * float(sizes.max()), FLATTEST))
    metric = sizes / sizes.log().mean().exp()
    alpha = config.radius**2 / ((len(theta) + 2) * config.rate)
    step = ellipsoid_update(at.slope(theta), metric, config.radius, alpha)
    return step, 3 + 2 * len(theta)


def _damped(at: _Step, theta: Tensor) -> tuple[Tensor, int]:
    """Where the Hessian bends down by more than 1/rate there is no step."""
    curvature = hessian(at.surrogate, theta)
    return damped_update(at.slope(theta), curvature, at.config.rate), 3 + 2 * len(theta)


def _mgs(at: _Step, theta: Tensor) -> tuple[Tensor, int]:
    config = at.config
    found = importance_update(
        at.loss, theta, -config.rate * at.slope(theta), alpha=config.alpha, sigma=config.sigma,
        samples=config.samples, generator=at.generator,
    )  # fmt: skip
    return found.delta, 3 + config.samples


def _evolution(at: _Step, theta: Tensor) -> tuple[Tensor, int]:
    config, pairs = at.config, max(1, at.config.samples // 2)
    found = evolution_gradient(at.loss, theta, config.sigma, pairs, at.generator)
    return -config.rate * found, 2 * pairs


def _policy_gradient(at: _Step, theta: Tensor) -> tuple[Tensor, int]:
    """The score function of N(theta, sigma^2), the mean of the other draws as baseline."""
    config = at.config
    u = torch.randn(config.samples, len(theta), generator=at.generator, dtype=theta.dtype)
    values = evaluated(at.loss, theta + config.sigma * u)
    centered = (values - values.mean()) * config.samples / (config.samples - 1)
    return -config.rate * (centered[:, None] * u).mean(0) / config.sigma, config.samples


STEPS: dict[str, Callable[[_Step, Tensor], tuple[Tensor, int]]] = {
    "gradient": _gradient,
    "newton": _newton,
    "first-order": _first_order,
    "box": _box,
    "ellipsoid": _ellipsoid,
    "damped": _damped,
    "mgs": _mgs,
    "evolution-strategies": _evolution,
    "policy-gradient": _policy_gradient,
}
METHODS = (*STEPS, "cma-es")
USED = {  # the settings, beside the budget and the radius, that decide where a method goes
    "gradient": ("rate",),
    "newton": (),
    "first-order": ("rate",),
    "box": ("rate",),
    "ellipsoid": ("rate",),
    "damped": ("rate",),
    "mgs": ("rate", "alpha", "sigma", "samples"),
    "evolution-strategies": ("rate", "sigma", "samples"),
    "policy-gradient": ("rate", "sigma", "samples"),
    "cma-es": ("sigma",),
}
FLATTEST = 1e-3  # curvature of the ellipsoid, as such and as a share of the steepest
FAR = 1e6  # whoever is farther from the origin has left


def minimize(
    loss: Loss,
    theta: Float[Tensor, " d"],
    method: str,
    config: MinimizeConfig,
    surrogate: Loss | None = None,
) -> pd.DataFrame:
    """A row for every step: evaluations, loss, best (so far), x0, x1, ...

    `loss` maps points [n, d] to losses [n]; `surrogate` (the loss itself, unless given) is what is
    differentiated. The losses in the table are not counted. A run ends with its budget, or before
    a step that is not finite or not defined. Raises ValueError for an unknown method or a bad
    start; Unusable, a ValueError, if the loss raises or is NaN.
    """
    if method not in METHODS:
        raise ValueError(f"method is {method!r}, but must be one of {METHODS}")
    check_vector(theta=theta)
    if theta.ndim != 1:
        raise ValueError(f"theta has the shape {list(theta.shape)}, but must be a vector")
    start = theta.detach().to(torch.float64)
    walk = (
        _cma(loss, start, config)
        if method == "cma-es"
        else _walk(loss, surrogate or loss, start, STEPS[method], config)
    )
    used, places = zip(*walk, strict=True)
    way = torch.stack(places)
    losses = evaluated(loss, way).numpy()
    coordinates = {f"x{k}": column for k, column in enumerate(way.T.numpy())}
    best = np.minimum.accumulate(losses)
    return pd.DataFrame({"evaluations": used, "loss": losses, "best": best, **coordinates})


def _walk(
    loss: Loss, surrogate: Loss, theta: Tensor, step: Callable[..., tuple[Tensor, int]],
    config: MinimizeConfig,
) -> Iterator[tuple[int, Tensor]]:  # fmt: skip
    at = _Step(loss, surrogate, config, torch.Generator().manual_seed(config.seed))
    used = 0
    yield used, theta
    while True:
        try:
            move, cost = step(at, theta)
        except Unusable as error:
            if error.code == "empty":  # every draw forbidden: stay, and pay
                move, cost = torch.zeros_like(theta), config.samples
            elif error.code == "indefinite":
                return
            else:
                raise
        used, theta = used + cost, theta + move
        if used > config.evaluations or not float(theta.norm()) < FAR:
            return
        yield used, theta


def _cma(loss: Loss, theta: Tensor, config: MinimizeConfig) -> Iterator[tuple[int, Tensor]]:
    """One generation a row: the mean of the search distribution. At least two dimensions."""
    if len(theta) < 2:
        raise ValueError("theta has one entry, but cma-es needs at least two")
    with warnings.catch_warnings():  # it says that it will not plot
        warnings.simplefilter("ignore")
        import cma  # type: ignore[import-untyped]  # here: it takes a second
    generator = np.random.default_rng(config.seed)
    options = {  # a seed of nan: the process's own generator is left alone
        "randn": lambda *shape: generator.standard_normal(shape),
        "seed": math.nan, "verbose": -9, "maxfevals": config.evaluations,
    }  # fmt: skip
    search = cma.CMAEvolutionStrategy(theta.numpy(), config.sigma, options)
    yield 0, theta
    while not search.stop() and search.countevals + search.popsize <= config.evaluations:
        points = search.ask()
        values = evaluated(loss, torch.as_tensor(np.array(points)))
        search.tell(points, [value if math.isfinite(value) else 1e300 for value in values.tolist()])
        yield int(search.countevals), torch.as_tensor(search.mean.copy())
