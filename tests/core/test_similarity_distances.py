"""Transport and distances: the linear program, assignments, closed forms, and bad input."""

import importlib
import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment, linprog
from scipy.stats import wasserstein_distance

from core import similarity as core
from core.numerics import NoConvergence
from core.similarity import sinkhorn
from core.similarity.sinkhorn import entropic

X = np.array([[1.0, 0.0], [0.0, 2.0]])
Y = np.array([[1.0, 1.0], [2.0, 0.0], [0.0, 1.0]])
DISTANCES = (core.wmd, core.wcd, core.rwmd, core.wrd, core.wmd_bounds, core.wrd_bounds)


@st.composite
def texts(draw: Any, count: int = 2) -> list[np.ndarray]:
    """Word vectors of texts of different lengths, some rows zero or repeated."""
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    dim = draw(st.integers(1, 6))
    scale = 10.0 ** draw(st.integers(-3, 3))
    found = []
    for _ in range(count):
        rows = scale * generator.standard_normal((draw(st.integers(1, 7)), dim))
        rows[1:][generator.random(len(rows) - 1) < 0.2] = 0
        found.append(rows)
    if draw(st.booleans()):
        found[0][0] = found[1][0]
    return found


@st.composite
def problems(draw: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Masses, some of them 0, and costs."""
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    m, n = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    p, q = generator.random(m), generator.random(n)
    p[1:][generator.random(m - 1) < 0.2] = 0
    return p / p.sum(), q / q.sum(), generator.random((m, n))


def test_the_hand_example() -> None:
    lower, upper = core.wrd_bounds(X, Y)
    found = [core.wmd(X, Y), core.wcd(X, Y), core.wrd(X, Y), lower, upper]
    assert found == pytest.approx(
        [1.0690355937, 0.6009252126, 0.2135848273, 0.0827674224, 0.4714045208], abs=1e-10
    )
    assert core.post_word_mover_distance(X, Y) == pytest.approx(0.7559223177, abs=1e-10)
    assert core.corrected_word_mover_distance(X, Y) == pytest.approx(1.0690355937, abs=1e-10)
    assert core.post_word_rotator_distance(X, Y) == pytest.approx(core.wrd(X, Y), abs=1e-12)


@settings(deadline=None)
@given(problems())
def test_the_exact_plan_is_that_of_the_linear_program(problem: Any) -> None:
    p, q, cost = problem
    found = core.transport(p, q, cost)
    assert found.value == pytest.approx(core.wasserstein_linprog(p, q, cost), abs=1e-9)
    assert found.value == pytest.approx((found.plan * cost).sum(), abs=1e-12)
    np.testing.assert_allclose(found.plan.sum(axis=1), p, atol=1e-12)
    np.testing.assert_allclose(found.plan.sum(axis=0), q, atol=1e-12)
    assert found.plan.min() >= 0
    assert found.value == pytest.approx(core.transport(q, p, cost.T).value, abs=1e-12)


@settings(deadline=None)
@given(st.integers(1, 8), st.integers(0, 10**6))
def test_with_equal_masses_it_is_an_assignment(n: int, seed: int) -> None:
    cost = np.random.default_rng(seed).random((n, n))
    uniform = np.full(n, 1 / n)
    best = cost[linear_sum_assignment(cost)].mean()
    assert core.transport(uniform, uniform, cost).value == pytest.approx(best, abs=1e-12)


@settings(deadline=None)
@given(st.integers(0, 10**6))
def test_on_a_line_it_is_the_distance_of_distribution_functions(seed: int) -> None:
    generator = np.random.default_rng(seed)
    x, y = generator.normal(size=(6, 1)), generator.normal(size=(4, 1))
    assert core.wmd(x, y) == pytest.approx(wasserstein_distance(x[:, 0], y[:, 0]), abs=1e-12)


def test_the_reference_program_is_the_whole_program_without_a_redundant_row() -> None:
    generator = np.random.default_rng(0)
    p, q, cost = generator.random(3), generator.random(4), generator.random((3, 4))
    p, q = p / p.sum(), q / q.sum()
    rows = [[float(i == k) for i, _ in itertools.product(range(3), range(4))] for k in range(3)]
    columns = [[float(j == k) for _, j in itertools.product(range(3), range(4))] for k in range(4)]
    whole = linprog(cost.ravel(), A_eq=[*rows, *columns], b_eq=[*p, *q])
    assert core.wasserstein_linprog(p, q, cost) == pytest.approx(whole.fun, abs=1e-12)


@settings(deadline=None)
@given(texts())
def test_distances_lie_between_their_bounds_and_forget_the_order(pair: list[np.ndarray]) -> None:
    x, y = pair
    size = max(np.abs(x).max(), np.abs(y).max())
    low, high = core.wmd_bounds(x, y)
    assert low - 1e-12 * size <= core.wmd(x, y) <= high + 1e-12 * size
    assert low == max(core.wcd(x, y), core.rwmd(x, y))
    low, high = core.wrd_bounds(x, y)
    assert low - 1e-12 <= core.wrd(x, y) <= high + 1e-12
    assert 0 <= core.wrd(x, y) <= 2 + 1e-12
    for distance in (core.wmd, core.wcd, core.rwmd, core.wrd):
        assert distance(y, x) == pytest.approx(distance(x, y), rel=1e-9, abs=1e-12 * size)
        assert distance(x[::-1], x) == pytest.approx(0, abs=1e-12 * max(size, 1))


@settings(deadline=None)
@given(texts(3))
def test_wmd_obeys_the_triangle_inequality(triple: list[np.ndarray]) -> None:
    x, y, z = triple
    assert core.wmd(x, z) <= core.wmd(x, y) + core.wmd(y, z) + 1e-9


def test_wrd_breaks_the_triangle_inequality_at_0_45_and_90_degrees() -> None:
    east, middle, north = (
        np.array([[math.cos(a), math.sin(a)]]) for a in (0, np.pi / 4, np.pi / 2)
    )
    detour = core.wrd(east, middle) + core.wrd(middle, north)
    assert core.wrd(east, north) == pytest.approx(1)
    assert detour == pytest.approx(2 - math.sqrt(2))


@settings(deadline=None)
@given(texts(), st.floats(1e-3, 1e3), st.floats(1e-3, 1e3))
def test_scaling_either_text_leaves_wrd_alone(pair: Any, first: float, second: float) -> None:
    x, y = pair
    assert core.wrd(first * x, second * y) == pytest.approx(core.wrd(x, y), abs=1e-9)
    assert core.wmd(first * x, first * y) == pytest.approx(first * core.wmd(x, y), rel=1e-9)


@settings(deadline=None)
@given(texts())
def test_zero_rows_have_no_mass(pair: list[np.ndarray]) -> None:
    x, y = pair
    padded = np.vstack([np.zeros((2, x.shape[1])), x])
    for distance in (core.wmd, core.wcd, core.rwmd, core.wrd):
        assert distance(padded, y) == pytest.approx(distance(x, y), abs=1e-12)
    assert core.wrd_bounds(padded, y) == pytest.approx(core.wrd_bounds(x, y), abs=1e-12)


def test_single_words_meet_their_bounds_and_opposite_ones_are_2_apart() -> None:
    x, y = np.array([[3.0, 4.0]]), np.array([[1.0, 0.0]])
    assert core.wmd(x, y) == core.wcd(x, y) == pytest.approx(math.sqrt(20))
    assert core.wrd(x, y) == pytest.approx(0.4)
    assert core.wrd_bounds(x, y) == pytest.approx((0.4, 0.4))
    assert core.wrd(x, -x) == pytest.approx(2)
    assert core.wrd_similarity(x, -7 * x) == pytest.approx(-1)


def test_a_nearly_equal_text_has_a_small_distance_not_the_noise_of_cancelled_digits() -> None:
    x = np.random.default_rng(0).standard_normal((5, 300)) + 100
    assert core.wmd(x, x + 1e-9) == pytest.approx(1e-9 * math.sqrt(300), rel=1e-3)
    assert core.wmd(x, x[::-1]) == 0
    assert core.wrd(x, x) == 0


@pytest.mark.parametrize("kind", ["float32", "fortran", "strided", "list"])
def test_any_layout_will_do(kind: str) -> None:
    generator = np.random.default_rng(0)
    x, y = generator.standard_normal((2, 6, 8)).astype(np.float32).astype(np.float64)
    shown: Any = {
        "float32": x.astype(np.float32),
        "fortran": np.asfortranarray(x),
        "strided": np.repeat(np.repeat(x, 2, axis=0), 2, axis=1)[::2, ::2],
        "list": x.tolist(),
    }[kind]
    for distance in DISTANCES:
        assert distance(shown, y) == pytest.approx(distance(x, y), abs=1e-12)


@pytest.mark.parametrize("distance", DISTANCES, ids=lambda f: f.__name__)
@pytest.mark.parametrize(
    ("bad", "word"),
    [
        (np.zeros((0, 2)), "at least"), (np.zeros((3, 2)), "zero"), (np.zeros(2), "shape"),
        ([[np.nan, 1.0]], "NaN"), ([[np.inf, 1.0]], "infinite"), ([[1e200, 1.0]], "longer"),
        (np.ones((2, 3)), "width"),
    ],
)  # fmt: skip
def test_what_is_no_text_is_refused(distance: Any, bad: Any, word: str) -> None:
    with pytest.raises(ValueError, match=word):
        distance(bad, Y)
    with pytest.raises(ValueError, match=word):
        distance(X, bad)


@pytest.mark.parametrize(
    ("p", "q", "cost", "word"),
    [
        ([0.5, 0.5], [1.0], [[np.nan], [0.0]], "NaN"),
        ([0.5, 0.5], [1.0], [[np.inf], [0.0]], "infinity"),
        ([0.5, 0.6], [1.0], [[1.0], [0.0]], "sum to"),
        ([1.5, -0.5], [1.0], [[1.0], [0.0]], "negative"),
        ([np.nan, 0.5], [1.0], [[1.0], [0.0]], "p sums"),
        ([0.0, 0.0], [0.0], [[1.0], [0.0]], "positive"),
        ([], [1.0], np.zeros((0, 1)), "shape"),
        ([1.0], [1.0], [[1.0], [0.0]], "shape"),
        ([[1.0]], [1.0], [[1.0]], "row"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("solver", [core.transport, core.wasserstein_linprog])
def test_what_is_no_problem_is_refused(solver: Any, p: Any, q: Any, cost: Any, word: str) -> None:
    with pytest.raises(ValueError, match=word):
        solver(p, q, cost)


def test_what_rounding_does_to_masses_is_forgiven() -> None:
    p = np.array([1 + 1e-9, -1e-12])
    found = core.transport(p, np.array([0.5, 0.5], np.float32), [[1.0, 0.0], [0.0, 1.0]])
    assert found.value == pytest.approx(0.5, abs=1e-8)
    assert found.plan[1].tolist() == [0, 0]


def test_a_solver_that_gives_up_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.import_module("core.similarity.transport"), "PIVOTS", 1)
    generator = np.random.default_rng(0)
    with pytest.raises(NoConvergence, match="network simplex"):
        core.transport([0.1] * 10, [0.1] * 10, generator.random((10, 10)))


@pytest.mark.parametrize("regularization", [None, 0.0, -1.0, np.inf, np.nan])
def test_a_regularization_is_positive(regularization: Any) -> None:
    with pytest.raises(ValueError, match="regularization"):
        core.transport([1], [1], [[1]], method="sinkhorn", regularization=regularization)


def test_an_unknown_method_or_an_unused_regularization_is_refused() -> None:
    with pytest.raises(ValueError, match="method is 'greedy'"):
        core.transport([1], [1], [[1]], method="greedy")
    with pytest.raises(ValueError, match="regularization"):
        core.transport([1], [1], [[1]], regularization=0.1)


@settings(deadline=None)
@given(problems(), st.sampled_from([1e-3, 1e-2, 0.1, 1.0, 100.0]))
def test_the_entropic_plan_has_its_masses_its_form_and_its_bound(problem: Any, eps: float) -> None:
    p, q, cost = problem
    found = core.transport(p, q, cost, method="sinkhorn", regularization=eps)
    np.testing.assert_allclose(found.plan.sum(axis=1), p, atol=1e-9)
    np.testing.assert_allclose(found.plan.sum(axis=0), q, atol=1e-9)
    exact = core.transport(p, q, cost)
    worst = eps * math.log(max(p.size * q.size, 2))
    assert exact.value - 1e-9 <= found.value <= exact.value + worst
    log_plan = np.log(np.maximum(found.plan[np.ix_(p > 0, q > 0)], 1e-300))
    potentials = eps * log_plan + cost[np.ix_(p > 0, q > 0)]  # f_i + g_j: of rank one in exp
    alive = log_plan > -500
    if alive.all():
        mixed = potentials - potentials[:1] - potentials[:, :1] + potentials[0, 0]
        np.testing.assert_allclose(mixed, 0, atol=1e-6 * max(1, eps))


def test_parts_that_hardly_touch_are_balanced_all_the_same() -> None:
    """Newton's whole step is six thousand times epsilon here, and leads nowhere."""
    p = np.array([0.1664274, 0.10735147, 0.20301988, 0.18452616, 0.28108618, 0.05758891])
    q = np.array([0.23292247, 0.26796966, 0.04468992, 0.18858937, 0.00603909, 0.13045844,
                  0.03136964, 0.09796141])  # fmt: skip
    cost = np.array([
        [0.08587000, 0.70379701, 0.77325963, 0.35807733, 0.74486354, 0.53987998, 0.65181995,
         0.49650485],
        [0.72937261, 0.47755354, 0.11325389, 0.31712872, 0.69747597, 0.97087760, 0.44518001,
         0.67580177],
        [0.61949010, 0.10125380, 0.76867710, 0.12240973, 0.05275688, 0.40500625, 0.01004902,
         0.66472067],
        [0.54952252, 0.95830062, 0.27622054, 0.19317222, 0.11681647, 0.95194313, 0.76024977,
         0.11960597],
        [0.02310011, 0.88212561, 0.20146864, 0.19031080, 0.36206720, 0.84269629, 0.14030062,
         0.15691248],
        [0.11117132, 0.91876519, 0.75128019, 0.53017485, 0.13174263, 0.69213608, 0.79581423,
         0.83274165],
    ])  # fmt: skip
    plan, steps = entropic(p / p.sum(), q / q.sum(), cost, 1e-3)
    np.testing.assert_allclose(plan.sum(axis=1), p / p.sum(), atol=1e-9)
    assert steps < 200


@settings(deadline=None)
@given(problems())
def test_newton_and_sinkhorn_reach_the_same_plan(problem: Any) -> None:
    p, q, cost = problem
    plan, sweeps = sinkhorn(p, q, cost, 0.2, 10_000)
    assert sweeps < 10_000
    newton = core.transport(p, q, cost, method="sinkhorn", regularization=0.2)
    np.testing.assert_allclose(newton.plan, plan, atol=1e-8)
    assert newton.iterations < 100


def test_sinkhorn_stops_at_its_limit() -> None:
    generator = np.random.default_rng(1)
    uniform = np.full(5, 0.2)
    _, sweeps = sinkhorn(uniform, uniform, generator.random((5, 5)), 1e-3, 20)
    assert sweeps == 20


def test_a_huge_regularization_gives_the_independent_plan() -> None:
    found = core.transport([0.5, 0.5], [0.3, 0.7], np.eye(2), method="sinkhorn", regularization=1e6)
    np.testing.assert_allclose(found.plan, [[0.15, 0.35], [0.15, 0.35]], atol=1e-6)
