"""What the verbs of a page promise beyond what they draw."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, BoundedSemaphore, Lock

import pytest

from core.similarity import CorpusConfig
from tests.core.test_jobs import PATIENCE
from ui import lab


def test_computations_take_turns_and_equal_ones_are_made_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lab, "_turns", BoundedSemaphore(2))
    lock, pair, inside, made = Lock(), Barrier(2), 0, []
    most = 0

    def doubled(number: int) -> int:
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
            made.append(number)
        pair.wait(PATIENCE)  # nobody goes on before a second one is here
        with lock:
            inside -= 1
        return 2 * number

    with ThreadPoolExecutor(8) as readers:
        assert (
            list(readers.map(lab.memo(doubled), [*range(8), *range(8)])) == [*range(0, 16, 2)] * 2
        )
    assert most == 2
    assert sorted(made) == [*range(8)]


def test_what_a_folder_held_before_is_not_shown_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LAB_ANY_MODEL", raising=False)  # a server of another test may have set it
    card = tmp_path / "config.json"

    def read(config: CorpusConfig) -> str:
        return (Path(config.model) / card.name).read_text()

    for content in ("{}", '{"hidden_size": 4}'):
        card.write_text(content)
        assert lab.memo(read)(CorpusConfig(model=str(tmp_path))) == content
