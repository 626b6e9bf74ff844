"""Claims: the verdicts are the expected ones, and a wrong implementation turns them."""

import importlib
from typing import Any

import pandas as pd
import pytest

from core import nvae as core
from core.claims import Verdict
from tests.core.verdicts import assert_as_expected

module = importlib.import_module("core.nvae.claims")
CLAIMS = {claim.id.partition(".")[2]: claim for claim in core.CLAIMS}


def verdict(name: str) -> Verdict:
    return CLAIMS[name].check(0).verdict


def test_the_claims_of_the_post_are_there_in_order() -> None:
    assert list(CLAIMS) == [f"N{k}" for k in range(1, 18)]


@pytest.mark.parametrize("claim", core.CLAIMS, ids=lambda claim: claim.id)
def test_every_claim_has_the_verdict_that_it_expects(claim: Any) -> None:
    assert_as_expected(claim, 0)


def test_n1_follows_the_gaps(monkeypatch: pytest.MonkeyPatch) -> None:
    for gaps, expected in (
        ({"ring": 1.0, "linear": 1.0}, Verdict.HOLDS),
        ({"ring": 0.0, "linear": 0.0}, Verdict.FAILS),
    ):
        monkeypatch.setattr(module, "gap", gaps.__getitem__)
        assert verdict("N1") is expected


def test_n5_fails_with_a_wrong_kl(monkeypatch: pytest.MonkeyPatch) -> None:
    network = importlib.import_module("core.nvae.network")
    monkeypatch.setattr(
        network, "gaussian_kl", lambda posterior, prior: 0.9 * core.gaussian_kl(posterior, prior)
    )
    assert verdict("N5") is Verdict.FAILS


def test_n8_fails_where_the_fine_scale_holds_the_layout(monkeypatch: pytest.MonkeyPatch) -> None:
    table = pd.DataFrame({"scale": list(core.SCALES), "kl": [5.0, 5.0, 5.0]})
    monkeypatch.setattr(module, "kl_by_group", lambda name: table)
    monkeypatch.setattr(module, "redrawn", lambda config, scales: scales[0])
    monkeypatch.setattr(module, "_layout", lambda scale: 0.2 + 0.1 * scale)
    assert verdict("N8") is Verdict.FAILS
    monkeypatch.setattr(module, "_layout", lambda scale: 0.9 - 0.1 * scale)
    assert verdict("N8") is Verdict.HOLDS


@pytest.mark.parametrize(
    ("after", "expected"),
    [(0.5, Verdict.HOLDS), (1.0, Verdict.CONDITIONAL), (2.0, Verdict.FAILS)],
)
def test_n9_follows_the_distance(
    monkeypatch: pytest.MonkeyPatch, after: float, expected: Verdict
) -> None:
    monkeypatch.setattr(module, "_distance", lambda seed, passes: after if passes else 1.0)
    assert verdict("N9") is expected


def test_n15_fails_and_holds_with_the_gaps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "kl", lambda density, fit: 1.0)
    assert verdict("N15") is Verdict.FAILS
    monkeypatch.setattr(module, "kl", lambda density, fit: 0.0)
    assert verdict("N15") is Verdict.HOLDS


@pytest.mark.parametrize(
    ("mean", "expected"),
    [(-0.5, Verdict.HOLDS), (0.5, Verdict.FAILS), (0.1, Verdict.OPEN)],
)
@pytest.mark.parametrize("name", ["N4", "N6", "N10", "N11"])
def test_ablations_decide_only_beyond_their_interval(
    monkeypatch: pytest.MonkeyPatch, name: str, mean: float, expected: Verdict
) -> None:
    monkeypatch.setattr(module, "difference", lambda *names: core.Interval(mean, 0.2))
    assert verdict(name) is expected


def test_n12_asks_for_the_cost_too(monkeypatch: pytest.MonkeyPatch) -> None:
    gain = core.Interval(-1.0, 0.5)
    for seconds, expected in ((10.0, Verdict.HOLDS), (0.0, Verdict.CONDITIONAL)):
        found = {"elbo": gain, "seconds": core.Interval(seconds, 1.0), "gradient": gain}
        monkeypatch.setattr(module, "difference", lambda one, two, name, f=found: f[name])
        assert verdict("N12") is expected
