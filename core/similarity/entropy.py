"""Transport with an entropy beside the exact one: the plan blurs, and it takes longer.

For sentences the network simplex is the faster of the two; what the entropy buys is a plan that
changes smoothly. The debiased divergence S = T(x, y) − ½T(x, x) − ½T(y, y), with T the cost plus
ε times the plan's divergence from p qᵀ, is 0 for equal texts again.

Sources: Cuturi 2013, arXiv:1306.0895; Feydy et al. 2019, arXiv:1810.08278.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

import numpy as np
import pandas as pd

from core.knobs import Choice, Config, Range
from core.similarity.costs import cosine
from core.similarity.reading import EXAMPLES, Reading, mean_vector, read
from core.similarity.sinkhorn import sinkhorn
from core.similarity.transport import Transport, transport

GRID = [10.0**exponent for exponent in np.linspace(-3, 1, 17).tolist()]  # of the curves
SWEEPS = 1000  # after which the curve gives Sinkhorn's method up
LONG = 5e-3  # seconds: a solver that takes longer is timed once


@dataclass(frozen=True)
class EntropyConfig(Config):
    """Which pair of sentences, and log10 of the regularization, in units of cost."""

    example: Annotated[str, Choice(*EXAMPLES)] = "bilingual"
    exponent: Annotated[float, Range(-3.0, 1.0, 0.25)] = -1.0


@dataclass(frozen=True)
class Entropic:
    """The plan with entropy, and how its cost, its divergence and its work go with ε."""

    cells: pd.DataFrame  # first, second, mass, cost
    values: pd.DataFrame  # epsilon, curve in {"exact", "entropic", "debiased"}, value
    work: pd.DataFrame  # epsilon, curve in {"sweeps", "newton"}, steps
    times: pd.DataFrame  # solver, milliseconds
    epsilon: float
    exact: float
    value: float  # what the blurred plan costs
    debiased: float
    sweeps: int
    newton: int
    spread: float  # words of the other text that a word's mass goes to, as exp(entropy)
    spread_exact: float


def entropy(config: EntropyConfig) -> Entropic:
    """The example's plan at that regularization, and the curves over all of them."""
    epsilon, problem = 10.0**config.exponent, _problem(config.example)
    exact = transport(problem.p, problem.q, problem.cost)
    found = _solved(config.example, epsilon)
    first, second = np.meshgrid(problem.first, problem.second, indexing="ij")
    cells = {"first": first, "second": second, "mass": found.blurred.plan, "cost": problem.cost}
    values, work = _curves(config.example)
    return Entropic(
        cells=pd.DataFrame({name: table.ravel() for name, table in cells.items()}),
        values=values,
        work=work,
        times=_times(problem, epsilon),
        epsilon=epsilon,
        exact=exact.value,
        value=found.blurred.value,
        debiased=found.debiased,
        sweeps=found.sweeps,
        newton=found.blurred.iterations,
        spread=spread(found.blurred.plan),
        spread_exact=spread(exact.plan),
    )


@dataclass(frozen=True)
class Problem:
    """Masses and costs between two texts, and inside each."""

    first: tuple[str, ...]
    second: tuple[str, ...]
    p: np.ndarray
    q: np.ndarray
    cost: np.ndarray
    cost_first: np.ndarray
    cost_second: np.ndarray


def problem_of(x: Reading, y: Reading) -> Problem:
    """Word Rotator's masses and costs of two texts (eq. 5 and 6)."""
    costs = [cosine(a.vectors, b.vectors) for a, b in ((x, y), (x, x), (y, y))]
    p, q = (one.norms / one.norms.sum() for one in (x, y))
    return Problem(x.labels, y.labels, p, q, *costs)


def debiased(problem: Problem, epsilon: float) -> float:
    """S = T(x, y) − ½T(x, x) − ½T(y, y)."""
    p, q = problem.p, problem.q
    own = regularized(p, p, problem.cost_first, epsilon)
    own += regularized(q, q, problem.cost_second, epsilon)
    return regularized(p, q, problem.cost, epsilon) - own / 2


def regularized(p: np.ndarray, q: np.ndarray, cost: np.ndarray, epsilon: float) -> float:
    """T: the least of ⟨plan, cost⟩ + ε·KL(plan, p qᵀ)."""
    found = transport(p, q, cost, method="sinkhorn", regularization=epsilon)
    moved = found.plan > 0
    ratio = found.plan[moved] / np.outer(p, q)[moved]
    return found.value + epsilon * float((found.plan[moved] * np.log(ratio)).sum())


def spread(plan: np.ndarray) -> float:
    """To how many words a word's mass goes: exp of the entropy of its row, on average."""
    rows = plan.sum(axis=1, keepdims=True)
    shares = np.divide(plan, rows, out=np.zeros_like(plan), where=rows > 0)
    logs = np.log(np.where(shares > 0, shares, 1.0))
    return float(np.exp(-(shares * logs).sum(axis=1))[rows[:, 0] > 0].mean())


@lru_cache(maxsize=len(EXAMPLES))
def _problem(example: str) -> Problem:
    mean = mean_vector()
    x, y = (read(text).joined().centred(mean) for text in EXAMPLES[example])
    return problem_of(x, y)


@dataclass(frozen=True)
class _Solved:
    """What an example gives at one regularization."""

    blurred: Transport
    debiased: float
    sweeps: int


@lru_cache(maxsize=len(EXAMPLES) * len(GRID))
def _solved(example: str, epsilon: float) -> _Solved:
    problem = _problem(example)
    p, q, cost = problem.p, problem.q, problem.cost
    return _Solved(
        blurred=transport(p, q, cost, method="sinkhorn", regularization=epsilon),
        debiased=debiased(problem, epsilon),
        sweeps=sinkhorn(p, q, cost, epsilon, SWEEPS)[1],
    )


@lru_cache(maxsize=len(EXAMPLES))
def _curves(example: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    problem = _problem(example)
    found = [_solved(example, epsilon) for epsilon in GRID]
    values = {
        "exact": [transport(problem.p, problem.q, problem.cost).value] * len(GRID),
        "entropic": [one.blurred.value for one in found],
        "debiased": [one.debiased for one in found],
    }
    work = {
        "sweeps": [one.sweeps for one in found],
        "newton": [one.blurred.iterations for one in found],
    }
    return _table(values, "value"), _table(work, "steps")


def _table(curves: dict[str, list], column: str) -> pd.DataFrame:
    tables = [pd.DataFrame({"epsilon": GRID, "curve": k, column: v}) for k, v in curves.items()]
    return pd.concat(tables, ignore_index=True)


def _times(problem: Problem, epsilon: float) -> pd.DataFrame:
    p, q, cost = problem.p, problem.q, problem.cost
    solvers: dict[str, Callable[[], object]] = {
        "exact": lambda: transport(p, q, cost),
        "newton": lambda: transport(p, q, cost, method="sinkhorn", regularization=epsilon),
        "sweeps": lambda: sinkhorn(p, q, cost, epsilon, SWEEPS),
    }
    found = {name: 1000 * _seconds(solve) for name, solve in solvers.items()}
    return pd.DataFrame({"solver": list(found), "milliseconds": list(found.values())})


def _seconds(run: Callable[[], object]) -> float:
    """The best of three; what takes long shakes less, and is run once."""
    found: list[float] = []
    while len(found) < 3 and sum(found) < LONG:
        started = time.perf_counter()
        run()
        found.append(time.perf_counter() - started)
    return min(found)
