"""Internal covariate shift put to the test: noise after the normalization raises it on purpose.

Every unit of every sample is scaled and shifted at random after normalization, anew in each pass
(Santurkar et al. 2018, arXiv:1805.11604, section 2.2). Shift here: how far the means and deviations
of what a layer is fed move in one step of the training, in units of the deviation.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
import pandas as pd

from core.batchnorm.compare import curve, repeats
from core.batchnorm.training import TRAINING, TrainConfig
from core.knobs import Choice, Config, Range
from core.runs import trained


@dataclass(frozen=True)
class NoiseConfig(Config):
    """How strong the noise is, and how the networks are trained, each from three seeds."""

    noise: Annotated[float, Range(0.1, 1.0, 0.1)] = 0.5
    learning_rate: Annotated[str, Choice("0.1", "0.3", "1")] = "0.3"
    seed: Annotated[int, Range(0, 9)] = 0

    @property
    def trainings(self) -> dict[str, list[TrainConfig]]:
        """Without normalization, with it, and with noise after it, each from three seeds."""
        own = TrainConfig(lr=float(self.learning_rate), seed=self.seed)
        kinds = {
            "plain": replace(own, norm="none"),
            "normalized": own,
            "noisy": replace(own, noise=self.noise),
        }
        return {name: repeats(one) for name, one in kinds.items()}


@dataclass(frozen=True)
class Shift:
    """By step and network; low and high are the least and the largest of three seeds."""

    shift: pd.DataFrame  # step, curve, value, low, high
    accuracy: pd.DataFrame  # step, curve, value, low, high: on the test set
    median: dict[str, float]  # of the shift, over the training; a mean of three seeds
    times: tuple[float, float]  # noisy over normalized, least and largest of three seeds
    final: dict[str, tuple[float, float, float]]  # accuracy: mean, least, largest


def shift(config: NoiseConfig) -> Shift:
    """The three networks; they are trained first, if they never were."""
    runs = {
        name: [curve(trained(TRAINING, one).meta) for one in ones]
        for name, ones in config.trainings.items()
    }
    medians = {
        name: np.array([run["shift"].median() for run in parts]) for name, parts in runs.items()
    }
    times = medians["noisy"] / medians["normalized"]
    ends = {name: [float(run["accuracy"].dropna().iloc[-1]) for run in runs[name]] for name in runs}
    return Shift(
        shift=_over_seeds(runs, "shift"),
        accuracy=_over_seeds(runs, "accuracy"),
        median={name: float(values.mean()) for name, values in medians.items()},
        times=(float(times.min()), float(times.max())),
        final={name: (float(np.mean(e)), min(e), max(e)) for name, e in ends.items()},
    )


def _over_seeds(runs: Mapping[str, Sequence[pd.DataFrame]], column: str) -> pd.DataFrame:
    """Means with the range of the seeds; a gap from where one of them has diverged."""
    steps = sorted(set().union(*(run.index for parts in runs.values() for run in parts)))
    tables = []
    for name, parts in runs.items():
        seeds = np.stack([run[column].reindex(steps).to_numpy() for run in parts])
        low, high = seeds.min(0), seeds.max(0)
        tables.append(
            pd.DataFrame(
                {"step": steps, "curve": name, "value": seeds.mean(0), "low": low, "high": high}
            )
        )
    return pd.concat(tables, ignore_index=True)
