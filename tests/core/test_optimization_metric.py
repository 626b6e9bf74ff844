"""Metrics without gradient: scores against other implementations, steps, runs, shipped results."""

import importlib
import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score

from core import library
from core import optimization as core
from core.optimization.outputs import END, LENGTH, LETTERS, Batch
from core.training import task

training = importlib.import_module("core.optimization.metric")


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def levenshtein(one: list[int], other: list[int]) -> int:
    """By its recursive definition."""
    if not one or not other:
        return len(one) + len(other)
    return min(
        levenshtein(one[1:], other[1:]) + (one[0] != other[0]),
        levenshtein(one[1:], other) + 1,
        levenshtein(one, other[1:]) + 1,
    )


def until_end(letters: list[int]) -> list[int]:
    return letters[: letters.index(END)] if END in letters else letters


letters = st.lists(st.integers(0, LETTERS), min_size=LENGTH + 1, max_size=LENGTH + 1)


@settings(max_examples=30)
@given(spelled=letters, target=letters)
def test_the_edit_loss_is_levenshtein_s_distance_over_the_length(
    spelled: list[int], target: list[int]
) -> None:
    goal = until_end(target)
    found = core.edit_loss(torch.tensor([[spelled]]), torch.tensor([target]))
    distance = levenshtein(until_end(spelled), goal) / max(1, len(goal))
    assert float(found[0, 0]) == pytest.approx(min(1.0, distance))


def test_a_string_s_target_has_no_letter_twice_in_a_row() -> None:
    data = core.strings(200, generator())
    read = data.x.view(200, LENGTH, LETTERS).argmax(-1)
    for row, target in zip(read.tolist(), data.y.tolist(), strict=True):
        kept = [a for at, a in enumerate(row) if at == 0 or a != row[at - 1]]
        assert until_end(target) == kept


def test_the_loss_of_the_finder_is_one_minus_scikit_learn_s_f1() -> None:
    model = core.MODELS["f1"]
    data = model.test()
    theta = model.initial(generator(3))
    labels = model.logits(theta[None], data.x).argmax(-1)[0]  # type: ignore[attr-defined]
    expected = 1 - f1_score(data.y.numpy(), labels.numpy())
    assert float(model.metric_loss(theta[None], data)[0]) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("name", list(core.MODELS))
def test_several_models_at_once_are_as_one_by_one(name: str) -> None:
    model = core.MODELS[name]
    thetas = torch.stack([model.initial(generator(seed)) for seed in range(3)])
    data = model.batch(generator(9))
    together = model.metric_loss(thetas, data)
    alone = torch.cat([model.metric_loss(theta[None], data) for theta in thetas])
    torch.testing.assert_close(together, alone)
    assert bool(((together >= 0) & (together <= 1)).all())


@pytest.mark.parametrize("name", list(core.MODELS))
def test_probabilities_of_drawn_outputs_are_those_that_cross_entropy_differentiates(
    name: str,
) -> None:
    """Of the true outputs' log probability: what `sampled` says of them, if it draws them."""
    model, data = core.MODELS[name], core.MODELS[name].batch(generator(4))
    theta = model.initial(generator(5))
    log_p, loss = model.sampled(theta, data, 64, generator(6))
    assert log_p.shape == loss.shape
    assert bool((log_p < 0).all())
    right = loss == 0
    if name == "accuracy":  # one of ten labels: the drawn right ones have the label's probability
        logits = model.logits(theta[None], data.x)[0]  # type: ignore[attr-defined]
        expected = -torch.nn.functional.cross_entropy(
            logits,
            data.y,
            reduction="none",
        )
        torch.testing.assert_close(log_p[right], expected.expand(64, -1)[right])


@pytest.mark.parametrize("name", list(core.STEPS))
@pytest.mark.parametrize("metric", list(core.MODELS))
def test_every_method_gives_a_finite_step_and_repeats_it(name: str, metric: str) -> None:
    model = core.MODELS[metric]
    theta, data = model.initial(generator(1)), model.batch(generator(2))
    one, two = (core.STEPS[name].step(model, theta, data, 0.01, generator(3)) for _ in range(2))
    assert one.shape == theta.shape
    assert bool(torch.isfinite(one).all())
    torch.testing.assert_close(one, two, rtol=0, atol=0)


