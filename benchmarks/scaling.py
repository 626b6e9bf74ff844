"""What so many readers need, from what was measured: `python -m benchmarks.scaling`.

Reads results/load.json (`python -m benchmarks.load`) and writes the table into docs/SCALING.md and
docs/SCALING.zh.md, below the head of their table.
"""

import json
import math
import re
from dataclasses import dataclass
from typing import Any

from benchmarks.load import RESULTS
from benchmarks.server import ROOT
from core.library import SHIPPED

PAGES = (ROOT / "docs" / "SCALING.md", ROOT / "docs" / "SCALING.zh.md")
CROWDS = (10, 1_000, 100_000)  # readers at the same time
PAUSE = 2.0  # seconds between two controls of a reader
BUSY = 0.6  # of a core, so that nobody waits long
TABLE = re.compile(r"(\| --: \| --: \| --: \|\n).*?(<!-- end -->)", re.DOTALL)


@dataclass(frozen=True)
class Costs:
    """What one thing costs."""

    control: float  # seconds of a core for a control
    session: float  # MB of a page that stands open
    server: float  # MB of a replica with all its caches filled
    model: float  # MB of a trained model, on average


@dataclass(frozen=True)
class Need:
    """What a crowd needs."""

    replicas: int  # one process each: Python runs one page at a time
    memory: float  # GB, of all replicas together


def need(readers: int, costs: Costs) -> Need:
    """One reader moves a control every PAUSE seconds; a replica is BUSY that share of a core."""
    replicas = max(math.ceil(readers * costs.control / PAUSE / BUSY), 1)
    return Need(replicas, (replicas * costs.server + readers * costs.session) / 1000)


def measured(found: dict[str, Any]) -> Costs:
    """The costs in a file of results."""
    named = {row["name"].partition(": ")[2]: row for row in found["figures"]}
    sizes = [card.size for card in SHIPPED.cards()]
    return Costs(
        control=named["processor time per control"]["median"] / 1000,
        session=named["memory per session"]["median"],
        server=named["resident memory"]["max"],
        model=sum(sizes) / len(sizes) / 1e6,
    )


def table(costs: Costs) -> str:
    """A row for each crowd: readers, replicas, GB of memory."""
    needs = {readers: need(readers, costs) for readers in CROWDS}
    rows = [f"| {n:,} | {one.replicas:,} | {one.memory:,.1f} |" for n, one in needs.items()]
    each = (
        f"{1000 * costs.control:.0f} ms · {costs.session:.1f} MB · {costs.server:.0f} MB · "
        f"{1000 / costs.model:,.0f} / GB"
    )
    return "\n".join([*rows, "", each, ""])


def filled(page: str, rows: str) -> str:
    """The page with these rows in the place of the old ones."""
    return TABLE.sub(lambda found: f"{found[1]}{rows}{found[2]}", page)


def main() -> None:
    """Write the table into both pages."""
    rows = table(measured(json.loads(RESULTS.read_text(encoding="utf-8"))))
    for page in PAGES:
        page.write_text(filled(page.read_text(encoding="utf-8"), rows), encoding="utf-8")


if __name__ == "__main__":
    main()
