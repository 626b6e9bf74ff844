"""The Dask cluster behind the jobs: started when it is needed, ended when it is idle."""

import atexit
import contextlib
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from distributed import Client

ROOT = Path(__file__).parent.parent
IDLE = 300.0  # seconds without a job after which the local cluster ends
HUNG = 60.0  # seconds without a sign of life after which a worker is replaced

_lock = threading.Lock()
_client: "Client | None" = None
_cluster: Any = None  # of this machine; None if LAB_SCHEDULER names another
_timer: threading.Timer | None = None


def client() -> "Client":
    """The connection to the cluster, started if there is none. Takes a second or two.

    Raises OSError if the scheduler that LAB_SCHEDULER names does not answer.
    """
    global _client, _cluster
    with _lock:
        _keep_awake()
        if _client is not None and _client.status != "running":
            _end()
        if _client is None:
            from distributed import Client

            address = os.environ.get("LAB_SCHEDULER")
            _cluster = None if address else _local()
            _client = Client(address or _cluster, timeout=15, set_as_default=False)
        return _client


def warm() -> None:
    """Start the cluster in the background, since a job is likely; it ends if none comes."""
    if _client is None:
        threading.Thread(target=_warm, daemon=True).start()


def rest() -> None:
    """Say that no job is left: the local cluster ends after a while."""
    global _timer
    with _lock:
        _keep_awake()
        _timer = threading.Timer(IDLE, end_if_idle)
        _timer.daemon = True
        _timer.start()


def end_if_idle() -> None:
    """End unless a task is on its way: one may have come while it was said that none was left."""
    futures = list(_client.futures.values()) if _client else []
    if any(future.status == "pending" for future in futures):
        rest()
    else:
        end()


def end() -> None:
    """Disconnect, and end the local cluster. The next job starts another."""
    with _lock:
        _keep_awake()
        _end()


def _warm() -> None:
    from core.worker import prepare

    with contextlib.suppress(OSError):  # a job will say that the scheduler does not answer
        client().submit(prepare).result()
    rest()


def _end() -> None:
    global _client, _cluster
    for part in (_client, _cluster):
        if part is not None:
            part.close()
    _client = _cluster = None


def _keep_awake() -> None:
    global _timer
    if _timer is not None:
        _timer.cancel()
        _timer = None


def _local() -> Any:
    """A scheduler and workers in processes of their own; the web process stays small.

    The worker has one thread and gives way to the web process; torch repeats itself to the bit
    with one thread.
    """
    import logging

    from distributed.deploy.subprocess import SubprocessCluster

    preload = {"preload": [str(ROOT / "core" / "local_process.py")]}
    environment = {
        "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]),
        "OMP_NUM_THREADS": "1",
        "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "1024",  # its own default: the web process keeps none
    }
    return SubprocessCluster(
        n_workers=int(os.environ.get("LAB_WORKERS", "1")),
        threads_per_worker=1,
        scheduler_kwargs={**preload, "dashboard": False, "worker_ttl": HUNG},
        worker_kwargs={
            **preload,
            "preload_nanny": preload["preload"],
            "env": environment,
            "dashboard": False,
            "memory_limit": os.environ.get("LAB_WORKER_MEMORY", "auto"),
        },
        silence_logs=logging.ERROR,
    )


atexit.register(end)
