"""Hypothesis strategies made from the bounds that widgets use."""

from typing import Any

from hypothesis import strategies as st

from core.knobs import Choice, Config, Knob, Range, Text, knobs


def values(knob: Knob) -> st.SearchStrategy[Any]:
    """Every value that the knob's control can take."""
    if isinstance(knob.domain, Choice):
        return st.sampled_from(knob.domain.options)
    if isinstance(knob.domain, Text):
        return st.text(max_size=knob.domain.length).map(knob.domain.nearest)
    if isinstance(knob.domain, Range):
        numbers: st.SearchStrategy[Any] = (
            st.integers(int(knob.domain.low), int(knob.domain.high))
            if knob.type is int
            else st.floats(knob.domain.low, knob.domain.high)
        )
        return numbers.map(knob.domain.nearest).map(knob.type)
    return st.booleans()


def configs(config_type: type[Config]) -> st.SearchStrategy[Any]:
    """Every legal Config of a class."""
    return st.builds(config_type, **{knob.name: values(knob) for knob in knobs(config_type)})
