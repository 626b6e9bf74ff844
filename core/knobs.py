"""Bounds of an experiment's settings, declared once, read by widgets, validation and tests.

A Config is a frozen dataclass whose fields carry their domain in the annotation::

    @dataclass(frozen=True)
    class AnglesConfig(knobs.Config):
        dim: Annotated[int, Range(2, 1000)] = 64
        scheme: Annotated[str, Choice("lecun", "he")] = "lecun"
        centred: bool = True

An impossible Config cannot be built; `parse` turns text from outside into a legal value.
"""

import dataclasses
import math
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, get_args, get_origin, get_type_hints

Value = bool | int | float | str


@dataclass(frozen=True)
class Range:
    """Numbers from low to high, both included; `step` is the grid a control moves on."""

    low: int | float
    high: int | float
    step: int | float | None = None

    def nearest(self, value: int | float) -> int | float:
        """The legal number closest to `value`: clamped to the bounds, rounded to the grid."""
        inside = min(max(value, self.low), self.high)
        if self.step is None:
            return inside
        steps = round((inside - self.low) / self.step)
        # Rounding to the grid's own decimals keeps 0.044715 from becoming 0.044715000000000005.
        return min(round(self.low + steps * self.step, decimals(self.step)), self.high)


@dataclass(frozen=True, init=False)
class Choice:
    """One of a few named options, in the order in which a control shows them."""

    options: tuple[str, ...]

    def __init__(self, *options: str) -> None:
        object.__setattr__(self, "options", options)


@dataclass(frozen=True)
class Text:
    """Words of a reader's own, in one line."""

    length: int  # characters at most

    def nearest(self, text: str) -> str:
        """The legal text closest to `text`: one line, without control characters, cut."""
        plain = (" " if unicodedata.category(c) in ("Cc", "Cs") else c for c in text)
        return "".join(plain)[: self.length]


@dataclass(frozen=True)
class Knob:
    """One field of a Config: its name, type, domain and default."""

    name: str
    type: type
    domain: Range | Choice | Text | None  # None: a switch
    default: Any

    @property
    def range(self) -> Range:
        """The domain of a number. Raises TypeError for a choice or a switch."""
        if not isinstance(self.domain, Range):
            raise TypeError(f"{self.name} is not a number: its domain is {self.domain}")
        return self.domain


@dataclass(frozen=True)
class Config:
    """Base of every experiment's settings. Raises ValueError on a value outside its domain."""

    def __post_init__(self) -> None:
        for knob in knobs(type(self)):
            _check(knob, getattr(self, knob.name))


def knobs(config: type[Config]) -> tuple[Knob, ...]:
    """The fields of a Config class, in order of declaration."""
    if config not in _KNOBS:
        hints = get_type_hints(config, include_extras=True)
        _KNOBS[config] = tuple(_knob(row, hints[row.name]) for row in dataclasses.fields(config))
    return _KNOBS[config]


_KNOBS: dict[type[Config], tuple[Knob, ...]] = {}  # reading annotations takes longer than a panel


def parse(knob: Knob, text: str) -> tuple[Value, str | None]:
    """A legal value from outside text, and what had to be mended.

    The second item is None, "unknown" (the default was taken), "outside" (the nearest bound) or
    "rounded" (the nearest step of the grid).
    """
    if isinstance(knob.domain, Choice):
        return (text, None) if text in knob.domain.options else (knob.default, "unknown")
    if isinstance(knob.domain, Text):
        near = knob.domain.nearest(text)
        return near, None if near == text else "outside"
    if knob.domain is None:
        switch = {"true": True, "false": False}.get(text.lower())
        return (switch, None) if switch is not None else (knob.default, "unknown")
    return _parse_number(knob, text)


def decimals(step: int | float) -> int:
    """How many decimal places the grid of `step` needs: 0.5 -> 1, 0.25 -> 2, 1e-6 -> 6, 2 -> 0."""
    scaled = (step * 10**places for places in range(16))
    return next((i for i, s in enumerate(scaled) if math.isclose(s, round(s), rel_tol=1e-9)), 16)


def _parse_number(knob: Knob, text: str) -> tuple[Value, str | None]:
    try:
        number = float(text)
    except ValueError:
        return knob.default, "unknown"
    if not math.isfinite(number):
        return knob.default, "unknown"
    domain = knob.range
    value = knob.type(domain.nearest(number))
    if not domain.low <= number <= domain.high:
        return value, "outside"
    return value, None if math.isclose(value, number, rel_tol=1e-12) else "rounded"


def _knob(field: dataclasses.Field[Any], hint: Any) -> Knob:
    if hint is bool:
        return Knob(field.name, bool, None, field.default)
    if get_origin(hint) is not Annotated or not isinstance(get_args(hint)[1], DOMAINS):
        raise TypeError(
            f"{field.name} needs a domain: Annotated[{hint}, Range(...), Choice(...) or Text(...)]"
        )
    return Knob(field.name, get_args(hint)[0], get_args(hint)[1], field.default)


DOMAINS = (Range, Choice, Text)
_ACCEPTS: dict[type, Callable[[Any], bool]] = {
    bool: lambda value: isinstance(value, bool),
    int: lambda value: isinstance(value, int) and not isinstance(value, bool),
    float: lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    str: lambda value: isinstance(value, str),
}


def _check(knob: Knob, value: Any) -> None:
    if not _ACCEPTS[knob.type](value):
        raise ValueError(f"{knob.name} is {value!r}, but must be of type {knob.type.__name__}")
    if isinstance(knob.domain, Choice) and value not in knob.domain.options:
        raise ValueError(f"{knob.name} is {value!r}, but must be one of {knob.domain.options}")
    if isinstance(knob.domain, Text) and value != knob.domain.nearest(value):
        length = knob.domain.length
        raise ValueError(f"{knob.name} must be one line of at most {length} characters")
    if isinstance(knob.domain, Range) and not knob.domain.low <= value <= knob.domain.high:
        low, high = knob.domain.low, knob.domain.high
        raise ValueError(f"{knob.name} is {value!r}, but must lie between {low} and {high}")
