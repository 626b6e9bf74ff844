"""One family: every approximation of the post is Phi(x) ~ sigma(p(x)) with an odd polynomial p.

(1 + tanh u) / 2 = sigma(2 u), so eq. (4) is sigma(2 a (x + c x^3)) and eq. (3) is sigma(slope x).
The exact inner function is logit Phi(x); a form says which polynomials may stand in for it.

Source: https://kexue.fm/archives/7309, eq. (3)-(8).
Arrays are NumPy float64. Errors are approximation - exact, each in its target's own unit:
"cdf": s - Phi;  "gelu": x (s - Phi);  "gelu-derivative": (x s)' - (x Phi)', with s = sigma(p).
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float
from scipy.special import expit, log_ndtr, ndtr

from core.gelu.functions import LINEAR

TARGETS = ("cdf", "gelu", "gelu-derivative")
FAR = 24.0  # beyond it every error of a form without end is below 1e-15


@dataclass(frozen=True)
class Form:
    """Polynomials b1 x + b3 x^3 + ... with (b1, b3, ...) = base + matrix @ theta."""

    name: str
    coefficients: tuple[str, ...]  # the names of theta's entries
    base: tuple[float, ...]  # (orders,)
    matrix: tuple[tuple[float, ...], ...]  # (orders, parameters)
    reach: float = FAR  # fitted on [0, reach]

    def polynomial(self, theta: Float[np.ndarray, " parameters"]) -> Float[np.ndarray, " orders"]:
        """b1, b3, b5, ... of the inner polynomial."""
        return np.array(self.base) + np.array(self.matrix) @ theta

    def theta(self, polynomial: Float[np.ndarray, " orders"]) -> Float[np.ndarray, " parameters"]:
        """The parameters whose inner polynomial is nearest; exact where one exists."""
        free = polynomial - np.array(self.base)
        return np.linalg.lstsq(np.array(self.matrix), free, rcond=None)[0]

    @property
    def orders(self) -> int:
        """How many odd powers the polynomial has."""
        return len(self.base)


def polynomial_form(degree: int, reach: float) -> Form:
    """All odd polynomials of that degree, fitted on [0, reach]."""
    if degree < 1 or degree % 2 == 0:
        raise ValueError(f"degree is {degree}, but must be a positive odd number")
    orders = (degree + 1) // 2
    names = tuple(f"b{2 * k + 1}" for k in range(orders))
    identity = tuple(tuple(row) for row in np.eye(orders).tolist())
    return Form(f"degree-{degree}", names, (0.0,) * orders, identity, reach)


FORMS: dict[str, Form] = {
    "tanh-cubic": Form("tanh-cubic", ("c",), (2 * LINEAR, 0.0), ((0.0,), (2 * LINEAR,))),
    "tanh-cubic-free": Form("tanh-cubic-free", ("a", "b"), (0.0, 0.0), ((2.0, 0.0), (0.0, 2.0))),
    "sigmoid": Form("sigmoid", ("slope",), (0.0,), ((1.0,),)),
    "sigmoid-quintic": polynomial_form(5, 7.0),
}


@dataclass(frozen=True)
class Problem:
    """How far sigma(p(x)) is from a target, for the parameters of a form."""

    form: Form
    target: str

    def error(
        self, x: Float[np.ndarray, " n"], theta: Float[np.ndarray, " parameters"]
    ) -> Float[np.ndarray, " n"]:
        """Approximation - exact."""
        return approximation_error(x, self.form.polynomial(theta), self.target)

    def slope(
        self, x: Float[np.ndarray, " n"], theta: Float[np.ndarray, " parameters"]
    ) -> Float[np.ndarray, " n"]:
        """The derivative of the error with respect to x."""
        polynomial = self.form.polynomial(theta)
        first, second = _gate_derivatives(x, polynomial)
        density = normal_density(x)
        if self.target == "cdf":
            return first - density
        if self.target == "gelu":
            return gate_error(x, odd_polynomial(x, polynomial)) + x * (first - density)
        return 2 * (first - density) + x * (second + x * density)

    def gradient(
        self, x: Float[np.ndarray, " n"], theta: Float[np.ndarray, " parameters"]
    ) -> Float[np.ndarray, "n parameters"]:
        """The derivatives of the error with respect to theta."""
        by_order = _gradient_by_order(x, self.form.polynomial(theta), self.target)
        return by_order @ np.array(self.form.matrix)


def odd_polynomial(
    x: Float[np.ndarray, " n"], polynomial: Float[np.ndarray, " orders"], derivative: int = 0
) -> Float[np.ndarray, " n"]:
    """b1 x + b3 x^3 + ..., or its first or second derivative."""
    powers = 2 * np.arange(len(polynomial)) + 1
    series = [polynomial, polynomial * powers, (polynomial * powers * (powers - 1))[1:]]
    square, total = x * x, np.zeros_like(x)
    for coefficient in series[derivative][::-1]:  # Horner: NumPy's polyval costs twice this
        total = total * square + coefficient
    return total if derivative == 1 else total * x


def gate_error(
    x: Float[np.ndarray, " n"], inner: Float[np.ndarray, " n"]
) -> Float[np.ndarray, " n"]:
    """sigma(inner) - Phi(x), from the small tails on either side: no digits lost to 1 - 1."""
    return np.where(x > 0, ndtr(-x) - expit(-inner), expit(inner) - ndtr(x))


def approximation_error(
    x: Float[np.ndarray, " n"], polynomial: Float[np.ndarray, " orders"], target: str
) -> Float[np.ndarray, " n"]:
    """Approximation - exact, of sigma(p), x sigma(p) or (x sigma(p))'."""
    check_target(target)
    gate = gate_error(x, odd_polynomial(x, polynomial))
    if target == "cdf":
        return gate
    if target == "gelu":
        return x * gate
    return gate + x * (_gate_derivatives(x, polynomial)[0] - normal_density(x))


