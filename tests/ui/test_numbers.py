"""Numbers as readers see them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ui.numbers import latex, pretty


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0447149112276, "0.0447149"), (1.78921e-4, "1.78921×10⁻⁴"), (0.0, "0"), (1702, "1702"),
        (-2.5e-12, "−2.5×10⁻¹²"), (1.5e9, "1.5×10⁹"), (math.nan, "–"), (None, "–"),
        (math.inf, "∞"), (-math.inf, "−∞"), (1e-5, "1×10⁻⁵"),
    ],
)  # fmt: skip
def test_pretty(value: float | None, text: str) -> None:
    assert pretty(value) == text


def test_latex_writes_powers_of_ten() -> None:
    assert latex(1.78921e-5, 4) == r"1.789\times 10^{-5}"
    assert latex(0.25) == "0.25"


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e300, max_value=1e300))
def test_a_reader_can_read_the_number_back(value: float) -> None:
    plain = pretty(value, 12).replace("−", "-").translate(
        str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
    )  # fmt: skip
    assert math.isclose(float(plain.replace("×10", "e")), value, rel_tol=1e-10, abs_tol=1e-300)
