"""A formula is arithmetic and nothing else: right values, and every way out is closed."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from core.formula import DEPTH, FUNCTIONS, LENGTH, BadFormula, parse

X = torch.linspace(-3, 3, 61, dtype=torch.float64)

VALUES = {
    "x": X,
    "2*x + 1": 2 * X + 1,
    "-x**2": -(X**2),
    "x**-2": X**-2,
    "x**0.5": X**0.5,
    "+x - -x": 2 * X,
    "max(x, 0)": F.relu(X),
    "min(x, 0) + relu(x)": X,
    "x * sigmoid(1.702 * x)": X * torch.sigmoid(1.702 * X),
    "x * tanh(log(1 + exp(x)))": F.mish(X),
    "x * (1 + erf(x / sqrt(2))) / 2": F.gelu(X),
    "abs(sin(pi * x)) + cos(e)": torch.sin(math.pi * X).abs() + math.cos(math.e),
    "floor(2*x) / 2": torch.floor(2 * X) / 2,
    "softplus(x) - atan(x)": F.softplus(X) - torch.atan(X),
    "3": torch.full_like(X, 3),
    "1e-3 * x": X / 1000,
}

ESCAPES = {
    "__import__('os').system('true')": "part",
    "__import__": "name",
    "x.__class__": "part",
    "x.data_ptr()": "part",
    "(1).real": "part",
    "lambda x: x": "part",
    "[x for x in (1,)]": "part",
    "(x for x in (1,))": "part",
    "{x: x}": "part",
    "[x][0]": "part",
    "x[0]": "part",
    "x if x else 0": "part",
    "x and 1": "part",
    "x > 0": "part",
    "not x": "part",
    "~x": "part",
    "x @ x": "part",
    "x % 2": "part",
    "x // 2": "part",
    "x << 9": "part",
    "(y := x)": "part",
    "'x'": "part",
    "b'x'": "part",
    "f'{x}'": "part",
    "1j": "part",
    "True": "part",
    "None": "part",
    "...": "part",
    "*x": "syntax",
    "y": "name",
    "eval(x)": "name",
    "open(x)": "name",
    "exp": "name",
    "pi(x)": "name",
    "x(x)": "name",
    "exp(x)(x)": "part",
    "exp(x, out=x)": "arguments",
    "exp(input=x)": "arguments",
    "exp()": "arguments",
    "exp(x, x)": "arguments",
    "max(x)": "arguments",
    "exp(*x)": "part",
    "max(*x, x)": "part",
    "exp(**x)": "arguments",
    "x**x": "exponent",
    "x**21": "exponent",
    "x**-21": "exponent",
    "x**1e9": "exponent",
    "9**9**9": "exponent",
    "x**True": "exponent",
    "x**--2": "exponent",
    "1e7 * x": "number",
    "-1e400": "number",
    "9999999999999999999": "number",
    "import os": "syntax",
    "x; x": "syntax",
    "x = 1": "syntax",
    "x +": "syntax",
    "": "syntax",
    "(": "syntax",
    "x\n+1": "characters",
    "x\0": "characters",
    "ｘ": "characters",
    "x²": "characters",
    "𝐞𝐱𝐩(x)": "characters",
    "x" * (LENGTH + 1): "long",
    "(" * 200: "long",
    "-" * (DEPTH + 1) + "x": "deep",
}


@pytest.mark.parametrize("text", VALUES)
def test_a_formula_has_the_values_of_torch(text: str) -> None:
    torch.testing.assert_close(parse(text)(X), VALUES[text], equal_nan=True)


@pytest.mark.parametrize("text", ESCAPES)
def test_what_is_not_arithmetic_is_refused_with_its_reason(text: str) -> None:
    with pytest.raises(BadFormula, match="the formula ") as caught:
        parse(text)
    assert caught.value.code == ESCAPES[text]
    assert isinstance(caught.value, ValueError)


@given(text=st.text(max_size=40))
def test_any_text_is_a_formula_or_is_refused(text: str) -> None:
    try:
        values = parse(text)(X)
    except BadFormula:
        return
    assert values.shape == X.shape


@given(text=st.text(alphabet="x0123456789.+-*/() ,exptanhlog", max_size=60))
def test_any_arithmetic_like_text_is_a_formula_or_is_refused(text: str) -> None:
    try:
        values = parse(text)(X)
    except BadFormula:
        return
    assert values.shape == X.shape
    assert values.dtype == X.dtype


def test_outside_a_function_s_domain_there_is_no_number() -> None:
    assert parse("log(x)")(X)[:30].isnan().all()


def test_every_function_is_an_elementwise_one() -> None:
    for name, (count, _) in FUNCTIONS.items():
        formula = parse(f"{name}({', '.join(['x'] * count)})")
        assert formula(X).shape == X.shape
        torch.testing.assert_close(formula(X)[3:5], formula(X[3:5]), equal_nan=True)


def test_a_formula_may_have_two_variables() -> None:
    formula = parse("x**2 + max(y, 1) * pi", ("x", "y"))
    torch.testing.assert_close(formula(X, X.flip(0)), X**2 + X.flip(0).clamp(min=1) * math.pi)
    with pytest.raises(BadFormula):
        parse("x + z", ("x", "y"))


def test_the_slope_of_abs_is_torch_s() -> None:
    x = torch.tensor([-2.0, 0.0, 3.0], requires_grad=True)
    slopes = [torch.autograd.grad(f(x).sum(), x)[0] for f in (parse("abs(x)"), torch.abs)]
    assert torch.equal(*slopes)
