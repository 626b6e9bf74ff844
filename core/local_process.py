"""Preloaded by Dask: how the processes of a local cluster behave.

They give way to the web process, and they end with the process that started them: otherwise a
killed web process would leave a training behind that nobody can see or stop.
"""

import os
import threading
import time

NICENESS = 10  # a page in use answers a sixth sooner than at 5
LOOK = 0.5  # seconds between two looks at the parent


def dask_setup(server: object) -> None:
    """Called by Dask when one of its processes starts."""
    if hasattr(os, "setpriority"):
        os.setpriority(os.PRIO_PROCESS, 0, int(os.environ.get("LAB_NICENESS", NICENESS)))
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(LOOK)  # the end of a process that is not a child raises no event
    os._exit(1)
