"""Train a model that ships, or one of your own, to its end.

`python -m core.nvae.train --dataset glyphs` goes on from the last checkpoint (in LAB_STORE) if
there is one, and can be stopped at any time. Settings follow as NAME=VALUE: `steps=5000 lr=0.01`.
It runs on a GPU if there is one. With `--devices N`, or under torchrun, N processes share each
batch; batch normalization sees the share, and all of them must read the same LAB_STORE.
"""

import argparse
import os
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import distributed

from core import library, runs
from core.knobs import knobs
from core.nvae import data
from core.nvae.config import HERE, NVAEConfig
from core.nvae.training import SHIPPED, TRAINING, train
from core.training import Progress

PRESETS = {**SHIPPED, "fashion-mnist": replace(SHIPPED["mnist"], data="fashion-mnist")}


def configured(
    dataset: str, settings: Sequence[str] = (), epochs: int | float | None = None
) -> NVAEConfig:
    """A data set's preset with some settings changed, for so many epochs. Raises ValueError."""
    if dataset not in PRESETS:
        raise ValueError(f"dataset is {dataset!r}, but must be one of {list(PRESETS)}")
    types = {knob.name: knob.type for knob in knobs(NVAEConfig)}
    changes: dict[str, Any] = {}
    for setting in settings:
        field, _, text = setting.partition("=")
        if field not in types:
            raise ValueError(f"{field!r} is no setting; there are {list(types)}")
        changes[field] = text == "true" if types[field] is bool else types[field](text)
    config = replace(PRESETS[dataset], **changes)
    if epochs is None:
        return config
    return replace(config, steps=round(epochs * len(data.load(dataset)) / config.batch_size))


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, and say where the model lies."""
    parser = argparse.ArgumentParser(prog="python -m core.nvae.train", description=__doc__)
    parser.add_argument("--dataset", choices=HERE, default="glyphs")
    parser.add_argument("--epochs", type=float, help="in the place of the preset's steps")
    parser.add_argument("--devices", type=int, default=1, metavar="N", help="processes")
    parser.add_argument("settings", nargs="*", metavar="NAME=VALUE")
    asked = parser.parse_args(arguments)
    try:
        config = configured(asked.dataset, asked.settings, asked.epochs)
    except ValueError as error:
        parser.error(str(error))
    if asked.devices > 1 and "RANK" not in os.environ:
        _start_processes(asked)
    else:
        _train(config)


def _train(config: NVAEConfig) -> None:
    torch.set_num_threads(1)
    device = f"cuda:{os.environ.get('LOCAL_RANK', 0)}" if torch.cuda.is_available() else "cpu"
    if "RANK" in os.environ:  # set by torchrun
        distributed.init_process_group("gloo" if device == "cpu" else "nccl")
    try:
        task = replace(TRAINING, train=partial(train, device=device))
        if int(os.environ.get("RANK", 0)) == 0:
            artefact = runs.run(task, config, report=_report)
            print(f"{artefact.key}: {artefact.meta['metrics']}")
        elif not library.has(task.key(config)):
            _follow(config, device)
    finally:
        if distributed.is_initialized():
            distributed.destroy_process_group()


def _follow(config: NVAEConfig, device: str) -> None:
    """Go every step along with the first process, from the same checkpoint; keep nothing."""
    left_off = runs.checkpoints().get(TRAINING.key(config))
    for _ in train(config, left_off.tensors if left_off else None, device):
        pass


def _start_processes(asked: argparse.Namespace) -> None:
    """The same command, several times."""
    from torch.distributed.run import main as torchrun  # a second; only where it is asked for

    again = ["--dataset", asked.dataset, *asked.settings]
    if asked.epochs is not None:
        again += ["--epochs", str(asked.epochs)]
    count = f"--nproc-per-node={asked.devices}"
    torchrun(["--standalone", count, "-m", "core.nvae.train", *again])


def _report(progress: Progress) -> None:
    numbers = " ".join(f"{name} {value:.4g}" for name, value in progress.metrics.items())
    print(f"{progress.done}/{progress.total} {numbers}", flush=True)


if __name__ == "__main__":
    main()
