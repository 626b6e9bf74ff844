"""Claims: the verdicts are the expected ones, and a wrong implementation turns each of them."""

import importlib
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from core import optimization as core
from core.claims import Cost, Verdict, record
from tests.core.verdicts import assert_as_expected

module = importlib.import_module("core.optimization.claims")
CLAIMS = {claim.id.partition(".")[2]: claim for claim in core.CLAIMS}
QUICK = [claim for claim in core.CLAIMS if claim.cost is not Cost.MINUTES]
OF_A_SEED = [CLAIMS[name] for name in ("O2", "O4", "O9", "O10")]


def verdict(name: str) -> Verdict:
    return CLAIMS[name].check(0).verdict


def test_the_claims_of_the_post_are_there_in_order() -> None:
    assert list(CLAIMS) == [f"O{k}" for k in range(1, 14)]


@pytest.mark.parametrize("claim", QUICK, ids=lambda claim: claim.id)
def test_every_claim_has_the_verdict_that_it_expects(claim: Any) -> None:
    assert_as_expected(claim, 0)


@pytest.mark.parametrize("claim", OF_A_SEED, ids=lambda claim: claim.id)
def test_another_seed_gives_the_same_verdict(claim: Any) -> None:
    assert record(claim, 1).as_expected


def returning(value: Any) -> Any:
    return lambda *arguments, **options: value


@pytest.mark.parametrize(
    ("missed", "expected"),
    [
        ({"accuracy": 0.1, "f1": 0.1, "faint": 0.1, "edit": 0.1}, Verdict.HOLDS),
        ({"accuracy": 0.0, "f1": -0.1, "faint": 0.1, "edit": 0.0}, Verdict.CONDITIONAL),
        ({"accuracy": 0.0, "f1": -0.1, "faint": 0.01, "edit": 0.0}, Verdict.FAILS),
    ],
)
def test_o1_turns_with_what_is_missed(
    monkeypatch: pytest.MonkeyPatch, missed: dict[str, float], expected: Verdict
) -> None:
    noise = np.random.default_rng(0).normal(0, 0.05, 100)

    def cost(config: core.MetricConfig, seed: int) -> float:
        return missed[config.metric] + float(noise[seed])

    monkeypatch.setattr(module, "cost_of_choice", cost)
    assert verdict("O1") is expected


def test_o2_turns_if_the_update_goes_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "expected_update", lambda loss, place, alpha: 0.1 * place)
    assert verdict("O2") is Verdict.FAILS


def test_o3_turns_if_alpha_does_what_the_post_says(monkeypatch: pytest.MonkeyPatch) -> None:
    def as_stated(loss: Any, theta: Tensor, alpha: float, radius: Any) -> float:
        return -float(core.gradient(loss, theta)) if alpha < 1 else 0.0

    monkeypatch.setattr(module, "mean_update", as_stated)
    cases = CLAIMS["O3"].check(0)
    assert cases.verdict is Verdict.CONDITIONAL  # a staircase has no gradient to follow
    monkeypatch.setattr(module, "mean_update", returning(5.0))
    assert verdict("O3") is Verdict.FAILS


def test_o4_turns_if_the_length_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = lambda kappa, dim: 0.97 * core.shrinkage(kappa, dim)  # noqa: E731
    monkeypatch.setattr(module, "shrinkage", wrong)
    assert verdict("O4") is Verdict.FAILS


