"""The best parameters of a form under four criteria.

Three of them are one loop of least squares with weights that may follow the error itself:
L2 keeps the weight, L1 divides it by |error|, minimax multiplies it by |error| (Lawson 1961).
The loop only comes near; then the exact conditions of `core.gelu.optimality` are solved.

Source: https://kexue.fm/archives/7309, eq. (6)-(15).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from core.gelu.family import FORMS, Form, Problem, check_target, logit_series, normal_density
from core.gelu.optimality import NoConvergence, level, stationary
from core.gelu.ripples import extrema, nodes, nodes_between_zeros

CRITERIA = ("taylor", "minimax", "l2", "l1")
WEIGHTS = ("uniform", "normal")
NEAR = {"l2": 1e-3, "l1": 1e-3, "minimax": 0.03}  # when the loop hands over: see `_distance`


@dataclass(frozen=True)
class Fit:
    """The best parameters of a form, and the error that they leave."""

    form: str
    target: str
    criterion: str
    weight: str
    coefficients: dict[str, float]
    max_error: float  # in the target's own unit
    extrema: list[tuple[float, float]]  # (x, error) on x > 0


def fit(
    form: str,
    *,
    target: str,
    criterion: str,
    weight: str = "uniform",
    max_iterations: int = 100,
) -> Fit:
    """The best sigma(p(x)) of a form for Phi, GELU or GELU'.

    `weight` is the density under the integral of "l2" and "l1"; the others have none.
    Raises NoConvergence if `max_iterations` ends first or the optimum fails its own check.
    """
    _check(form, target, criterion, weight, max_iterations)
    theta = best_theta(Problem(FORMS[form], target), criterion, weight, max_iterations)
    return _fit(form, target, criterion, weight, theta)


def equal_ripple(form: str, target: str) -> Fit:
    """The one-parameter form whose two largest extrema have equal size and opposite sign.

    That is the minimax fit for "cdf" and "gelu", and is not for "gelu-derivative".
    """
    _check(form, target, "minimax", "uniform", 1)
    if len(FORMS[form].coefficients) > 1:
        raise ValueError(f"form is {form!r}, but must be 'tanh-cubic' or 'sigmoid'")
    return _fit(form, target, "equal-ripple", "uniform", _leveled(Problem(FORMS[form], target)))


def evaluate(form: str, target: str, coefficient: float) -> Fit:
    """A one-parameter form at a coefficient of the reader's choice."""
    check_target(target)
    return _fit(form, target, "chosen", "uniform", np.array([coefficient]))


def objective(
    form: str,
    theta: tuple[float, ...],
    *,
    target: str,
    criterion: str,
    weight: str = "uniform",
) -> float:
    """What a fit minimizes, over the whole line: eq. (9)-(11).

    "l2": integral of weight * error^2; "l1": of weight * |error|; "minimax": max |error|.
    """
    _check(form, target, criterion, weight, 1)
    problem, parameters = Problem(FORMS[form], target), np.array(theta)
    if criterion == "minimax":
        return extrema(problem, parameters).largest
    if criterion == "taylor":
        raise ValueError("criterion is 'taylor', but must be one of ('minimax', 'l2', 'l1')")
    x, step = nodes_between_zeros(problem, parameters)
    size = np.abs(problem.error(x, parameters)) ** (2 if criterion == "l2" else 1)
    return float(2 * np.sum(step * _density(weight)(x) * size))


def best_theta(
    problem: Problem, criterion: str, weight: str = "uniform", max_iterations: int = 100
) -> np.ndarray:
    """The parameters of the best fit; `fit` without the names."""
    if criterion == "taylor":
        return problem.form.theta(np.array(logit_series(problem.form.orders)))
    density = _density("uniform" if criterion == "minimax" else weight)
    theta, weights = _reweighted(problem, "l2", density, _start(problem.form), max_iterations)
    if criterion != "l2":
        theta, weights = _reweighted(problem, criterion, density, theta, max_iterations)
    if criterion == "minimax":
        return level(problem, theta, weights)
    return stationary(problem, criterion, density, theta)


