"""Internal covariate shift put to the test: noise after the normalization raises it on purpose.

Every unit of every sample is scaled and shifted at random after normalization, anew in each pass
(Santurkar et al. 2018, arXiv:1805.11604, section 2.2). Shift here: how far the means and deviations
of what a layer is fed move in one step of the training, in units of the deviation.
"""

from dataclasses import dataclass, replace
from typing import Annotated

import pandas as pd

from core.batchnorm.compare import curve, in_step
from core.batchnorm.training import TRAINING, TrainConfig
from core.knobs import Choice, Config, Range
from core.runs import trained


@dataclass(frozen=True)
class NoiseConfig(Config):
    """How strong the noise is, and how all three networks are trained."""

    noise: Annotated[float, Range(0.1, 1.0, 0.1)] = 0.5
    learning_rate: Annotated[str, Choice("0.1", "0.3", "1")] = "0.3"
    seed: Annotated[int, Range(0, 9)] = 0

    @property
    def trainings(self) -> dict[str, TrainConfig]:
        """Without normalization, with it, and with noise after it."""
        own = TrainConfig(lr=float(self.learning_rate), seed=self.seed)
        return {
            "plain": replace(own, norm="none"),
            "normalized": own,
            "noisy": replace(own, noise=self.noise),
        }


@dataclass(frozen=True)
class Shift:
    """By step and network."""

    shift: pd.DataFrame  # step, curve, value
    accuracy: pd.DataFrame  # step, curve, value: on the test set
    median: dict[str, float]  # of the shift, over the training
    final: dict[str, float]  # accuracy


def shift(config: NoiseConfig) -> Shift:
    """The three networks; they are trained first, if they never were."""
    rows = {name: curve(trained(TRAINING, one).meta) for name, one in config.trainings.items()}
    return Shift(
        shift=in_step({name: part["shift"] for name, part in rows.items()}, "value"),
        accuracy=in_step({name: part["accuracy"] for name, part in rows.items()}, "value"),
        median={name: float(part["shift"].median()) for name, part in rows.items()},
        final={name: float(part["accuracy"].iloc[-1]) for name, part in rows.items()},
    )
