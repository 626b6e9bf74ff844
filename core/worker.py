"""What a worker of the job engine runs. Nothing heavy is imported until it does.

The scheduler, which has no need of torch, imports this module, too.
"""

import math
import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

CANCELLED = {"outcome": "cancelled"}
REPORT_EVERY = 0.25  # seconds between two reports, and between two looks for a cancellation


def work(name: str, settings: Mapping[str, Any], key: str, store_id: str | None) -> dict[str, Any]:
    """Run the task of that name to its end.

    Returns {"outcome": "done", "cancelled" or "failed", ...}. With "done" comes the artefact's
    content, unless it lies in the very store that the asking process reads: {"tensors": bytes,
    "meta": dict}. With "failed" comes a "detail" for the reader.
    """
    channel = _Channel(key)
    channel.report(None)  # begun; the imports below take seconds

    from core import library, runs, training

    try:
        task = training.task(name)
        config = task.config(**settings)
        artefact = runs.run(task, config, report=channel.report, cancelled=channel.cancelled)
    except runs.Cancelled:
        return CANCELLED
    except Exception as error:  # told to the reader, who may ask again
        return {"outcome": "failed", "detail": f"{type(error).__name__}: {error}"}
    if artefact.origin != "memory" and store_id == library.store_id():
        return {"outcome": "done"}
    return {"outcome": "done", "tensors": _packed(artefact.tensors), "meta": artefact.meta}


def prepare() -> None:
    """Import what every task needs, before one comes."""
    import core.runs  # noqa: F401


class _Channel:
    """How a task talks with the process that asked for it: progress out, a wish to stop in."""

    def __init__(self, key: str) -> None:
        from distributed import Event, get_client, get_worker

        self.topic, self.worker = progress_topic(key), get_worker()
        self.wish = Event(stop_event(key), client=get_client())
        self.reported = self.looked = -math.inf
        self.stop = False

    def report(self, progress: Any) -> None:
        """Send how far the training is, a few times a second at most; None: it has begun."""
        now = time.monotonic()
        if now - self.reported >= REPORT_EVERY:
            self.reported = now
            self.worker.log_event(self.topic, {"progress": progress and asdict(progress)})

    def cancelled(self) -> bool:
        """Whether to stop: somebody asked for it, or there is nobody left to ask.

        The scheduler is asked a few times a second at most.
        """
        now = time.monotonic()
        if now - self.looked >= REPORT_EVERY:
            self.looked = now
            try:
                self.stop = self.wish.is_set()
            except (OSError, RuntimeError):  # it has ended, or its client has: this worker will
                self.stop = True
        return self.stop


def progress_topic(key: str) -> str:
    """Where a job's progress is heard."""
    return f"progress of {key}"


def stop_event(key: str) -> str:
    """What is set to stop a job."""
    return f"stop {key}"


def _packed(tensors: Mapping[str, Any]) -> bytes:
    import safetensors.torch

    return bytes(safetensors.torch.save(dict(tensors)))
