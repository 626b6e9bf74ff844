"""Claims: the verdicts are the expected ones, and a wrong implementation turns each of them."""

import dataclasses
import importlib
from typing import Any

import numpy as np
import pandas as pd
import pytest

from core import gelu as core
from core.claims import Verdict
from tests.core.verdicts import assert_as_expected

module = importlib.import_module("core.gelu.claims")
CLAIMS = {claim.id.partition(".")[2]: claim for claim in core.CLAIMS}


def verdict(name: str, seed: int = 0) -> Verdict:
    return CLAIMS[name].check(seed).verdict


def test_there_are_ten_claims_in_the_order_of_the_post() -> None:
    assert list(CLAIMS) == [f"G{k}" for k in range(1, 11)]


@pytest.mark.parametrize("claim", core.CLAIMS, ids=lambda claim: claim.id)
@pytest.mark.parametrize("seed", [0, 1])
def test_every_claim_has_the_verdict_that_it_expects(
    monkeypatch: pytest.MonkeyPatch, claim: Any, seed: int
) -> None:
    # What G10 would time depends on the moment: here it judges the measurement that ships.
    monkeypatch.setattr(module, "measure_speed", lambda **_: core.shipped_speed().table)
    assert_as_expected(claim, seed)


def test_claim_the_published_constants_are_best_for_phi_and_not_for_gelu() -> None:
    tanh, sigmoid = CLAIMS["G7"].check(0), CLAIMS["G9"].check(0)
    assert tanh.measured == pytest.approx(0.0447149112, abs=1e-10)
    assert tanh.details["best_for_gelu"] == pytest.approx(0.0443829438, abs=1e-10)
    assert tanh.details["gelu_saving"] == pytest.approx(0.18, abs=0.005)
    assert sigmoid.details["best_for_gelu"] == pytest.approx(1.7729339656, abs=1e-9)
    assert sigmoid.details["gelu_saving"] == pytest.approx(0.32, abs=0.005)


def test_claim_local_and_hybrid_cross_at_1_5226() -> None:
    assert CLAIMS["G4"].check(3).measured == pytest.approx(1.5226, abs=1e-4)


def shifted_fit(**changes: float) -> Any:
    """A fit whose coefficients are off by these factors."""

    def wrong(*args: Any, **kwargs: Any) -> core.Fit:
        good = core.fit(*args, **kwargs)
        off = {k: v * changes.get(k, 1) for k, v in good.coefficients.items()}
        return dataclasses.replace(good, coefficients=off)

    return wrong


def one_fit(*args: Any, **kwargs: Any) -> core.Fit:
    """A fit that does not look at its target, criterion or weight."""
    return core.fit(args[0], target="cdf", criterion="minimax")


def test_g1_fails_if_the_errors_are_not_proportional(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "approximation_error", lambda x, p, t: np.ones_like(x) * len(t))
    assert verdict("G1") is Verdict.FAILS


def test_g1_holds_if_the_optima_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "fit", one_fit)
    assert verdict("G1") is Verdict.HOLDS


def test_g2_fails_if_erf_is_not_odd(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "erf", lambda x: 1 - np.exp(-np.asarray(x)))
    assert verdict("G2") is Verdict.FAILS


def test_g2_fails_if_a_candidate_is_not_odd(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "candidate_form", lambda x, kind, coefficients: x**2)
    assert verdict("G2") is Verdict.FAILS


@pytest.mark.parametrize("factor", [1.001, 0.999])
def test_g3_fails_with_another_b(monkeypatch: pytest.MonkeyPatch, factor: float) -> None:
    local = core.local_coefficients()
    monkeypatch.setattr(module, "local_coefficients", lambda: {**local, "b": local["b"] * factor})
    assert verdict("G3") is Verdict.FAILS


def test_g4_fails_if_local_and_hybrid_change_places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "local_coefficients", lambda: {"c": 0.044714911})
    monkeypatch.setattr(module, "fit", shifted_fit(c=0.0455399 / 0.0447149))
    assert verdict("G4") is Verdict.FAILS


def test_g5_fails_if_the_weight_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "fit", one_fit)
    assert verdict("G5") is Verdict.FAILS


def test_g6_holds_if_the_target_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "fit", one_fit)
    assert verdict("G6") is Verdict.HOLDS


def test_g6_fails_if_the_optimum_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "fit", shifted_fit(c=1.2))
    assert verdict("G6") is Verdict.FAILS


@pytest.mark.parametrize("name", ["G7", "G8"])
def test_g7_and_g8_fail_if_minimax_gives_another_c(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(module, "fit", shifted_fit(c=1.0001))
    assert verdict(name) is Verdict.FAILS


def test_g7_fails_if_the_recipe_does_not_give_the_posts_b(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "post_fit", lambda: core.post_fit(step=0.01))
    assert verdict("G7") is Verdict.FAILS


def test_g9_fails_if_minimax_gives_another_slope(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "fit", shifted_fit(slope=1.001))
    assert verdict("G9") is Verdict.FAILS


def test_g9_fails_if_the_recipe_gives_another_slope(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "post_fit_sigmoid", lambda: 1.7017)
    assert verdict("G9") is Verdict.FAILS


def test_g10_fails_if_the_exact_operation_is_not_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.F, "gelu", lambda x, approximate="none": core.gelu_tanh(x))
    assert verdict("G10") is Verdict.FAILS


@pytest.mark.parametrize(("gain", "expected"), [(5.0, "conditional"), (2.0, "holds")])
def test_g10_follows_the_measured_gain(
    monkeypatch: pytest.MonkeyPatch, gain: float, expected: str
) -> None:
    forms = ["exact", "tanh-fused", "tanh", "sigmoid", "silu-fused"]
    table = pd.DataFrame({"form": forms, "milliseconds_low": [gain, 9.0, 9.0, 1.0, 9.0]})
    monkeypatch.setattr(module, "measure_speed", lambda **_: table)
    assert verdict("G10") == expected
