"""Fits against brute force, adaptive quadrature and the constants of the post."""

import importlib
import itertools
import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq, minimize_scalar

from core import gelu as core

SINGLE = ("tanh-cubic", "sigmoid")
MAIN = {"tanh-cubic": "c", "sigmoid": "slope"}


def theta(fit: core.Fit) -> np.ndarray:
    return np.array([fit.coefficients[name] for name in core.FORMS[fit.form].coefficients])


def grid_error(form: str, target: str, parameters: np.ndarray) -> float:
    """max |error| on a fine grid: no roots, no conditions."""
    x = np.linspace(0, min(core.FORMS[form].reach, 12), 20_001)
    return float(np.abs(core.Problem(core.FORMS[form], target).error(x, parameters)).max())


def test_the_minimax_c_and_slope_for_phi_are_the_known_optima() -> None:
    tanh = core.fit("tanh-cubic", target="cdf", criterion="minimax")
    sigmoid = core.fit("sigmoid", target="cdf", criterion="minimax")
    assert tanh.coefficients["c"] == pytest.approx(0.044714911227632495, abs=1e-13)
    assert tanh.coefficients["b"] == pytest.approx(0.035677337306198666, abs=1e-13)
    assert tanh.max_error == pytest.approx(3.57842622e-4 / 2, abs=1e-12)
    assert sigmoid.coefficients["slope"] == pytest.approx(1.7017449253380033, abs=1e-12)
    assert sigmoid.max_error == pytest.approx(0.00945730918, abs=1e-11)
    np.testing.assert_allclose([x for x, _ in tanh.extrema], [1.2421079, 2.5921760], atol=1e-7)
    np.testing.assert_allclose([x for x, _ in sigmoid.extrema], [0.57105715, 2.0430725], atol=1e-7)


# form, target, criterion, weight, coefficient, printed value, half its last digit
TABLE = [
    ("tanh-cubic", "cdf", "taylor", "uniform", "c", 0.0455399241225271, 1e-15),
    ("sigmoid", "cdf", "taylor", "uniform", "slope", 1.5957691216, 1e-10),
    ("tanh-cubic", "gelu", "minimax", "uniform", "c", 0.04438294381673409, 1e-13),
    ("sigmoid", "gelu", "minimax", "uniform", "slope", 1.772933965616755, 1e-12),
    ("tanh-cubic", "gelu-derivative", "minimax", "uniform", "c", 0.0454742, 5e-8),
    ("sigmoid", "gelu-derivative", "minimax", "uniform", "slope", 1.6966018, 5e-8),
    ("tanh-cubic", "cdf", "l2", "uniform", "c", 0.0448465, 5e-8),
    ("tanh-cubic", "cdf", "l1", "uniform", "c", 0.0449684, 5e-8),
    ("sigmoid", "cdf", "l2", "uniform", "slope", 1.7009913, 5e-8),
    ("sigmoid", "cdf", "l1", "uniform", "slope", 1.7045749, 5e-8),
    ("tanh-cubic", "cdf", "l2", "normal", "c", 0.0451503, 5e-8),
    ("tanh-cubic", "cdf", "l1", "normal", "c", 0.0453318, 5e-8),
    ("sigmoid", "cdf", "l2", "normal", "slope", 1.6637785, 5e-8),
    ("sigmoid", "cdf", "l1", "normal", "slope", 1.6441947, 5e-8),
    ("tanh-cubic", "gelu", "l2", "uniform", "c", 0.0445228, 5e-8),
    ("tanh-cubic", "gelu", "l1", "uniform", "c", 0.0446584, 5e-8),
    ("sigmoid", "gelu", "l2", "uniform", "slope", 1.7800764, 5e-8),
    ("sigmoid", "gelu", "l1", "uniform", "slope", 1.7945252, 5e-8),
    ("tanh-cubic", "gelu", "l2", "normal", "c", 0.0449667, 5e-8),
    ("tanh-cubic", "gelu", "l1", "normal", "c", 0.0452214, 5e-8),
    ("sigmoid", "gelu", "l2", "normal", "slope", 1.7119130, 1e-7),
    ("sigmoid", "gelu", "l1", "normal", "slope", 1.6800200, 5e-8),
]


@pytest.mark.parametrize(("form", "target", "criterion", "weight", "name", "value", "near"), TABLE)
def test_one_parameter_fits_have_their_known_coefficients(
    form: str, target: str, criterion: str, weight: str, name: str, value: float, near: float
) -> None:
    found = core.fit(form, target=target, criterion=criterion, weight=weight)
    assert found.coefficients[name] == pytest.approx(value, abs=near)


