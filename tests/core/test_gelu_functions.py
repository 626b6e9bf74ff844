"""GELU, its approximations and the family behind them, against torch, SciPy and mpmath."""

import math
from typing import Any

import mpmath
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr

from core import gelu as core

FLOATS = st.floats(-12, 12)
X = torch.linspace(-9, 9, 2001, dtype=torch.float64)


def test_gelu_is_what_torch_calls_gelu() -> None:
    torch.testing.assert_close(core.gelu(X), F.gelu(X), rtol=0, atol=1e-14)


def test_gelu_tanh_is_what_torch_calls_its_tanh_approximation() -> None:
    torch.testing.assert_close(core.gelu_tanh(X), F.gelu(X, approximate="tanh"), rtol=0, atol=1e-14)


def test_gelu_sigmoid_with_slope_one_is_silu() -> None:
    torch.testing.assert_close(core.gelu_sigmoid(X, slope=1), F.silu(X), rtol=0, atol=1e-14)


def test_gelu_sigmoid_is_the_formula_of_eq_3() -> None:
    expected = X.numpy() / (1 + np.exp(-1.702 * X.numpy()))
    np.testing.assert_allclose(core.gelu_sigmoid(X).numpy(), expected, atol=1e-14)


def test_normal_cdf_keeps_its_digits_in_the_left_tail() -> None:
    x = torch.tensor([-8.0, -20.0, -30.0], dtype=torch.float64)
    np.testing.assert_allclose(core.normal_cdf(x).numpy(), ndtr(x.numpy()), rtol=1e-12)


def test_gelu_in_the_left_tail_has_the_digits_of_mpmath() -> None:
    with mpmath.workdps(40):
        exact = float(-10 * mpmath.ncdf(-10))
    assert float(core.gelu(torch.tensor(-10.0, dtype=torch.float64))) == pytest.approx(
        exact, rel=1e-12
    )


@pytest.mark.parametrize("function", [core.gelu, core.gelu_tanh, core.gelu_sigmoid])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_every_form_keeps_shape_and_dtype_and_stays_near_gelu(function: Any, dtype: Any) -> None:
    x = torch.linspace(-4, 4, 24).reshape(2, 3, 4).to(dtype)
    value = function(x)
    assert (value.shape, value.dtype) == (x.shape, dtype)
    assert float((value.double() - F.gelu(x.double())).abs().max()) < 0.03


