"""Train a model that ships, or one of your own, to its end.

`python -m core.nvae.train --dataset glyphs` goes on from the last checkpoint (in LAB_STORE) if
there is one, and can be stopped at any time; with `--plain` it trains the plain VAE that stands
beside. Settings follow as NAME=VALUE: `steps=5000 lr=0.01`. It runs on a GPU if there is one. With
`--devices N`, or under torchrun, N processes share each batch; batch normalization sees the share,
so the model has a key of its own, and its card says of how many. All of them must read the same
LAB_STORE.
"""

import argparse
import os
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from torch import distributed

from core import library, runs
from core.knobs import knobs
from core.nvae import data
from core.nvae.config import HERE, PlainConfig
from core.nvae.presets import FOLDER, PRESETS, configured, read
from core.nvae.training import PLAIN, TRAINING, AnyConfig, train
from core.training import Progress, Task


def chosen(
    dataset: str = "glyphs",
    settings: Sequence[str] = (),
    epochs: int | float | None = None,
    *,
    plain: bool = False,
    file: Path | None = None,
) -> AnyConfig:
    """A data set's preset, or a file's, with some settings changed, for so many epochs.

    Raises ValueError for what can't be, OSError for a file that can't be read.
    """
    if file is None and dataset not in PRESETS:
        raise ValueError(f"dataset is {dataset!r}, but must be one of {list(PRESETS)}")
    source = file or FOLDER / f"{dataset}.toml"
    found = read(source)
    preset = found.plain if plain else found.nvae
    if preset is None:
        raise ValueError(f"{source.name} has no table [plain]")
    config = configured(preset, _typed(preset, settings))
    if epochs is None:
        return config
    return replace(config, steps=round(epochs * len(data.load(config.data)) / config.batch_size))


def _typed(config: AnyConfig, settings: Sequence[str]) -> dict[str, object]:
    """NAME=VALUE of a command line, each value as the setting's type; unknown names stay text."""
    types = {knob.name: knob.type for knob in knobs(type(config))}
    pairs = (setting.partition("=")[::2] for setting in settings)
    return {
        name: text == "true" if types.get(name) is bool else types.get(name, str)(text)
        for name, text in pairs
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, and say where the model lies."""
    parser = argparse.ArgumentParser(prog="python -m core.nvae.train", description=__doc__)
    parser.add_argument("--dataset", choices=HERE, default="glyphs")
    parser.add_argument("--config", type=Path, metavar="FILE", help="in the preset's place")
    parser.add_argument("--plain", action="store_true", help="the plain VAE beside the NVAE")
    parser.add_argument("--epochs", type=float, help="in the place of the preset's steps")
    parser.add_argument("--devices", type=int, default=1, metavar="N", help="processes")
    parser.add_argument("settings", nargs="*", metavar="NAME=VALUE")
    asked = parser.parse_args(arguments)
    try:
        config = chosen(
            asked.dataset, asked.settings, asked.epochs, plain=asked.plain, file=asked.config
        )
    except (ValueError, OSError) as error:
        parser.error(str(error))
    if asked.devices > 1 and "RANK" not in os.environ:
        _start_processes(asked)
    else:
        _train(config)


def task_of(config: AnyConfig, device: str = "cpu", processes: int = 1) -> Task:
    """What is run. That of several processes is another one: each normalizes its share alone."""
    task = replace(
        PLAIN if isinstance(config, PlainConfig) else TRAINING, train=partial(train, device=device)
    )
    if processes == 1:
        return task
    return replace(task, data=lambda config: f"{data.digest(config.data)}, {processes} processes")


def _train(config: AnyConfig) -> None:
    torch.set_num_threads(1)
    device = f"cuda:{os.environ.get('LOCAL_RANK', 0)}" if torch.cuda.is_available() else "cpu"
    if "RANK" in os.environ:  # set by torchrun
        distributed.init_process_group("gloo" if device == "cpu" else "nccl")
    try:
        task = task_of(config, device, int(os.environ.get("WORLD_SIZE", 1)))
        if int(os.environ.get("RANK", 0)) == 0:
            artefact = runs.run(task, config, report=_report)
            print(f"{artefact.key}: {artefact.meta['metrics']}")
        elif not library.has(task.key(config)):
            _follow(task, config)
    finally:
        if distributed.is_initialized():
            distributed.destroy_process_group()


def _follow(task: Task, config: AnyConfig) -> None:
    """Go every step along with the first process, from the same checkpoint; keep nothing."""
    left_off = runs.checkpoints().get(task.key(config))
    for _ in task.train(config, left_off.tensors if left_off else None):
        pass


def _start_processes(asked: argparse.Namespace) -> None:
    """The same command, several times."""
    from torch.distributed.run import main as torchrun  # a second; only where it is asked for

    again = ["--dataset", asked.dataset, *(["--plain"] if asked.plain else []), *asked.settings]
    if asked.config is not None:
        again += ["--config", str(asked.config)]
    if asked.epochs is not None:
        again += ["--epochs", str(asked.epochs)]
    count = f"--nproc-per-node={asked.devices}"
    torchrun(["--standalone", count, "-m", "core.nvae.train", *again])


def _report(progress: Progress) -> None:
    numbers = " ".join(f"{name} {value:.4g}" for name, value in progress.metrics.items())
    print(f"{progress.done}/{progress.total} {numbers}", flush=True)


if __name__ == "__main__":
    main()
