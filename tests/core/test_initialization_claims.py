"""Claims: the verdicts are the expected ones, and a wrong implementation turns each of them."""

import dataclasses
import importlib
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from core import initialization as core
from core.claims import Verdict
from tests.core.verdicts import assert_as_expected

module = importlib.import_module("core.initialization.claims")
CLAIMS = {claim.id.partition(".")[2]: claim for claim in core.CLAIMS}
QUICK = [claim for claim in core.CLAIMS if claim is not CLAIMS["B10"]]  # it trains four nets


def verdict(name: str, seed: int = 0) -> Verdict:
    return CLAIMS[name].check(seed).verdict


def test_the_claims_of_both_posts_are_there_in_order() -> None:
    names = [*(f"A{k}" for k in range(1, 5)), *(f"B{k}" for k in range(1, 11))]
    assert list(CLAIMS) == names


@pytest.mark.parametrize("claim", QUICK, ids=lambda claim: claim.id)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_every_claim_has_the_verdict_that_it_expects(claim: Any, seed: int) -> None:
    assert_as_expected(claim, seed)


def evidence(name: str) -> dict[str, float]:
    found = CLAIMS[name].check(0)
    return {"measured": found.measured, **found.details}


def test_claim_the_numbers_of_the_notes_are_met() -> None:
    b2, b5, b6, b7 = (evidence(name) for name in ("B2", "B5", "B6", "B7"))
    assert b2["spectral_256"] == pytest.approx(3, abs=0.2)
    assert b5["least_singular_value"] == pytest.approx(0.5, abs=0.05)
    assert b5["largest_singular_value"] == pytest.approx(1.5, abs=0.05)
    assert b5["measured"] == pytest.approx(0.002525, rel=0.1)
    assert b6["spread"] == pytest.approx(b6["spread_expected"], rel=0.15)
    assert b6["lecun_norm_factor"] == pytest.approx(0.5, abs=0.15)
    assert b7["measured"] == pytest.approx(0.0102, abs=5e-5)
    assert b7["moment_200"] == pytest.approx(0.00252, abs=5e-6)


def test_claim_the_common_mean_is_what_breaks_near_orthogonality() -> None:
    found = evidence("A3")
    assert found["share_isotropic"] == pytest.approx(found["share_exact"], abs=0.01)
    assert found["share_common_mean"] < 0.01
    assert core.words(core.WordsConfig()).within < found["share_words_centered"] < 0.9


def test_claim_normalization_keeps_what_goes_forward_and_not_the_gradient() -> None:
    found = evidence("B9")
    assert found["normalized_forward"] == pytest.approx(1, abs=0.2)
    assert found["normalized_backward"] > 1e4


def flat_angles(dim: int, count: int, generator: Any = None) -> torch.Tensor:
    """Angles that are uniform in every dimension."""
    return torch.rand(count, generator=generator, dtype=torch.float64) * np.pi


def scaled_weight(factor: float, **only: Any) -> Any:
    """A sampler whose weights are too large by a factor, where the scheme is that one."""

    def wrong(fan_out: int, fan_in: int, scheme: str, **options: Any) -> torch.Tensor:
        weight = core.sample_weight(fan_out, fan_in, scheme, **options)
        return weight * factor if only.get("scheme", scheme) == scheme else weight

    return wrong


def orthogonal_instead(fan_out: int, fan_in: int, scheme: str, **options: Any) -> torch.Tensor:
    return core.sample_weight(fan_out, fan_in, "orthogonal", **options)


def normal_instead(fan_out: int, fan_in: int, scheme: str, **options: Any) -> torch.Tensor:
    options.pop("distribution", None)
    return core.sample_weight(fan_out, fan_in, scheme, **options)


def flattened(**columns: float) -> Any:
    """Propagation with constant columns."""

    def wrong(*args: Any, **options: Any) -> pd.DataFrame:
        return core.propagate(*args, **options).assign(**columns)

    return wrong


def better_meter(found: core.Orthogonality) -> core.Orthogonality:
    return dataclasses.replace(
        found, relative_frobenius=found.entrywise_mse, spectral=found.entrywise_mse
    )


def words_at_right_angles(config: core.WordsConfig) -> core.Words:
    return dataclasses.replace(core.words(config), within=0.9)


