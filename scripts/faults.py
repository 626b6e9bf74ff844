"""Break the dashboard on purpose and write down what a reader would have seen.

    python scripts/faults.py [--only NAME] [--out docs/FAULTS.md]

Each fault is a real one: processes are killed with SIGKILL, the disk is a full tmpfs (which needs
`unshare`), the store is read-only, a worker is stopped with SIGSTOP. The clock is moved for the
server and all that it starts, by a library put before the C library (which needs a C compiler); the
files keep the dates of the machine. A server and a store of its own; ten minutes.
"""

import argparse
import asyncio
import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil
import torch

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.load import keyed  # noqa: E402
from benchmarks.readers import LostSession, Reader, another, any_control  # noqa: E402
from benchmarks.server import serving  # noqa: E402
from core.store import Store  # noqa: E402

KEY = "gelu/00"
HEAD = """# Faults

Each was brought about by `python scripts/faults.py`, whose lines these are; run it again to see for
yourself. {cores} cores, {date}.

| fault | what was seen | as it should be |
| --- | --- | --- |
"""


@dataclass(frozen=True)
class Outcome:
    """What was seen, and whether it is as it should be; None: it could not be tried here."""

    seen: str
    good: bool | None


# ---- the server is killed


def killed_under_load(folder: Path) -> Outcome:
    """kill -9 of the server while ten readers move controls and a training runs."""
    with serving(LAB_STORE=str(folder)) as first:
        lost = asyncio.run(_crowd_and_kill(first.url, first.pid))
    notes = len(list((folder / "_jobs").glob("*.json")))
    with serving(LAB_STORE=str(folder)) as second:
        resumed = asyncio.run(_comes_back(second.url))
        kept = _until(lambda: len(Store(folder).keys()) == notes, 240)
    seen = (
        f"{lost} of 10 sessions lost with the server; {notes} training noted; the next server "
        f"answered {'without an error' if resumed else 'WITH AN ERROR'} and "
        f"{'finished the training' if kept else 'did NOT finish the training'}"
    )
    return Outcome(seen, resumed and kept and notes == 1)


async def _crowd_and_kill(url: str, pid: int) -> int:
    """Ten readers; the server dies when the training has begun. How many sessions noticed."""
    async with contextlib.AsyncExitStack() as stack:
        readers = [await stack.enter_async_context(Reader(url)) for _ in range(10)]
        await asyncio.gather(*(reader.open("gelu") for reader in readers[1:]))
        await readers[0].open("gelu", "gelu.drift.depth=16&gelu.drift.seed=77")
        await readers[0].move(keyed(readers[0], "_train.")[0], True)
        await asyncio.sleep(5)
        moving = [asyncio.create_task(_move_on(reader)) for reader in readers[1:]]
        await asyncio.sleep(1)
        os.kill(pid, signal.SIGKILL)
        return 1 + sum(await asyncio.gather(*moving))


async def _move_on(reader: Reader) -> bool:
    rng = random.Random(0)
    with contextlib.suppress(LostSession):
        for _ in range(1000):
            control = any_control(reader, "gelu", rng)
            await reader.move(control, another(control, rng))
        return False
    return True


async def _comes_back(url: str) -> bool:
    """Whether a reader who comes back after the crash sees a page without an error."""
    async with Reader(url) as reader:
        await reader.open("gelu")
        return not reader.exceptions


SAVES = """
import sys, torch
from core.store import Store
shelf = Store(sys.argv[1])
print("begun", flush=True)
for value in range(100000):
    shelf.put("gelu/00", {"w": torch.full((500000,), float(value))}, {"value": float(value)})
"""


def killed_during_a_save(folder: Path) -> Outcome:
    """kill -9 of a process that saves a model again and again, at twenty different moments."""
    shelf, whole, goes_on = Store(folder), 0, 0
    shelf.put(KEY, {"w": torch.full((500_000,), -1.0)}, {"value": -1.0})
    for turn in range(20):
        saver = subprocess.Popen(_python(SAVES, folder), cwd=ROOT, stdout=subprocess.PIPE)
        assert saver.stdout is not None
        saver.stdout.readline()
        time.sleep(0.01 + 0.013 * turn)  # another moment of a save every time
        saver.kill()
        saver.wait()
        found = Store(folder).get(KEY)
        whole += found is not None and bool((found.tensors["w"] == found.meta["value"]).all())
        goes_on += shelf.put(KEY, {"w": torch.full((500_000,), -1.0)}, {"value": -1.0}) is not None
    seen = (
        f"{whole} of 20 times the model was whole afterwards, {goes_on} of 20 times saving went on"
    )
    return Outcome(seen, whole == goes_on == 20)


