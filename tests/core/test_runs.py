"""Trainings stopped, killed and taken up again end where an unbroken one does."""

import dataclasses
import subprocess
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from core import library, runs
from core.gelu import NETWORK, TrainConfig
from core.numerics import Diverged
from core.store import Artefact, Store, Tensors
from core.training import Progress, Snapshot, task
from tests.conftest import ROOT
from tests.core.test_store import on_a_small_disk, script

CONFIG = TrainConfig(depth=1, epochs=8, batch_size=128, seed=5)


def unbroken(config: TrainConfig) -> Tensors:
    """The weights of a training that nobody disturbs."""
    *_, last = NETWORK.train(config, None)
    return last.weights()


def same(found: Tensors, expected: Tensors) -> bool:
    return found.keys() == expected.keys() and all(
        torch.equal(found[name], expected[name]) for name in expected
    )


def after(steps: int) -> Callable[[], bool]:
    """Wants to stop at the step of that number."""
    count = iter(range(1, 1000))
    return lambda: next(count) >= steps


def test_a_run_ends_with_the_weights_of_the_plain_generator_and_tells_how(store: Path) -> None:
    heard: list[Progress] = []
    found = runs.run(NETWORK, CONFIG, report=heard.append)
    assert same(found.tensors, unbroken(CONFIG))
    assert [progress.done for progress in heard] == list(range(1, 9))
    assert heard[-1].share == 1
    assert found.meta["config"] == dataclasses.asdict(CONFIG)
    assert [point["step"] for point in found.meta["curve"]] == list(range(1, 9))
    assert found.meta["metrics"]["loss"] == found.meta["curve"][-1]["loss"]
    assert found.meta["versions"]["torch"] == torch.__version__
    assert Store().keys() == [found.key]


def test_who_needs_no_gradient_can_ask_for_a_training(store: Path) -> None:
    with torch.no_grad():
        found = runs.run(NETWORK, CONFIG)
    assert same(found.tensors, unbroken(CONFIG))


@settings(max_examples=8)
@given(st.lists(st.integers(1, 5), min_size=1, max_size=3))
def test_stopped_anywhere_and_taken_up_again_it_ends_with_the_same_weights(
    stops: list[int],
) -> None:
    key = NETWORK.key(CONFIG)
    library.forget(key)
    for steps in stops:
        try:
            found = runs.run(NETWORK, CONFIG, cancelled=after(steps))
            break
        except runs.Cancelled:
            assert not library.has(key)
    else:
        found = runs.run(NETWORK, CONFIG)
    assert same(found.tensors, unbroken(CONFIG))
    assert [point["step"] for point in found.meta["curve"]] == list(range(1, 9))
    assert runs.checkpoints().keys() == []


def test_a_damaged_checkpoint_is_set_aside_and_the_training_starts_afresh(store: Path) -> None:
    with pytest.raises(runs.Cancelled):
        runs.run(NETWORK, CONFIG, cancelled=after(3))
    weights = store / "_checkpoints" / NETWORK.key(CONFIG) / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    assert same(runs.run(NETWORK, CONFIG).tensors, unbroken(CONFIG))


def breaking(config: TrainConfig, state: Tensors | None = None) -> Iterator[Snapshot]:
    """Three good steps, then none."""
    for snapshot in NETWORK.train(config, state):
        if snapshot.done == 4:
            raise Diverged("the loss is nan in epoch 4")
        yield snapshot


def test_a_training_that_breaks_leaves_neither_a_model_nor_a_checkpoint(store: Path) -> None:
    broken = dataclasses.replace(NETWORK, train=breaking)
    with pytest.raises(Diverged, match="epoch 4"):
        runs.run(broken, CONFIG)
    assert Store().keys() == []
    assert runs.checkpoints().keys() == []


