"""Long work in the background, on Dask: asked for once, seen everywhere, stopped politely.

LAB_SCHEDULER unset: a scheduler and a worker on this machine, started with the first job and ended
some minutes after the last. Set: the cluster at that address. The artefact's key is the task's
key, so readers who ask for the same model share one training. What is asked for is noted on the
disk until it is done: after a restart `resume` goes on from the checkpoints.
"""

import contextlib
import dataclasses
import json
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import safetensors.torch

from core import engine, library
from core.knobs import Config
from core.store import Artefact, UnknownFormat, root
from core.training import Progress, Task, task
from core.worker import CANCELLED, progress_topic, stop_event, work

if TYPE_CHECKING:
    from distributed import Client

REMEMBERED = 20  # jobs that have ended and are still shown
LIMIT = 100  # jobs that may wait or run at once, unless LAB_JOBS says otherwise


class Status(StrEnum):
    """Where a job stands."""

    WAITING = "waiting"  # for the cluster to start, or for a worker
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Trouble:
    """Why a job failed. The page has a sentence for each code."""

    # "raised" by the task; "killed": its workers; "lost": the cluster; "newer": format; "full"
    code: str
    detail: str


class JobFailed(RuntimeError):
    """There is no result: the job failed or was cancelled."""


class Job:
    """A task on its way. Shared by all who asked for it; safe to read from any thread."""

    def __init__(self, task: Task, config: Config) -> None:
        self.task, self.config, self.key = task, config, task.key(config)
        self.status = Status.WAITING
        self.report: Progress | None = None  # how far it is; None until the first step
        self._curve: list[dict[str, float]] = []
        self.trouble: Trouble | None = None
        self._wanted = True
        self._future: Any = None  # Dask's
        self._ended = threading.Event()
        self._artefact: Artefact | None = None

    @property
    def active(self) -> bool:
        """Whether it is waiting or running."""
        return not self._ended.is_set()

    @property
    def stopping(self) -> bool:
        """Whether somebody has asked it to stop and it has not yet."""
        return self.active and not self._wanted

    @property
    def curve(self) -> Sequence[Mapping[str, int | float]]:
        """What has been heard since it was asked for; it does not grow while it is looked at."""
        return tuple(self._curve)

    @property
    def settings(self) -> dict[str, Any]:
        """Its settings by name."""
        return dataclasses.asdict(self.config)

    @property
    def progress(self) -> float:
        """The part that is done, from 0 to 1."""
        if self.status is Status.DONE:
            return 1.0
        return self.report.share if self.report else 0.0

    @property
    def in_memory_only(self) -> bool:
        """Whether the disk could not take the result."""
        return self._artefact is not None and self._artefact.origin == "memory"

    def result(self, timeout: int | float | None = None) -> Artefact:
        """Wait for the artefact. Raises JobFailed, or TimeoutError after `timeout` seconds."""
        if not self._ended.wait(timeout):
            raise TimeoutError(f"{self.task.name} is still {self.status} after {timeout} s")
        if self.status is Status.DONE and (found := self._artefact or library.find(self.key)):
            return found
        raise JobFailed(f"{self.task.name} {self.status}: {self.trouble or self.key}")

    def cancel(self) -> None:
        """Ask it to stop. It keeps a checkpoint, from which it goes on when it is asked for again.

        A cancelled job is not resumed after a restart.
        """
        self._wanted = False
        _drop_note(self.key)
        if self.active:
            threading.Thread(target=self._stop, daemon=True).start()

    def finish(self, artefact: Artefact) -> None:
        """Settle a job whose artefact is there already."""
        self._artefact, self.status = artefact, Status.DONE
        self._ended.set()

    def refuse(self, code: str, why: str) -> None:
        """Settle a job that is not begun: "newer" artefacts are not replaced, or it is "full"."""
        self._fail(code, why)
        self._ended.set()

    def follow(self) -> None:
        """Bring the task to a worker and wait for its end. For the thread that `submit` starts."""
        from distributed import KilledWorker

        try:
            self._settle(self._reply())
            _drop_note(self.key)
        except KilledWorker as error:
            self._fail("killed", str(error))
            _drop_note(self.key)
        except Exception as error:  # the cluster failed, not the task: `resume` may try again
            self._fail("lost", f"{type(error).__name__}: {error}")
        finally:
            self._ended.set()
            _tell(self)

    def _reply(self) -> dict[str, Any]:
        """What a worker says at the end; asked again if somebody else stopped the task there."""
        from distributed import Event

        client, reply = engine.client(), CANCELLED
        Event(stop_event(self.key), client=client).clear()
        client.subscribe_topic(progress_topic(self.key), self._hear)
        while self._wanted and reply == CANCELLED:
            reply = self._ask(client)
        client.unsubscribe_topic(progress_topic(self.key))
        return reply

    def _ask(self, client: "Client") -> dict[str, Any]:
        here = library.store_id()
        self._future = client.submit(
            work, self.task.name, self.settings, self.key, here, key=self.key
        )
        try:
            reply: dict[str, Any] = self._future.result()
        except CancelledError:
            if self._wanted:
                raise
            return CANCELLED
        finally:
            self._future.release()
        return reply

    def _stop(self) -> None:
        """Take it off the queue, or tell the worker that it is not wanted any more."""
        from distributed import Event

        Event(stop_event(self.key), client=engine.client()).set()
        if self.status is Status.WAITING and self._future is not None:
            self._future.cancel()

    def _hear(self, event: tuple[float, dict[str, Any]]) -> None:
        self.status, said = Status.RUNNING, event[1]["progress"]
        if said:
            self.report = Progress(**said)
            self._curve.append({"step": self.report.done, **self.report.metrics})

    def _settle(self, reply: dict[str, Any]) -> None:
        if reply["outcome"] == "failed":
            self._fail("raised", reply["detail"])
            return
        if "tensors" in reply:  # made on another disk, or no disk took it
            tensors = safetensors.torch.load(reply["tensors"])
            self._artefact = library.keep(self.key, tensors, reply["meta"])
        self.status = Status.CANCELLED if reply == CANCELLED else Status.DONE

    def _fail(self, code: str, detail: str) -> None:
        self.trouble, self.status = Trouble(code, detail), Status.FAILED