@pytest.mark.parametrize("function", [core.gelu, core.gelu_tanh, core.gelu_sigmoid])
def test_gradients_flow_as_finite_differences_say(function: Any) -> None:
    x = torch.linspace(-3, 3, 7, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(function, x)


@settings(max_examples=50)
@given(x=FLOATS, c=st.floats(0, 0.2), slope=st.floats(0.1, 4))
def test_every_gate_is_odd(x: float, c: float, slope: float) -> None:
    point = torch.tensor(x, dtype=torch.float64)
    for f in (core.gelu, lambda v: core.gelu_tanh(v, c), lambda v: core.gelu_sigmoid(v, slope)):
        assert float(f(point) - f(-point)) == pytest.approx(x, abs=1e-12)


@settings(max_examples=50)
@given(x=FLOATS, c=st.floats(0, 0.2))
def test_the_tanh_form_is_a_sigmoid_of_a_cubic(x: float, c: float) -> None:
    inner = core.odd_polynomial(np.array([x]), core.FORMS["tanh-cubic"].polynomial(np.array([c])))
    sigmoid = x * torch.sigmoid(torch.from_numpy(inner))
    tanh = core.gelu_tanh(torch.tensor([x], dtype=torch.float64), c)
    torch.testing.assert_close(tanh, sigmoid, rtol=0, atol=1e-12)


@pytest.mark.parametrize("function", [core.gelu, core.gelu_tanh, core.gelu_sigmoid])
def test_integers_are_refused_with_their_dtype(function: Any) -> None:
    # The second half is how jaxtyping, where it is switched on, refuses before we do.
    with pytest.raises((ValueError, TypeError), match=r"x has dtype torch.int64, but|i64\[3\]"):
        function(torch.arange(3))


@pytest.mark.parametrize(
    ("kind", "coefficients", "formula"),
    [
        ("inner", (0.8, 0.03, -0.001), lambda x: np.tanh(0.8 * x + 0.03 * x**3 - 0.001 * x**5)),
        ("powers", (0.8, 0.2), lambda x: 0.8 * np.tanh(x) + 0.2 * np.tanh(x) ** 3),
        ("sum", (0.7, 1.2, 0.3, 0.5), lambda x: 0.7 * np.tanh(1.2 * x) + 0.3 * np.tanh(0.5 * x)),
    ],
)
def test_candidate_forms_are_the_formulas_of_eq_5(
    kind: str, coefficients: tuple[float, ...], formula: Any
) -> None:
    value = core.candidate_form(X, kind, coefficients).numpy()
    np.testing.assert_allclose(value, formula(X.numpy()), atol=1e-14)


def test_a_sum_of_powers_of_tanh_misses_the_limit_of_erf() -> None:
    x = torch.linspace(0, 12, 4001, dtype=torch.float64)
    gap = core.candidate_form(x, "powers", (0.778588, 0.192624, 0.033079)) - torch.erf(
        x / math.sqrt(2)
    )
    assert float(gap.abs().max()) == pytest.approx(0.00429, abs=1e-5)


@pytest.mark.parametrize(
    ("kind", "coefficients", "sentence"),
    [("product", (1.0,), "kind is 'product', but must be one of"), ("sum", (1.0,), "in pairs")],
)
def test_candidate_form_refuses_what_it_does_not_know(
    kind: str, coefficients: tuple[float, ...], sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        core.candidate_form(X, kind, coefficients)


def test_local_coefficients_are_the_closed_forms_of_eq_7_and_8() -> None:
    local = core.local_coefficients()
    assert local["a"] == pytest.approx(0.797884560802865, abs=1e-15)
    assert local["b"] == pytest.approx(0.0363356023574984, abs=1e-15)
    assert local["c"] == pytest.approx(0.0455399241225271, abs=1e-15)
    assert local["b"] / local["a"] == pytest.approx(local["c"], rel=1e-15)


@settings(max_examples=10)
@given(a=st.floats(-2, 2), b=st.floats(-1, 1))
def test_taylor_residual_has_the_coefficients_that_mpmath_finds(a: float, b: float) -> None:
    expected = mpmath.taylor(
        lambda x: mpmath.erf(x / mpmath.sqrt(2)) - mpmath.tanh(a * x + b * x**3), 0, 3
    )
    np.testing.assert_allclose(
        core.taylor_residual(a, b), [float(expected[1]), float(expected[3])], atol=1e-10
    )


def test_the_series_of_logit_phi_is_the_one_of_mpmath() -> None:
    with mpmath.workdps(40):
        series = mpmath.taylor(lambda x: 2 * mpmath.atanh(mpmath.erf(x / mpmath.sqrt(2))), 0, 9)
    expected = [float(value) for value in series[1::2]]
    np.testing.assert_allclose(core.logit_series(5), expected, rtol=1e-10)
    relative = np.array(core.logit_series(5)) / core.logit_series(5)[0]
    printed = [1, 0.0455399241, -4.634848e-5, -6.537287e-5, 3.573618e-6]
    np.testing.assert_allclose(relative, printed, rtol=1e-6)


def test_logit_cdf_makes_the_gate_exact_far_out() -> None:
    x = np.array([-30.0, -3.0, 0.5, 20.0])
    np.testing.assert_allclose(core.gate_error(x, core.logit_cdf(x)), 0, atol=1e-16)
    assert core.logit_cdf(x)[0] == pytest.approx(-core.logit_cdf(-x)[0])


@pytest.mark.parametrize("form", core.FORMS)
@pytest.mark.parametrize("target", core.TARGETS)
def test_errors_and_their_derivatives_agree_with_autograd(form: str, target: str) -> None:
    problem = core.Problem(core.FORMS[form], target)
    theta = problem.form.theta(np.array([1.6, 0.07, -6e-4])[: problem.form.orders])
    x = np.linspace(0.05, 5, 40)
    points = torch.tensor(x, requires_grad=True)
    parameters = torch.tensor(theta, requires_grad=True)
    error = _torch_error(problem, points, parameters)
    np.testing.assert_allclose(problem.error(x, theta), error.detach().numpy(), atol=1e-13)
    slope = torch.autograd.grad(error.sum(), points, create_graph=True)[0]
    np.testing.assert_allclose(problem.slope(x, theta), slope.detach().numpy(), atol=1e-11)
    for at in (3, 20, 39):
        gradient = torch.autograd.grad(error[at], parameters, retain_graph=True)[0]
        np.testing.assert_allclose(problem.gradient(x, theta)[at], gradient.numpy(), rtol=1e-8)


def _torch_error(problem: core.Problem, x: torch.Tensor, theta: torch.Tensor) -> torch.Tensor:
    """The definition, by automatic differentiation: slow and obvious."""
    form = problem.form
    polynomial = (
        torch.tensor(form.base, dtype=torch.float64)
        + torch.tensor(form.matrix, dtype=torch.float64) @ theta
    )
    inner = sum(b * x ** (2 * k + 1) for k, b in enumerate(polynomial))
    gate = torch.sigmoid(torch.as_tensor(inner)) - torch.special.ndtr(x)
    if problem.target == "cdf":
        return gate
    product = x * gate
    if problem.target == "gelu":
        return product
    return torch.autograd.grad(product.sum(), x, create_graph=True)[0]


def test_an_unknown_target_is_named_in_the_refusal() -> None:
    with pytest.raises(ValueError, match="target is 'erf', but must be one of"):
        core.exact(np.zeros(1), "erf")
