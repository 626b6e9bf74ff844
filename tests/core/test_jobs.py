"""Jobs on a real cluster: asked for once, stopped, killed, ending with the same weights."""

import contextlib
import dataclasses
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from core import engine, jobs, library, runs
from core.gelu import NETWORK, TrainConfig
from core.jobs import Job, JobFailed, Status
from core.store import Store
from core.training import Task
from tests.conftest import ROOT
from tests.core.test_runs import same, unbroken
from tests.core.test_store import on_a_small_disk, script

QUICK = TrainConfig(depth=1, epochs=5, seed=21)
LONG = TrainConfig(depth=1, epochs=200, batch_size=64, seed=22)  # some seconds
PATIENCE = 120.0  # seconds


@pytest.fixture(scope="module", autouse=True)
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A cluster whose worker reads the same store as the tests of this file."""
    before = os.environ["LAB_STORE"]
    os.environ["LAB_STORE"] = str(tmp_path_factory.mktemp("jobs"))
    engine.end()  # one that other tests of this process have started reads another store
    yield
    engine.end()
    os.environ["LAB_STORE"] = before


def until_steps(job: Job, steps: int) -> None:
    """Wait until a job has made that many steps."""
    heard = threading.Event()
    while (job.report is None or job.report.done < steps) and job.active:
        heard.wait(0.02)
    assert job.active, f"{job.status} {job.trouble} before it could be disturbed"


def until_checkpoint(key: str) -> int:
    """Wait until a checkpoint lies on the disk; how many steps it has."""
    wait = threading.Event()
    for _ in range(int(PATIENCE / 0.02)):
        if card := runs.checkpoints().card(key):
            return int(card.meta["done"])
        assert not library.has(key), f"{key} was trained before there was a checkpoint"
        wait.wait(0.02)
    raise AssertionError(f"{key} has no checkpoint after {PATIENCE} s")


def workers() -> list[psutil.Process]:
    """The worker processes of the local cluster: the nannies' children."""
    below = psutil.Process().children(recursive=True)
    return [process for process in below if "spawn_main" in " ".join(process.cmdline())]


def test_a_job_trains_what_the_plain_generator_trains_and_keeps_it() -> None:
    job = jobs.submit(NETWORK, QUICK)
    found = job.result(PATIENCE)
    assert same(found.tensors, unbroken(QUICK))
    assert (job.status, job.progress) == (Status.DONE, 1.0)
    assert found.origin == "local"
    assert job.key in Store().keys()  # noqa: SIM118
    assert jobs.resume() == []


def test_what_exists_is_done_at_once() -> None:
    shipped = TrainConfig(depth=2, seed=0)
    job = jobs.submit(NETWORK, shipped)
    assert job.status is Status.DONE
    assert job.result(0).origin == "shipped"


def test_a_model_of_a_newer_program_is_not_trained_over() -> None:
    config = TrainConfig(depth=1, epochs=1, seed=27)
    kept = runs.run(NETWORK, config)
    card = Store().path / kept.key / "meta.json"
    card.write_text(card.read_text().replace('"format":1', '"format":2'))
    text = card.read_text()
    job = jobs.submit(NETWORK, config)
    with pytest.raises(JobFailed, match="has format 2; this program reads up to 1: update it"):
        job.result()
    assert job.trouble is not None
    assert job.trouble.code == "newer"
    assert card.read_text() == text


def test_two_sessions_that_ask_share_one_job_and_hear_its_progress() -> None:
    changed: list[int] = []
    jobs.listen(lambda job: changed.append(len(jobs.every())))
    config = TrainConfig(depth=2, epochs=60, seed=23)
    first, second = (jobs.submit(NETWORK, config) for _ in range(2))
    assert first is second
    until_steps(first, 1)
    heard = first.progress
    assert 0 < heard < 1
    assert same(second.result(PATIENCE).tensors, unbroken(config))
    steps = [point["step"] for point in first.curve]
    assert steps == sorted(set(steps))
    assert len(changed) >= 2


def test_a_cancelled_job_leaves_a_checkpoint_and_goes_on_from_it() -> None:
    job = jobs.submit(NETWORK, LONG)
    until_steps(job, 20)
    job.cancel()
    with pytest.raises(JobFailed, match="cancelled"):
        job.result(PATIENCE)
    assert job.status is Status.CANCELLED
    assert not library.has(job.key)
    assert jobs.resume() == []
    card = runs.checkpoints().card(job.key)
    assert card is not None
    again = jobs.submit(NETWORK, LONG)
    found = again.result(PATIENCE)
    assert again.curve[0]["step"] > card.meta["done"] >= 20
    assert same(found.tensors, unbroken(LONG))
    library.forget(job.key)


def test_a_cluster_at_work_is_not_ended_as_idle() -> None:
    job = jobs.submit(NETWORK, dataclasses.replace(LONG, seed=23))
    until_steps(job, 1)
    engine.end_if_idle()
    until_steps(job, job.report.done + 1 if job.report else 1)
    job.cancel()
    with pytest.raises(JobFailed, match="cancelled"):
        job.result(PATIENCE)


def test_a_job_in_the_queue_is_cancelled_at_once() -> None:
    running = jobs.submit(NETWORK, LONG)
    until_steps(running, 1)
    queued = jobs.submit(NETWORK, TrainConfig(depth=1, epochs=1, seed=24))
    queued.cancel()
    with pytest.raises(JobFailed, match="cancelled"):
        queued.result(PATIENCE)
    assert running.active
    running.cancel()
    with pytest.raises(JobFailed):
        running.result(PATIENCE)
    runs.checkpoints().remove(running.key)


