"""The swapped network: exact against exact is nothing, worse approximations drift further."""

import importlib
import math
import threading
from itertools import islice, pairwise

import pytest
import torch
import torch.nn.functional as F

from core import gelu as core
from core import library
from core.numerics import Diverged
from core.store import Artefact

pretrained = importlib.import_module("core.gelu.pretrained")
network = importlib.import_module("core.gelu.network")
QUICK = core.TrainConfig(depth=2, epochs=3)


def last(config: core.TrainConfig) -> dict[str, torch.Tensor]:
    """The weights at the end of a training."""
    *_, snapshot = core.train(config)
    return snapshot.weights()


def shipped(depth: int, seed: int) -> Artefact:
    found = library.SHIPPED.get(core.NETWORK.key(core.TrainConfig(depth=depth, seed=seed)))
    assert found is not None
    return found


@pytest.mark.parametrize("depth", [2, 4, 8])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_shipped_networks_have_the_accuracy_of_their_cards(depth: int, seed: int) -> None:
    weights, metrics = shipped(depth, seed).tensors, shipped(depth, seed).meta["metrics"]
    assert core.accuracy(weights, core.gelu) == pytest.approx(metrics["test_accuracy"])
    assert core.accuracy(weights, core.gelu) > 0.95
    assert len(weights) == 2 * (depth + 1)


def test_todays_code_trains_what_ships_or_its_version_must_be_raised() -> None:
    curve = shipped(2, 0).meta["curve"]
    snapshots = islice(core.train(core.TrainConfig(depth=2)), 4)
    losses = [snapshot.metrics["loss"] for snapshot in snapshots]
    assert losses == pytest.approx([point["loss"] for point in curve[:4]], abs=1e-4)


def test_a_broken_training_says_so() -> None:
    weights = last(core.TrainConfig(depth=1, epochs=1))
    *_, snapshot = core.train(core.TrainConfig(depth=1, epochs=1))
    state = snapshot.state() | {"weights.weight0": weights["weight0"] * math.nan}
    with pytest.raises(Diverged, match="the loss is nan in epoch 2"):
        list(core.train(core.TrainConfig(depth=1, epochs=2), state))


def test_forward_is_the_torch_module_of_the_same_weights() -> None:
    weights = shipped(2, 0).tensors
    linears = [torch.nn.utils.skip_init(torch.nn.Linear, 64, n) for n in (64, 64, 10)]
    for k, linear in enumerate(linears):
        linear.load_state_dict({"weight": weights[f"weight{k}"], "bias": weights[f"bias{k}"]})
    gelu = torch.nn.GELU()
    module = torch.nn.Sequential(linears[0], gelu, linears[1], gelu, linears[2])
    x = core.digits().test_x
    torch.testing.assert_close(core.forward(weights, x, F.gelu)[-1], module(x).detach())


@pytest.mark.parametrize("depth", ["2", "4", "8"])
def test_a_worse_approximation_drifts_further_in_every_layer(depth: str) -> None:
    results = [
        core.drift(core.NetworkConfig(activation=name, depth=depth))
        for name in ("tanh", "sigmoid", "silu")
    ]
    for near, far in pairwise(results):
        assert (near.by_layer["relative_drift"] < far.by_layer["relative_drift"]).all()
        assert (near.logits["drift"] < far.logits["drift"]).all()
    assert len(results[0].by_layer) == int(depth) + 1
    assert results[0].flipped == 0


@pytest.mark.parametrize("name", ["tanh", "sigmoid", "silu", "relu", "own"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_drift_tables_are_consistent(name: str, seed: int) -> None:
    result = core.drift(core.NetworkConfig(activation=name, slope=1.3, seed=seed))
    assert result.histogram["count"].sum() == 360 * 10
    assert result.logits["drift"].is_monotonic_increasing
    extent = max(abs(result.histogram["low"].min()), abs(result.histogram["high"].max()))
    assert extent == pytest.approx(result.logits["drift"].iloc[-1], rel=1e-4)
    assert abs(result.accuracy_exact - result.accuracy_swapped) <= result.flipped + 1e-12
    assert result.logit_scale > 0


def test_own_slope_covers_the_named_sigmoids() -> None:
    for name, slope in (("sigmoid", 1.702), ("silu", 1.0)):
        own = core.drift(core.NetworkConfig(activation="own", slope=slope))
        named = core.drift(core.NetworkConfig(activation=name))
        assert own.logits["drift"].tolist() == pytest.approx(
            named.logits["drift"].tolist(), rel=1e-3
        )


def test_no_swap_is_no_drift(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(network.SWAPS, "tanh", core.gelu)
    result = core.drift(core.NetworkConfig(activation="tanh"))
    assert result.by_layer["relative_drift"].max() == 0
    assert result.flipped == 0


def test_training_lowers_the_loss_and_learns() -> None:
    snapshots = list(core.train(core.TrainConfig(depth=2, epochs=6)))
    assert [snapshot.done for snapshot in snapshots] == [1, 2, 3, 4, 5, 6]
    first, end = snapshots[0].metrics, snapshots[-1].metrics
    assert end["loss"] < 0.5 * first["loss"]
    assert end["test_accuracy"] > 0.8


def test_a_seed_decides_the_weights() -> None:
    first, again = last(QUICK), last(QUICK)
    other = last(core.TrainConfig(depth=2, epochs=3, seed=1))
    assert all(torch.equal(first[k], again[k]) for k in first)
    assert not torch.equal(first["weight0"], other["weight0"])


def test_four_threads_with_one_seed_start_from_the_same_weights() -> None:
    found: list[torch.Tensor] = []

    def start() -> None:
        for _ in range(50):
            generator = torch.Generator().manual_seed(3)
            found.append(network.initial_weights(1, generator)["weight0"])

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 200
    assert all(torch.equal(found[0], other) for other in found)


def test_training_leaves_the_global_random_state_alone() -> None:
    before = torch.get_rng_state()
    last(core.TrainConfig(depth=1, epochs=1))
    assert torch.equal(torch.get_rng_state(), before)


def test_retrained_networks_are_all_good_whatever_the_activation() -> None:
    table = core.retrained()
    assert set(table["activation"]) == {"exact", "tanh", "sigmoid", "silu", "relu"}
    assert (table.groupby("activation")["seed"].nunique() == 3).all()
    assert table["accuracy"].min() > 0.95


def test_claim_of_the_page_drift_grows_from_layer_to_layer() -> None:
    by_layer = core.drift(core.NetworkConfig()).by_layer["relative_drift"]
    assert by_layer.is_monotonic_increasing


def test_claim_of_the_page_retrained_approximations_are_as_good_as_exact_gelu() -> None:
    mean = core.drift(core.NetworkConfig()).retrained_mean.set_index("activation")["accuracy"]
    one_digit = 1 / 360
    assert abs(mean["tanh"] - mean["exact"]) < one_digit
    assert abs(mean["sigmoid"] - mean["exact"]) < one_digit