_lock = threading.Lock()
_jobs: dict[str, Job] = {}
_listeners: list[Callable[[Job], None]] = []


def submit(task: Task, config: Config) -> Job:
    """Ask for a task's artefact. Returns at once: with a job that is done if it exists already.

    Whoever asks for the same task and config while it runs gets the same job.
    """
    key = task.key(config)
    with _lock:
        job = _jobs.get(key)
        if job and job.active:
            return job
        _jobs.pop(key, None)
        job = _jobs[key] = Job(task, config)
        _forget_old()
    try:
        if found := library.find(key):
            job.finish(found)
            return job
    except UnknownFormat as error:
        job.refuse("newer", str(error))
        return job
    if sum(other.active for other in every()) > limit():
        job.refuse("full", str(limit()))
        return job
    _write_note(job)
    threading.Thread(target=job.follow, daemon=True).start()
    _tell(job)
    return job


def limit() -> int:
    """How many jobs may wait or run at once: LAB_JOBS; 0 switches them off."""
    asked = os.environ.get("LAB_JOBS", "")
    return int(asked) if asked.isdigit() else LIMIT


def find(task: Task, config: Config) -> Job | None:
    """The latest job of this process for that task and config."""
    return _jobs.get(task.key(config))


def every() -> list[Job]:
    """The jobs of this process, the latest first."""
    with _lock:
        return list(_jobs.values())[::-1]


def resume() -> list[Job]:
    """Submit again what was asked for and not finished when the last process ended."""
    return [job for path in sorted(_notes().glob("*.json")) if (job := _again(path))]


def listen(callback: Callable[[Job], None]) -> None:
    """Call this with a job, from any thread, whenever one starts or ends."""
    _listeners.append(callback)


def _tell(job: Job) -> None:
    if not any(job.active for job in every()):
        engine.rest()
    for callback in _listeners:
        callback(job)


def _forget_old() -> None:
    ended = [key for key, job in _jobs.items() if not job.active]
    for key in ended[:-REMEMBERED]:
        del _jobs[key]


# ---- what is asked for, noted until it is done


def _notes() -> Path:
    return root() / "_jobs"


def _note(key: str) -> Path:
    return _notes() / f"{key.replace('/', '-')}.json"


def _write_note(job: Job) -> None:
    """A store that can't be written costs the resumption after a restart, not the job."""
    content = {"task": job.task.name, "config": job.settings}
    with contextlib.suppress(OSError):
        _notes().mkdir(parents=True, exist_ok=True)
        _note(job.key).write_text(json.dumps(content), encoding="utf-8")


def _drop_note(key: str) -> None:
    with contextlib.suppress(OSError):
        _note(key).unlink(missing_ok=True)


def _again(path: Path) -> Job | None:
    """The job of a note; one that can't be read, or that no task fits any more, is dropped."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        wanted = task(content["task"])
        return submit(wanted, wanted.config(**content["config"]))
    except (OSError, ValueError, TypeError, KeyError):
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
        return None
