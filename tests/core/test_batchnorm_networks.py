"""Curvature, normalization, networks and trainings, against torch and dense matrices."""

import importlib
import math
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from core import batchnorm as core
from core import library, runs
from core.batchnorm import training
from core.batchnorm.compare import compared, curve
from core.batchnorm.curvature import VARIANTS
from core.batchnorm.norms import OVER_BATCH
from core.batchnorm.surface import losses as surface_losses
from core.batchnorm.sweep import CELLS, best_loss, losses, widest
from core.batchnorm.training import LIMIT, MOST, quiet
from core.numerics import Diverged

surface_module = importlib.import_module("core.batchnorm.surface")  # its name is a function's


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def net(norm: str = "batch", placement: str = "after") -> nn.Sequential:
    return core.mlp((6, 8, 3), "tanh", norm, placement, start="he", generator=seeded())


def batch() -> tuple[Tensor, Tensor]:
    return torch.randn(32, 6, generator=seeded(1)), torch.randint(3, (32,), generator=seeded(2))


# ---- eigenvalues


@given(seed=st.integers(0, 50), k=st.integers(1, 3))
@settings(max_examples=8)
def test_the_top_eigenvalues_of_a_quadratic_are_its_own(seed: int, k: int) -> None:
    spectrum = torch.tensor([9.0, 5.0, 5.0, 2.0, *np.linspace(-3, 1, 36)]).double()
    axes, _ = torch.linalg.qr(torch.randn(40, 40, generator=seeded(seed)).double())
    matrix = (axes * spectrum) @ axes.T
    theta = torch.randn(40, generator=seeded(seed)).double().requires_grad_()
    found = core.top_eigenvalues(
        lambda: theta @ matrix @ theta / 2, [theta], k, generator=seeded(seed)
    )
    torch.testing.assert_close(found, spectrum[:k], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("norm", ["none", "batch", "layer"])
def test_the_top_eigenvalue_of_a_network_is_the_dense_hessian_s(norm: str) -> None:
    model, (x, y) = net(norm), batch()
    loss = lambda: F.cross_entropy(model(x), y)  # noqa: E731
    dense = torch.linalg.eigvalsh(core.dense_hessian(loss, model.parameters()).double())
    found = core.top_eigenvalues(loss, model.parameters(), 2, model=model, generator=seeded())
    assert found.tolist() == pytest.approx(dense[-2:].flip(0).tolist(), rel=1e-4)


def test_the_largest_is_meant_not_the_largest_in_magnitude() -> None:
    theta = torch.zeros(3).double().requires_grad_()
    places = torch.tensor([-10.0, 1.0, 2.0]).double()
    found = core.top_eigenvalues(lambda: (places * theta**2).sum() / 2, [theta])
    assert float(found) == pytest.approx(2)


def test_looking_at_curvature_changes_nothing() -> None:
    model, (x, y) = net(), batch()
    model.eval()
    F.cross_entropy(model(x), y).backward()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    slopes = [weight.grad.clone() for weight in model.parameters() if weight.grad is not None]

    def loss() -> Tensor:
        model.train()
        return F.cross_entropy(model(x), y)

    core.top_eigenvalues(loss, model.parameters(), model=model)
    core.spectral_density(loss, model.parameters(), model=model, starts=1, steps=5)
    core.landscape_along_gradient(model, F.cross_entropy, (x, y), [0.1, 1.0])
    assert not model.training
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    now = [weight.grad for weight in model.parameters() if weight.grad is not None]
    assert all(torch.equal(a, b) for a, b in zip(slopes, now, strict=True))


def test_the_spectrum_s_mean_is_the_trace() -> None:
    model, (x, y) = net("none"), batch()
    loss = lambda: F.cross_entropy(model(x), y)  # noqa: E731
    dense = core.dense_hessian(loss, model.parameters())
    places, weights = core.spectral_density(
        loss, model.parameters(), starts=20, steps=10, generator=seeded()
    )
    assert float(weights.sum()) == pytest.approx(1)
    mean = float(dense.trace()) / len(dense)
    assert float(places @ weights) == pytest.approx(mean, rel=0.25)


@pytest.mark.parametrize("placement", ["before", "after"])
@pytest.mark.parametrize("norm", ["none", "batch", "layer", "rms"])
def test_rates_at_once_are_rates_one_by_one(norm: str, placement: str) -> None:
    model, rates = net(norm, placement), [0.01, 0.1, 1.0]
    table = core.landscape_along_gradient(model, F.cross_entropy, batch(), rates)
    with quiet(model):
        found = core.smoothness_along_gradient(model, batch(), rates)
    assert found.tolist() == pytest.approx(table["effective_smoothness"].tolist(), rel=1e-4)


def test_what_has_no_curvature_is_refused_or_zero() -> None:
    theta = torch.ones(2).requires_grad_()
    assert float(core.top_eigenvalues(lambda: 3 * theta.sum(), [theta])) == 0
    with pytest.raises(Diverged, match="not finite"):
        core.top_eigenvalues(lambda: theta.sum() * math.inf, [theta])
    with pytest.raises(ValueError, match="k is 3"):
        core.top_eigenvalues(lambda: theta.sum(), [theta], 3)


def test_the_landscape_along_the_gradient_is_what_steps_find() -> None:
    model, (x, y) = net("none"), batch()
    table = core.landscape_along_gradient(model, F.cross_entropy, (x, y), [0.5])
    before = torch.autograd.grad(F.cross_entropy(model(x), y), list(model.parameters()))
    with torch.no_grad():
        for weight, slope in zip(model.parameters(), before, strict=True):
            weight.sub_(0.5 * slope)
    loss = F.cross_entropy(model(x), y)
    after = torch.autograd.grad(loss, list(model.parameters()))
    far = math.sqrt(sum(float((a - b).square().sum()) for a, b in zip(after, before, strict=True)))
    length = math.sqrt(sum(float(a.square().sum()) for a in before))
    assert table["loss"][0] == pytest.approx(loss.item(), rel=1e-5)
    assert table["gradient_distance"][0] == pytest.approx(far, rel=1e-4)
    assert table["effective_smoothness"][0] == pytest.approx(far / (0.5 * length), rel=1e-4)
    with pytest.raises(ValueError, match="above 0"):
        core.landscape_along_gradient(model, F.cross_entropy, (x, y), [0.0])


# ---- normalization


@pytest.mark.parametrize("places", [(), (5, 5)])
def test_batch_normalization_is_torch_s_with_its_running_statistics(
    places: tuple[int, ...],
) -> None:
    own = core.Normalization("batch", 8)
    theirs = (nn.BatchNorm2d if places else nn.BatchNorm1d)(8)
    for seed in range(3):
        x = 3 + 2 * torch.randn(16, 8, *places, generator=seeded(seed))
        torch.testing.assert_close(own(x), theirs(x))
    torch.testing.assert_close(own.running_mean, theirs.running_mean)
    torch.testing.assert_close(own.running_var, theirs.running_var)
    own.eval(), theirs.eval()
    torch.testing.assert_close(own(x), theirs(x))


def test_within_a_sample_it_is_torch_s_too() -> None:
    x = 3 + 2 * torch.randn(16, 8, 5, 5, generator=seeded())
    torch.testing.assert_close(core.Normalization("group", 8)(x), F.group_norm(x, 4))
    torch.testing.assert_close(core.Normalization("instance", 8)(x), F.instance_norm(x))
    torch.testing.assert_close(core.Normalization("layer", 8)(x), F.layer_norm(x, (8, 5, 5)))
    flat = x.flatten(2)[:, :, 0]
    torch.testing.assert_close(
        core.Normalization("rms-norm", 8)(flat), F.rms_norm(flat, (8,), eps=1e-5)
    )


def test_center_and_rms_do_half_each() -> None:
    x = 3 + 2 * torch.randn(64, 8, generator=seeded())
    centered = core.Normalization("center", 8)(x)
    torch.testing.assert_close(centered, x - x.mean(0), rtol=1e-4, atol=1e-4)
    scaled = core.Normalization("rms", 8)(x)
    torch.testing.assert_close(scaled.square().mean(0), torch.ones(8), rtol=1e-4, atol=1e-4)


def test_a_batch_of_one_is_refused_with_the_reason() -> None:
    norm = core.Normalization("batch", 4)
    with pytest.raises(ValueError, match="a single sample equals its own mean"):
        norm(torch.zeros(1, 4))
    assert norm(torch.zeros(1, 4, 3, 3)).shape == (1, 4, 3, 3)
    assert norm.eval()(torch.ones(1, 4)).shape == (1, 4)


def test_choices_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="norm is 'spectral'"):
        core.mlp((4, 2), "relu", "spectral")
    with pytest.raises(ValueError, match="a vector has one number"):
        core.mlp((4, 2), "relu", "instance")
    with pytest.raises(ValueError, match="widths is"):
        core.mlp((4,), "relu")
    with pytest.raises(ValueError, match="no images"):
        core.build(core.TrainConfig(data="synthetic", net="cnn"), seeded())
    with pytest.raises(ValueError, match="norm is 'instance'"):
        _ = core.CompareConfig(norm="instance").trainings