# form, target, printed (b1, b3, b5), printed error
POLYNOMIALS = [
    ("tanh-cubic-free", "cdf", (1.59760287, 0.0705640962), 1.4031e-4),
    ("tanh-cubic-free", "gelu", (1.60031415, 0.0694017878), 2.7073e-4),
    ("sigmoid-quintic", "cdf", (1.59543567, 0.073596512, -0.00063161412), 1.848e-5),
]


@pytest.mark.parametrize(("form", "target", "polynomial", "error"), POLYNOMIALS)
def test_fits_of_several_parameters_have_their_known_coefficients(
    form: str, target: str, polynomial: tuple[float, ...], error: float
) -> None:
    found = core.fit(form, target=target, criterion="minimax")
    inner = core.FORMS[form].polynomial(theta(found))
    np.testing.assert_allclose(inner, polynomial, rtol=1e-6)
    assert found.max_error == pytest.approx(error, rel=1e-4)


# form, coefficient, target, error, where
ERRORS = [
    ("tanh-cubic", 0.044715, "cdf", 1.78933e-4, None),
    ("tanh-cubic", 0.044715, "gelu", 4.73235e-4, 2.699),
    ("tanh-cubic", 0.044715, "gelu-derivative", 8.6845e-4, 2.019),
    ("sigmoid", 1.702, "cdf", 0.0094863, None),
    ("sigmoid", 1.702, "gelu", 0.0203349, 2.2704),
    ("sigmoid", math.pi / math.sqrt(3), "cdf", 0.02266, None),
    ("sigmoid", 1.0, "gelu", 0.193, None),
    ("tanh-cubic", 0.0455399241225271, "cdf", 6.27e-4 / 2, None),
    ("tanh-cubic", 0.0454742, "gelu-derivative", 7.784e-4, 1.837),
    ("sigmoid", 1.6966018, "gelu-derivative", 0.0290648, None),
    ("tanh-cubic", 0.04438294381673409, "gelu", 3.87419e-4, None),
    ("sigmoid", 1.772933965616755, "gelu", 0.01392225, None),
]


@pytest.mark.parametrize(("form", "coefficient", "target", "error", "where"), ERRORS)
def test_largest_errors_are_the_known_ones(
    form: str, coefficient: float, target: str, error: float, where: float | None
) -> None:
    found = core.evaluate(form, target, coefficient)
    assert found.max_error == pytest.approx(error, rel=1e-3)
    if where is not None:
        x, _ = max(found.extrema, key=lambda pair: abs(pair[1]))
        assert x == pytest.approx(where, abs=1e-3)


@pytest.mark.parametrize("form", core.FORMS)
@pytest.mark.parametrize("target", core.TARGETS)
def test_max_error_is_what_a_fine_grid_finds(form: str, target: str) -> None:
    for criterion in core.CRITERIA:
        found = core.fit(form, target=target, criterion=criterion)
        grid = grid_error(form, target, theta(found))
        assert found.max_error == pytest.approx(grid, rel=1e-6)
        assert max(abs(error) for _, error in found.extrema) == found.max_error


@pytest.mark.parametrize("form", core.FORMS)
@pytest.mark.parametrize("target", ["cdf", "gelu"])
def test_minimax_for_phi_and_gelu_equioscillates(form: str, target: str) -> None:
    found = core.fit(form, target=target, criterion="minimax")
    errors = [e for _, e in found.extrema if abs(e) > 0.9 * found.max_error]
    assert len(errors) == len(core.FORMS[form].coefficients) + 1
    np.testing.assert_allclose(np.abs(errors), found.max_error, rtol=1e-9)
    assert all(a * b < 0 for a, b in itertools.pairwise(errors))


@pytest.mark.parametrize("form", core.FORMS)
@pytest.mark.parametrize("target", core.TARGETS)
def test_no_nearby_parameters_beat_the_minimax_fit_on_a_grid(form: str, target: str) -> None:
    best = core.fit(form, target=target, criterion="minimax")
    random = np.random.default_rng(7)
    for size in (1e-5, 1e-4, 1e-3):
        for _ in range(6):
            other = theta(best) * (1 + size * random.normal(size=len(theta(best))))
            assert grid_error(form, target, other) > best.max_error * (1 - 1e-7)


