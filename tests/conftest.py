"""What every test shares."""

import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
import torch

from core import library

hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile(
    "patient"
)  # how long an example takes is no matter of right or wrong

ROOT = Path(__file__).parent.parent


@pytest.fixture
def root() -> Path:
    """The repository's root."""
    return ROOT


@pytest.fixture(autouse=True, scope="session")
def _own_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tests keep their models in a folder of their own, and repeat themselves to the bit.

    Their trainings give way to nobody: whoever waits here, waits for them.
    """
    own = {"LAB_STORE": str(tmp_path_factory.mktemp("store")), "LAB_NICENESS": "0"}
    os.environ.update(own)
    torch.set_num_threads(1)
    yield
    for name in own:
        del os.environ[name]


@pytest.fixture(autouse=True)
def _same_chance() -> None:
    """A test draws the same numbers whichever tests its process ran before."""
    torch.manual_seed(0)  # noqa: TID251  tests are no sessions: one at a time in a process


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty local store, and nothing in memory."""
    library._memory.clear()
    monkeypatch.setenv("LAB_STORE", str(tmp_path / "store"))
    return tmp_path / "store"