def exact(x: Float[np.ndarray, " n"], target: str) -> Float[np.ndarray, " n"]:
    """Phi(x), x Phi(x) or its derivative Phi(x) + x phi(x)."""
    check_target(target)
    if target == "cdf":
        return ndtr(x)
    return x * ndtr(x) if target == "gelu" else ndtr(x) + x * normal_density(x)


def normal_density(x: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """phi(x), the density of N(0, 1)."""
    return np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)


def logit_cdf(x: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """logit Phi(x) = 2 artanh(erf(x / sqrt 2)): the inner function that makes the gate exact."""
    return log_ndtr(x) - log_ndtr(-x)


@lru_cache
def logit_series(orders: int) -> tuple[float, ...]:
    """The Taylor coefficients of x, x^3, x^5, ... in logit Phi(x): eq. (6)-(8) are the first two.

    Composes artanh(u) = u + u^3/3 + ... with u = erf(x / sqrt 2), both cut off.
    """
    k = np.arange(orders)
    factorials = np.array([math.factorial(j) for j in k], dtype=float)
    erf = LINEAR * (-0.5) ** k / (factorials * (2 * k + 1))  # of x, x^3, ... in erf(x / sqrt 2)
    square = np.append(0, np.convolve(erf, erf))[:orders]  # of 1, x^2, ... in its square
    total, odd_power = np.zeros(orders), erf
    for j in range(orders):
        total = total + 2 * odd_power / (2 * j + 1)
        odd_power = np.convolve(odd_power, square)[:orders]
    return tuple(total.tolist())


def check_target(target: str) -> None:
    """Raises ValueError for an unknown target."""
    if target not in TARGETS:
        raise ValueError(f"target is {target!r}, but must be one of {TARGETS}")


def _gate_derivatives(x: np.ndarray, polynomial: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first and second derivative of sigma(p(x))."""
    inner, first, second = (odd_polynomial(x, polynomial, order) for order in range(3))
    bell = expit(inner) * expit(-inner)  # sigma'
    return bell * first, bell * (second - np.tanh(inner / 2) * first**2)


def _gradient_by_order(x: np.ndarray, polynomial: np.ndarray, target: str) -> np.ndarray:
    """(n, orders): the derivatives of the error with respect to b1, b3, ..."""
    inner, first = (odd_polynomial(x, polynomial, order)[:, None] for order in range(2))
    column, orders = x[:, None], 2 * np.arange(len(polynomial)) + 1
    gate = expit(inner) * expit(-inner) * column**orders
    if target == "cdf":
        return gate
    if target == "gelu":
        return column * gate
    return gate * (1 + orders - column * np.tanh(inner / 2) * first)