def test_minus_a_step_of_mgs_lowers_the_true_loss_of_its_batch_on_average() -> None:
    model = core.MODELS["accuracy"]
    gains = []
    for seed in range(20):
        theta, data = model.initial(generator(seed)), model.batch(generator(100 + seed))
        step = core.STEPS["mgs"].step(model, theta, data, 0.001, generator(seed))
        before, after = model.metric_loss(torch.stack([theta, theta - step]), data)
        gains.append(float(before - after))
    assert np.mean(gains) > 2 * np.std(gains) / np.sqrt(20)


def small(**changes: Any) -> core.MetricConfig:
    fields: dict[str, Any] = {"metric": "f1", "passes": 600} | changes
    return core.MetricConfig(**fields)


def test_a_run_spends_its_budget_and_learns() -> None:
    curve = training.one_run(small(metric="accuracy"), "cross-entropy", 0)
    assert curve[0, 0] == 0
    assert curve[-1, 0] == 600
    assert curve[-1, 2] < 0.5 * curve[0, 2]
    again = training.one_run(small(metric="accuracy"), "cross-entropy", 0)
    np.testing.assert_array_equal(curve, again)


def test_a_pre_trained_start_is_better_than_a_random_one() -> None:
    model = core.MODELS["accuracy"]
    losses = {
        kind: float(
            model.metric_loss(
                training.start(model, small(metric="accuracy", start=kind), generator())[None],
                model.test(),
            )[0]
        )
        for kind in ("random", "pretrained")
    }
    assert losses["pretrained"] < losses["random"] - 0.3


def test_a_job_goes_on_where_it_was_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    def curve(config: core.MetricConfig, name: str, seed: int) -> np.ndarray:
        return np.full((2, 3), float(len(name) + seed))

    monkeypatch.setattr(training, "one_run", curve)
    whole = list(training.train(small()))
    first = next(iter(training.train(small())))
    rest = list(training.train(small(), first.state()))
    assert len(rest) == len(whole) - 1
    torch.testing.assert_close(rest[-1].weights()["curves"], whole[-1].weights()["curves"])
    assert whole[-1].done == whole[-1].total == len(training.RUNS)


def test_what_the_page_shows_first_is_shipped() -> None:
    assert task("optimization.metric") is core.TRAINING
    for config in core.SHIPPED:
        card = library.SHIPPED.card(core.TRAINING.key(config))
        assert card is not None
        assert card.meta["version"] == core.TRAINING.version


