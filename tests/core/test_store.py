"""The store: what is kept comes back to the bit, or not at all."""

import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from core.store import CARD, FORMAT, WEIGHTS, Artefact, Damaged, Store, UnknownFormat, write
from tests.conftest import ROOT

KEY = "gelu/00ff"
DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.int64, torch.uint8, torch.bool)


@pytest.fixture
def shelf(tmp_path: Path) -> Store:
    return Store(tmp_path / "shelf")


def put(shelf: Store, value: float = 1.0, key: str = KEY) -> Artefact:
    return shelf.put(key, {"w": torch.full((64,), value)}, {"value": value})


def script(text: str, **environment: str) -> list[str]:
    """The command of a Python process that runs a text from the repository's root."""
    named = "; ".join(f"os.environ[{name!r}] = {value!r}" for name, value in environment.items())
    return [sys.executable, "-c", f"import os; {named}\n{text}"]


@st.composite
def tensors(draw: st.DrawFn) -> dict[str, torch.Tensor]:
    names = draw(st.lists(st.text("abc.0_", min_size=1, max_size=6), unique=True, max_size=4))
    shapes = st.lists(st.integers(0, 4), max_size=3)
    return {
        name: torch.randint(0, 2, draw(shapes), generator=torch.Generator().manual_seed(0)).to(
            draw(st.sampled_from(DTYPES))
        )
        for name in names
    }


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text() | st.floats(width=64),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=40)
@given(tensors(), st.dictionaries(st.text(), json_values, max_size=4))
def test_what_is_put_comes_back_to_the_bit(
    kept: dict[str, torch.Tensor], meta: dict[str, Any]
) -> None:
    shelf = Store(Path(os.environ["LAB_STORE"]) / "property")
    shelf.put(KEY, kept, meta)
    found = Store(shelf.path).get(KEY)
    assert found is not None
    assert repr(found.meta) == repr(json.loads(json.dumps(meta)))  # NaN is not equal to itself
    assert found.tensors.keys() == kept.keys()
    for name, tensor in kept.items():
        assert found.tensors[name].dtype == tensor.dtype
        assert torch.equal(found.tensors[name], tensor)


def test_views_and_shared_weights_are_kept_as_they_look(shelf: Store) -> None:
    whole = torch.arange(24.0).reshape(4, 6)
    kept = {"whole": whole, "tied": whole, "part": whole[:, ::2], "wide": whole[0].expand(3, 6)}
    found = shelf.put(KEY, kept, {}).tensors
    assert all(torch.equal(found[name], tensor) for name, tensor in kept.items())


def test_the_latest_one_is_found_and_the_keys_and_sizes_tell_of_it(shelf: Store) -> None:
    put(shelf, 1.0)
    put(shelf, 2.0)
    put(shelf, 3.0, "vae/ab")
    found = shelf.get(KEY)
    assert found is not None
    assert found.meta == {"value": 2.0}
    assert shelf.keys() == [KEY, "vae/ab"]
    on_disk = sum(p.stat().st_size for p in shelf.path.glob("[a-z]*/*/*"))
    assert shelf.size() == on_disk
    shelf.remove(KEY)
    shelf.remove(KEY)
    assert shelf.keys() == ["vae/ab"]
    assert shelf.get(KEY) is None


@pytest.mark.parametrize(
    "key",
    ["", "gelu", "gelu/", "/00", "gelu/xyz", "../gelu/00", "gelu/../00", "gelu/00/11", "gelu/0 0",
     "gelu\\00", "GELU/00", "gelu/00\n", "_aside/00", "gelu/" + "0" * 300, "g\0/00"],
)  # fmt: skip
def test_a_hostile_key_is_refused_everywhere(shelf: Store, key: str) -> None:
    for use in (shelf.get, shelf.remove, shelf.card):
        with pytest.raises(ValueError, match=r"key is .*, but must be"):
            use(key)
    with pytest.raises(ValueError, match=r"key is .*, but must be"):
        shelf.put(key, {}, {})
    assert not shelf.path.exists()


@pytest.mark.parametrize("meta", [{"x": object()}, {"x": {1, 2}}])
def test_a_card_that_is_not_json_is_refused_and_leaves_nothing(shelf: Store, meta: Any) -> None:
    with pytest.raises(ValueError, match="can't be kept"):
        shelf.put(KEY, {}, meta)
    assert shelf.keys() == []
    assert shelf.size() == 0


def flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(bytes(content))


