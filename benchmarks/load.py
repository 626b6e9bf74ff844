"""Many readers on every page at once, some of them training: `python -m benchmarks.load`.

Each reader comes as a browser does: scrolls (panels are drawn when they come near), moves a random
control every 1 to 3 seconds, goes to another page now and then. The first `--training` of them stay
on a page whose models are trained, and press that button once a minute.
"""

import argparse
import asyncio
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from scipy import stats

from benchmarks.dashboard import machine
from benchmarks.figures import Figure, Target, summarize, table
from benchmarks.readers import Control, LostSession, Reader, another, any_control
from benchmarks.server import ROOT, Server, serving
from core.topics import TOPICS, built

RESULTS = ROOT / "benchmarks" / "results" / "load.json"
TOPIC_PAGES = [topic.slug for topic in TOPICS if built(topic.slug)]
PAGES = [*TOPIC_PAGES, "", "claims", "models"]  # "": home
TRAINING_PAGE, TRAINING_QUERY = "gelu", "gelu.drift.depth={depth}&gelu.drift.seed={seed}"
UNTRAINED = [(depth, seed) for seed in range(3, 10) for depth in (16, 8, 4, 2)]  # none ships
ASK_EVERY = 60.0  # seconds between two trainings that a reader asks for
SCROLLS, LEAVES = 0.3, 0.03  # how often a reader scrolls on, and goes to another page
SAMPLE = 2.0  # seconds between two looks at the memory
BLOCKS = 10  # means of the memory that the slope is fitted to
ROUNDS = 6  # to and fro of a control whose cost is measured


@dataclass
class Seen:
    """What all readers together have seen."""

    openings: list[float] = field(default_factory=list)  # seconds
    reruns: dict[str, list[float]] = field(default_factory=dict)  # seconds, by page
    lost: list[str] = field(default_factory=list)
    asked: int = 0  # trainings
    memory: list[tuple[float, float]] = field(default_factory=list)  # seconds, MB of the server
    session: float = 0.0  # MB of the server that each open page has added
    cpu: float = 0.0  # seconds of the server, all runs together


@dataclass
class Visitor:
    """A reader on its way through the pages."""

    reader: Reader
    page: str
    rng: random.Random
    wanted: list[tuple[int, int]]  # networks that this reader has trained, one after the other
    asked: float = -ASK_EVERY

    async def visit(self, seconds: float, seen: Seen) -> None:
        """Look, do something, look again, until the time is over or the session lost."""
        end = time.monotonic() + seconds
        try:
            while time.monotonic() < end:
                await asyncio.sleep(self.rng.uniform(1, 3))
                await self._act(seen)
        except LostSession as lost:
            seen.lost.append(str(lost))

    async def _act(self, seen: Seen) -> None:
        if self.wanted and time.monotonic() - self.asked > ASK_EVERY:
            return await self._ask_for_a_training(seen)
        if not self.wanted and self.rng.random() < LEAVES:
            self.page = self.rng.choice(PAGES)
            seen.openings.append((await self.reader.open(self.page)).seconds)
            return None
        control = self._next()
        value = 1 if control.kind == "bidi_component" else another(control, self.rng)
        answer = await self.reader.move(control, value)
        seen.reruns.setdefault(self.page, []).append(answer.seconds)
        return None

    def _next(self) -> Control:
        """What to touch: a panel to come, or a control of one that is there."""
        places = keyed(self.reader, f"_place.{self.page}.")
        if places and self.rng.random() < SCROLLS:
            return places[0]
        return any_control(self.reader, self.page, self.rng)

    async def _ask_for_a_training(self, seen: Seen) -> None:
        depth, seed = self.wanted.pop()
        query = TRAINING_QUERY.format(depth=depth, seed=seed)
        await self.reader.open("")  # only who comes from elsewhere has followed the link
        await self.reader.open(self.page, query)
        if buttons := keyed(self.reader, "_train."):
            await self.reader.move(buttons[0], True)
            seen.asked += 1
        self.asked = time.monotonic()


def keyed(reader: Reader, beginning: str) -> list[Control]:
    """The reader's controls whose names begin so."""
    return [c for c in reader.controls.values() if c.key.startswith(beginning)]


async def crowd(server: Server, readers: int, training: int, seconds: float, seen: Seen) -> Seen:
    """That many readers for that long."""
    before = server.resident_megabytes()
    async with AsyncExitStack() as stack:
        sessions = [
            await stack.enter_async_context(Reader(server.url, browser=True))
            for _ in range(readers)
        ]
        visitors = [
            Visitor(
                reader,
                TRAINING_PAGE if i < training else PAGES[i % len(PAGES)],
                random.Random(f"load.{i}"),
                UNTRAINED[i::training] if i < training else [],
            )
            for i, reader in enumerate(sessions)
        ]
        opened = await asyncio.gather(*(v.reader.open(v.page) for v in visitors))
        seen.openings += [answer.seconds for answer in opened]
        seen.session, used = (server.resident_megabytes() - before) / readers, server.cpu_seconds()
        watch = asyncio.create_task(_watch_memory(server, seen))
        await asyncio.gather(*(visitor.visit(seconds, seen) for visitor in visitors))
        watch.cancel()
        seen.cpu = server.cpu_seconds() - used
        seen.lost += [text for reader in sessions for text in reader.exceptions]
    return seen


async def _watch_memory(server: Server, seen: Seen) -> None:
    began = time.monotonic()
    while True:
        seen.memory.append((time.monotonic() - began, server.resident_megabytes()))
        await asyncio.sleep(SAMPLE)


