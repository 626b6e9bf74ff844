"""A training as a generator that anyone may drive, stop and go on with.

`train(config, state)` yields a Snapshot after every step; with the `state` of an earlier snapshot
it goes on from there and ends with the same weights as an unbroken run. A page's player, a
background job and the command line consume it; it knows none of them.
"""

import dataclasses
import hashlib
import importlib
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from core.knobs import Config
from core.numerics import Diverged
from core.store import Tensors
from core.topics import TOPICS, built


@dataclass(frozen=True)
class Snapshot:
    """A training between two steps. `weights` and `state` must be called before the next step."""

    done: int  # steps so far
    total: int
    metrics: Mapping[str, float]  # what the curve shows
    weights: Callable[[], Tensors]  # of the model as it stands
    state: Callable[[], Tensors]  # all that `train` needs to go on from here


@dataclass(frozen=True)
class Progress:
    """How far a training is."""

    done: int
    total: int
    metrics: Mapping[str, float]
    seconds: float  # spent so far, over all attempts
    left: float | None  # seconds to go, as far as can be told

    @property
    def share(self) -> float:
        """The part that is done, from 0 to 1."""
        return self.done / max(self.total, 1)


@dataclass(frozen=True)
class Task:
    """Something long that leaves an artefact: what to run, and what its result depends on."""

    name: str  # "gelu.network": the topic, and which of its tasks (`TASKS` of the topic's package)
    version: int  # raised when weights of the present code would differ from older ones
    config: type[Config]
    data: Callable[[Any], str]  # of a config: the digest of what is learned from
    train: Callable[[Any, Tensors | None], Iterator[Snapshot]]

    @property
    def topic(self) -> str:
        """The slug of the topic that the task belongs to."""
        return self.name.partition(".")[0]

    def identity(self, config: Config) -> dict[str, Any]:
        """All that decides the weights."""
        return {
            "task": self.name,
            "version": self.version,
            "config": dataclasses.asdict(config),
            "data": self.data(config),
        }

    def key(self, config: Config) -> str:
        """The name of the result: the topic, and a digest of its identity."""
        text = json.dumps(self.identity(config), sort_keys=True, separators=(",", ":"))
        return f"{self.topic}/{hashlib.sha256(text.encode()).hexdigest()[:32]}"


def task(name: str) -> Task:
    """The task of that name, "topic.task". Raises ValueError if there is none."""
    topic, _, short = name.partition(".")
    if topic in {row.slug for row in TOPICS} and built(topic):
        found = getattr(importlib.import_module(f"core.{topic}"), "TASKS", {}).get(short)
        if isinstance(found, Task):
            return found
    raise ValueError(f"task is {name!r}, but no topic has one of that name")


def exists(name: object) -> bool:
    """Whether a topic has a task of that name."""
    try:
        return bool(task(str(name)))
    except ValueError:
        return False


def pack(
    weights: Mapping[str, Tensor],
    optimizer: torch.optim.Optimizer,
    generator: torch.Generator,
    done: int,
) -> Tensors:
    """All that a training with these parts needs to go on, as tensors for a checkpoint."""
    moments = {
        f"optimizer.{index}.{name}": value
        for index, state in optimizer.state_dict()["state"].items()
        for name, value in state.items()
        if isinstance(value, Tensor)
    }
    named = {f"weights.{name}": value for name, value in weights.items()}
    counts = {"generator": generator.get_state(), "done": torch.tensor(done)}
    return {**named, **moments, **counts}


@torch.no_grad()
def restore(
    state: Tensors,
    weights: Mapping[str, Tensor],
    optimizer: torch.optim.Optimizer,
    generator: torch.Generator,
) -> int:
    """Put a packed state back into the parts it came from, in place; the steps done."""
    for name, value in weights.items():
        value.copy_(state[f"weights.{name}"])
    moments: dict[int, dict[str, Tensor]] = {}
    for name, value in state.items():
        part, _, rest = name.partition(".")
        if part == "optimizer":
            index, _, moment = rest.partition(".")
            moments.setdefault(int(index), {})[moment] = value
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": moments, "param_groups": groups})
    generator.set_state(state["generator"])
    return int(state["done"])


def stepwise(
    step: Callable[[int], float],
    metrics: Callable[[Sequence[float]], Mapping[str, float]],
    weights: Mapping[str, Tensor],
    optimizer: torch.optim.Optimizer,
    generator: torch.Generator,
    *,
    total: int,
    every: int,
    state: Tensors | None = None,
) -> Iterator[Snapshot]:
    """A training made of its parts: a snapshot after `every` steps, from a packed state on.

    `step` is given the number of steps before it, moves the weights and returns its loss;
    `metrics` is given the losses since the last snapshot. The weights that are kept are rounded to
    float16. Raises Diverged if a loss is not finite.
    """
    before = restore(state, weights, optimizer, generator) if state else 0
    for done in range(before + every, total + 1, every):
        losses = [step(at) for at in range(done - every, done)]
        if not math.isfinite(sum(losses)):
            raise Diverged(f"the loss is {losses[-1]} in step {done}")
        yield Snapshot(
            done=done,
            total=total,
            metrics=metrics(losses),
            weights=lambda: {name: weight.detach().half() for name, weight in weights.items()},
            state=partial(pack, weights, optimizer, generator, done),
        )
