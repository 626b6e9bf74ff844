"""Claims: the verdicts are the expected ones, and a wrong implementation turns each of them."""

import dataclasses
import importlib
from typing import Any

import numpy as np
import pytest
import torch

from core import vae as core
from core.claims import Cost, Verdict, record

module = importlib.import_module("core.vae.claims")
CLAIMS = {claim.id.partition(".")[2]: claim for claim in core.CLAIMS}
QUICK = [claim for claim in core.CLAIMS if claim.cost is not Cost.MINUTES]
OF_A_SEED = [CLAIMS[name] for name in ("G3", "G5", "G6", "G8", "G9", "G14", "G16", "G18")]


def verdict(name: str) -> Verdict:
    return CLAIMS[name].check(0).verdict


def test_the_claims_of_the_post_are_there_in_order() -> None:
    assert list(CLAIMS) == [f"G{k}" for k in range(1, 19)]


@pytest.mark.parametrize("claim", QUICK, ids=lambda claim: claim.id)
def test_every_claim_has_the_verdict_that_it_expects(claim: Any) -> None:
    row = record(claim, 0)
    assert row.as_expected
    assert np.isfinite([row.measured, *row.details.values()]).all()


@pytest.mark.parametrize("claim", OF_A_SEED, ids=lambda claim: claim.id)
def test_another_seed_gives_the_same_verdict(claim: Any) -> None:
    assert record(claim, 1).as_expected


@pytest.mark.parametrize(
    ("spreads", "expected"),
    [
        ({"point": 4.0, "diagonal": 1.0}, Verdict.HOLDS),
        ({"point": 2.0, "diagonal": 1.0}, Verdict.CONDITIONAL),
        ({"point": 1.0, "diagonal": 2.0}, Verdict.FAILS),
    ],
)
def test_g2_follows_the_spread_of_sizes(
    monkeypatch: pytest.MonkeyPatch, spreads: dict[str, float], expected: Verdict
) -> None:
    sizes = lambda family, seed: (float(np.exp(spreads[family] * seed)), 2.0)  # noqa: E731
    monkeypatch.setattr(module, "_shape", sizes)
    assert verdict("G2") is expected


def with_measures(**changes: dict[str, Any]) -> Any:
    """The measures of the models that ship, with some changed: name -> fields."""
    names = {config: name for name, config in core.SHIPPED.items()}

    def wrong(config: core.VAEConfig) -> core.Measures:
        return dataclasses.replace(core.measures(config), **changes.get(names[config], {}))

    return wrong


def worse_probes(images: Any, codes: torch.Tensor) -> Any:
    table = core.factors(core.FactorsConfig()).table.copy()
    table["codes"] = table["pixels"] - 0.3
    return table


def equal_probes(images: Any, codes: torch.Tensor) -> Any:
    return worse_probes(images, codes).assign(codes=lambda table: table["pixels"])


TURNS: list[tuple[str, dict[str, Any], Verdict]] = [
    ("G1", {"probes": worse_probes}, Verdict.FAILS),
    ("G1", {"probes": equal_probes}, Verdict.HOLDS),
    ("G3", {"participation_ratio": lambda z: 2.0}, Verdict.FAILS),
    ("G4", {"optimal_decoder": lambda z, m, s, x: x[: len(z)]}, Verdict.FAILS),
    ("G5", {"_gap_error": lambda name, seed: 1e3 if name == "vae" else 10.0}, Verdict.FAILS),
    ("G5", {"_gap_error": lambda name, seed: 120.0 if name == "vae" else 1e4}, Verdict.CONDITIONAL),
    ("G6", {"covered_share": lambda z, r: 0.5}, Verdict.FAILS),
    ("G7", {"uniform_kl": lambda m, s: 2 * core.gaussian_kl(m, 2 * s.log())}, Verdict.HOLDS),
    ("G8", {"_error_at": lambda name, t, seed: 1 + t}, Verdict.FAILS),
    ("G8", {"_error_at": lambda name, t, seed: 1 + t * (1 + (name == "ae"))}, Verdict.CONDITIONAL),
    ("G9", {"reparameterize": lambda m, s, e: m + 1.1 * e * s}, Verdict.FAILS),
    ("G10", {"_width_and_room": lambda name: (0.5, 0.0)}, Verdict.HOLDS),
    ("G10", {"_width_and_room": lambda name: (0.5 * (name == "vae"), 0.0)}, Verdict.CONDITIONAL),
    ("G11", {"_relative_width": lambda name: 0.1}, Verdict.FAILS),
    (
        "G12",
        {"direction_loss": lambda v, m, s, name: core.direction_loss(v, m, s, "kl"),
         "best_mean_square": lambda v, s, name: core.best_mean_square(v, s, "kl")},
        Verdict.HOLDS,
    ),
    (
        "G13",
        {"measures": with_measures(vae={"aggregate_kl": 0.1, "error": 1e9})},
        Verdict.CONDITIONAL,
    ),
    ("G13", {"measures": with_measures(vae={"aggregate_kl": 0.1})}, Verdict.HOLDS),
    ("G14", {"_sample_gap": lambda name, seed: 1.0}, Verdict.FAILS),
    ("G14", {"_sample_gap": lambda name, seed: 1e3 + 1e3 * (name == "ae")}, Verdict.CONDITIONAL),
    ("G16", {"_half_way": lambda name, seed: (2.0, 1.0)}, Verdict.FAILS),
    ("G16", {"_half_way": lambda name, seed: (2.0, 3.0)}, Verdict.CONDITIONAL),
    ("G17", {"optimal_decoder": core.median_decoder}, Verdict.FAILS),
    ("G17", {"median_decoder": core.optimal_decoder}, Verdict.HOLDS),
    ("G18", {"_component": lambda x, z: (1 + z**2) * torch.exp(-(x**2))}, Verdict.HOLDS),
    ("G18", {"log_normal": lambda z, m, s: core.log_normal(z, m, 2 * s)}, Verdict.FAILS),
]  # fmt: skip


@pytest.mark.parametrize(("name", "wrong", "expected"), TURNS)
def test_a_wrong_implementation_turns_the_verdict(
    monkeypatch: pytest.MonkeyPatch, name: str, wrong: dict[str, Any], expected: Verdict
) -> None:
    for attribute, replacement in wrong.items():
        monkeypatch.setattr(module, attribute, replacement)
    assert verdict(name) is expected


def test_g15_follows_the_gaps_and_the_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    gaps = iter([0.3, 0.1, 0.13, 0.1])
    monkeypatch.setattr(module, "mutual_information_gap", lambda codes, factors: next(gaps))
    monkeypatch.setattr(module, "rotation_excess", lambda stds, angle: 0.5)
    assert verdict("G15") is Verdict.HOLDS
    assert verdict("G15") is Verdict.CONDITIONAL