def test_a_killed_worker_resumes_from_its_checkpoint_and_ends_with_the_same_weights() -> None:
    job = jobs.submit(NETWORK, LONG)
    kept = until_checkpoint(job.key)
    for worker in workers():
        worker.send_signal(signal.SIGKILL)
    heard = len(job.curve)
    found = job.result(PATIENCE)
    assert same(found.tensors, unbroken(LONG))
    steps = [point["step"] for point in found.meta["curve"]]
    assert steps == list(range(1, LONG.epochs + 1))
    assert 1 <= kept < min(point["step"] for point in job.curve[heard:])  # not from the beginning
    library.forget(job.key)


def test_a_task_that_breaks_tells_why_and_the_next_job_runs() -> None:
    unknown = Task("gelu.nothing", 1, TrainConfig, lambda config: "", NETWORK.train)
    job = jobs.submit(unknown, QUICK)
    with pytest.raises(JobFailed, match=r"gelu\.nothing failed"):
        job.result(PATIENCE)
    assert job.trouble is not None
    assert job.trouble.code == "raised"
    assert "no topic has one of that name" in job.trouble.detail
    assert jobs.submit(NETWORK, TrainConfig(depth=1, epochs=1, seed=25)).result(PATIENCE)


# ---- the process that asked is gone

ASKED = """
import sys, threading
from core import jobs
from core.gelu import NETWORK, TrainConfig
job = jobs.submit(NETWORK, TrainConfig(depth=1, epochs=200, batch_size=64, seed=26))
print(job.key, flush=True)
sys.stdin.read()
"""


def asked_and_killed() -> tuple[str, list[psutil.Process]]:
    """A process that asks for a job and is killed in the middle; the key, and its children."""
    process = subprocess.Popen(
        script(ASKED), cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    key = process.stdout.readline().strip()
    until_checkpoint(key)
    children = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.communicate()
    return key, children


def test_a_job_goes_on_after_the_process_that_asked_for_it_was_killed() -> None:
    config = TrainConfig(depth=1, epochs=200, batch_size=64, seed=26)
    key, children = asked_and_killed()
    assert key == NETWORK.key(config)
    assert not library.has(key)
    gone, alive = psutil.wait_procs(children, timeout=20)
    assert alive == []
    assert len(gone) >= 3  # scheduler, nanny, worker
    kept = until_checkpoint(key)
    (job,) = jobs.resume()
    assert job.key == key
    found = job.result(PATIENCE)
    assert job.curve[0]["step"] > kept  # not from the beginning
    assert same(found.tensors, unbroken(config))
    assert jobs.resume() == []


def test_a_note_that_no_task_fits_is_dropped() -> None:
    notes = Store().path / "_jobs"
    notes.mkdir(exist_ok=True)
    for number, text in enumerate(
        ['{"task": "os.system", "config": {}}', "{", "[]", '{"task": "gelu.network"}',
         '{"task": "gelu.network", "config": {"depth": 1000}}']
    ):  # fmt: skip
        (notes / f"{number}.json").write_text(text)
    assert jobs.resume() == []
    assert list(notes.iterdir()) == []


FULL = """
import os, sys
os.environ["LAB_STORE"] = sys.argv[1]
from core import jobs
from core.gelu import NETWORK, TrainConfig
job = jobs.submit(NETWORK, TrainConfig(depth=1, epochs=5, seed=21))
found = job.result(120)
print(job.status, found.origin, float(found.tensors["weight0"].sum()))
"""


def test_with_a_full_disk_the_model_of_a_job_serves_from_memory(tmp_path: Path) -> None:
    status, origin, total = on_a_small_disk(FULL, tmp_path, "20k").split()
    assert (status, origin) == ("done", "memory")
    assert float(total) == float(unbroken(QUICK)["weight0"].sum())


# ---- a cluster of the user's own


@contextlib.contextmanager
def own_cluster(folder: Path) -> Iterator[str]:
    """A scheduler and a worker as separate processes; the worker has a disk of its own."""
    address = folder / "scheduler.json"
    environment = {**os.environ, "LAB_STORE": str(folder / "store"), "OMP_NUM_THREADS": "1"}
    start = [sys.executable, "-m", "dask"]
    scheduler = [*start, "scheduler", "--port", "0", "--no-dashboard", "--scheduler-file"]
    worker = [*start, "worker", "--nthreads", "1", "--no-dashboard", "--scheduler-file"]
    both = [
        subprocess.Popen([*command, str(address)], cwd=ROOT, env=environment)
        for command in (scheduler, worker)
    ]
    try:
        yield str(address)
    finally:
        for process in both[::-1]:
            process.terminate()
        for process in both:
            process.wait()


ELSEWHERE = """
import sys, threading
from pathlib import Path
import json
wait, file = threading.Event(), Path(sys.argv[1])
while not file.exists():
    wait.wait(0.05)
os.environ["LAB_SCHEDULER"] = json.loads(file.read_text())["address"]
from core import jobs
from core.gelu import NETWORK, TrainConfig
from core.store import Store
job = jobs.submit(NETWORK, TrainConfig(depth=1, epochs=5, seed=21))
found = job.result(120)
print(job.status, found.origin, Store().keys() == [job.key], float(found.tensors["weight0"].sum()))
"""


def test_a_worker_elsewhere_sends_the_model_home(tmp_path: Path) -> None:
    with own_cluster(tmp_path) as address:
        here = {"LAB_STORE": str(tmp_path / "home")}
        command = [*script(ELSEWHERE, **here), address]
        found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    status, origin, kept, total = found.stdout.split()
    assert (status, origin, kept) == ("done", "local", "True")
    assert float(total) == float(unbroken(QUICK)["weight0"].sum())
    assert len(Store(tmp_path / "store").keys()) == 1
