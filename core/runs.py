"""Drive a training to its end: checkpoints, one process at a time, the result kept."""

import contextlib
import importlib.metadata
import platform
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import torch
from filelock import FileLock, Timeout

from core import library
from core.knobs import Config
from core.store import Artefact, Store, root
from core.training import Progress, Snapshot, Task

CHECKPOINT_EVERY = 1.0  # seconds between two checkpoints, at least
CHECKPOINT_SHARE = 20  # a checkpoint may take a twentieth of the time, at most
CURVE_POINTS = 1000  # of the curve that is kept with a model
TURN = 0.25  # seconds between two looks at whether another process has finished

Report = Callable[[Progress], None]
Asked = Callable[[], bool]


class Cancelled(Exception):
    """A training that was asked to stop. Its checkpoint is kept."""


def trained(task: Task, config: Config) -> Artefact:
    """The result of a task: found, or trained here and now, and kept."""
    return library.find(task.key(config)) or run(task, config)


def run(
    task: Task,
    config: Config,
    *,
    report: Report = lambda progress: None,
    cancelled: Asked = lambda: False,
) -> Artefact:
    """Train from the last checkpoint to the end, and keep the result.

    One process trains a key at a time; another one waits and takes what the first has made.
    Raises Cancelled when `cancelled` says so, and whatever `task.train` raises.
    """
    key = task.key(config)
    with _turn(key, report, cancelled):
        return library.find(key) or library.fetch(key) or _train(task, config, report, cancelled)


def checkpoints() -> Store:
    """Where unfinished trainings lie."""
    return Store(root() / "_checkpoints")


def versions(*packages: str) -> dict[str, str]:
    """The versions that decide the numbers: of Python and of these packages."""
    named = {name: importlib.metadata.version(name) for name in packages}
    return {"python": platform.python_version(), **named}


def _train(task: Task, config: Config, report: Report, cancelled: Asked) -> Artefact:
    notes = _Notes(task, config)
    with torch.enable_grad():  # whoever asks for the model may be one who needs no gradient
        for snapshot in _snapshots(task, config, notes):
            report(notes.take(snapshot))
            if snapshot.done < snapshot.total:
                stop = cancelled()
                notes.checkpoint(snapshot, now=stop)
                if stop:
                    raise Cancelled(notes.key)
    artefact = library.keep(notes.key, snapshot.weights(), notes.card())
    checkpoints().remove(notes.key)
    return artefact


def _snapshots(task: Task, config: Config, notes: "_Notes") -> Iterator[Snapshot]:
    """What a training yields. If it fails its checkpoint goes: from there it would fail again.

    Whoever listens may fail, too, such as a connection that breaks: the checkpoint stays.
    """
    try:
        yield from task.train(config, notes.state)
    except Exception:
        checkpoints().remove(notes.key)
        raise


class _Notes:
    """What is written down of a training: its curve, its time, its checkpoints."""

    def __init__(self, task: Task, config: Config) -> None:
        self.identity, self.key = task.identity(config), task.key(config)
        left_off = checkpoints().get(self.key)
        self.state = left_off.tensors if left_off else None
        self.curve: list[dict[str, float]] = left_off.meta["curve"] if left_off else []
        self.before: float = left_off.meta["seconds"] if left_off else 0.0
        self.began = self.due = time.monotonic()
        self.pace: tuple[int, float] | None = None  # the first step of this attempt, and when

    @property
    def seconds(self) -> float:
        """Time spent so far, over all attempts."""
        return self.before + time.monotonic() - self.began

    def take(self, snapshot: Snapshot) -> Progress:
        """Note a snapshot, and say how far the training is."""
        self.curve.append({"step": snapshot.done, **snapshot.metrics})
        if len(self.curve) > CURVE_POINTS:
            self.curve = [*self.curve[:-1:2], self.curve[-1]]
        metrics, left = dict(snapshot.metrics), self._left(snapshot)
        return Progress(snapshot.done, snapshot.total, metrics, self.seconds, left)

    def checkpoint(self, snapshot: Snapshot, *, now: bool) -> None:
        """Keep the state from time to time; a full disk costs the checkpoint, not the training."""
        started = time.monotonic()
        if started < self.due and not now:
            return
        counts = {"done": snapshot.done, "total": snapshot.total, "seconds": self.seconds}
        with contextlib.suppress(OSError):
            meta = {**self.identity, **counts, "curve": self.curve}
            checkpoints().put(self.key, snapshot.state(), meta)
            checkpoints().trim(library.limit())
        ended = time.monotonic()
        self.due = ended + max(CHECKPOINT_EVERY, CHECKPOINT_SHARE * (ended - started))

    def card(self) -> dict[str, Any]:
        """What is kept beside the finished model."""
        metrics = {name: value for name, value in self.curve[-1].items() if name != "step"}
        return {
            **self.identity,
            "metrics": metrics,
            "curve": self.curve,
            "versions": versions("torch", "numpy"),
            "seconds": round(self.seconds, 2),
            "made": datetime.now(UTC).isoformat(timespec="seconds"),
        }

    def _left(self, snapshot: Snapshot) -> float | None:
        """Seconds to go at the pace of this attempt."""
        now = time.monotonic()
        if self.pace is None:
            self.pace = snapshot.done, now
            return None
        first, since = self.pace
        return (snapshot.total - snapshot.done) * (now - since) / (snapshot.done - first)


@contextlib.contextmanager
def _turn(key: str, report: Report, cancelled: Asked) -> Iterator[None]:
    """Wait until no other process trains this key; a store that can't be written is not shared."""
    lock = FileLock(root() / "_turns" / key.replace("/", "-"))
    with contextlib.suppress(OSError):
        (root() / "_turns").mkdir(parents=True, exist_ok=True)
        _wait(lock, key, report, cancelled)
    try:
        yield
    finally:
        lock.release()


def _wait(lock: FileLock, key: str, report: Report, cancelled: Asked) -> None:
    while not lock.is_locked:
        try:
            lock.acquire(timeout=TURN)
        except Timeout:
            if cancelled():
                raise Cancelled(key) from None
            _relay(key, report)


def _relay(key: str, report: Report) -> None:
    """Say how far the process is that trains this key now, as far as its checkpoint tells."""
    if card := checkpoints().card(key):
        meta = card.meta
        report(Progress(meta["done"], meta["total"], {}, meta["seconds"], None))
