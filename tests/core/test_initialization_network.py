"""Training from a start: the net is torch's, repeats itself, goes on, and what ships is today's."""

import math
import threading

import pandas as pd
import pytest
import torch
import torch.nn.functional as F

from core import datasets, library
from core import initialization as core
from core.numerics import Diverged
from core.runs import trained
from core.training import task

QUICK = core.TrainConfig(depth=3, steps=20, lr=0.05)


def losses(config: core.TrainConfig) -> list[float]:
    return [snapshot.metrics["loss"] for snapshot in core.train(config)]


def test_the_task_is_found_by_its_name() -> None:
    assert task("initialization.network") is core.TRAINING
    assert task("initialization.region") is core.MAP


@pytest.mark.parametrize("name", core.SHIPPED)
def test_what_ships_grew_from_today_s_start(name: str) -> None:
    """Only the beginning is compared: 50 layers turn a rounding into percents."""
    config = core.SHIPPED[name]
    kept = library.SHIPPED.get(core.TRAINING.key(config))
    assert kept is not None
    read_out = f"weight{config.depth}"  # another seed's is 1.4 of its length away
    assert list(kept.tensors) == [read_out]
    start = core.initial_weights(config, torch.Generator().manual_seed(config.seed))[read_out]
    assert (kept.tensors[read_out].float() - start).norm() < 0.3 * start.norm()
    first = next(core.train(config)).metrics["loss"]
    assert first == pytest.approx(kept.meta["curve"][0]["loss"], rel=0.05)
    assert kept.meta["curve"][-1] == {"step": config.steps, **kept.meta["metrics"]}


def test_claim_exact_orthogonality_trains_far_better() -> None:
    ends = {
        name: library.SHIPPED.get(core.TRAINING.key(config)).meta["metrics"]["test_accuracy"]  # type: ignore[union-attr]
        for name, config in core.SHIPPED.items()
    }
    assert ends["tanh-orthogonal"] > 0.9
    assert all(ends[name] < 0.7 for name in ends if name != "tanh-orthogonal")
    assert ends["gelu-tuned"] < 0.2  # unstable: the signal leaves its fixed point


def test_the_net_is_the_module_that_torch_would_build() -> None:
    config = core.TrainConfig(depth=2)
    weights = core.initial_weights(config, torch.Generator().manual_seed(0))
    layers: list[torch.nn.Module] = []
    for weight in weights.values():
        linear = torch.nn.utils.skip_init(torch.nn.Linear, 64, len(weight), bias=False)
        linear.load_state_dict({"weight": weight})
        layers += [linear, torch.nn.ReLU()]
    module = torch.nn.Sequential(*layers[:-1])
    x = torch.randn(5, 64, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(core.forward(weights, x, torch.relu, False), module(x).detach())


def test_normalization_stands_after_the_activation() -> None:
    weights = core.initial_weights(QUICK, torch.Generator().manual_seed(0))
    x = torch.randn(5, 64, generator=torch.Generator().manual_seed(1))
    expected = x
    *hidden, last = weights.values()
    for weight in hidden:
        expected = F.layer_norm(torch.relu(expected @ weight.T), (64,))
    torch.testing.assert_close(core.forward(weights, x, torch.relu, True), expected @ last.T)


@pytest.mark.parametrize("scheme", ["post", "he", "tuned", "orthogonal"])
def test_hidden_weights_have_the_scale_of_their_start(scheme: str) -> None:
    config = core.TrainConfig(scheme=scheme, activation="tanh", multiple=1.5, depth=10)
    *hidden, last = core.initial_weights(config, torch.Generator().manual_seed(0)).values()
    factor = {"post": 1, "he": 2, "tuned": core.gain("tanh") ** 2, "orthogonal": 1}[scheme]
    measured = float(torch.stack(hidden).square().mean()) * 64
    assert measured == pytest.approx(1.5**2 * factor, rel=0.05)
    assert float(last.square().mean()) * 64 == pytest.approx(1, rel=0.25)


def test_a_shallow_net_learns() -> None:
    found = losses(core.TrainConfig(depth=2, steps=200, lr=0.1))
    assert found[-1] < 0.5 < found[0]


def test_seeds_decide_the_training_in_every_thread() -> None:
    alone, found = losses(QUICK), []
    threads = [threading.Thread(target=lambda: found.append(losses(QUICK))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [alone] * 4
    assert alone != losses(core.TrainConfig(depth=3, steps=20, lr=0.05, seed=1))


def test_a_training_goes_on_where_it_stopped() -> None:
    whole = list(core.train(QUICK))[-1].weights()
    first = next(iter(core.train(QUICK)))
    state = {name: value.clone() for name, value in first.state().items()}
    *_, last = core.train(QUICK, state)
    assert all(torch.equal(whole[name], value) for name, value in last.weights().items())


def test_numbers_that_overflow_end_the_training_with_a_word() -> None:
    wild = core.TrainConfig(scheme="he", multiple=2.0, depth=50, steps=20)
    with pytest.raises(Diverged, match="the loss is"):
        list(core.train(wild))
    loss, accuracy = core.final_accuracy(wild)
    assert math.isnan(loss)
    assert accuracy == 0


def test_the_digits_that_it_learns_from_are_standardized() -> None:
    from core.initialization.network import digits

    x, y, test_x, test_y = digits()
    assert (len(x), len(y), len(test_x), len(test_y)) == (1437, 1437, 360, 360)
    assert float(x.mean()) == pytest.approx(0, abs=1e-5)
    assert float(x.square().mean()) == pytest.approx(1, abs=1e-3)
    assert core.TRAINING.data(QUICK) == datasets.load("digits", "train").digest


def test_starts_show_the_chosen_one_beside_those_that_ship(store: object) -> None:
    result = core.starts(core.StartsConfig())
    assert result.table["curve"].tolist()[0] == "start"
    assert set(result.table["curve"]) == {"start", *core.SHIPPED} - {"tanh-orthogonal"}
    assert set(result.losses["curve"]) == {"start", "tanh-post", "relu-he"}
    own = core.StartsConfig(depth=5, seed=3, activation="selu")
    other = core.starts(own)
    assert set(other.losses["curve"]) == {"start", "relu-he", "tanh-orthogonal"}
    metrics = trained(core.TRAINING, own.training).meta["metrics"]
    assert other.table["loss"].iloc[0] == metrics["loss"]


def test_what_ships_is_shown_while_the_chosen_start_is_not_trained(store: object) -> None:
    own = core.StartsConfig(depth=5, seed=3, activation="gelu")
    result = core.shipped_starts(own)
    assert set(result.table["curve"]) == set(core.SHIPPED)
    assert set(result.losses["curve"]) == {"gelu-tuned", "relu-he", "tanh-orthogonal"}


def test_a_training_that_runs_is_drawn_as_far_as_it_is(store: object) -> None:
    own = core.StartsConfig(depth=5, seed=3, activation="gelu")
    shipped = core.shipped_starts(own).losses
    begun = core.live_losses(own, [])
    assert begun["curve"].unique()[0] == "start"
    pd.testing.assert_frame_equal(begun.dropna().reset_index(drop=True), shipped)
    growing = core.live_losses(own, [{"step": 5, "loss": 2.0}, {"step": 10, "loss": 1.5}])
    assert growing["curve"].unique()[0] == "start"
    start = growing[growing["curve"] == "start"]
    assert start["loss"].dropna().tolist() == [2.0, 1.5]
    assert len(start) == 60  # gaps up to the last step
    pd.testing.assert_frame_equal(
        growing[growing["curve"] != "start"].reset_index(drop=True), shipped
    )