def test_who_listens_and_fails_costs_no_checkpoint(store: Path) -> None:
    def lost() -> bool:
        raise OSError("the scheduler is gone")

    with pytest.raises(runs.Cancelled):
        runs.run(NETWORK, CONFIG, cancelled=after(3))
    with pytest.raises(OSError, match="gone"):
        runs.run(NETWORK, CONFIG, cancelled=lost)
    card = runs.checkpoints().card(NETWORK.key(CONFIG))
    assert card is not None
    assert card.meta["done"] == 3
    assert same(runs.run(NETWORK, CONFIG).tensors, unbroken(CONFIG))


def test_what_is_kept_is_not_trained_again(store: Path) -> None:
    first = runs.trained(NETWORK, CONFIG)
    again = runs.trained(dataclasses.replace(NETWORK, train=breaking), CONFIG)
    assert again.meta == first.meta


def test_a_damaged_model_is_trained_again(store: Path) -> None:
    first = runs.trained(NETWORK, CONFIG)
    weights = store / first.key / "model.safetensors"
    weights.write_bytes(b"")
    again = runs.trained(NETWORK, CONFIG)
    assert same(again.tensors, first.tensors)
    assert (store / "_aside").exists()


def test_a_long_curve_is_thinned_and_keeps_its_ends(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "CURVE_POINTS", 5)
    steps = [point["step"] for point in runs.run(NETWORK, CONFIG).meta["curve"]]
    assert len(steps) <= 5
    assert (steps[0], steps[-1]) == (1, 8)
    assert steps == sorted(set(steps))


COUNTED = """
import dataclasses, sys
from core import runs
from core.gelu import NETWORK, TrainConfig
steps = []
def counted(config, state):
    for snapshot in NETWORK.train(config, state):
        steps.append(snapshot.done)
        yield snapshot
task = dataclasses.replace(NETWORK, train=counted)
print("ready", flush=True)
sys.stdin.readline()
found = runs.run(task, TrainConfig(depth=1, epochs=120, seed=6))
print(len(steps), found.meta["made"], found.meta["seconds"])
"""