def test_noise_is_drawn_anew_in_training_and_silent_in_eval() -> None:
    norm = core.Normalization("batch", 8, noise=0.5, generator=seeded())
    x = torch.randn(16, 8, generator=seeded(1))
    assert not torch.equal(norm(x), norm(x))
    with quiet(norm):
        assert torch.equal(norm(x), norm(x))
    norm.eval()
    assert torch.equal(norm(x), norm(x))


@pytest.mark.parametrize("norm", ["batch", "layer", "instance", "group", "rms-norm", "center"])
@pytest.mark.parametrize("placement", ["before", "after"])
def test_convolutions_take_every_normalization(norm: str, placement: str) -> None:
    model = core.cnn((4, 8, 8), 8, 10, "relu", norm, placement, generator=seeded())
    assert model(torch.randn(4, 1, 8, 8, generator=seeded())).shape == (4, 10)


@given(factor=st.floats(0.2, 5))
@settings(max_examples=10)
def test_after_normalization_the_scale_of_a_weight_does_not_matter(factor: float) -> None:
    model, (x, _) = net("batch"), batch()
    before = model(x)
    with torch.no_grad():
        for name in ("0.weight", "0.bias"):
            model.get_parameter(name).mul_(factor)
    torch.testing.assert_close(model(x), before, rtol=1e-3, atol=1e-3)


