"""More than one machine: a real scheduler and two workers as processes of their own."""

import asyncio
import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest

from benchmarks.load import keyed
from benchmarks.readers import Reader
from benchmarks.server import serving
from core import engine, jobs
from core.gelu import NETWORK, TrainConfig
from core.jobs import Status
from core.similarity.corpus import Corpus
from core.similarity.parts import merge, split
from core.similarity.search import SearchResult
from core.store import CARD, Store
from tests.conftest import ROOT
from tests.core.test_jobs import PATIENCE
from tests.core.test_runs import same, unbroken
from tests.core.test_similarity_search import random_corpus

SWEEP = [TrainConfig(depth=1, epochs=60, batch_size=64, seed=seed) for seed in (51, 52, 53, 54)]


def dask(*arguments: str, store: Path) -> subprocess.Popen[bytes]:
    """A process of Dask's with a store of its own, as on another machine."""
    environment = {**os.environ, "LAB_STORE": str(store), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "dask", *arguments, "--no-dashboard"]
    return subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Two workers whose scheduler is the one that jobs go to."""
    folder = tmp_path_factory.mktemp("cluster")
    file = ["--scheduler-file", str(folder / "scheduler.json")]
    scheduler = dask("scheduler", "--port", "0", *file, store=folder / "scheduler")
    found = [
        dask("worker", "--nthreads", "1", "--no-nanny", "--name", name, *file, store=folder / name)
        for name in ("first", "second")
    ]
    before = {name: os.environ.get(name) for name in ("LAB_SCHEDULER", "LAB_STORE")}
    os.environ["LAB_STORE"] = str(folder / "home")
    os.environ["LAB_SCHEDULER"] = address(folder / "scheduler.json")
    engine.end()  # a cluster that other tests have started
    try:
        engine.client().wait_for_workers(2, timeout=PATIENCE)
        yield found
    finally:
        engine.end()
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
        for process in [*found, scheduler]:
            process.kill()
            process.wait()


def address(file: Path) -> str:
    """The scheduler's, once it has written it down."""
    import json

    wait = threading.Event()
    while not file.exists():
        wait.wait(0.05)
    return str(json.loads(file.read_text())["address"])


def test_a_corpus_split_among_workers_gives_the_answer_of_one_process(workers: list) -> None:
    corpus = Corpus.from_vectors(random_corpus(300, 8, 1))
    query, k = random_corpus(5, 8, 2)[0], 12
    pieces, client = split(corpus, 4), engine.client()
    asked = [client.submit(searched, piece, query, k, pure=False) for piece in pieces]
    found = merge(client.gather(asked), [*map(len, pieces)], k)
    whole = corpus.search(query, k)
    assert found.indices.tolist() == whole.indices.tolist()
    assert found.distances.tolist() == whole.distances.tolist()


def searched(corpus: Corpus, query: object, k: int) -> SearchResult:
    return corpus.search(query, k)


def test_a_sweep_is_spread_over_the_workers_and_outlives_one_of_them(workers: list) -> None:
    sweep = [jobs.submit(NETWORK, config) for config in SWEEP]
    busy = until_both_work()
    assert len(busy) == 2
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(workers[0].pid).kill()
    for job, config in zip(sweep, SWEEP, strict=True):
        assert same(job.result(PATIENCE).tensors, unbroken(config))
        assert job.status is Status.DONE


def until_both_work() -> set[str]:
    """The workers that work at the same time, once there are two."""
    wait = threading.Event()
    busy: set[str] = set()
    for _ in range(int(PATIENCE / 0.02)):
        busy = {worker for worker, keys in engine.client().processing().items() if keys}
        if len(busy) == 2:
            break
        wait.wait(0.02)
    return busy


# ---- two replicas of the dashboard


def test_a_replica_shows_what_another_one_has_trained(tmp_path: Path) -> None:
    """Two servers with disks of their own and one shared store."""
    shared = tmp_path / "shared"
    where = {"LAB_SHARED_STORE": f"file://{shared}", "LAB_SCHEDULER": ""}
    with (
        serving(ROOT, LAB_STORE=str(tmp_path / "first"), **where) as first,
        serving(ROOT, LAB_STORE=str(tmp_path / "second"), **where) as second,
    ):
        key = NETWORK.key(TrainConfig(depth=2, seed=9))
        assert answered(trained_by(first.url, shared / key / CARD))
        assert answered(drawn_by(second.url))
    assert Store(tmp_path / "second").keys() == [key]


LINK = "gelu.drift.depth=2&gelu.drift.seed=9"


def answered(reader: Coroutine[Any, Any, bool]) -> bool:
    """What a reader says, in a thread of its own: a browser's loop may run in this one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, reader).result()


async def trained_by(url: str, card: Path) -> bool:
    """A reader asks for a network that does not ship; whether it gets to the shared store."""
    async with Reader(url, browser=True) as reader:
        await reader.open("gelu", LINK)
        await reader.move(keyed(reader, "_train.")[0], True)
        wait = threading.Event()
        return await asyncio.to_thread(
            lambda: any(card.exists() or wait.wait(0.2) for _ in range(int(5 * PATIENCE)))
        )


async def drawn_by(url: str) -> bool:
    """Whether a reader finds the network's picture there, and no offer to train it."""
    async with Reader(url, browser=True) as reader:
        await reader.open("gelu", LINK)
        return not keyed(reader, "_train.") and not reader.exceptions
