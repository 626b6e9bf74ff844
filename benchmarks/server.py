"""A server of its own for every measurement, and what it uses."""

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
BARE = Path(__file__).parent / "bare"  # one slider, one chart: what Streamlit itself costs here
PATIENCE = 60.0  # seconds


@dataclass(frozen=True)
class Server:
    """A running dashboard."""

    url: str
    pid: int
    started: float  # when its process was asked for, in seconds since the epoch

    def cpu_seconds(self) -> float:
        """Processor time, user and system, that the process has used so far."""
        after_the_name = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        user, system = after_the_name[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def resident_megabytes(self) -> float:
        """Memory that the process holds now."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


@contextmanager
def serving(folder: Path = ROOT, **environment: str) -> Iterator[Server]:
    """`streamlit run app.py` in a folder, on a free port, ready for a reader; ended on leaving.

    It sees the `environment` besides ours; models are kept in a folder that goes with the server,
    unless the environment names another LAB_STORE.
    """
    port = free_port()
    with tempfile.TemporaryFile() as log, tempfile.TemporaryDirectory() as temporary:
        started = time.time()
        process = subprocess.Popen(
            command(port),
            cwd=folder,
            env={**os.environ, "LAB_STORE": temporary, **environment},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            server = Server(f"http://127.0.0.1:{port}", process.pid, started)
            try:
                wait_until_healthy(server, process)
            except RuntimeError as error:
                log.seek(0)
                raise RuntimeError(f"{error}:\n{log.read().decode()}") from None
            yield server
        finally:
            end(process)


def command(port: int) -> list[str]:
    """The command line of a server on this port, watching no files and reporting to nobody."""
    options = {
        "server.port": port,
        "server.address": "127.0.0.1",
        "server.headless": "true",
        "server.fileWatcherType": "none",
        "browser.gatherUsageStats": "false",
    }
    pairs = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    return [sys.executable, "-m", "streamlit", "run", "app.py", *pairs]


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until_healthy(server: Server, process: subprocess.Popen[bytes]) -> None:
    """Return once the server answers. Raises RuntimeError if it ends or stays silent."""
    deadline = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < deadline:
        if _healthy(server.url):
            return
        time.sleep(0.02)  # a port that nobody listens on yet has no event to wait for
    raise RuntimeError("The server did not start")


def end(process: subprocess.Popen[bytes]) -> None:
    """Ask the process to stop, and make it."""
    process.terminate()
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/_stcore/health", timeout=5) as answer:
            return bool(answer.read() == b"ok")  # any unknown path answers 200 with a page
    except (urllib.error.URLError, OSError):
        return False
