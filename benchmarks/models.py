"""Measure the store, the jobs and the encoder: `python -m benchmarks.models`."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from benchmarks import browser
from benchmarks.dashboard import measure_parts
from benchmarks.figures import Figure, Target
from benchmarks.server import ROOT, serving
from core import engine
from core.gelu import NETWORK, TrainConfig
from core.store import Store
from core.worker import progress_topic

RESULTS = ROOT / "benchmarks" / "results" / "models.json"
MODEL = 1_250_000  # float32 numbers of a model of 5 MB
TRAINING = TrainConfig(depth=16, seed=7)
PANEL = "gelu?gelu.drift.depth=16&gelu.drift.seed=7#drift"

FIRST_JOB = """
import threading, time
from core import jobs
from core.gelu import NETWORK, TrainConfig
asked = time.monotonic()
job = jobs.submit(NETWORK, TrainConfig(depth=1, epochs=2, seed=9))
wait = threading.Event()
while job.status is jobs.Status.WAITING:
    wait.wait(0.005)
print(time.monotonic() - asked)
job.result(120)
print(time.monotonic() - asked)
"""

ENCODER = """
import psutil
import streamlit, altair, pandas, scipy.optimize, torch
def resident():
    return psutil.Process().memory_info().rss / 1e6
import core.encoders, core.jobs
print(resident())
encoder = core.encoders.encoder()
texts = ["I like eating red apples.", "我喜欢吃红苹果。", "A sentence on the weather " * 8]
for text in texts * 10:
    encoder.encode(text)
encoder.attentions(texts[-1])
print(resident())
"""


def store() -> list[Figure]:
    """A model of 5 MB, found and ready."""
    with tempfile.TemporaryDirectory() as folder:
        shelf = Store(folder)
        shelf.put("gelu/00", {"weights": torch.randn(MODEL)}, {"curve": list(range(100))})
        times = [1000 * _seconds(lambda: shelf.get("gelu/00")) for _ in range(40)]
    return [Figure("a model of 5 MB found and ready", "ms", times, Target("p95", 50))]


def first_job() -> list[Figure]:
    """From asking for the first job of a process until a worker has it, and until it is done."""
    runs = [_numbers(FIRST_JOB) for _ in range(5)]
    return [
        Figure("first job: asked to begun", "s", [run[0] for run in runs], Target("median", 3)),
        Figure("first job: asked to done, torch's import included", "s", [run[1] for run in runs]),
    ]


def progress() -> list[Figure]:
    """From the moment a step is heard here until another reader's open page says so."""
    with tempfile.TemporaryDirectory() as folder, _environment(LAB_STORE=folder):
        client = engine.client()
        heard: dict[int, float] = {}
        client.subscribe_topic(progress_topic(NETWORK.key(TRAINING)), lambda e: _note(e, heard))
        address = client.scheduler_info()["address"]
        with serving(LAB_STORE=folder, LAB_SCHEDULER=address) as server:
            shown = browser.progress(server, PANEL, "claims", "epoch")
        engine.end()
    late = [shown[step] - heard[step] for step in shown.keys() & heard.keys()]
    return [Figure("progress to another open page", "s", late, Target("max", 1))]


def encoder() -> list[Figure]:
    """Memory of a process with everything imported, without the encoder and with it in use."""
    with tempfile.TemporaryDirectory() as folder, _environment(LAB_STORE=folder):
        without, with_it = _numbers(ENCODER)
    return [
        Figure("resident memory without the encoder", "MB", [without]),
        Figure("resident memory with the encoder in use", "MB", [with_it], Target("max", 900)),
    ]


PARTS: dict[str, Callable[[], list[Figure]]] = {
    "store": store,
    "first-job": first_job,
    "progress": progress,
    "encoder": encoder,
}


def _note(event: tuple[float, dict[str, Any]], heard: dict[int, float]) -> None:
    if said := event[1]["progress"]:
        heard.setdefault(said["done"], time.time())


def _numbers(script: str) -> list[float]:
    """What a script prints in a process and a store of its own, a number a line."""
    with tempfile.TemporaryDirectory() as folder:
        ended = subprocess.run(
            [sys.executable, "-c", script],
            cwd=ROOT,
            env={**os.environ, "LAB_STORE": folder},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    return [float(line) for line in ended.stdout.split()]


def _seconds(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


@contextmanager
def _environment(**values: str) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


if __name__ == "__main__":
    measure_parts(PARTS, RESULTS, __doc__)
