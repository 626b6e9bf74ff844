"""A Config cannot be impossible, and outside text becomes a legal value."""

import math
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.knobs import Choice, Config, Knob, Range, Text, decimals, knobs, parse


@dataclass(frozen=True)
class Example(Config):
    rate: Annotated[float, Range(0.0, 1.0, 0.05)] = 0.5
    depth: Annotated[int, Range(1, 8)] = 2
    scheme: Annotated[str, Choice("he", "xavier")] = "he"
    bias: bool = True


RATE, DEPTH, SCHEME, BIAS = knobs(Example)


def test_knobs_come_in_order_with_their_defaults() -> None:
    names = [(knob.name, knob.type, knob.default) for knob in knobs(Example)]
    assert names == [
        ("rate", float, 0.5), ("depth", int, 2), ("scheme", str, "he"), ("bias", bool, True)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("rate", 1.5), ("rate", math.nan), ("rate", "0.5"), ("depth", 0), ("depth", 2.0),
        ("depth", True), ("scheme", "orthogonal"), ("bias", 1),
    ],
)  # fmt: skip
def test_a_value_outside_its_domain_is_refused_by_name(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=field):
        Example(**{field: value})  # type: ignore[arg-type]


def test_a_field_without_a_domain_is_a_mistake_of_the_programmer() -> None:
    @dataclass(frozen=True)
    class Bare(Config):
        width: int = 3

    with pytest.raises(TypeError, match="width needs a domain"):
        Bare()


@pytest.mark.parametrize(
    ("text", "value", "problem"),
    [
        ("0.35", 0.35, None), ("0.36", 0.35, "rounded"), ("7", 1.0, "outside"),
        ("-1e9", 0.0, "outside"), ("nan", 0.5, "unknown"), ("inf", 0.5, "unknown"),
        ("fast", 0.5, "unknown"), ("", 0.5, "unknown"),
    ],
)  # fmt: skip
def test_number_text_is_taken_rounded_clamped_or_replaced(
    text: str, value: float, problem: str | None
) -> None:
    assert parse(RATE, text) == (value, problem)


def test_an_integer_knob_rounds_to_an_integer() -> None:
    value, problem = parse(DEPTH, "3.4")
    assert (value, type(value), problem) == (3, int, "rounded")


def test_unknown_options_and_switches_fall_back_to_the_default() -> None:
    assert parse(SCHEME, "xavier") == ("xavier", None)
    assert parse(SCHEME, "glorot") == ("he", "unknown")
    assert parse(BIAS, "False") == (False, None)
    assert parse(BIAS, "0") == (True, "unknown")


@given(st.text(max_size=40), st.sampled_from([RATE, DEPTH, SCHEME, BIAS]))
def test_whatever_the_text_the_value_is_legal(text: str, knob: Knob) -> None:
    value, _ = parse(knob, text)
    Example(**{knob.name: value})  # type: ignore[arg-type]  # raises if it is not


@given(st.floats(-1e6, 1e6), st.sampled_from([0.05, 1e-6, 0.25, 3.0]))
def test_the_nearest_value_is_on_the_grid_and_nearest(number: float, step: float) -> None:
    domain = Range(-2.0, 2.0, step)
    value = domain.nearest(number)
    inside = min(max(number, -2.0), 2.0)
    assert -2.0 <= value <= 2.0
    assert abs(value - inside) <= step / 2 * (1 + 1e-9) or value == 2.0
    steps = (Decimal(repr(value)) + 2) / Decimal(repr(step))
    assert steps == steps.to_integral_value() or value == 2.0


@pytest.mark.parametrize(
    ("step", "places"), [(1, 0), (5, 0), (0.5, 1), (0.25, 2), (0.05, 2), (1e-6, 6), (0.001, 3)]
)
def test_decimals_are_those_of_the_step(step: float, places: int) -> None:
    assert decimals(step) == places
    assert round(Decimal(repr(step)), places) == Decimal(repr(step))


@dataclass(frozen=True)
class Worded(Config):
    words: Annotated[str, Text(12)] = ""


@given(st.text())
def test_any_text_becomes_one_short_line_and_a_legal_one_stays(text: str) -> None:
    (knob,) = knobs(Worded)
    value, problem = parse(knob, text)
    assert Worded(words=str(value)).words == value
    assert len(str(value)) <= 12
    assert "\n" not in str(value)
    assert (problem is None) == (value == text)
    assert parse(knob, str(value)) == (value, None)


@pytest.mark.parametrize("text", ["我喜欢吃红苹果", "café naïve", "👩‍👩‍👧 family", "<b>&\"'"])
def test_words_of_every_language_are_legal(text: str) -> None:
    assert Worded(words=text).words == text


@pytest.mark.parametrize("text", ["a" * 13, "two\nlines", "\x00"])
def test_a_long_text_and_control_characters_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="words must be one line of at most 12 characters"):
        Worded(words=text)
