"""The claims of post 7546: each verdict follows from its numbers, and turns when they are wrong."""

import math
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
import torch
from torch import Tensor

from core import attention as core
from core.attention import claims
from core.attention.counting import crossing, exponent, largest_tensor, multiplications
from core.attention.sparse import blocked_window, masked_window, recall_of_largest, same_bucket
from core.claims import Claim, Cost, Verdict, run, shipped
from tests.core.test_attention_forms import tokens

BY_NUMBER = {claim.id.partition(".")[2]: claim for claim in core.CLAIMS}
QUICK = [claim for claim in core.CLAIMS if claim.id not in ("attention.A1", "attention.A12")]


def test_every_claim_of_the_notes_is_there() -> None:
    assert list(BY_NUMBER) == [f"A{n}" for n in range(1, 16)]


@pytest.mark.parametrize("claim", QUICK, ids=lambda claim: claim.id)
def test_the_evidence_is_what_is_expected_and_what_ships(claim: Claim) -> None:
    evidence = run(claim)
    assert evidence.verdict == claim.expects
    kept = shipped("attention")[claim.id]
    assert kept.verdict == claim.expects
    assert kept.measured == pytest.approx(evidence.measured, rel=1e-3, abs=1e-9)
    assert set(kept.details) == set(evidence.details)


@pytest.mark.parametrize("number", ["A3", "A5", "A6", "A8", "A10", "A11", "A13", "A15"])
def test_another_seed_gives_the_same_verdict(number: str) -> None:
    assert run(BY_NUMBER[number], 3).verdict == BY_NUMBER[number].expects


def test_what_takes_seconds_ships_its_evidence() -> None:
    for number in ("A1", "A12"):
        kept = shipped("attention")[f"attention.{number}"]
        assert kept.verdict == BY_NUMBER[number].expects
        assert BY_NUMBER[number].cost is Cost.SECONDS


# ---- a wrong implementation turns the verdict


def forgets_normalizer(q: Tensor, k: Tensor, v: Tensor, **options: Any) -> Tensor:
    return core.linear_attention(q, k, v, **options | {"normalize": options.get("form") is None})


def sees_ahead(q: Tensor, k: Tensor, v: Tensor, **options: Any) -> Tensor:
    return core.linear_attention(q, k, v, **options | {"causal": False, "form": "quadratic"})


def all_right(*_: object) -> float:
    return 0.5


