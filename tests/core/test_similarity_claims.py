"""Claims: the verdicts are the expected ones, and a wrong implementation turns each of them."""

import importlib
from typing import Any

import numpy as np
import pandas as pd
import pytest

from core import similarity as core
from core.claims import Cost, Verdict
from tests.core.verdicts import assert_as_expected

module = importlib.import_module("core.similarity.claims")
CLAIMS = {claim.id.partition(".")[2]: claim for claim in core.CLAIMS}
QUICK = [claim for claim in core.CLAIMS if claim.cost is not Cost.MINUTES]  # without an encoder


def verdict(name: str, seed: int = 0) -> Verdict:
    return CLAIMS[name].check(seed).verdict


def test_the_claims_of_the_post_are_there_in_order() -> None:
    assert list(CLAIMS) == [f"W{k}" for k in range(1, 13)]


@pytest.mark.parametrize("claim", QUICK, ids=lambda claim: claim.id)
@pytest.mark.parametrize("seed", [0, 1])
def test_every_claim_has_the_verdict_that_it_expects(claim: Any, seed: int) -> None:
    assert_as_expected(claim, seed)


def test_claim_the_post_s_code_breaks_every_bound_and_the_half_matters() -> None:
    assert CLAIMS["W6"].check(0).details["code_broken"] == 300
    assert CLAIMS["W12"].check(0).details["without_half_broken"] > 100
    assert CLAIMS["W12"].check(0).details["upper_broken"] == 0


def test_claim_both_bounds_together_save_more_solves() -> None:
    found = CLAIMS["W7"].check(0).details
    assert found["solved_both"] <= found["solved_centroid"] < 0.5


def judged(gain: float) -> Any:
    """Judged pairs whose mean vectors say nothing, while the words follow the grades."""

    def made(contextual: bool, stop: bool = True) -> Any:
        generator = np.random.default_rng(0)
        grades, pairs = np.repeat(np.arange(4.0), 15), []
        for grade in grades:
            x = generator.standard_normal((6, 8))
            away = gain * (3 - grade) * generator.standard_normal((6, 8))
            away -= away.mean(axis=0)  # the mean vector stays
            pairs.append((x, x + away + 0.5 * generator.standard_normal((1, 8))))
        return pairs, grades

    return made


WRONG = [
    ("W2", "wasserstein_linprog", lambda p, q, cost: float(p @ cost @ q), Verdict.FAILS),
    ("W3", "wmd", lambda x, y: 0.1, Verdict.FAILS),
    ("W4", "wmd", lambda x, y: 0.0, Verdict.FAILS),
    ("W4", "wmd", lambda x, y: float(np.linalg.norm(x - y)), Verdict.HOLDS),
    ("W6", "wmd", core.code_wmd, Verdict.FAILS),
    ("W7", "wcd", lambda x, y: 0.0, Verdict.CONDITIONAL),
    ("W7", "wcd", lambda x, y: 100.0 - core.wmd(x, y), Verdict.FAILS),
    ("W9", "wrd", lambda x, y: core.wmd(x, y), Verdict.FAILS),
    ("W10", "wrd", lambda x, y: 0.5, Verdict.FAILS),
    ("W10", "_unit", lambda x: x, Verdict.FAILS),
    ("W12", "wrd_bounds", lambda x, y: (2 * core.wrd_bounds(x, y)[0], 2.0), Verdict.FAILS),
    ("W11", "correlation", lambda rows: 0.0, Verdict.FAILS),
]  # fmt: skip


@pytest.mark.parametrize(("claim", "name", "wrong", "turned"), WRONG)
def test_another_implementation_turns_the_verdict(
    claim: str, name: str, wrong: Any, turned: Verdict, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, name, wrong)
    assert verdict(claim) is turned


@pytest.mark.parametrize(("gain", "turned"), [(1.0, Verdict.HOLDS), (0.0, Verdict.FAILS)])
def test_words_that_follow_the_grades_where_means_do_not_turn_the_verdict(
    gain: float, turned: Verdict, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_judged", judged(gain))
    monkeypatch.setattr(module, "_groups", lambda: [str(number % 15) for number in range(60)])
    assert verdict("W1") is turned


def test_norms_are_importance_if_they_rise_with_rarity_in_whole_lists_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "correlation", lambda rows: 0.5)
    assert verdict("W11") is Verdict.CONDITIONAL
    monkeypatch.setattr(module, "cuts", lambda code: pd.DataFrame({"correlation": [0.9, 0.5]}))
    assert verdict("W11") is Verdict.HOLDS


@pytest.mark.parametrize(("noise", "turned"), [(0.0, Verdict.FAILS), (2.0, Verdict.HOLDS)])
def test_translations_turn_the_verdict_on_the_cosine(
    noise: float, turned: Verdict, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = np.random.default_rng(0)
    x = generator.standard_normal((60, 8))
    longer = np.exp(noise * generator.standard_normal((60, 1)))
    monkeypatch.setattr(module, "_translations", lambda: (x, x * longer))
    assert verdict("W8") is turned


def test_stop_words_that_hold_the_denial_make_the_claim_conditional(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    x = np.eye(4)
    denial = (x, x[[0, 1, 2, 2]])
    far = (x, -x)
    pairs = {True: [denial, far], False: [(x[:2], x[:2]), far]}
    monkeypatch.setattr(module, "_judged", lambda c, stop=True: (pairs[stop], np.array([2.0, 0.0])))
    monkeypatch.setattr(module, "_kinds", lambda: ["negation", "unrelated"])
    assert verdict("W5") is Verdict.CONDITIONAL
    pairs[False] = pairs[True]
    assert verdict("W5") is Verdict.HOLDS


def test_the_tables_that_claims_rest_on_have_every_kind_of_word() -> None:
    for language in ("en", "zh"):
        for vectors in ("static", "contextual"):
            rows = module.words_of(language, vectors)
            assert isinstance(rows, pd.DataFrame)
            assert len(rows) > 300
            assert rows["norm"].min() > 0