def test_o5_turns_if_newton_s_step_is_another(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = lambda gradient, hessian: -hessian @ gradient  # noqa: E731
    monkeypatch.setattr(module, "second_order_update", wrong)
    assert verdict("O5") is Verdict.FAILS


def test_o6_turns_with_the_efficiency(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_efficiency", lambda shift, width: -module._kl(shift, width))
    assert verdict("O6") is Verdict.HOLDS
    monkeypatch.setattr(module, "_efficiency", lambda shift, width: module._kl(shift, width))
    assert verdict("O6") is Verdict.FAILS


def test_the_efficiency_of_o6_is_what_draws_say() -> None:
    for shift, width in ((0.5, 1.0), (0.0, 1.5), (1.0, 1.3)):
        draws = torch.randn(400_000, generator=torch.Generator().manual_seed(0))
        x = shift + width * draws.double()
        ratio = torch.exp(-(x**2) / 2 + ((x - shift) / width) ** 2 / 2) * width
        assert 1 / float(ratio.square().mean()) == pytest.approx(
            module._efficiency(shift, width), rel=0.03
        )


@pytest.mark.parametrize(
    ("power", "expected"),
    [(-1.0, Verdict.HOLDS), (-0.5, Verdict.CONDITIONAL), (0.0, Verdict.FAILS)],
)
def test_o7_follows_the_power_of_the_bias(
    monkeypatch: pytest.MonkeyPatch, power: float, expected: Verdict
) -> None:
    monkeypatch.setattr(
        module, "_self_normalized_mean", lambda n, trials, seed: (float(n) ** power, 0.0)
    )
    assert verdict("O7") is expected


@pytest.mark.parametrize(
    ("cosine", "expected"),
    [(0.9, Verdict.HOLDS), (1.0, Verdict.CONDITIONAL), (-0.5, Verdict.FAILS)],
)
def test_o8_follows_the_guide(
    monkeypatch: pytest.MonkeyPatch, cosine: float, expected: Verdict
) -> None:
    monkeypatch.setattr(module, "_guide_cosines", returning(torch.full((60,), cosine)))
    assert verdict("O8") is expected


def test_o9_and_o10_turn_with_the_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    class Given:
        def __init__(self, error: float, size: float) -> None:
            exact = core.expected_update(
                core.landscape("stairs").loss,
                torch.tensor([1.5, -1.0], dtype=torch.float64),
                10**-0.7,
            )
            self.deltas = exact + torch.tensor([[error, 0.0]], dtype=torch.float64)
            self.sizes = torch.tensor([size])

    guided = lambda config, n, share, trials: Given(0.1 if share < 1 else 1.0, 3.0)  # noqa: E731
    monkeypatch.setattr(module, "estimates", guided)
    assert verdict("O9") is Verdict.HOLDS
    unguided = lambda config, n, share, trials: Given(1.0 if share < 1 else 0.1, 3.0)  # noqa: E731
    monkeypatch.setattr(module, "estimates", unguided)
    assert verdict("O9") is Verdict.FAILS
    mixed = lambda config, n, share, trials: Given(0.1 if share else 1.0, 3.0)  # noqa: E731
    monkeypatch.setattr(module, "estimates", mixed)
    assert verdict("O10") is Verdict.HOLDS
    alone = lambda config, n, share, trials: Given(1.0 if share else 0.1, 3.0)  # noqa: E731
    monkeypatch.setattr(module, "estimates", alone)
    assert verdict("O10") is Verdict.FAILS


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        ({"random": 0.5, "pretrained": 0.2}, Verdict.HOLDS),
        ({"random": 0.5, "pretrained": 0.6}, Verdict.FAILS),  # a start would not help
        ({"random": 0.2, "pretrained": 0.2}, Verdict.FAILS),  # as good as MGS
    ],
)
def test_o11_turns_with_what_reinforce_ends_with(
    monkeypatch: pytest.MonkeyPatch, loss: dict[str, float], expected: Verdict
) -> None:
    def runs(metric: str, kind: str) -> dict[str, np.ndarray]:
        ends = {"mgs": 0.2} | dict.fromkeys(
            ("policy-gradient", "policy-gradient-baseline"), loss[kind]
        )
        return {name: np.full((3, 2, 3), end) for name, end in ends.items()}

    monkeypatch.setattr(module, "_runs", runs)
    assert verdict("O11") is expected


def test_o12_turns_with_the_number_of_outputs_and_of_candidates(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    steps = dict(core.STEPS)
    for outputs, candidates, expected in (
        (2, 4, Verdict.HOLDS), (4, 4, Verdict.CONDITIONAL), (4, 0, Verdict.FAILS),
    ):  # fmt: skip
        four = replace(steps["policy-gradient-baseline"], outputs=outputs)
        monkeypatch.setitem(module.METHODS, "policy-gradient-baseline", four)
        monkeypatch.setitem(module.METHODS, "mgs", replace(steps["mgs"], candidates=candidates))
        assert verdict("O12") is expected


@pytest.mark.parametrize(
    ("losses", "expected"),
    [
        ({"0.001": 0.5, "0.01": 0.2, "0.1": 0.3, "1": 0.5}, Verdict.HOLDS),
        ({"0.001": 0.1, "0.01": 0.4, "0.1": 0.4, "1": 0.1}, Verdict.FAILS),
        ({"0.001": 0.3, "0.01": 0.3, "0.1": 0.3, "1": 0.3}, Verdict.OPEN),
    ],
)
def test_o13_follows_the_losses_at_each_alpha(
    monkeypatch: pytest.MonkeyPatch, losses: dict[str, float], expected: Verdict
) -> None:
    def run(config: core.MetricConfig, name: str, seed: int) -> np.ndarray:
        return np.full((2, 3), losses[config.alpha] + 0.001 * seed)

    monkeypatch.setattr(module, "one_run", run)
    assert verdict("O13") is expected