# ---- disks


FULL = """
import sys, os
os.environ["LAB_STORE"] = sys.argv[1]
from core import library, runs
from core.gelu import NETWORK, TrainConfig
found = runs.run(NETWORK, TrainConfig(depth=2, epochs=1, seed=3))
print(found.origin, library.has(found.key))
"""


def disk_full(folder: Path) -> Outcome:
    """The store lies on a disk of 20 kB, too small for the model that is trained."""
    mount = f'mount -t tmpfs -o size=20k none {folder} && exec "$@"'
    command = ["unshare", "-rm", "sh", "-c", mount, "sh", *_python(FULL, folder / "store")]
    return _kept_in_memory(command)


def store_read_only(folder: Path) -> Outcome:
    """The store lies on a disk that is mounted read-only."""
    mount = f'mount -t tmpfs -o ro none {folder} && exec "$@"'
    command = ["unshare", "-rm", "sh", "-c", mount, "sh", *_python(FULL, folder / "store")]
    return _kept_in_memory(command)


def _kept_in_memory(command: list[str]) -> Outcome:
    if subprocess.run(["unshare", "-rm", "true"], check=False, capture_output=True).returncode:
        return Outcome("not tried: this machine lets nobody mount a disk", None)
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    said = ended.stdout.strip() or ended.stderr.strip()[-200:]
    return Outcome(f"the training ended; the model's origin, and whether a page finds it: {said}",
                   said == "memory True")  # fmt: skip


# ---- time


def clock_jumps(folder: Path) -> Outcome:
    """A model was used in what is now the future; then the store is trimmed."""
    shelf = Store(folder)
    for name in ("aa", "bb"):
        shelf.put(f"gelu/{name}", {"w": torch.ones(1000)}, {})
    future = time.time() + 365 * 86400
    os.utime(shelf.path / "gelu" / "aa" / "meta.json", (future, future))
    found = shelf.get("gelu/aa"), shelf.get("gelu/bb")
    removed = shelf.trim(shelf.size() - 1)
    whole = all(found) and len(shelf.keys()) == 1
    return Outcome(
        f"both models were read; the store was trimmed to one ({', '.join(removed)} went)", whole
    )


CLOCK = r"""
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long jump(void) {
    long seconds = 0;
    FILE *file = fopen(getenv("CLOCK_JUMP"), "r");
    if (file) { if (fscanf(file, "%ld", &seconds) != 1) seconds = 0; fclose(file); }
    return seconds;
}
int clock_gettime(clockid_t id, struct timespec *now) {
    int failed = syscall(SYS_clock_gettime, id, now);
    if (!failed && id == CLOCK_REALTIME) now->tv_sec += jump();
    return failed;
}
time_t time(time_t *out) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out) *out = now.tv_sec;
    return now.tv_sec;
}
int gettimeofday(struct timeval *out, void *zone) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    out->tv_sec = now.tv_sec; out->tv_usec = now.tv_nsec / 1000;
    return 0;
}
"""


def clock_is_moved(folder: Path) -> Outcome:
    """The server's clock jumps a day back, then a day ahead, while a training runs."""
    library, jump = folder / "clock.so", folder / "jump"
    (folder / "clock.c").write_text(CLOCK, encoding="utf-8")
    command = ["cc", "-shared", "-fPIC", "-O1", "-o", str(library), str(folder / "clock.c")]
    if shutil.which("cc") is None or subprocess.run(command, check=False).returncode:
        return Outcome("not tried: this machine has no C compiler", None)
    shelf = folder / "store"
    with serving(LAB_STORE=str(shelf), LD_PRELOAD=str(library), CLOCK_JUMP=str(jump)) as server:
        answered, errors = asyncio.run(_move_the_clock(server.url, jump))
        kept = _until(lambda: len(Store(shelf).keys()) == 1, 400)
    seen = (
        f"{answered} of 20 controls were answered, {errors} with an error; the training "
        f"{'ended and its model is kept' if kept else 'did NOT end'}"
    )
    return Outcome(seen, answered == 20 and errors == 0 and kept)