WRONG: dict[str, tuple[str, Callable[..., object], Verdict]] = {
    "A1: softmax for nothing": ("_from_right", lambda q, k, v: (q @ k.mT) @ v, Verdict.FAILS),
    "A2: a forgotten key": (
        "bracketed", lambda q, k, v: core.bracketed(q, k[..., 1:, :], v[..., 1:, :]),
        Verdict.FAILS,
    ),
    "A3: the absolute value": (
        "denominators", lambda q, k, kind: core.denominators(q.abs(), k.abs(), kind),
        Verdict.FAILS,
    ),
    "A4: all alike": ("_recalled", all_right, Verdict.FAILS),
    "A4: only signed ones lose": (
        "_recalled", lambda name, seed: 0.2 if name.startswith("identity") else 0.6,
        Verdict.HOLDS,
    ),
    "A5: one axis for the other": (
        "efficient_matrix",
        lambda q, k, causal=False: q.softmax(dim=-1) @ k.softmax(dim=-1).mT,
        Verdict.FAILS,
    ),
    "A6: without the 1": (
        "attention_matrix",
        lambda q, k, kind: core.attention_matrix(q, k, "identity" if kind == "cosine" else kind),
        Verdict.FAILS,
    ),
    "A7: a mask that saves": ("masked_window", blocked_window, Verdict.FAILS),
    "A8: buckets by chance": (
        "same_bucket",
        lambda q, k, directions: (
            torch.rand(16, len(q), len(k), generator=torch.Generator().manual_seed(1)) < 0.07
        ).cumsum(dim=0) > 0,
        Verdict.FAILS,
    ),
    "A10: a projection that projects nothing": (
        "linformer_attention",
        lambda q, k, v, e, f: core.softmax_attention(q, k, v, causal=True), Verdict.FAILS,
    ),
    "A11: no mask": ("linear_attention", sees_ahead, Verdict.FAILS),
    "A11: no denominator": ("linear_attention", forgets_normalizer, Verdict.FAILS),
    "A13: a kernel with zeros": (
        "attention_matrix",
        lambda q, k, kind: core.attention_matrix(q, k, "relu").relu(), Verdict.FAILS,
    ),
    "A15: pooling that waits": (
        "pooled", lambda q, k, v: core.softmax_attention(q, k, v, causal=True), Verdict.FAILS,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_implementation_turns_the_verdict(
    case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, wrong, verdict = WRONG[case]
    monkeypatch.setattr(claims, name, wrong)
    monkeypatch.setattr(claims, "_time_exponent", lambda form, seed: math.nan)
    if name == "attention_matrix" and "zeros" in case:  # rows of zeros have no entropy
        monkeypatch.setattr(claims, "entropies", lambda matrix: torch.ones(1))
    assert run(BY_NUMBER[case.partition(":")[0]]).verdict == verdict


def test_an_m_that_stays_refutes_the_doubt(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [("recall", pairs, 8, 0.99) for pairs in (8, 16, 32, 64)]
    table = pd.DataFrame(rows, columns=["task", "pairs", "projections", "accuracy"])
    monkeypatch.setattr(type(claims.PROJECTIONS), "load", lambda _: table)
    assert run(BY_NUMBER["A9"]).verdict is Verdict.FAILS


@pytest.mark.parametrize(
    ("fastest", "verdict"),
    [("cumulative", Verdict.HOLDS), ("chunkwise", Verdict.CONDITIONAL)],
)
def test_the_fastest_form_decides_what_was_said_of_it(
    fastest: str, verdict: Verdict, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        claims, "_seconds", lambda run: 0.1 if run.keywords["form"] == fastest else 1.0
    )
    assert run(BY_NUMBER["A12"]).verdict is verdict


def test_a_recurrence_that_stores_states_does_not_take_least_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(claims, "_seconds", lambda run: 1.0)
    monkeypatch.setattr(
        claims, "largest_tensor", lambda run: 10**9 if run.keywords["form"] == "recurrent" else 1
    )
    assert run(BY_NUMBER["A12"]).verdict is Verdict.FAILS


# ---- what the checks count with


def test_multiplications_and_tensors_are_counted() -> None:
    a, b = torch.ones(3, 5), torch.ones(5, 7)
    assert multiplications(lambda: a @ b) == 3 * 5 * 7
    assert largest_tensor(lambda: (a @ b).sum()) == 21
    assert exponent([1, 2, 4], [5, 40, 320]) == pytest.approx(3)


def test_multiplications_cross_where_the_notes_say() -> None:
    """2 n² d against 2 n d² cross at n = d; with 4 d features, kept twice, at 16 d = 1024."""
    assert crossing(lambda n: 2 * n * 64**2, lambda n: 2 * n**2 * 64, 4096) == 65
    q, k, v = tokens(64, 64)
    assert multiplications(lambda: (q @ k.T) @ v) == multiplications(lambda: q @ (k.T @ v))
    assert math.isnan(crossing(lambda n: n, lambda n: 0, 10))


def test_ranks_are_those_of_the_features() -> None:
    """n = 256, d = 16; causal, a kernel's matrix has full rank again."""
    q, k, _ = tokens(256, 16)
    ranks = {kind: core.rank(core.attention_matrix(q, k, kind)) for kind in core.FEATURE_MAPS}
    assert ranks["elu"] == 16
    assert ranks["cosine"] == 17
    assert ranks["taylor2"] == 1 + 16 + 16 * 17 // 2 == 153
    assert core.rank(core.attention_matrix(q, k, "softmax")) == 256
    assert core.rank(core.efficient_matrix(q, k)) == 16
    causal = core.attention_matrix(q, k, "elu", causal=True)
    assert core.rank(causal) == 256
    assert 1e4 < float(torch.linalg.cond(causal)) < 1e6


@pytest.mark.parametrize(("dim", "expected"), [(16, 0.9701), (64, 0.9923)])
def test_one_plus_cos_cannot_concentrate(dim: int, expected: float) -> None:
    """|a|_1 / (sqrt(n) |a|_2) of random directions is 1 / sqrt(1 + 1/d); weights are at most
    2 / (n (1 + mean cos))."""
    q, k, _ = tokens(4000, dim)
    assert 1 / math.sqrt(1 + 1 / dim) == pytest.approx(expected, abs=5e-5)
    sims = core.attention_matrix(q[:200], k, "cosine", normalize=False)
    assert float(core.evenness(sims).mean()) == pytest.approx(expected, abs=2e-3)
    weights = core.attention_matrix(q[:200], k, "cosine")
    bound = 2 / sims.sum(dim=-1)
    assert bool((weights.amax(dim=-1) <= bound * (1 + 1e-12)).all())


TABLE = {  # the notes' distances to softmax, n = 256, d = 16, by the entries' standard deviation
    0.1: {"elu": 0.018, "cosine": 0.086, "taylor1": 0.0004, "taylor2": 0.0000, "uniform": 0.016},
    0.5: {"elu": 0.359, "cosine": 0.286, "taylor1": 0.223, "taylor2": 0.096, "uniform": 0.371},
    1.0: {"elu": 0.869, "cosine": 0.854, "taylor1": 1.90, "taylor2": 0.711, "uniform": 0.882},
}


@pytest.mark.parametrize("scale", TABLE)
def test_distances_to_softmax_are_those_of_the_notes(scale: float) -> None:
    found: dict[str, list[float]] = {}
    for seed in range(6):
        q, k, _ = tokens(256, 16, seed=seed)
        softmax = core.attention_matrix(scale * q, scale * k, "softmax")
        first = 1 + scale**2 * q @ k.T
        kinds = {"elu": None, "cosine": None, "taylor2": None}
        matrices = {kind: core.attention_matrix(scale * q, scale * k, kind) for kind in kinds}
        matrices["taylor1"] = first / first.sum(dim=-1, keepdim=True)
        matrices["uniform"] = torch.full_like(softmax, 1 / 256)
        for kind, matrix in matrices.items():
            found.setdefault(kind, []).append(float(core.distances(matrix, softmax).mean()))
    for kind, expected in TABLE[scale].items():
        if (scale, kind) != (1.0, "taylor1"):  # its denominators come near 0: no typical value
            mean = sum(found[kind]) / len(found[kind])
            assert mean == pytest.approx(expected, rel=0.06, abs=1.5e-4)


def test_a_state_is_smaller_than_a_cache_and_larger_for_a_running_sum() -> None:
    """d² + d numbers against 2 n d; a running sum keeps n d², 2.1 million at n = 512, d = 64."""
    state = core.recurrent_state((), 64, 64)
    assert state.s.numel() + state.z.numel() == 64 * 64 + 64
    assert 512 * 64**2 == 2_097_152 > 512**2 == 262_144


# ---- windows and buckets


def test_a_window_from_blocks_is_the_masked_one() -> None:
    q, k, v = tokens(48, 5, values=3)
    for window in (4, 12, 48):
        torch.testing.assert_close(blocked_window(q, k, v, window), masked_window(q, k, v, window))
    torch.testing.assert_close(
        masked_window(q, k, v, 48), core.softmax_attention(q, k, v, causal=True)
    )
    with pytest.raises(ValueError, match="window is 7"):
        blocked_window(q, k, v, 7)


def test_hashing_puts_equal_directions_together_and_opposite_ones_apart() -> None:
    x = tokens(20, 6)[0]
    directions = torch.randn(3, 6, 4, generator=torch.Generator().manual_seed(0)).double()
    assert bool(same_bucket(x, 3 * x, directions).diagonal(dim1=-2, dim2=-1).all())
    assert not same_bucket(x, -x, directions)[0].diagonal().any()
    everything = torch.ones(20, 20, dtype=torch.bool)
    assert float(recall_of_largest(x, x, everything, 4)) == 1
    assert float(recall_of_largest(x, x, ~everything, 4)) == 0
