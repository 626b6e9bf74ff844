"""Layers that learn to read pairs: tasks, forms, training, and what ships."""

import threading
from dataclasses import replace
from itertools import islice

import pytest
import torch

from core import attention as core
from core import library
from core.attention.recall import ATTENTIONS, VALUES, VOCABULARY, batch, forward, initial_weights
from core.attention.shipped import COMPARED, COUNTS, LENGTHS, PROJECTIONS
from core.runs import trained
from core.training import task

QUICK = core.RecallConfig(pairs=4, dim=4, steps=50, batch_size=8)


def losses(config: core.RecallConfig) -> list[float]:
    return [snapshot.metrics["loss"] for snapshot in core.train(config)]


def test_the_task_is_found_by_its_name() -> None:
    assert task("attention.recall") is core.RECALL


@pytest.mark.parametrize("name", ["recall", "copy"])
def test_keys_of_a_sequence_differ_and_copying_has_the_places(name: str) -> None:
    data = batch(replace(QUICK, task=name, pairs=20), 7, torch.Generator().manual_seed(0))
    assert data.keys.shape == data.values.shape == (7, 20)
    assert all(len(set(row)) == 20 for row in data.keys.tolist())
    assert int(data.keys.max()) < (20 if name == "copy" else VOCABULARY)
    assert 0 <= int(data.values.min()) <= int(data.values.max()) < VALUES


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_every_layer_reads_pairs_and_learns_something(attention: str) -> None:
    config = replace(QUICK, attention=attention, steps=100, lr=0.02)
    found = [snapshot.metrics for snapshot in core.train(config)]
    assert all(0 <= metrics["accuracy"] <= 1 for metrics in found)
    assert found[-1]["loss"] < found[0]["loss"] or attention == "identity"


@pytest.mark.parametrize("attention", ["softmax", "elu", "taylor2", "cosine"])
def test_a_forward_pass_is_the_matrix_times_the_values(attention: str) -> None:
    config = replace(QUICK, attention=attention)
    generator = torch.Generator().manual_seed(0)
    weights = {n: w.double() for n, w in initial_weights(config, generator).items()}
    data = batch(config, 3, generator)
    asked = weights["key"][data.keys]
    token = asked + weights["value"][data.values]
    q, k = asked @ weights["q"], token @ weights["k"]
    if attention == "softmax":
        q = q / config.dim**0.5
    matrix = core.attention_matrix(q, k, attention)
    expected = matrix @ (token @ weights["v"]) @ weights["out"]
    torch.testing.assert_close(forward(weights, data, config), expected)


def test_seeds_decide_the_training_in_every_thread() -> None:
    alone, found = losses(QUICK), []
    threads = [threading.Thread(target=lambda: found.append(losses(QUICK))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [alone] * 3
    assert alone != losses(replace(QUICK, seed=1))


@pytest.mark.parametrize("attention", ["elu", "delta", "favor", "linformer"])
def test_a_training_goes_on_where_it_stopped(attention: str) -> None:
    config = replace(QUICK, attention=attention)
    whole = list(core.train(config))[-1].weights()
    first = next(iter(core.train(config)))
    state = {name: value.clone() for name, value in first.state().items()}
    *_, last = core.train(config, state)
    assert all(torch.equal(whole[name], value) for name, value in last.weights().items())


@pytest.mark.parametrize("attention", ["softmax", "elu", "taylor2", "delta", "linformer"])
def test_what_ships_is_what_today_s_code_trains(attention: str) -> None:
    config = core.RecallConfig(attention=attention)
    kept = library.SHIPPED.get(core.RECALL.key(config))
    assert kept is not None
    today = next(islice(core.train(config), 1)).metrics["loss"]
    assert today == pytest.approx(kept.meta["curve"][0]["loss"], abs=1e-3)
    weights = {key: value.float() for key, value in kept.tensors.items()}
    found = core.accuracy(weights, config)
    assert found == pytest.approx(kept.meta["metrics"]["accuracy"], abs=0.02)


def test_everything_that_is_said_to_ship_does() -> None:
    assert len(core.SHIPPED) == 2 * len(ATTENTIONS)
    assert all(library.SHIPPED.card(core.RECALL.key(config)) for config in core.SHIPPED)
    assert len(LENGTHS.load()) == 2 * len(COMPARED) * len(COUNTS)
    assert len(PROJECTIONS.load()) == len(PROJECTIONS.configs)


def test_claim_softmax_gets_every_pair_and_positive_kernels_of_its_width_do_not() -> None:
    table = LENGTHS.load()
    for name in ("recall", "copy"):
        rows = table[(table["task"] == name) & (table["pairs"] == 32)]
        found = dict(zip(rows["attention"], rows["accuracy"], strict=True))
        assert found["softmax"] > 0.999
        assert max(found[kernel] for kernel in ("elu", "relu", "exp")) < 0.8
        for signed in ("identity-rms", "decay", "delta"):
            assert found["elu"] < found[signed] < found["softmax"]


def test_the_chosen_layer_stands_beside_those_that_ship(store: object) -> None:
    result = core.learning(core.LearningConfig())
    assert result.table["attention"].tolist() == [
        "own", *(name for name in ATTENTIONS if name != "elu")
    ]  # fmt: skip
    assert set(result.curves["curve"]) == {"own", "softmax", "taylor2", "delta"}
    assert result.softmax > 0.99 > result.accuracy
    own = core.LearningConfig(pairs=4, dim=4, attention="cosine")
    assert (
        core.learning(own).accuracy
        == trained(core.RECALL, own.training).meta["metrics"]["accuracy"]
    )


def test_only_linformer_s_training_depends_on_its_projections() -> None:
    configs = [core.LearningConfig(projections=m) for m in (4, 32)]
    assert configs[0].training == configs[1].training
    linformers = [replace(config, attention="linformer").training for config in configs]
    assert linformers[0] != linformers[1]