async def _move_the_clock(url: str, jump: Path) -> tuple[int, int]:
    """Controls that were answered after the jumps, and exceptions that readers saw."""
    answered, rng = 0, random.Random(0)
    async with Reader(url) as trains, Reader(url) as reads:
        await trains.open("gelu", "gelu.drift.depth=16&gelu.drift.seed=78")
        await trains.move(keyed(trains, "_train.")[0], True)
        await reads.open("gelu")
        for day in (-86400, 86400):
            await asyncio.sleep(5)
            jump.write_text(str(day), encoding="utf-8")
            for _ in range(10):
                control = any_control(reads, "gelu", rng)
                with contextlib.suppress(LostSession):
                    await reads.move(control, another(control, rng))
                    answered += 1
        return answered, len(trains.exceptions) + len(reads.exceptions)


STOPPED = """
import os, sys, threading
os.environ["LAB_STORE"] = sys.argv[1]
from core import engine, jobs
from core.gelu import NETWORK, TrainConfig
job = jobs.submit(NETWORK, TrainConfig(depth=1, epochs=200, batch_size=64, seed=31))
wait = threading.Event()
while job.report is None or job.report.done < 5:
    wait.wait(0.05)
print("runs", flush=True)
sys.stdin.readline()
print(job.status, flush=True)
job.result(600)
print(job.status, flush=True)
"""


def worker_hangs(folder: Path) -> Outcome:
    """SIGSTOP to the worker in the middle of a training, for ten seconds; then it goes on."""
    return _with_a_worker(folder, _pause)


def worker_hangs_for_good(folder: Path) -> Outcome:
    """SIGSTOP to the worker in the middle of a training; it never goes on."""
    return _with_a_worker(folder, lambda worker: worker.suspend())


def worker_is_killed(folder: Path) -> Outcome:
    """SIGKILL to the worker in the middle of a training."""
    return _with_a_worker(folder, lambda worker: worker.kill())


def _pause(worker: psutil.Process) -> None:
    worker.suspend()
    time.sleep(10)
    worker.resume()


def _with_a_worker(folder: Path, disturb: Callable[[psutil.Process], None]) -> Outcome:
    asker = subprocess.Popen(
        _python(STOPPED, folder), cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert asker.stdout is not None
    assert asker.stdin is not None
    asker.stdout.readline()
    below = psutil.Process(asker.pid).children(recursive=True)
    (worker,) = [one for one in below if "spawn_main" in " ".join(one.cmdline())]
    disturb(worker)
    asker.stdin.write("\n")
    asker.stdin.flush()
    said = asker.communicate(timeout=700)[0].split()
    return Outcome(
        f"right after it the job was {said[0]}, in the end {said[-1]}", said[-1] == "done"
    )


# ---- the command

FAULTS: dict[str, tuple[str, Callable[[Path], Outcome]]] = {
    "kill-under-load": ("kill -9 of the server under load", killed_under_load),
    "kill-during-save": ("kill -9 during a save", killed_during_a_save),
    "disk-full": ("the disk is full", disk_full),
    "read-only": ("the store is read-only", store_read_only),
    "clock": ("the clock jumps back: a model's date lies a year ahead", clock_jumps),
    "clock-moved": ("the clock is moved a day back, then a day ahead", clock_is_moved),
    "worker-hangs": ("a worker hangs for ten seconds", worker_hangs),
    "worker-hangs-for-good": ("a worker hangs for good", worker_hangs_for_good),
    "worker-killed": ("a worker is killed", worker_is_killed),
}


def _python(text: str, folder: Path) -> list[str]:
    return [sys.executable, "-c", text, str(folder)]


def _until(true: Callable[[], bool], seconds: float) -> bool:
    wait, end = threading.Event(), time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        wait.wait(0.2)
    return true()


def main() -> None:
    """Bring about every fault, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", choices=FAULTS, help="one fault, and write no page")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "FAULTS.md")
    asked = parser.parse_args()
    rows = []
    for name in [asked.only] if asked.only else FAULTS:
        title, bring_about = FAULTS[name]
        with tempfile.TemporaryDirectory() as folder:
            outcome = bring_about(Path(folder))
        good = {True: "yes", False: "**no**", None: "not tried"}[outcome.good]
        rows.append(f"| {title} | {outcome.seen} | {good} |")
        print(rows[-1], flush=True)
    if not asked.only:
        head = HEAD.format(cores=os.cpu_count(), date=time.strftime("%Y-%m-%d"))
        asked.out.write_text(head + "\n".join(rows) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
