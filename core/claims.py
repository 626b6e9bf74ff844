"""Claims as experiments: a statement of a post, a check that measures it, a verdict from a rule.

`python -m core.claims` runs them; exit status 1 if a verdict differs from what is expected or a
check raises.
"""

import argparse
import dataclasses
import importlib
import json
import math
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any

from core.topics import TOPICS, built

SHIPPED = Path(__file__).parent.parent / "pretrained" / "evidence"


class Verdict(StrEnum):
    """What a measurement says about a statement."""

    HOLDS = "holds"  # true as stated
    CONDITIONAL = "conditional"  # true only under a condition that the evidence names
    FAILS = "fails"  # refuted as stated
    OPEN = "open"  # no experiment here decides it


class Cost(StrEnum):
    """How long a check takes on a laptop."""

    INSTANT = "instant"  # < 0.1 s
    SECONDS = "seconds"
    MINUTES = "minutes"


@dataclass(frozen=True)
class Evidence:
    """A verdict and the numbers it follows from."""

    verdict: Verdict
    measured: float
    reference: float | None = None  # closed form, oracle or the post's own number
    tolerance: float | None = None
    unit: str = ""
    details: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Claim:
    """A statement of a post. Its words live in `content/<language>/<topic>.toml` under its id."""

    id: str  # topic slug, dot, number: "gelu.G7"
    source: str  # where the post says it: section and equation number
    cost: Cost
    expects: Verdict  # what the evidence has shown so far
    check: Callable[[int], Evidence]  # seed -> evidence; raises nothing on a negative result

    @property
    def topic(self) -> str:
        """The slug of the post that makes the claim."""
        return self.id.partition(".")[0]


@dataclass(frozen=True)
class Record:
    """Evidence as it is kept: with its claim, its seed and what it cost."""

    id: str
    topic: str
    source: str
    cost: str
    expects: str
    verdict: str
    measured: float
    reference: float | None
    tolerance: float | None
    unit: str
    details: Mapping[str, float]
    seconds: float
    seed: int

    @property
    def as_expected(self) -> bool:
        """Whether the verdict is still the one that the evidence has shown so far."""
        return self.verdict == self.expects


def held(holds: bool) -> Verdict:
    """HOLDS or FAILS."""
    return Verdict.HOLDS if holds else Verdict.FAILS


def graded(weak: bool, strong: bool) -> Verdict:
    """FAILS without the weak statement, HOLDS with the strong one, else CONDITIONAL."""
    if not weak:
        return Verdict.FAILS
    return Verdict.HOLDS if strong else Verdict.CONDITIONAL


def all_claims() -> list[Claim]:
    """Every claim of every topic that is built, in the order of the posts."""
    return [claim for topic in TOPICS if built(topic.slug) for claim in _claims_of(topic.slug)]


def run(claim: Claim, seed: int = 0) -> Evidence:
    """The evidence for one claim, measured now."""
    return claim.check(seed)


def record(claim: Claim, seed: int = 0) -> Record:
    """The evidence for one claim, measured now, with its duration."""
    started = time.perf_counter()
    evidence = run(claim, seed)
    return Record(
        id=claim.id,
        topic=claim.topic,
        source=claim.source,
        cost=claim.cost.value,
        expects=claim.expects.value,
        verdict=evidence.verdict.value,
        measured=evidence.measured,
        reference=evidence.reference,
        tolerance=evidence.tolerance,
        unit=evidence.unit,
        details=dict(evidence.details),
        seconds=round(time.perf_counter() - started, 3),
        seed=seed,
    )


@lru_cache
def shipped(topic: str) -> Mapping[str, Record]:
    """The evidence that ships with a topic, by claim id; made by `--recompute --json`."""
    path = SHIPPED / f"{topic}.json"
    if not path.exists():
        return {}
    rows = json.loads(path.read_text(encoding="utf-8"))
    return {row["id"]: Record(**_with_nan(row)) for row in rows}


def _claims_of(slug: str) -> tuple[Claim, ...]:
    return importlib.import_module(f"core.{slug}.claims").CLAIMS


def _selected(options: argparse.Namespace) -> list[Claim]:
    return [
        claim
        for claim in all_claims()
        if options.topic in (None, claim.topic)
        and options.id in (None, claim.id)
        and options.cost in (None, claim.cost.value)
    ]


def _evidence(claim: Claim, options: argparse.Namespace) -> Record | None:
    """Shipped evidence for what takes minutes, unless asked to compute it again."""
    if claim.cost is Cost.MINUTES and not options.recompute:
        return shipped(claim.topic).get(claim.id)
    return record(claim, options.seed)


def _report(claim: Claim, options: argparse.Namespace) -> tuple[Record | None, str]:
    try:
        row = _evidence(claim, options)
    except Exception as error:  # a check that raises is a result to report, not a crash
        return None, f"{claim.id:24} RAISED {type(error).__name__}: {error}"
    if row is None:
        return None, f"{claim.id:24} NO EVIDENCE (takes minutes: --recompute)"
    mark = "" if row.as_expected else f"   EXPECTED {row.expects}"
    reference = "" if row.reference is None else f" (reference {row.reference:.9g})"
    measured = f"{row.measured:.9g}{reference} {row.unit}".rstrip()
    return row, f"{claim.id:24} {row.verdict:12} {row.seconds:7.2f} s  {measured}{mark}"


def _without_nan(value: Any) -> Any:
    """JSON has no NaN: an absent number is null."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    return value


def _with_nan(row: dict[str, Any]) -> dict[str, Any]:
    measured, details = row["measured"], row["details"]
    numbers = {name: math.nan if value is None else value for name, value in details.items()}
    return {**row, "measured": math.nan if measured is None else measured, "details": numbers}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m core.claims", description=__doc__)
    parser.add_argument("--topic", choices=[topic.slug for topic in TOPICS])
    parser.add_argument("--id")
    parser.add_argument("--cost", choices=[cost.value for cost in Cost], help="exactly that cost")
    parser.add_argument("--recompute", action="store_true", help="run what takes minutes, too")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the evidence as a list")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the selected claims; 1 if a verdict differs from what is expected or a check raises."""
    parser = _parser()
    options = parser.parse_args(arguments)
    claims = _selected(options)
    if not claims:
        parser.error("no claim matches")
    reports = []
    for claim in claims:
        reports.append(_report(claim, options))
        print(reports[-1][1], flush=True)
    rows = [row for row, _ in reports if row is not None]
    if options.json:
        table = [_without_nan(dataclasses.asdict(row)) for row in rows]
        options.json.write_text(json.dumps(table, indent=1, ensure_ascii=False) + "\n", "utf-8")
    return 0 if len(rows) == len(claims) and all(row.as_expected for row in rows) else 1


if __name__ == "__main__":
    # Run as the imported module: as __main__ its enums would not be those of the topics' claims.
    from core import claims

    sys.exit(claims.main())
