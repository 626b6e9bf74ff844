"""Claims: the verdicts are the expected ones, and a wrong implementation turns them."""

import importlib
from typing import Any

import pytest
import torch

from core import batchnorm as core
from core.claims import Verdict
from tests.core.verdicts import assert_as_expected

exact = importlib.import_module("core.batchnorm.exact_claims")
trained = importlib.import_module("core.batchnorm.trained_claims")
CLAIMS = {claim.id.partition(".")[2]: claim for claim in core.CLAIMS}
DEAR = ("C6", "C10", "C23")  # their evidence ships; measuring them takes the time of a training
QUICK = [claim for name, claim in CLAIMS.items() if name not in DEAR]


def test_the_claims_of_the_post_are_there_in_order() -> None:
    assert list(CLAIMS) == [f"C{k}" for k in range(1, 26)]


@pytest.mark.parametrize("claim", QUICK, ids=lambda claim: claim.id)
def test_every_claim_has_the_verdict_that_it_expects(claim: Any) -> None:
    assert_as_expected(claim, 0)


def losses(before: float, after: float) -> Any:
    """A best cell of these losses, whatever the inputs."""
    return lambda name, standardized, activation: (
        (before if name.endswith("before") else after),
        0.0,
    )


TURNS: list[tuple[Any, str, dict[str, Any], Verdict]] = [
    (exact, "C3", {"descent_bound": lambda f, t, s, L: float(f(t))}, Verdict.FAILS),
    (exact, "C4", {"descent_step": lambda f, t, r: r * core.gradient(f, t)}, Verdict.FAILS),
    (exact, "C8", {"largest_slope": lambda name, reach=50.0: reach}, Verdict.FAILS),
    (exact, "C9", {"loss_slope": lambda y, h: torch.sigmoid(h)}, Verdict.FAILS),
    (exact, "C12", {"cauchy_bound": lambda x, c: 1e-6}, Verdict.FAILS),
    (exact, "C13", {"best_shift": lambda x: x.mean(0) + 1}, Verdict.FAILS),
    (exact, "C14", {"treated": lambda x, how: x + (how == "centered")}, Verdict.FAILS),
    (exact, "C16", {"treated": lambda x, how: x}, Verdict.FAILS),
    (exact, "C20", {"batch_noise": lambda n, s: core.expected_noise(2 * n)}, Verdict.FAILS),
    (exact, "C24", {"nonlinear_share": lambda name, s: 0.01}, Verdict.FAILS),
    (exact, "C24", {"nonlinear_share": lambda name, s: 0.2}, Verdict.HOLDS),
    (trained, "C17", {"preconditioned_difference": lambda x: 1.0}, Verdict.FAILS),
    (
        trained, "C19",
        {"block_sharpness": lambda config: [1.0 + (config.norm == "none")]},
        Verdict.HOLDS,
    ),
    (trained, "C21", {"best_of_row": losses(0.1, 0.2)}, Verdict.HOLDS),
    (trained, "C21", {"best_of_row": losses(0.2, 0.1)}, Verdict.FAILS),
    (trained, "C10", {"loss_slopes": lambda config: [1.0, 1.1]}, Verdict.FAILS),
    (
        trained, "C10", {"loss_slopes": lambda config: [1.0, 1.0 + config.seed]},
        Verdict.CONDITIONAL,
    ),
    (trained, "C1", {"distances": lambda config: [0.05, 0.1]}, Verdict.FAILS),
    (trained, "C1", {"distances": lambda config: [0.05, 0.3]}, Verdict.CONDITIONAL),
    (trained, "C2", {"best_of_row": losses(0.1, 0.2)}, Verdict.FAILS),
    (trained, "C22", {"accuracy_by_batch": lambda config, size: 1.0}, Verdict.FAILS),
    (
        trained, "C22",
        dict.fromkeys(("accuracy_by_batch", "accuracy_after_a_pass"), lambda config, size=0: 0.5),
        Verdict.HOLDS,
    ),
    (exact, "C18", {"best_scale": lambda x: 1e6 * x.std(0)}, Verdict.FAILS),
    (trained, "C23", {"final_accuracy": lambda config: float(config.affine)}, Verdict.FAILS),
    (trained, "C23", {"final_accuracy": lambda config: 0.9}, Verdict.HOLDS),
]  # fmt: skip


@pytest.mark.parametrize(("module", "name", "wrong", "expected"), TURNS)
def test_a_wrong_implementation_turns_the_verdict(
    monkeypatch: pytest.MonkeyPatch,
    module: Any,
    name: str,
    wrong: dict[str, Any],
    expected: Verdict,
) -> None:
    for attribute, replacement in wrong.items():
        monkeypatch.setattr(module, attribute, replacement)
    assert CLAIMS[name].check(0).verdict is expected