def test_two_processes_that_want_the_same_model_train_it_once(store: Path) -> None:
    both = [
        subprocess.Popen(
            script(COUNTED), cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    for process in both:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    said = []
    for process in both:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in both:
        said.append(process.communicate()[0].split())
    assert sorted(words[0] for words in said) == ["0", "120"]
    assert said[0][1:] == said[1][1:]


FULL = """
import sys, os
os.environ["LAB_STORE"] = sys.argv[1]
import torch
torch.set_num_threads(1)
from core import library, runs
from core.gelu import NETWORK, TrainConfig
config = TrainConfig(depth=1, epochs=8, batch_size=128, seed=5)
found = runs.run(NETWORK, config)
print(found.origin, library.find(found.key) is found, float(found.tensors["weight0"].sum()))
"""


def test_with_a_full_disk_a_model_serves_from_memory(tmp_path: Path) -> None:
    origin, found, total = on_a_small_disk(FULL, tmp_path, "20k").split()
    assert (origin, found) == ("memory", "True")
    assert float(total) == float(unbroken(CONFIG)["weight0"].sum())


# ---- what a result depends on


def test_a_key_tells_apart_all_that_decides_the_weights() -> None:
    other_data = dataclasses.replace(NETWORK, data=lambda config: "other")
    keys = [
        NETWORK.key(CONFIG),
        NETWORK.key(dataclasses.replace(CONFIG, seed=6)),
        NETWORK.key(dataclasses.replace(CONFIG, lr=2e-3)),
        dataclasses.replace(NETWORK, version=NETWORK.version + 1).key(CONFIG),
        dataclasses.replace(NETWORK, name="gelu.other").key(CONFIG),
        other_data.key(CONFIG),
    ]
    assert len(set(keys)) == len(keys)
    assert NETWORK.key(CONFIG) == NETWORK.key(dataclasses.replace(CONFIG))


def test_a_task_is_found_by_its_name() -> None:
    assert task("gelu.network") is NETWORK


@pytest.mark.parametrize("name", ["", "gelu", "gelu.", "gelu.nothing", "os.system", "vae.x", "a.b"])
def test_a_name_that_no_topic_has_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no topic has one of that name"):
        task(name)


# ---- the shared store


@pytest.fixture
def two_machines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    monkeypatch.setenv("LAB_SHARED_STORE", f"file://{tmp_path}/shared")

    def move_to(name: str) -> None:
        monkeypatch.setenv("LAB_STORE", str(tmp_path / name))

    return move_to


def test_what_one_machine_trains_another_one_finds(two_machines: Callable[[str], None]) -> None:
    two_machines("first")
    first = runs.run(NETWORK, CONFIG)
    two_machines("second")
    assert library.find(first.key) is None
    again = runs.run(dataclasses.replace(NETWORK, train=breaking), CONFIG)
    assert same(again.tensors, first.tensors)
    assert Store().keys() == [first.key]


def test_a_page_finds_what_another_machine_has_made_and_asks_seldom_for_what_none_has(
    two_machines: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library, "_lacked", OrderedDict())
    two_machines("first")
    key = runs.run(NETWORK, CONFIG).key
    two_machines("second")
    assert library.has(key)
    assert Store().keys() == [key]
    asked: list[str] = []
    monkeypatch.setattr(library, "fetch", asked.append)
    assert [library.has("gelu/00") for _ in range(3)] == [False] * 3
    assert asked == ["gelu/00"]


def test_a_page_does_not_wait_for_a_shared_store_that_hangs(
    two_machines: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    two_machines("first")
    answers = threading.Event()
    monkeypatch.setattr(library, "_lacked", OrderedDict())
    monkeypatch.setattr(library, "PATIENCE", 0.01)
    monkeypatch.setattr(library, "fetch", lambda key: answers.wait())
    assert not library.has("gelu/00")
    answers.set()


def test_a_damaged_or_half_written_shared_model_is_as_none(
    two_machines: Callable[[str], None], tmp_path: Path
) -> None:
    two_machines("first")
    key = runs.run(NETWORK, CONFIG).key
    weights = tmp_path / "shared" / key / "model.safetensors"
    whole = weights.read_bytes()
    two_machines("second")
    weights.write_bytes(whole[:-1])
    assert library.fetch(key) is None
    weights.unlink()
    assert library.fetch(key) is None
    assert Store().keys() == []
    weights.write_bytes(whole)
    assert isinstance(library.fetch(key), Artefact)


def test_a_shared_store_that_is_away_costs_nothing_but_the_sharing(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_SHARED_STORE", "file:///proc/nowhere")
    assert same(runs.run(NETWORK, CONFIG).tensors, unbroken(CONFIG))
    assert library.fetch("gelu/00") is None


# ---- the library


def test_shipped_models_are_found_first_and_cannot_be_removed(store: Path) -> None:
    shipped = library.SHIPPED.keys()
    assert len(shipped) >= 9
    library.forget(shipped[0])
    assert library.find(shipped[0]) is not None
    Store().put(shipped[0], {}, {"task": "gelu.network"})
    assert [card.origin for card in library.cards() if card.key == shipped[0]] == ["shipped"]
    Store().trim(0)
    assert library.SHIPPED.keys() == shipped


def test_the_local_store_stays_within_its_bound(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configs = [TrainConfig(depth=1, epochs=1, seed=seed) for seed in (11, 12, 13)]
    runs.run(NETWORK, configs[0])
    room_for_two = 2 * Store().size() + 100
    monkeypatch.setenv("LAB_STORE_BYTES", str(room_for_two))
    for config in configs[1:]:
        runs.run(NETWORK, config)
    assert Store().keys() == sorted(NETWORK.key(config) for config in configs[1:])
    assert Store().size() <= room_for_two