def _reweighted(
    problem: Problem,
    criterion: str,
    density: Callable[[np.ndarray], np.ndarray],
    theta: np.ndarray,
    max_iterations: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Parameters near the optimum, and the last weights at `nodes`."""
    x, step = nodes(problem.form.reach)
    weights = base = step * density(x)
    trail = []
    for _ in range(max_iterations):
        error = problem.error(x, theta)
        trail.append((np.abs(error).max(), theta))
        weights = _reweight(criterion, base, weights, np.abs(error))
        root = np.sqrt(weights)[:, None]
        move = np.linalg.lstsq(root * problem.gradient(x, theta), -root[:, 0] * error)[0]
        theta = theta + move
        if _distance(criterion, weights, error, move / theta) < NEAR[criterion]:
            # Gauss-Newton can wander where one extremum holds the minimax: take the best passed.
            return (
                min(trail, key=lambda it: it[0])[1] if criterion == "minimax" else theta
            ), weights
    name = problem.form.name
    raise NoConvergence(f"{criterion} fit of {name} is not near after {max_iterations} iterations")


def _reweight(
    criterion: str, base: np.ndarray, weights: np.ndarray, size: np.ndarray
) -> np.ndarray:
    if criterion == "l1":
        return base / np.maximum(size, 1e-9 * size.max())
    if criterion == "minimax":
        return weights * size / np.sum(weights * size)
    return weights


def _distance(
    criterion: str, weights: np.ndarray, error: np.ndarray, relative_move: np.ndarray
) -> float:
    """How far from the optimum: the last relative move, or the gap between minimax bounds."""
    if criterion != "minimax":
        return float(np.abs(relative_move).max())
    # A weighted mean square never exceeds the minimax error, which never exceeds the largest.
    return 1 - float(np.sqrt(np.sum(weights * error**2)) / np.abs(error).max())


def _start(form: Form) -> np.ndarray:
    """The local cubic: it stays positive, where a longer Taylor polynomial turns negative."""
    cubic = np.zeros(form.orders)
    cubic[:2] = logit_series(2)[: form.orders]
    return form.theta(cubic)


def _leveled(problem: Problem) -> np.ndarray:
    """Newton on the sum of the two largest extrema, which is 0 when they are level."""
    theta = best_theta(Problem(problem.form, "cdf"), "minimax")
    for _ in range(50):
        peaks = extrema(problem, theta)
        top = np.argsort(-np.abs(peaks.error))[:2]
        move = peaks.error[top].sum() / problem.gradient(peaks.x[top], theta).sum()
        theta = theta - move
        if abs(move) < 1e-14:
            return theta
    raise NoConvergence(f"two extrema of {problem.form.name} did not level in 50 steps")


def _density(weight: str) -> Callable[[np.ndarray], np.ndarray]:
    return normal_density if weight == "normal" else np.ones_like


def _fit(form: str, target: str, criterion: str, weight: str, theta: np.ndarray) -> Fit:
    peaks = extrema(Problem(FORMS[form], target), theta)
    pairs = list(zip(peaks.x.tolist(), peaks.error.tolist(), strict=True))
    return Fit(form, target, criterion, weight, _named(FORMS[form], theta), peaks.largest, pairs)


def _named(form: Form, theta: np.ndarray) -> dict[str, float]:
    """The coefficients by name; the tanh forms carry a, b and c = b / a."""
    named = dict(zip(form.coefficients, theta.tolist(), strict=True))
    if not form.name.startswith("tanh"):
        return named
    a, b = (form.polynomial(theta) / 2).tolist()
    return {"a": a, "b": b, "c": b / a}


def _check(form: str, target: str, criterion: str, weight: str, max_iterations: int) -> None:
    for name, value, accepted in [
        ("form", form, tuple(FORMS)),
        ("criterion", criterion, CRITERIA),
        ("weight", weight, WEIGHTS),
    ]:
        if value not in accepted:
            raise ValueError(f"{name} is {value!r}, but must be one of {accepted}")
    check_target(target)
    if max_iterations < 1:
        raise ValueError(f"max_iterations is {max_iterations}, but must be at least 1")
