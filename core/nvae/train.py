"""Train a model that ships, or one of your own, to its end.

`python -m core.nvae.train glyphs` goes on from the last checkpoint (in LAB_STORE) if there is one,
and can be stopped at any time. Settings follow as NAME=VALUE: `... glyphs steps=5000 lr=0.01`.
"""

import argparse
from collections.abc import Sequence
from typing import Any

import torch

from core import runs
from core.knobs import knobs
from core.nvae.config import NVAEConfig
from core.nvae.training import SHIPPED, TRAINING
from core.training import Progress


def configured(name: str, settings: Sequence[str]) -> NVAEConfig:
    """The shipped config of that name with some settings changed. Raises ValueError."""
    if name not in SHIPPED:
        raise ValueError(f"name is {name!r}, but must be one of {list(SHIPPED)}")
    types = {knob.name: knob.type for knob in knobs(NVAEConfig)}
    changes: dict[str, Any] = {}
    for setting in settings:
        field, _, text = setting.partition("=")
        if field not in types:
            raise ValueError(f"{field!r} is no setting; there are {list(types)}")
        changes[field] = text == "true" if types[field] is bool else types[field](text)
    return NVAEConfig(**{**vars(SHIPPED[name]), **changes})


def _report(progress: Progress) -> None:
    numbers = " ".join(f"{name} {value:.4g}" for name, value in progress.metrics.items())
    print(f"{progress.done}/{progress.total} {numbers}", flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, and say where the model lies."""
    parser = argparse.ArgumentParser(prog="python -m core.nvae.train", description=__doc__)
    parser.add_argument("name", choices=list(SHIPPED))
    parser.add_argument("settings", nargs="*", metavar="NAME=VALUE")
    asked = parser.parse_args(arguments)
    torch.set_num_threads(1)
    try:
        config = configured(asked.name, asked.settings)
    except ValueError as error:
        parser.error(str(error))
    artefact = runs.run(TRAINING, config, report=_report)
    print(f"{artefact.key}: {artefact.meta['metrics']}")


if __name__ == "__main__":
    main()