def test_shipped_curves_are_what_this_code_computes() -> None:
    """Old results would be wrong if the code changed: one short stretch of one run is repeated."""
    config = core.MetricConfig(metric="accuracy")
    found = training.runs_of(config)["cross-entropy"][0]
    model, draws = core.MODELS["accuracy"], generator(0)
    theta = training.start(model, config, draws)
    advance = training._stepper(model, theta, "cross-entropy", config, draws, 0.01)
    for _ in range(int(found[1, 0]) // 3):
        advance()
    entropy, loss = training.held_out(model, theta, model.test())
    assert entropy == pytest.approx(found[1, 1], abs=1e-4)
    assert loss == pytest.approx(found[1, 2], abs=3e-3)


def test_disagreement_counts_stretches_in_which_the_losses_part() -> None:
    curve = np.array([[[0, 3.0, 0.9], [1, 2.0, 0.8], [2, 1.0, 0.85], [3, 1.5, 0.8]]])
    assert training.disagreements(curve) == pytest.approx(2 / 3)


def test_a_stop_is_chosen_on_one_half_and_judged_on_the_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = np.array([[3.0, 0.9], [1.0, 0.5], [2.0, 0.3]])  # cross-entropy, true loss
    second = np.array([[3.0, 0.8], [1.5, 0.4], [1.0, 0.2]])
    assert training.regret(first, second) == pytest.approx(0.4 - 0.2)
    assert training.regret(second, first) == 0  # both losses choose the last stop
    halves = {0: first, 1: second}
    monkeypatch.setattr(training, "stops", lambda *run: ((at, at) for at in range(3)))
    even = core.MODELS["f1"].test().x[0]

    def held_out(model: Any, at: Any, data: Batch) -> tuple[float, float]:
        entropy, loss = halves[int(not torch.equal(data.x[0], even))][at]
        return float(entropy), float(loss)

    monkeypatch.setattr(training, "held_out", held_out)
    assert training.cost_of_choice(small(), 0) == pytest.approx(0.1)


def test_copies_of_a_noisy_image_fall_into_one_half() -> None:
    clear, noisy = core.MODELS["f1"].test(), core.MODELS["faint"].test()
    assert len(clear.x) % 2 == 0
    assert torch.equal(noisy.y, clear.y.repeat(len(noisy.y) // len(clear.y)))


class Counted(torch.overrides.TorchFunctionMode):
    """How many batches pass through a model's last matrix, and how many with a way back."""

    def __init__(self, columns: int) -> None:
        super().__init__()
        self.columns, self.forwards, self.differentiated = columns, 0, 0

    def __torch_function__(
        self, function: Any, types: Any, arguments: Any = (), options: Any = None
    ) -> Any:
        found = function(*arguments, **(options or {}))
        if function is torch.baddbmm and found.shape[-1] == self.columns:
            self.forwards += len(found)
            self.differentiated += len(found) * found.requires_grad
        return found


@pytest.mark.parametrize("name", list(core.STEPS))
@pytest.mark.parametrize("metric", ["accuracy", "edit"])
def test_a_step_s_passes_are_those_that_go_through_the_network(name: str, metric: str) -> None:
    model = core.MODELS[metric]
    theta, data = model.initial(generator(1)), model.batch(generator(2))
    with Counted(model.shapes[-1][1]) as counted:
        core.STEPS[name].step(model, theta, data, 0.01, generator(3))
    letters = LENGTH + 1 if metric == "edit" else 1
    passes = (counted.forwards + 2 * counted.differentiated) / letters
    assert core.STEPS[name].passes(model) == passes


def test_without_its_guide_a_step_of_mgs_goes_nowhere_on_average() -> None:
    """Where the loss says nothing, what is left of a step is the guide's share."""
    model = core.MODELS["faint"]
    theta = model.initial(generator(1))
    data = Batch(model.batch(generator(2)).x, torch.zeros(64, dtype=torch.long))  # F1 = 0
    gradient = core.STEPS["cross-entropy"].step(model, theta, data, 0.01, generator(0))
    unit = gradient / gradient.norm()

    def along(name: str) -> np.ndarray:
        draws = generator(5)
        steps = [core.STEPS[name].step(model, theta, data, 0.01, draws) for _ in range(60)]
        return np.array([float(step @ unit) for step in steps])

    alone = along("mgs-unguided")
    assert abs(alone.mean()) < 4 * alone.std() / math.sqrt(60)
    assert along("mgs").mean() > 0.4 * min(1.0, float(gradient.norm()))


def test_under_noise_f1_asks_for_a_threshold_of_half_its_best_value() -> None:
    """What makes likelihood and F1 part, by scikit-learn's own classifier."""
    model, draws = core.MODELS["faint"], generator(0)
    batches = [model.batch(draws) for _ in range(60)]
    x, y = (torch.cat([getattr(batch, name) for batch in batches]).numpy() for name in "xy")
    test = model.test()
    fitted = LogisticRegression(C=0.01).fit(x, y)
    probability = fitted.predict_proba(test.x.numpy())[:, 1]
    thresholds = np.linspace(0.02, 0.6, 59)
    scores = [f1_score(test.y, probability > t, zero_division=0.0) for t in thresholds]
    best = max(scores)
    assert f1_score(test.y, probability > 0.5, zero_division=0.0) < best / 2
    assert thresholds[int(np.argmax(scores))] == pytest.approx(best / 2, abs=0.07)


@pytest.mark.parametrize(
    "config", core.SHIPPED, ids=lambda config: f"{config.metric}-{config.start}"
)
def test_what_the_page_says_of_the_shipped_runs_is_so(config: core.MetricConfig) -> None:
    final = core.metric(config).table.set_index("method")["final"]
    direct = final[["policy-gradient-baseline", "minimum-risk", "evolution-strategies"]]
    if config.metric == "faint":
        assert final["cross-entropy"] > 0.9
        assert direct.max() < min(final["cross-entropy"], final["mgs"]) - 0.05
        assert final["mgs-unguided"] < final["mgs"]
    else:
        assert final.idxmin() == "cross-entropy"
        assert final["mgs-unguided"] > 2 * final["mgs"]
        keeps_up = final["policy-gradient-baseline"] < 1.5 * final["mgs"]
        assert keeps_up == (config.metric != "edit")
