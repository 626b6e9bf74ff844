"""The engine of the claims: running, reporting, exit status, shipped evidence."""

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest

from core import claims
from core.claims import Claim, Cost, Evidence, Verdict
from core.topics import TOPICS, built


def claim(check: Callable[[int], Evidence], **fields: object) -> Claim:
    settings = {"id": "gelu.T1", "source": "§1", "cost": Cost.INSTANT, "expects": Verdict.HOLDS}
    return Claim(**(settings | fields), check=check)  # type: ignore[arg-type]


def holds(seed: int) -> Evidence:
    return Evidence(Verdict.HOLDS, measured=float(seed), details={"twice": 2.0 * seed})


@pytest.fixture
def only(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Make these the only claims there are."""

    def install(*listed: Claim) -> None:
        monkeypatch.setattr(claims, "all_claims", lambda: list(listed))

    return install


def test_a_record_keeps_evidence_seed_and_expectation() -> None:
    row = claims.record(claim(holds), seed=7)
    assert (row.id, row.topic, row.verdict, row.measured, row.seed) == (
        "gelu.T1", "gelu", "holds", 7.0, 7
    )  # fmt: skip
    assert row.as_expected
    assert not claims.record(claim(holds, expects=Verdict.FAILS)).as_expected


def test_the_command_succeeds_when_every_verdict_is_as_expected(only: Callable[..., None]) -> None:
    only(claim(holds))
    assert claims.main([]) == 0


def test_another_verdict_than_expected_fails_the_command(
    only: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    only(claim(holds), claim(holds, id="gelu.T2", expects=Verdict.OPEN))
    assert claims.main([]) == 1
    assert "EXPECTED open" in capsys.readouterr().out


def test_a_check_that_raises_fails_the_command_and_the_others_still_run(
    only: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(seed: int) -> Evidence:
        raise ZeroDivisionError("no numbers")

    only(claim(broken), claim(holds, id="gelu.T2"))
    assert claims.main([]) == 1
    out = capsys.readouterr().out
    assert "RAISED ZeroDivisionError: no numbers" in out
    assert "gelu.T2" in out


def test_selection_by_topic_id_and_cost(
    only: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    only(claim(holds), claim(holds, id="gelu.T2", cost=Cost.SECONDS), claim(holds, id="vae.T3"))
    claims.main(["--topic", "gelu", "--cost", "seconds"])
    claims.main(["--id", "vae.T3"])
    out = capsys.readouterr().out
    assert ("gelu.T2" in out, "vae.T3" in out, "gelu.T1" in out) == (True, True, False)


def test_a_selection_that_matches_nothing_is_a_usage_error(only: Callable[..., None]) -> None:
    only(claim(holds))
    with pytest.raises(SystemExit) as stopped:
        claims.main(["--id", "gelu.T9"])
    assert stopped.value.code == 2


def test_json_has_every_field_and_no_nan(only: Callable[..., None], tmp_path: Path) -> None:
    def undefined(seed: int) -> Evidence:
        return Evidence(Verdict.HOLDS, measured=math.nan, details={"limit": math.inf})

    only(claim(undefined))
    file = tmp_path / "evidence.json"
    claims.main(["--json", str(file), "--seed", "3"])
    (row,) = json.loads(file.read_text(encoding="utf-8"))
    assert set(row) == {
        "id", "topic", "source", "cost", "expects", "verdict", "measured", "reference",
        "tolerance", "unit", "details", "seconds", "seed",
    }  # fmt: skip
    assert (row["measured"], row["details"], row["seed"]) == (None, {"limit": None}, 3)


def test_what_takes_minutes_reports_shipped_evidence_unless_recomputed(
    only: Callable[..., None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    slow = claim(holds, cost=Cost.MINUTES)
    only(slow)
    monkeypatch.setattr(claims, "SHIPPED", tmp_path)
    claims.shipped.cache_clear()
    assert claims.main([]) == 1  # nothing ships: nothing to report
    claims.main(["--recompute", "--seed", "5", "--json", str(tmp_path / "gelu.json")])
    claims.shipped.cache_clear()
    assert claims.main([]) == 0
    assert claims.shipped("gelu")["gelu.T1"].measured == 5.0
    claims.shipped.cache_clear()


def test_shipped_evidence_with_a_missing_number_reads_as_nan(
    only: Callable[..., None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    only(claim(lambda seed: Evidence(Verdict.OPEN, measured=math.nan), expects=Verdict.OPEN))
    monkeypatch.setattr(claims, "SHIPPED", tmp_path)
    claims.main(["--json", str(tmp_path / "gelu.json")])
    claims.shipped.cache_clear()
    assert math.isnan(claims.shipped("gelu")["gelu.T1"].measured)
    claims.shipped.cache_clear()


def test_ids_are_unique_and_named_after_their_topic() -> None:
    ids = [item.id for item in claims.all_claims()]
    assert len(set(ids)) == len(ids)
    assert all(item.id.startswith(f"{item.topic}.") for item in claims.all_claims())


@pytest.mark.parametrize("item", claims.all_claims(), ids=lambda item: item.id)
def test_every_claim_ships_evidence_with_its_expected_verdict(item: Claim) -> None:
    row = claims.shipped(item.topic)[item.id]
    assert (row.verdict, row.expects, row.source, row.cost) == (
        item.expects, item.expects, item.source, item.cost
    )  # fmt: skip


@pytest.mark.parametrize("slug", [topic.slug for topic in TOPICS if built(topic.slug)])
def test_the_evidence_that_ships_is_of_a_topics_claims_in_their_order(slug: str) -> None:
    ids = [item.id for item in claims.all_claims() if item.topic == slug]
    assert list(claims.shipped(slug)) == ids


@pytest.mark.parametrize(
    ("weak", "strong", "verdict"),
    [
        (False, False, Verdict.FAILS), (False, True, Verdict.FAILS),
        (True, False, Verdict.CONDITIONAL), (True, True, Verdict.HOLDS),
    ],
)  # fmt: skip
def test_a_grade_needs_the_weak_statement_and_holds_with_the_strong_one(
    weak: bool, strong: bool, verdict: Verdict
) -> None:
    assert claims.graded(weak, strong) is verdict


def test_held_is_one_or_the_other() -> None:
    assert (claims.held(True), claims.held(False)) == (Verdict.HOLDS, Verdict.FAILS)