DAMAGES = {
    "truncated weights": lambda folder: os.truncate(folder / WEIGHTS, 100),
    "empty weights": lambda folder: os.truncate(folder / WEIGHTS, 0),
    "a bit of the weights": lambda folder: flip(folder / WEIGHTS, -1),
    "a bit of their header": lambda folder: flip(folder / WEIGHTS, 3),
    "no weights": lambda folder: (folder / WEIGHTS).unlink(),
    "truncated card": lambda folder: os.truncate(folder / CARD, 40),
    "empty card": lambda folder: os.truncate(folder / CARD, 0),
    "a digit of the card": lambda folder: (folder / CARD).write_text(
        (folder / CARD).read_text().replace('"value":1.0', '"value":1.5')
    ),
    "a card of another kind": lambda folder: (folder / CARD).write_text("[]"),
    "a card that is no text": lambda folder: (folder / CARD).write_bytes(b"\xff\xfe\x00"),
    "no card": lambda folder: (folder / CARD).unlink(),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_damaged_is_set_aside_and_can_be_made_again(shelf: Store, damage: str) -> None:
    put(shelf)
    DAMAGES[damage](shelf.path / KEY)
    assert shelf.get(KEY) is None
    assert not (shelf.path / KEY).exists()
    assert list((shelf.path / "_aside").iterdir())
    put(shelf, 2.0)
    found = shelf.get(KEY)
    assert found is not None
    assert found.meta == {"value": 2.0}


def test_the_artefact_of_a_newer_program_is_refused_with_a_word_and_left_alone(
    shelf: Store,
) -> None:
    put(shelf)
    card = shelf.path / KEY / CARD
    text = card.read_text().replace(f'"format":{FORMAT}', '"format":99')
    card.write_text(text)
    with pytest.raises(UnknownFormat, match="has format 99; this program reads up to"):
        shelf.get(KEY)
    assert card.read_text() == text
    assert shelf.card(KEY) is None


def test_a_folder_that_lost_its_digests_is_not_adopted(shelf: Store) -> None:
    with shelf.new_folder() as folder:
        write(folder, {"w": torch.ones(3)}, {})
        flip(folder / WEIGHTS, -1)
        with pytest.raises(Damaged):
            shelf.adopt(KEY, folder)
    assert shelf.keys() == []


# ---- several at once


READ_AND_WRITE = """
import torch, sys
from core.store import Store
shelf = Store(sys.argv[1])
for step in range(60):
    value = float(sys.argv[2]) + step
    shelf.put("gelu/00ff", {"w": torch.full((5000,), value)}, {"value": value})
"""


def test_a_reader_sees_the_old_one_or_the_new_one_while_two_processes_write(shelf: Store) -> None:
    put(shelf)
    command = [*script(READ_AND_WRITE), str(shelf.path)]
    writers = [subprocess.Popen([*command, value], cwd=ROOT) for value in ("1000", "2000")]
    seen = set()
    while any(writer.poll() is None for writer in writers):
        found = shelf.get(KEY)
        assert found is not None
        assert bool((found.tensors["w"] == found.meta["value"]).all())
        seen.add(found.meta["value"])
    assert [writer.returncode for writer in writers] == [0, 0]
    assert len(seen) > 10
    assert not (shelf.path / "_aside").exists()


def test_threads_that_put_and_remove_leave_a_whole_store(shelf: Store) -> None:
    faults: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for step in range(20):
                put(shelf, number * 100.0 + step, f"gelu/{step % 3}")
                shelf.get(f"gelu/{step % 3}")
                shelf.remove(f"gelu/{(step + 1) % 3}")
        except Exception as error:
            faults.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert all(shelf.get(key) for key in shelf.keys())  # noqa: SIM118
    assert not list((shelf.path / "_new").iterdir())
    assert not (shelf.path / "_aside").exists()


KILLED = """
import os, signal, sys, torch
from pathlib import Path
from core.store import Store
rename, times = Path.rename, []
def rename_or_die(path, target):
    times.append(path)
    if len(times) == 2:  # the old one is retired, the new one is not in its place yet
        os.kill(os.getpid(), signal.SIGKILL)
    return rename(path, target)
Path.rename = rename_or_die
Store(sys.argv[1]).put("gelu/00ff", {"w": torch.zeros(3)}, {"value": 2.0})
"""


def test_a_writer_killed_between_its_renames_loses_nothing(shelf: Store) -> None:
    put(shelf, 1.0)
    ended = subprocess.run([*script(KILLED), str(shelf.path)], cwd=ROOT, check=False)
    assert ended.returncode == -9
    card = shelf.card(KEY)
    assert card is not None
    assert card.meta == {"value": 1.0}
    found = shelf.get(KEY)
    assert found is not None
    assert found.meta == {"value": 1.0}


def test_what_a_writer_killed_after_its_renames_left_is_in_nobodys_way(shelf: Store) -> None:
    put(shelf, 1.0)
    left = shelf.path / "_retired" / KEY.replace("/", "-")
    shutil.copytree(shelf.path / KEY, left)
    put(shelf, 2.0)
    found = shelf.get(KEY)
    assert found is not None
    assert found.meta == {"value": 2.0}
    assert not left.exists()


def test_half_made_folders_of_killed_writers_go_and_those_of_living_ones_stay(
    shelf: Store,
) -> None:
    put(shelf)
    with shelf.new_folder() as now:
        dead = now.parent / "dead"
        dead.mkdir()
        os.utime(dead, (1000, 1000))
        shelf.trim(10**9)
        assert now.exists()
        assert not dead.exists()


# ---- disks


FULL = """
import sys, torch
from core.store import Store
shelf = Store(sys.argv[1])
shelf.put("gelu/00", {"w": torch.ones(1000)}, {})
for content, meta in (({"w": torch.zeros(200_000)}, {}), ({}, {"x": "y" * 900_000})):
    try:
        shelf.put("gelu/00", content, meta)
    except OSError as error:
        print("No space left" in str(error), len(shelf.get("gelu/00").tensors["w"]))
print(shelf.keys(), list((shelf.path / "_new").iterdir()))
"""


def on_a_small_disk(text: str, folder: Path, size: str) -> str:
    """What a script prints whose store lies on a disk of that size."""
    if subprocess.run(["unshare", "-rm", "true"], check=False).returncode:
        pytest.skip("LEFT OUT: nobody may mount a small disk on this machine")
    mount = f'mount -t tmpfs -o size={size} none {folder} && exec "$@"'
    command = ["unshare", "-rm", "sh", "-c", mount, "sh", *script(text), str(folder / "store")]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    return found.stdout


def test_a_full_disk_is_an_error_and_the_old_artefact_stays(tmp_path: Path) -> None:
    said = on_a_small_disk(FULL, tmp_path, "600k")
    assert said.splitlines() == ["True 1000", "True 1000", "['gelu/00'] []"]


def test_a_store_that_cannot_be_written_finds_nothing_and_says_why_it_keeps_nothing(
    tmp_path: Path,
) -> None:
    (tmp_path / "file").write_text("")
    shelf = Store(tmp_path / "file" / "store")
    assert shelf.get(KEY) is None
    assert shelf.keys() == []
    with pytest.raises(OSError, match="Not a directory"):
        put(shelf)


# ---- the bound


def test_what_was_used_least_recently_goes_first(shelf: Store) -> None:
    for age, name in enumerate("abcd"):
        put(shelf, 0.0, f"gelu/{name}")
        os.utime(shelf.path / "gelu" / name / CARD, (1000 + age, 1000 + age))
    shelf.get("gelu/a")
    one = shelf.size() // 4
    assert shelf.trim(2 * one + 10) == ["gelu/b", "gelu/c"]
    assert shelf.keys() == ["gelu/a", "gelu/d"]
    assert shelf.size() <= 2 * one + 10


def test_what_was_set_aside_goes_before_anything_else(shelf: Store) -> None:
    put(shelf, 0.0, "gelu/a")
    put(shelf, 0.0, "gelu/b")
    os.truncate(shelf.path / "gelu/a" / WEIGHTS, 5)
    shelf.get("gelu/a")
    whole = shelf.size()
    assert shelf.trim(whole - 1) == []
    assert shelf.keys() == ["gelu/b"]
    assert not (shelf.path / "_aside").exists()


def test_cards_tell_what_is_kept_the_latest_used_first(shelf: Store) -> None:
    put(shelf, 1.0, "gelu/a")
    put(shelf, 2.0, "gelu/b")
    os.utime(shelf.path / "gelu" / "b" / CARD, (1000, 1000))
    (shelf.path / "gelu" / "nonsense").mkdir()
    cards = shelf.cards()
    assert [(card.key, card.meta["value"]) for card in cards] == [("gelu/a", 1.0), ("gelu/b", 2.0)]
    assert cards[1].used == 1000
    shutil.rmtree(shelf.path)
    assert shelf.cards() == []
