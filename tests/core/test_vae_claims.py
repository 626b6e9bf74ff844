"""Claims: the verdicts are the expected ones, and a wrong implementation turns each of them."""

import dataclasses
import importlib
from typing import Any

import numpy as np
import pytest
import torch

from core import vae as core
from core.claims import Cost, Evidence, Verdict, record, shipped
from tests.core.verdicts import assert_as_expected

trained = importlib.import_module("core.vae.trained_claims")
CLAIMS = {claim.id.partition(".")[2]: claim for claim in core.CLAIMS}
OF_STARTS = [CLAIMS[name] for name in ("G1", "G5", "G8", "G10", "G11", "G13", "G14", "G15", "G16")]
QUICK = [claim for claim in core.CLAIMS if claim.cost is not Cost.MINUTES]
OF_A_SEED = [CLAIMS[name] for name in ("G3", "G6", "G9", "G18")]


@pytest.fixture(autouse=True)
def only_the_start_that_ships(monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are trained for minutes; `shipped` keeps what they gave."""
    monkeypatch.setattr(trained, "STARTS", (0,))
    monkeypatch.setattr(trained, "TURNS", 5)


def verdict(name: str) -> Verdict:
    return CLAIMS[name].check(0).verdict


def test_the_claims_of_the_post_are_there_in_order() -> None:
    assert list(CLAIMS) == [f"G{k}" for k in range(1, 19)]


@pytest.mark.parametrize("claim", QUICK, ids=lambda claim: claim.id)
def test_every_claim_has_the_verdict_that_it_expects(claim: Any) -> None:
    assert_as_expected(claim, 0)


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
    monkeypatch.setattr(trained, "_shape", sizes)
    assert verdict("G2") is expected


def with_measures(**changes: dict[str, Any]) -> Any:
    """The measures of the models that ship, with some changed: name -> fields."""
    names = {config: name for name, config in core.SHIPPED.items()}

    def wrong(config: core.VAEConfig) -> core.Measures:
        return dataclasses.replace(core.measures(config), **changes.get(names[config], {}))

    return wrong


def reads(pixels: float, codes: float) -> Any:
    """What is missed off images, decoded ones, too, and off codes: one factor, with noise of 0.09
    in two standard errors."""
    spread = torch.linspace(-1, 1, 120) * 0.5 * 3**0.5

    def errors(images: Any, x: torch.Tensor) -> dict[str, torch.Tensor]:
        if x.shape[1] > 8:
            return {"ink": torch.full((120,), 1 - pixels)}
        return {"ink": 1 - codes + spread}

    return errors


def points(config: core.VAEConfig) -> bool:
    return config.family == "point"


TURNS: list[tuple[str, dict[str, Any], Verdict]] = [
    ("G1", {"_misread": reads(0.9, 0.7)}, Verdict.FAILS),
    ("G1", {"_misread": reads(0.9, 0.75)}, Verdict.CONDITIONAL),
    ("G1", {"_misread": reads(0.9, 0.85)}, Verdict.HOLDS),
    ("G1", {"measures": with_measures(**{"ae-8": {"error": 10.0}})}, Verdict.OPEN),
    ("G3", {"participation_ratio": lambda z: 2.0}, Verdict.FAILS),
    ("G4", {"optimal_decoder": lambda z, m, s, x: x[: len(z)]}, Verdict.FAILS),
    ("G5", {"_gap_error": lambda config, seed: 10.0 if points(config) else 1e3}, Verdict.FAILS),
    (
        "G5",
        {"_gap_error": lambda config, seed: 1e4 if points(config) else 45.0},
        Verdict.CONDITIONAL,
    ),
    ("G5", {"_gap_error": lambda config, seed: 1e4 if points(config) else 35.0}, Verdict.HOLDS),
    ("G6", {"covered_share": lambda z, r: 0.5}, Verdict.FAILS),
    ("G7", {"uniform_kl": lambda m, s: 2 * core.gaussian_kl(m, 2 * s.log())}, Verdict.HOLDS),
    ("G8", {"_error_at": lambda name, t, seed, start: 1 + t}, Verdict.FAILS),
    (
        "G8",
        {"_error_at": lambda name, t, seed, start: 1 + t * (1 + (name == "ae"))},
        Verdict.CONDITIONAL,
    ),
    ("G9", {"reparameterize": lambda m, s, e: m + 1.1 * e * s}, Verdict.FAILS),
    ("G10", {"_width_and_room": lambda config: (0.5, 0.0)}, Verdict.HOLDS),
    (
        "G10",
        {"_width_and_room": lambda config: (0.5 * (config.latent == 2), 0.0)},
        Verdict.CONDITIONAL,
    ),
    ("G11", {"_relative_width": lambda config: 0.1}, Verdict.FAILS),
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
    ("G14", {"_sample_gap": lambda config, seed: 1.0}, Verdict.FAILS),
    ("G14", {"_sample_gap": lambda config, seed: 45.0 + points(config)}, Verdict.CONDITIONAL),
    ("G16", {"_half_way": lambda config, seed: (2.0, 1.0)}, Verdict.FAILS),
    ("G16", {"_half_way": lambda config, seed: (2.0, 3.0)}, Verdict.CONDITIONAL),
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
        monkeypatch.setattr(CLAIMS[name].check.__module__ + "." + attribute, replacement)
    assert verdict(name) is expected


@pytest.mark.parametrize(
    ("own", "other", "turned", "expected"),
    [
        (0.3, 0.1, [0.2] * 100, Verdict.HOLDS),
        (0.3, 0.1, [0.2] * 90 + [0.4] * 10, Verdict.CONDITIONAL),
        (0.1, 0.3, [0.0] * 100, Verdict.FAILS),
    ],
)
def test_g15_follows_the_scores_and_the_turns(
    monkeypatch: pytest.MonkeyPatch,
    own: float,
    other: float,
    turned: list[float],
    expected: Verdict,
) -> None:
    scores = iter([{"mean": own}, {"mean": other}])
    monkeypatch.setattr(trained, "_entangled", lambda codes, images: next(scores))
    monkeypatch.setattr(trained, "_entangled_turned", lambda codes, images, seed: turned)
    assert verdict("G15") is expected


@pytest.mark.parametrize("claim", OF_STARTS, ids=lambda claim: claim.id)
def test_the_start_that_ships_gives_what_it_gave_among_the_others(claim: Any) -> None:
    evidence, kept = claim.check(0), shipped("vae")[claim.id]
    assert kept.details["least"] < kept.details["largest"]
    # The same weights on another processor: of a rank correlation, a rounding swaps a few ranks.
    slack = 5e-3 * max(1.0, abs(evidence.measured))
    assert kept.details["least"] - slack <= evidence.measured <= kept.details["largest"] + slack


def test_starts_that_disagree_make_a_claim_conditional(monkeypatch: pytest.MonkeyPatch) -> None:
    verdicts = {1: Verdict.HOLDS, 2: Verdict.HOLDS, 3: Verdict.FAILS}

    @trained.from_every_start
    def check(seed: int, start: int) -> Evidence:
        return Evidence(verdicts[start], float(start), details={"seed": float(seed)})

    monkeypatch.setattr(trained, "STARTS", (1, 2))
    details = {"seed": 5.0, "least": 1.0, "largest": 2.0}
    assert check(5) == Evidence(Verdict.HOLDS, 1.5, details=details)
    monkeypatch.setattr(trained, "STARTS", (1, 2, 3))
    assert check(5).verdict is Verdict.CONDITIONAL
