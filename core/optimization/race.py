"""All optimizers from one start on one landscape, with equal budgets, over several seeds.

Source: https://kexue.fm/archives/7521, the survey of methods in its last section.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

import numpy as np
import pandas as pd
import torch

from core.knobs import Choice, Config, Range, Text
from core.optimization.landscapes import (
    KINDS,
    LONGEST_FORMULA,
    OWN,
    WINDOW,
    contours,
    global_minimum,
    landscape,
)
from core.optimization.minimize import METHODS, USED, MinimizeConfig, minimize

SEEDS = 5
BUDGET = 200
PRIORS = ("gradient", "first-order", "box", "ellipsoid", "damped")  # each a prior's mean update
DETERMINISTIC = (*PRIORS, "newton")
FIELDS = {  # which methods are drawn; more than eight colors are not told apart
    "post": tuple(name for name in METHODS if name not in ("box", "ellipsoid", "damped")),
    "priors": (*PRIORS, "newton"),
}
FIELD_OF = {"rate": "log_rate", "alpha": "log_alpha", "sigma": "sigma", "samples": "samples"}
GRID = np.arange(0, BUDGET + 1, 10)
QUARTILES = (0.25, 0.5, 0.75)
LEAST = 1e-8  # of what is drawn on the log axis


@dataclass(frozen=True)
class RaceConfig(Config):
    """Landscape, start, and the settings that the methods share; `shown` is the player's."""

    landscape: Annotated[str, Choice(*KINDS)] = "wells"
    log_rate: Annotated[float, Range(-3.0, 0.0, 0.1)] = -1.3
    log_alpha: Annotated[float, Range(-3.0, 1.0, 0.1)] = -1.0
    sigma: Annotated[float, Range(0.05, 1.0, 0.05)] = 0.3
    samples: Annotated[str, Choice("4", "8", "16", "32")] = "8"
    x: Annotated[float, Range(-WINDOW, WINDOW, 0.1)] = 1.8
    y: Annotated[float, Range(-WINDOW, WINDOW, 0.1)] = -1.6
    formula: Annotated[str, Text(LONGEST_FORMULA)] = OWN
    drawn: Annotated[str, Choice(*FIELDS)] = "post"
    shown: Annotated[int, Range(0, BUDGET, 20)] = BUDGET

    @property
    def own(self) -> str:
        """The formula if it is used."""
        return self.formula if self.landscape == "own" else OWN

    def settings(self, seed: int) -> MinimizeConfig:
        """Of one run."""
        return MinimizeConfig(
            evaluations=BUDGET, rate=10.0**self.log_rate, alpha=10.0**self.log_alpha,
            sigma=self.sigma, samples=int(self.samples), seed=seed,
        )  # fmt: skip


@dataclass(frozen=True)
class Race:
    """Ways of the first seed, and the best loss so far over all seeds."""

    # of the methods that are drawn
    # x, y, curve: a method's way up to `shown`; "lowest": the global minimum; "level": contours
    ways: pd.DataFrame
    losses: pd.DataFrame  # evaluations, curve, value: median above the least loss, low, high
    table: pd.DataFrame  # of all; method, median, low, high (quartiles), steps
    lowest: float
    best: str  # of those drawn


def race(config: RaceConfig) -> Race:
    """Raises BadFormula or Unusable, ValueErrors, where the landscape can't be walked."""
    runs = {name: _runs(_as_seen_by(name, config), name) for name in METHODS}
    x, y, lowest = global_minimum(config.landscape, config.own)
    curves = {name: _over_the_grid(found) - lowest for name, found in runs.items()}
    rows = [_row(name, values, len(runs[name][0])) for name, values in curves.items()]
    table = pd.DataFrame(rows, columns=["method", "median", "low", "high", "steps"])
    drawn = FIELDS[config.drawn]
    medians = table.set_index("method")["median"].loc[list(drawn)]
    ways = [_levels(config.landscape, config.own)]
    ways += [_way(name, runs[name][0], config.shown) for name in drawn]
    ways.append(pd.DataFrame({"x": [x], "y": [y], "curve": ["lowest"]}))
    return Race(
        ways=pd.concat(ways, ignore_index=True),
        losses=pd.concat([_quartiles(name, curves[name]) for name in drawn], ignore_index=True),
        table=table,
        lowest=lowest,
        best=str(medians.idxmin()),
    )


def _as_seen_by(method: str, config: RaceConfig) -> RaceConfig:
    """All configs in which the method goes the same way are this one."""
    fields = ["landscape", "formula", "x", "y", *(FIELD_OF[name] for name in USED[method])]
    return RaceConfig(**{name: getattr(config, name) for name in fields})


@lru_cache(maxsize=256)
def _runs(config: RaceConfig, method: str) -> list[pd.DataFrame]:
    field = landscape(config.landscape, config.own)
    start = torch.tensor([config.x, config.y], dtype=torch.float64)
    seeds = 1 if method in DETERMINISTIC else SEEDS
    return [
        minimize(field.loss, start, method, config.settings(seed), field.surrogate)
        for seed in range(seeds)
    ]


@lru_cache(maxsize=20)
def _levels(kind: str, formula: str) -> pd.DataFrame:
    """One path with gaps."""
    gap = np.full((1, 2), np.nan)
    points = np.concatenate(
        [gap, *(part for line in contours(kind, formula) for part in (line, gap))]
    )
    return pd.DataFrame({"x": points[:, 0], "y": points[:, 1], "curve": "level"})


def _over_the_grid(runs: list[pd.DataFrame]) -> np.ndarray:
    """[seeds, grid]: the best loss after that many evaluations."""
    return np.stack(
        [
            run["best"].to_numpy()[
                np.searchsorted(run["evaluations"].to_numpy(), GRID, side="right") - 1
            ]
            for run in runs
        ]
    )


def _row(name: str, values: np.ndarray, steps: int) -> tuple[str, float, float, float, int]:
    low, middle, high = np.quantile(values[:, -1], QUARTILES)
    return name, float(middle), float(low), float(high), steps - 1


def _quartiles(name: str, values: np.ndarray) -> pd.DataFrame:
    low, middle, high = np.quantile(values, QUARTILES, axis=0).clip(min=LEAST)
    columns = {"value": middle, "low": low, "high": high}
    return pd.DataFrame({"evaluations": GRID, "curve": name, **columns})


def _way(name: str, run: pd.DataFrame, shown: int) -> pd.DataFrame:
    kept = run[run["evaluations"] <= shown]
    inside = kept[(kept["x0"].abs() <= 2 * WINDOW) & (kept["x1"].abs() <= 2 * WINDOW)]
    return pd.DataFrame({"x": inside["x0"], "y": inside["x1"], "curve": name})