TURNS: list[tuple[str, dict[str, Any], Verdict]] = [
    ("A1", {"sample_angles": flat_angles}, Verdict.FAILS),
    ("A1", {"cosine_density": lambda c, n: 1 + np.asarray(c) ** 2}, Verdict.FAILS),
    ("A2", {"angle_density": lambda t, n: core.angle_density(t + 0.1, n)}, Verdict.FAILS),
    ("A2", {"sample_angles": lambda *a: core.sample_angles(*a) + 0.1}, Verdict.FAILS),
    ("A3", {"angle_variance": lambda n: float(n)}, Verdict.FAILS),
    ("A3", {"_share_right": lambda mean, seed: 0.5}, Verdict.FAILS),
    (
        "A3",
        {"words": words_at_right_angles},
        Verdict.HOLDS,
    ),
    ("A4", {"normal_distance": lambda n, p: 0.5}, Verdict.FAILS),
    ("A4", {"sample_angles": flat_angles}, Verdict.FAILS),
    ("B1", {"sample_weight": scaled_weight(2.0)}, Verdict.FAILS),
    ("B2", {"orthogonality": lambda w: better_meter(core.orthogonality(w))}, Verdict.HOLDS),
    ("B2", {"orthogonality": lambda w: core.Orthogonality(1.0, 1.0, 1.0, 1.0)}, Verdict.FAILS),
    ("B3", {"sample_weight": scaled_weight(1.5)}, Verdict.FAILS),
    ("B3", {"kurtosis": lambda law, n: 100.0}, Verdict.FAILS),
    ("B4", {"sample_weight": scaled_weight(1 + 1e-9)}, Verdict.FAILS),
    ("B5", {"sample_weight": scaled_weight(1.5)}, Verdict.FAILS),
    ("B6", {"sample_weight": scaled_weight(1.1)}, Verdict.FAILS),
    ("B6", {"_kernel": lambda w: torch.ones(1, w.shape[1]).double()}, Verdict.HOLDS),
    ("B7", {"moments_by_layer": lambda a, q, n: np.full(201, q)}, Verdict.HOLDS),
    ("B7", {"moments_by_layer": lambda a, q, n: np.full(201, q / 9)}, Verdict.FAILS),
    ("B8", {"second_moment": lambda name: 0.51}, Verdict.FAILS),
    ("B8", {"propagate": flattened(forward_second_moment=1.0)}, Verdict.FAILS),
    ("B9", {"variance_slope": lambda name: 0.9}, Verdict.FAILS),
    ("B9", {"propagate": flattened(forward_second_moment=9.0)}, Verdict.FAILS),
    (
        "B9",
        {"propagate": flattened(forward_second_moment=1.0, backward_second_moment=1.0, cosine=0.1)},
        Verdict.HOLDS,
    ),
]


@pytest.mark.parametrize(("name", "wrong", "expected"), TURNS)
def test_a_wrong_implementation_turns_the_verdict(
    monkeypatch: pytest.MonkeyPatch, name: str, wrong: dict[str, Any], expected: Verdict
) -> None:
    for attribute, replacement in wrong.items():
        monkeypatch.setattr(module, attribute, replacement)
    assert verdict(name) is expected


def test_b3_holds_if_every_law_were_the_normal_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "sample_weight", normal_instead)
    monkeypatch.setattr(module, "kurtosis", lambda law, n: 3.0)
    assert verdict("B3") is Verdict.HOLDS


def test_b5_holds_if_tall_weights_were_orthogonal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "sample_weight", orthogonal_instead)
    monkeypatch.setattr(
        module, "expected_mse", lambda m, n: core.orthogonality(torch.eye(n)).entrywise_mse + 1e-30
    )
    monkeypatch.setattr(
        module, "orthogonality",
        lambda w: dataclasses.replace(core.orthogonality(w), entrywise_mse=1e-30),
    )  # fmt: skip
    assert verdict("B5") is Verdict.HOLDS


@pytest.mark.parametrize(
    ("accuracies", "expected"),
    [
        ({0.7: 0.1, 1.0: 0.9, 2.0: 0.1}, Verdict.HOLDS),
        ({0.7: 0.1, 1.0: 0.9, 2.0: 0.8}, Verdict.CONDITIONAL),
        ({0.7: 0.9, 1.0: 0.9, 2.0: 0.9}, Verdict.FAILS),
    ],
)
def test_b10_follows_the_accuracies(
    monkeypatch: pytest.MonkeyPatch, accuracies: dict[float, float], expected: Verdict
) -> None:
    monkeypatch.setattr(module, "final_accuracy", lambda c: (1.0, accuracies[c.multiple]))
    assert verdict("B10") is expected