def test_weights_come_from_the_seed_alone() -> None:
    one, two = (core.mlp((6, 8, 3), "relu", generator=seeded(5)) for _ in range(2))
    other = core.mlp((6, 8, 3), "relu", generator=seeded(6))
    name = "0.weight"
    assert torch.equal(one.get_parameter(name), two.get_parameter(name))
    assert not torch.equal(one.get_parameter(name), other.get_parameter(name))


# ---- training

SHORT = core.TrainConfig(data="synthetic", steps=40)


@pytest.fixture
def few_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four snapshots, each with a short look at the curvature: a look costs more than a step."""
    monkeypatch.setattr(training, "SNAPSHOTS", 4)
    monkeypatch.setattr(training, "LANCZOS", 3)


@pytest.mark.usefixtures("few_looks")
def test_a_training_goes_on_where_it_was_left() -> None:
    states, ends = [], []
    for snapshot in core.train(SHORT):
        states.append({name: value.clone() for name, value in snapshot.state().items()})
        ends.append(snapshot.weights())
    *_, last = core.train(SHORT, states[1])
    assert last.done == 40
    for name, value in last.weights().items():
        torch.testing.assert_close(value, ends[-1][name])


@pytest.mark.usefixtures("few_looks")
def test_the_loss_falls_and_every_number_is_finite() -> None:
    snapshots = list(core.train(replace(SHORT, lr=0.1)))
    assert len(snapshots) == 4
    assert snapshots[-1].metrics["loss"] < snapshots[0].metrics["loss"]
    assert all(math.isfinite(v) and v <= MOST for s in snapshots for v in s.metrics.values())


@pytest.mark.usefixtures("few_looks")
def test_divergence_is_caught_and_said() -> None:
    wild = replace(SHORT, norm="none", activation="linear", lr=10.0, start="he")
    snapshots = list(core.train(wild))
    last = snapshots[-1]
    assert last.done == last.total
    assert 0 < last.metrics["diverged"] <= 40
    assert all(math.isfinite(value) for s in snapshots for value in s.metrics.values())
    card = {
        "curve": [{"step": s.done, **s.metrics} for s in snapshots],
        "metrics": dict(last.metrics),
    }
    tame = list(core.train(SHORT))
    other = {
        "curve": [{"step": s.done, **s.metrics} for s in tame], "metrics": dict(tame[-1].metrics)
    }  # fmt: skip
    found = compared({"plain": card, "normalized": other}, 10.0)
    run = found.runs["plain"]
    assert run.diverged == last.metrics["diverged"]
    assert run.reached > 1e4
    last_losses = curve(card)["loss"]
    assert last_losses.index[-1] == run.diverged
    assert last_losses.iloc[-1] == run.reached <= MOST
    assert last_losses.iloc[:-1].max() <= 1e4


@pytest.mark.usefixtures("few_looks")
def test_a_run_that_diverges_before_the_first_look_is_drawn_from_its_start() -> None:
    wild = replace(SHORT, norm="none", activation="linear", lr=10.0, start="he")
    (only,) = core.train(wild)
    rows = curve({"curve": [{"step": only.done, **only.metrics}]})
    model = core.build(wild, seeded(wild.seed))
    x, y = core.watched(wild)
    assert list(rows.index) == [0, int(only.metrics["diverged"])]
    assert rows["loss"][0] == pytest.approx(F.cross_entropy(model(x), y).item())
    assert rows["sharpness"][0] > 0


def test_final_loss_of_a_wild_run_is_infinite() -> None:
    wild = replace(SHORT, norm="none", activation="linear", lr=10.0, start="he")
    assert core.final_loss(wild) == math.inf
    assert core.final_loss(replace(SHORT, lr=0.1)) < 0.8


# ---- what ships


# Best losses of another implementation of the same experiment: batch before and after the map,
# mean only, scale only (both before), none. https://kexue.fm/archives/6992, section 2.5.
REFERENCE = {
    "relu": {
        "batch-before": 0.048, "batch-after": 0.112, "center-before": 0.137, "rms-before": 0.193,
        "none": 0.368,
    },
    "tanh": {
        "batch-before": 0.062, "batch-after": 0.171, "center-before": 0.193, "rms-before": 0.235,
        "none": 0.335,
    },
}  # fmt: skip


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_no_pair_of_the_reference_table_is_turned_round_beyond_two_standard_errors(
    activation: str,
) -> None:
    best = core.sweep(core.SweepConfig(activation)).best.set_index(["inputs", "variant"])
    raw = best.loc["raw"]
    order = list(REFERENCE[activation])
    assert order == sorted(order, key=REFERENCE[activation].__getitem__)
    for better, worse in combinations(order, 2):
        assert raw["low"][better] < raw["high"][worse]
    assert raw["high"]["batch-before"] < raw["low"]["batch-after"]
    assert raw["high"][order[:-1]].max() < raw["low"]["none"]


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_fair_inputs_leave_little_of_the_gap(activation: str) -> None:
    raw, fair = (core.sweep(core.SweepConfig(activation, s)) for s in (False, True))
    assert raw.gap > 1.4
    assert fair.gap < 1.2
    assert len(core.learning_rate_sweep(core.SweepConfig(activation))) == len(CELLS) * 12


def test_best_and_widest_read_the_table_of_losses() -> None:
    found = torch.tensor([[0.5, 0.5], [0.1, 0.3], [0.2, 0.7], [math.inf, 0.1]])
    assert best_loss(found) == pytest.approx(0.2)
    assert widest(found) == 0.03


def test_curves_over_the_rate_are_the_losses_with_two_standard_errors() -> None:
    config = core.SweepConfig("tanh")
    curves = core.sweep(config).curves.set_index(["curve", "rate"])
    every = core.learning_rate_sweep(config).set_index(["variant", "rate"])["loss"]
    for name, rate in curves.index:
        found, row = every[name, rate].to_numpy(), curves.loc[(name, rate)]
        if math.inf in found:
            assert row.isna().all()
            continue
        error = 2 * found.std(ddof=1) / math.sqrt(len(found))
        drawn = [found.mean(), max(found.mean() - error, 1e-3), found.mean() + error]
        assert row[["loss", "low", "high"]].tolist() == pytest.approx(drawn)


def test_a_map_that_grows_has_its_cells_where_they_will_be() -> None:
    config = core.SweepConfig("tanh")
    whole = core.sweep(config).table
    points = {
        row.variant: [
            {"step": k, "loss": min(loss, LIMIT)}
            for k, loss in enumerate(losses(row).flatten().tolist(), 1)
        ]
        for row in core.rows(config)
    }
    pd.testing.assert_frame_equal(core.growing(points), whole)
    points["none"] = points["none"][:7]  # two rates whole, and one of three seeds
    points["group-after"] = []
    part = core.growing(points).set_index(["variant", "rate"])["loss"]
    known = whole.set_index(["variant", "rate"])["loss"]
    assert part["none"].isna().tolist() == [False] * 2 + [True] * 5
    assert part["group-after"].isna().all()
    assert part["none"].iloc[:2].tolist() == known["none"].iloc[:2].tolist()
    assert part["batch-after"].equals(known["batch-after"])


def test_trainings_that_run_are_drawn_as_far_as_they_are() -> None:
    points = [
        {"step": 5, "loss": 2.0, "sharpness": 3.0},
        {"step": 10, "loss": 1.5, "sharpness": 4.0},
    ]
    found = core.live({"plain": points, "normalized": points[:1]}, 0.5)
    by_step = found.losses.set_index(["curve", "step"])["loss"]
    assert by_step["plain"].tolist() == [2.0, 1.5]
    assert by_step["normalized"].dropna().tolist() == [2.0]
    sharpness = found.sharpness.set_index(["curve", "step"])["value"]
    assert sharpness["plain"].tolist() == [3.0, 4.0]
    assert sharpness["edge"].tolist() == [4.0, 4.0]
    assert set(core.live({"plain": points, "normalized": []}, 0.5).losses["curve"]) == {"plain"}


@pytest.mark.parametrize("norm", core.NORMS[1:])
def test_a_batch_of_one_is_refused_where_nothing_would_be_left(norm: str) -> None:
    net = "cnn" if norm == "instance" else "mlp"
    config = core.CompareConfig(norm=norm, net=net, batch_size="1")
    if norm in ("batch", "center"):
        with pytest.raises(core.OneSample, match="batch_size is 1, but must be at least 2"):
            _ = config.trainings
        config = replace(config, net="cnn")  # many places of one image
    assert config.trainings["normalized"].batch_size == 1


def test_the_default_pair_ships_and_shows_what_the_notice_says() -> None:
    found = core.compare(core.CompareConfig())
    assert found.runs["plain"].accuracy < 0.2
    assert found.runs["normalized"].accuracy > 0.9
    assert core.shipped(core.CompareConfig(learning_rate=0.5)).runs == found.runs


def test_noise_raises_the_shift_tenfold_and_training_stays_good_from_every_seed() -> None:
    found = core.shift(core.NoiseConfig())
    assert found.times[0] > 10
    assert found.final["noisy"][1] > 0.9
    for table in (found.shift, found.accuracy):
        assert bool(((table["low"] <= table["value"]) & (table["value"] <= table["high"])).all())


def test_the_initialization_decides_the_curvature() -> None:
    table = core.curvature(core.CurvatureConfig()).table.set_index("variant")
    assert list(table.index) == list(VARIANTS)
    assert table["torch"]["batch-after"] > 5 * table["torch"]["none"]
    assert table["he"]["batch-after"] < table["he"]["none"]


def test_eval_breaks_where_the_page_says() -> None:
    found = core.batches(core.BatchesConfig())
    cells = found.accuracy.set_index(["momentum", "size"])["accuracy"]
    assert cells["0.1"][64] > 0.9
    assert cells["0.001"][64] < 0.6
    assert cells["1"][2] < 0.6
    with pytest.raises(ValueError, match="at least 2"):
        core.batch_noise(1, 0)


@pytest.mark.parametrize(("pair", "name"), [("0.3", "normalized"), ("cnn", "normalized")])
def test_a_surface_s_losses_are_those_of_the_moved_network(pair: str, name: str) -> None:
    config = core.SurfaceConfig(pair=pair).grids[name]
    found = surface_losses(config)
    model, (x, y) = core.restored(config.network), core.watched(config)
    assert found[10, 10] == pytest.approx(F.cross_entropy(model(x), y).item(), rel=1e-4)
    generator = seeded(config.directions)
    first, second = (core.filter_direction(model, generator) for _ in range(2))
    with torch.no_grad():
        for weight, one, two in zip(model.parameters(), first, second, strict=True):
            weight.add_(0.3 * one - 0.7 * two)  # three steps of the grid up, seven down
            if weight.ndim > 1:
                lengths = [part.flatten(1).norm(dim=1) for part in (one, two)]
                torch.testing.assert_close(*lengths)
    assert found[3, 13] == pytest.approx(F.cross_entropy(model(x), y).item(), rel=1e-4)
    with pytest.raises(ValueError, match="no such network"):
        core.restored(replace(config.network, seed=99))


def test_an_own_pair_of_convolutions_has_a_surface_that_is_kept(
    monkeypatch: pytest.MonkeyPatch, store: Path
) -> None:
    monkeypatch.setattr(training, "SNAPSHOTS", 4)
    monkeypatch.setattr(training, "LANCZOS", 3)
    monkeypatch.setattr(surface_module, "GRID", 5)
    pair = core.CompareConfig(net="cnn", norm="group", batch_size="16", steps=200, seed=3)
    view = core.around(pair, core.SurfaceConfig(pair="own", reach=0.5, seed=2))
    assert not core.is_trained(pair)
    for grid in core.dear(view):
        runs.run(core.SURFACE, grid)
    assert core.is_trained(pair)
    assert [grid.network for grid in core.dear(view)] == list(pair.trainings.values())
    found = core.surface(view)
    kept = library.find(core.SURFACE.key(view.grids["normalized"]))
    assert kept is not None
    logs = kept.tensors["losses"].double().clamp(1e-2, 1e2).log10().flatten().tolist()
    assert found.normalized["loss"].tolist() == pytest.approx(logs)
    assert found.plain["first"].abs().max() == 0.5
    assert found.diverged == ()


def test_a_surface_goes_on_where_it_was_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surface_module, "GRID", 5)
    config = core.SurfaceConfig(pair="0.1").grids["normalized"]
    whole = list(core.SURFACE.train(config, None))
    rest = list(core.SURFACE.train(config, whole[2].state()))
    assert [snapshot.done for snapshot in rest] == [4, 5]
    assert torch.equal(rest[-1].weights()["losses"], whole[-1].weights()["losses"])


def test_the_surface_of_what_diverged_says_so(monkeypatch: pytest.MonkeyPatch, store: Path) -> None:
    monkeypatch.setattr(surface_module, "GRID", 5)
    pair = core.CompareConfig(
        data="synthetic", activation="linear", start="he", learning_rate=3.0, steps=200
    )
    found = core.surface(core.around(pair, core.SurfaceConfig()))
    assert found.diverged == ("plain", "normalized")
    assert np.isfinite(found.plain["loss"]).all()


@pytest.mark.parametrize("net", ["mlp", "cnn"])
@pytest.mark.parametrize("norm", core.NORMS)
def test_networks_at_once_are_networks_one_by_one(
    net: str, norm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if (net, norm) == ("mlp", "instance"):
        return
    monkeypatch.setattr(surface_module, "GRID", 5)
    config = core.GridConfig(net=net, norm=norm, noise=0.5, reach=0.4)
    model, (x, y) = core.build(config, seeded()), core.watched(config)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.1 * torch.randn(weight.shape, generator=seeded(1)))  # gains, too
    row = surface_module._row(model, config, surface_module._plane(model, config), 0.2)
    generator = seeded()
    first, second = (core.filter_direction(model, generator) for _ in range(2))
    with torch.no_grad(), quiet(model):
        for weight, one, two in zip(model.parameters(), first, second, strict=True):
            weight.add_(-0.2 * one + 0.2 * two)
        assert float(row[1]) == pytest.approx(float(F.cross_entropy(model(x), y)), rel=1e-4)


def test_running_statistics_belong_to_what_is_taken_over_the_batch() -> None:
    x = 5 + torch.randn(16, 8, generator=seeded())
    for norm in core.NORMS[1:]:
        if norm == "instance":
            continue
        layer = core.Normalization(norm, 8)
        layer(x)
        moved = bool(layer.running_mean.any() or (layer.running_var != 1).any())
        assert moved == (norm in OVER_BATCH)
