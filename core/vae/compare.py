"""The models that ship beside each other: same data, same net, another code.

Source: https://kexue.fm/archives/7725, eq. (1)-(5).
"""

from dataclasses import dataclass
from typing import Annotated

import pandas as pd

from core.knobs import Choice, Config
from core.vae.codes import VIEWS, decoded
from core.vae.models import measures, model
from core.vae.training import SHIPPED

COMPARED = ("ae", "none", "noise", "simple", "vae", "beta-4", "beta-20")


@dataclass(frozen=True)
class CompareConfig(Config):
    """What of each model is decoded."""

    view: Annotated[str, Choice(*VIEWS[:3])] = "samples"


@dataclass(frozen=True)
class Compared:
    """One row a model."""

    pictures: pd.DataFrame  # row (the model), column, image
    errors: pd.DataFrame  # model, error, held_out, sample_gap: squared, summed over pixels
    codes: pd.DataFrame  # model, kl, information, aggregate_kl (nats), covered, second_moment, std


def compare(config: CompareConfig) -> Compared:
    """Eight pictures and the measures of each model."""
    tables, rows = [], []
    for name in COMPARED:
        training = SHIPPED[name]
        table = decoded(model(training), training, config.view)[:8]
        tables.append(table.assign(row=name))
        rows.append({"model": name, **vars(measures(training))})
    every = pd.DataFrame(rows)
    return Compared(
        pictures=pd.concat(tables, ignore_index=True),
        errors=every[["model", "error", "held_out", "sample_gap"]],
        codes=every[
            ["model", "kl", "information", "aggregate_kl", "covered", "second_moment", "std"]
        ],
    )