async def costs(server: Server, page: str) -> dict[str, float]:
    """Processor milliseconds of the server for each control of a page, moved between two states.

    Both states have been seen, so what is kept is not computed again. Controls whose other state
    asks for a training are left out.
    """
    async with Reader(server.url) as reader:
        await reader.open(page)
        names = [c.key for c in keyed(reader, f"{page}.") if len(c.values) > 1]
        found = {name: await _cost(server, reader, name) for name in names}
    return {name: cost for name, cost in found.items() if cost is not None}


async def _cost(server: Server, reader: Reader, name: str) -> float | None:
    if not keyed(reader, name):
        return None  # another control's move has taken it away
    home = keyed(reader, name)[0].value
    near = next(value for value in keyed(reader, name)[0].values if value != home)
    before = 0.0
    for turn in range(ROUNDS + 1):
        if turn == 1:
            before = server.cpu_seconds()
        for value in (near, home):
            await reader.move(keyed(reader, name)[0], value)
            if not keyed(reader, name) or keyed(reader, "_train."):
                return None
    return 1000 * (server.cpu_seconds() - before) / (2 * ROUNDS)


def slope(memory: Sequence[tuple[float, float]]) -> tuple[float, float, float]:
    """MB a minute over the second half of the samples, and its 95 % interval.

    Fitted to means of tenths of that time, since two samples in a row say nearly the same.
    """
    half = [row for row in memory if row[0] >= memory[-1][0] / 2]
    size = max(len(half) // BLOCKS, 1)
    blocks = [half[i : i + size] for i in range(0, len(half) - size + 1, size)]
    minutes = [sum(time for time, _ in block) / len(block) / 60 for block in blocks]
    megabytes = [sum(size for _, size in block) / len(block) for block in blocks]
    fit = stats.linregress(minutes, megabytes)
    reach = float(stats.t.ppf(0.975, len(blocks) - 2) * fit.stderr)
    return float(fit.slope), float(fit.slope - reach), float(fit.slope + reach)


# ---- the command


def measure(asked: argparse.Namespace) -> tuple[list[Figure], Seen, dict[str, dict[str, float]]]:
    """The crowd, then the cost of every control, on a server of their own."""
    seen, cost = Seen(), {}
    with serving() as server:
        asyncio.run(_open_once(server))
        if asked.readers:
            asyncio.run(crowd(server, asked.readers, asked.training, asked.seconds, seen))
    with serving() as server:
        for page in asked.pages:
            print(f"measuring: controls of {page} ...", file=sys.stderr)
            cost[page] = asyncio.run(costs(server, page))
    return [*_of_the_crowd(asked.readers, seen), *_of_the_controls(cost)], seen, cost


def _of_the_crowd(readers: int, seen: Seen) -> list[Figure]:
    if not readers:
        return []
    many = f"{readers} readers"
    reruns = [1000 * seconds for page in seen.reruns.values() for seconds in page]
    per_control = 1000 * seen.cpu / max(len(reruns), 1)
    rise, low, _ = slope(seen.memory)
    peak = max(megabytes for _, megabytes in seen.memory)
    return [
        Figure(f"{many}: opening a page", "s", seen.openings),
        Figure(f"{many}: control to finished rerun", "ms", reruns, Target("median", 500)),
        Figure(f"{many}: the same", "ms", reruns, Target("p95", 2000)),
        Figure(f"{many}: errors and lost sessions", "count", [len(seen.lost)], Target("max", 0)),
        Figure(f"{many}: trainings asked for", "count", [seen.asked]),
        Figure(f"{many}: processor time per control", "ms", [per_control]),
        Figure(f"{many}: memory per session", "MB", [seen.session]),
        Figure(f"{many}: resident memory", "MB", [peak], Target("max", 1200)),
        Figure(f"{many}: its slope over the second half", "MB/min", [rise]),
        Figure(f"{many}: lower end of that slope's interval", "MB/min", [low], Target("max", 0)),
    ]


def _of_the_controls(cost: dict[str, dict[str, float]]) -> list[Figure]:
    target = Target("median", 20)
    return [
        Figure(f"{page}: processor time per rerun", "ms", list(found.values()), target)
        for page, found in cost.items()
    ]


async def _open_once(server: Server) -> None:
    """Let the server import and compute what a first reader of each page makes it."""
    async with Reader(server.url, browser=True) as reader:
        for page in PAGES:
            await reader.open(page)


def main(arguments: list[str] | None = None) -> None:
    """Measure, print, and keep the figures with the memory over time."""
    asked = _parser().parse_args(arguments)
    about = machine()
    figures, seen, cost = measure(asked)
    print(table(figures))
    for text, count in Counter(seen.lost).most_common():
        print(f"{count} times: {text}", file=sys.stderr)
    if asked.out:
        kept = {
            "machine": about,
            "seconds": asked.seconds,
            "figures": [figure.to_dict() for figure in figures],
            "latency_ms": {page or "home": _summary(times) for page, times in seen.reruns.items()},
            "memory": [[round(at), round(megabytes, 1)] for at, megabytes in seen.memory],
            "controls_ms": {
                page: {name: round(ms, 1) for name, ms in found.items()}
                for page, found in cost.items()
            },
        }
        asked.out.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


def _summary(times: Sequence[float]) -> dict[str, float]:
    return {
        name: round(value * (1 if name == "n" else 1000), 1)
        for name, value in summarize(times).items()
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load", description=__doc__)
    parser.add_argument("--readers", type=int, default=50, help="readers at once; 0: only costs")
    parser.add_argument("--training", type=int, default=2, help="how many of them ask for models")
    parser.add_argument("--seconds", type=float, default=600, help="how long they stay")
    parser.add_argument("--pages", nargs="*", default=TOPIC_PAGES, help="whose controls are priced")
    parser.add_argument("--out", type=Path, default=RESULTS, help="where the figures go")
    return parser


if __name__ == "__main__":
    main()
