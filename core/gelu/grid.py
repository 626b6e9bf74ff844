"""How many digits of the post's b are real, and how many belong to its grid.

Source: https://kexue.fm/archives/7309, eq. (12)-(13).
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

import pandas as pd

from core.gelu.fit import fit
from core.gelu.functions import LINEAR
from core.gelu.post_fit import grid_objective, post_fit
from core.knobs import Choice, Config

POST_C = 0.04471491123850965  # as eq. (13) prints it
STEPS = ("0.1", "0.01", "0.001", "0.0001")


@dataclass(frozen=True)
class GridConfig(Config):
    """The step of the grid and the start of the search."""

    step: Annotated[str, Choice(*STEPS)] = "0.001"
    start: Annotated[str, Choice("0", "0.5", "1", "2")] = "0"


@dataclass(frozen=True)
class Grid:
    """What the recipe finds on one grid, and what it would find on others."""

    b: float
    c: float
    error: float  # largest error on that grid, in erf
    digits: pd.DataFrame  # step, c, correct_digits
    continuum: float  # c of the optimum over all x
    post: float  # c as the post prints it


def grid(config: GridConfig) -> Grid:
    """The post's recipe on one grid. Raises NoConvergence where Powell's method stalls."""
    b = _found(config.step, config.start)
    continuum = _continuum()
    return Grid(
        b=b,
        c=b / LINEAR,
        error=grid_objective(b, float(config.step)),
        digits=_digits(config.start, continuum),
        continuum=continuum,
        post=POST_C,
    )


def correct_digits(value: float, reference: float) -> int:
    """How many leading significant digits of `value` are right: -log10 of the relative error."""
    if value == reference:
        return 17
    return max(0, math.floor(-math.log10(abs(value / reference - 1))))


@lru_cache
def _found(step: str, start: str) -> float:
    """The recipe's b; the finest grid takes a quarter of a second, so each is searched once."""
    return post_fit(float(step), float(start))


@lru_cache
def _continuum() -> float:
    return fit("tanh-cubic", target="cdf", criterion="minimax").coefficients["c"]


def _digits(start: str, continuum: float) -> pd.DataFrame:
    found = {step: _found(step, start) / LINEAR for step in STEPS}
    rows = [(float(step), c, correct_digits(c, continuum)) for step, c in found.items()]
    return pd.DataFrame(rows, columns=["step", "c", "correct_digits"])