@pytest.mark.parametrize("form", SINGLE)
@pytest.mark.parametrize("target", core.TARGETS)
def test_brute_force_minimization_finds_the_same_minimax(form: str, target: str) -> None:
    best = core.fit(form, target=target, criterion="minimax")
    center = best.coefficients[MAIN[form]]
    search = minimize_scalar(
        lambda c: grid_error(form, target, np.array([c])),
        bounds=(0.9 * center, 1.1 * center),
        method="bounded",
        options={"xatol": 1e-9},
    )
    assert search.fun == pytest.approx(best.max_error, rel=1e-6)
    assert search.x == pytest.approx(center, rel=2e-4)


def test_the_minimax_for_the_derivative_has_one_dominant_extremum() -> None:
    found = core.fit("tanh-cubic", target="gelu-derivative", criterion="minimax")
    at = {round(x, 3): error for x, error in found.extrema}
    assert at[1.837] == pytest.approx(7.784e-4, rel=1e-3)
    assert at[3.125] == pytest.approx(-6.419e-4, rel=1e-3)


@pytest.mark.parametrize("form", SINGLE)
@pytest.mark.parametrize("target", core.TARGETS)
def test_equal_ripple_levels_the_two_largest_extrema(form: str, target: str) -> None:
    even = core.equal_ripple(form, target)
    errors = sorted((error for _, error in even.extrema), key=abs)[-2:]
    assert sum(errors) == pytest.approx(0, abs=1e-12)
    best = core.fit(form, target=target, criterion="minimax").max_error
    assert (even.max_error > 1.01 * best) == (target == "gelu-derivative")


def test_the_equal_ripple_point_of_the_derivative_is_worse_than_its_optimum() -> None:
    even = core.equal_ripple("tanh-cubic", "gelu-derivative")
    assert even.coefficients["c"] == pytest.approx(0.0428868, abs=5e-8)
    assert even.max_error == pytest.approx(1.464e-3, rel=1e-4)


@pytest.mark.parametrize("form", core.FORMS)
@pytest.mark.parametrize("criterion", ["l2", "l1"])
@pytest.mark.parametrize("weight", core.WEIGHTS)
def test_integral_fits_are_stationary_by_adaptive_quadrature(
    form: str, criterion: str, weight: str
) -> None:
    best = core.fit(form, target="gelu", criterion=criterion, weight=weight)
    problem = core.Problem(core.FORMS[form], "gelu")
    pieces = _between_zeros(problem, theta(best))

    def pull(at: float, k: int) -> float:
        value = problem.error(np.array([at]), theta(best)).item()
        density = math.exp(-at * at / 2) if weight == "normal" else 1.0
        side = value if criterion == "l2" else np.sign(value)
        return float(density * side * problem.gradient(np.array([at]), theta(best))[0, k])

    for k in range(len(theta(best))):
        parts = [quad(pull, *piece, args=(k,))[0] for piece in pieces]
        assert abs(sum(parts)) < 1e-6 * max(map(abs, parts))


def _between_zeros(problem: core.Problem, parameters: np.ndarray) -> list[tuple[float, float]]:
    x = np.linspace(0.001, min(problem.form.reach, 16), 2000)
    error = problem.error(x, parameters)
    turns = np.flatnonzero((error[:-1] * error[1:] < 0) & (np.abs(error[1:]) > 1e-13))
    zeros = [
        brentq(lambda at: problem.error(np.array([at]), parameters).item(), x[i], x[i + 1])
        for i in turns
    ]
    edges = [0.0, *zeros, float(x[-1])]
    return list(pairwise(edges))


@pytest.mark.parametrize("criterion", ["l2", "l1", "minimax"])
@pytest.mark.parametrize("weight", core.WEIGHTS)
def test_objective_is_the_integral_or_maximum_over_the_line(criterion: str, weight: str) -> None:
    value = core.objective("sigmoid", (1.6,), target="cdf", criterion=criterion, weight=weight)
    x = np.linspace(-14, 14, 280_001)
    error = np.abs(core.approximation_error(x, np.array([1.6]), "cdf"))
    density = np.exp(-x * x / 2) / math.sqrt(2 * math.pi) if weight == "normal" else 1.0
    power = 2 if criterion == "l2" else 1
    slow = error.max() if criterion == "minimax" else np.trapezoid(density * error**power, x)
    assert value == pytest.approx(slow, rel=1e-6)


@pytest.mark.parametrize("criterion", ["l2", "l1", "minimax"])
@pytest.mark.parametrize("weight", core.WEIGHTS)
def test_a_fit_minimizes_its_objective(criterion: str, weight: str) -> None:
    best = core.fit("tanh-cubic", target="cdf", criterion=criterion, weight=weight)
    at = [
        core.objective("tanh-cubic", (c,), target="cdf", criterion=criterion, weight=weight)
        for c in best.coefficients["c"] * np.array([0.999, 1, 1.001])
    ]
    assert at[1] < min(at[0], at[2])


@pytest.mark.parametrize("weight", core.WEIGHTS)
def test_minimax_has_no_weight_to_choose(weight: str) -> None:
    found = core.fit("sigmoid", target="gelu", criterion="minimax", weight=weight)
    assert found.coefficients["slope"] == pytest.approx(1.772933965616755, abs=1e-12)


def test_taylor_of_the_free_form_frees_nothing_and_of_the_quintic_adds_an_order() -> None:
    local = core.local_coefficients()
    free = core.fit("tanh-cubic-free", target="cdf", criterion="taylor").coefficients
    quintic = core.fit("sigmoid-quintic", target="cdf", criterion="taylor")
    assert free == pytest.approx(local, rel=1e-13)
    assert tuple(quintic.coefficients.values()) == pytest.approx(core.logit_series(3), rel=1e-13)
    assert quintic.max_error == pytest.approx(5.29e-4 / 2, rel=1e-3)


def test_the_posts_recipe_gives_the_posts_numbers() -> None:
    assert core.post_fit() == pytest.approx(0.035677337314877385, abs=1e-15)
    assert core.post_fit_sigmoid() == pytest.approx(1.7017449256323682, abs=1e-13)
    assert core.grid_objective(core.post_fit()) == pytest.approx(3.578426e-4, abs=1e-10)


def test_the_grid_objectives_are_the_posts_loop() -> None:
    points = np.arange(0, 4, 0.01)
    slow = max(
        abs(math.erf(x / math.sqrt(2)) - math.tanh(math.sqrt(2 / math.pi) * x + 0.03 * x**3))
        for x in points
    )
    assert core.grid_objective(0.03, 0.01) == pytest.approx(slow, rel=1e-13)
    slow = max(abs(0.5 * math.erfc(-x / math.sqrt(2)) - 1 / (1 + math.exp(-x))) for x in points)
    assert core.grid_objective_sigmoid(1.0, 0.01) == pytest.approx(slow, rel=1e-13)


def test_a_search_that_stalls_says_where(monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module("core.gelu.post_fit")

    def stay(objective: Any, start: float, **_: Any) -> Any:
        return type("Found", (), {"x": np.array([start]), "fun": objective([start])})

    monkeypatch.setattr(module, "minimize", stay)
    with pytest.raises(core.NoConvergence, match="started at 2, stalled at 2"):
        core.post_fit(start=2.0)


@pytest.mark.parametrize("criterion", ["l2", "l1", "minimax"])
def test_too_few_iterations_raise_and_say_so(criterion: str) -> None:
    with pytest.raises(core.NoConvergence, match="after 1 iterations"):
        core.fit("sigmoid", target="gelu", criterion=criterion, max_iterations=1)


def test_an_optimum_that_fails_its_own_check_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        importlib.import_module("core.gelu.optimality"), "_kuhn_tucker", lambda *_: None
    )
    with pytest.raises(core.NoConvergence, match="minimax conditions"):
        core.fit("sigmoid", target="cdf", criterion="minimax")


@pytest.mark.parametrize(
    "change",
    [
        {"form": "cubic"},
        {"target": "erf"},
        {"criterion": "l3"},
        {"weight": "cauchy"},
        {"max_iterations": 0},
    ],
)
def test_bad_arguments_are_refused_by_name_and_value(change: dict) -> None:
    good = {"form": "sigmoid", "target": "cdf", "criterion": "l2", "weight": "uniform"}
    name, value = next(iter(change.items()))
    with pytest.raises(ValueError, match=f"^{name} is {value!r}, but must be"):
        core.fit(**{**good, **change})


def test_equal_ripple_and_objective_refuse_what_has_no_meaning() -> None:
    with pytest.raises(ValueError, match="form is 'sigmoid-quintic'"):
        core.equal_ripple("sigmoid-quintic", "cdf")
    with pytest.raises(ValueError, match="criterion is 'taylor'"):
        core.objective("sigmoid", (1.7,), target="cdf", criterion="taylor")
    with pytest.raises(ValueError, match="step is 0, but must be"):
        core.post_fit(step=0)
