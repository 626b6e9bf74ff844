"""Measure the dashboard against its targets: `python -m benchmarks.dashboard`."""

import argparse
import asyncio
import json
import os
import platform
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks import browser
from benchmarks.figures import Figure, Target, table
from benchmarks.readers import Reader, crowd
from benchmarks.server import BARE, ROOT, Server, serving
from core.topics import TOPICS

STILL = Target("max", 0.1)
RESULTS = ROOT / "benchmarks" / "results" / "dashboard.json"


@dataclass(frozen=True)
class Options:
    """How much is measured."""

    rounds: int | None  # None: each part's own number
    readers: int
    seconds: float


def cold(options: Options) -> list[Figure]:
    """From `streamlit run`, torch's import included."""
    titles, charts = browser.cold(options.rounds or 5)
    bare_titles, bare_charts = browser.cold(options.rounds or 5, BARE, "")
    return [
        Figure("cold start to first element", "s", titles, Target("max", 6)),
        Figure("cold start to first chart", "s", charts, Target("max", 7)),
        Figure("bare page: cold start to first element", "s", bare_titles),
        Figure("bare page: cold start to first chart", "s", bare_charts),
    ]


def warm(options: Options) -> list[Figure]:
    """On a server that runs already."""
    with serving() as server:
        charts = browser.warm(server, options.rounds or 10)
    with serving(BARE) as server:
        bare = browser.warm(server, options.rounds or 10, "")
    return [
        Figure("empty browser cache: page to first chart", "s", charts, Target("median", 1.5)),
        Figure("bare page, empty browser cache: to first chart", "s", bare),
    ]


def pictures(options: Options) -> list[Figure]:
    """The first picture of every page: from the menu, and on a server that starts."""
    pages = ["", *(topic.slug for topic in TOPICS)]
    with serving() as server:
        warm = browser.menu(server, pages, 1 + (options.rounds or 10))
    cold = {path: browser.cold(options.rounds or 2, path=path)[1] for path in pages}
    figures = []
    for path in pages:
        name, target = path or "home", Target("max", 1.5)
        figures += [
            Figure(f"{name}: menu to first picture", "s", warm[path][1:], target),
            Figure(f"{name}: the same at the server's first visit", "s", warm[path][:1], target),
            Figure(f"{name}: cold start to first picture", "s", cold[path], Target("max", 7)),
        ]
    return figures


def shift(options: Options) -> list[Figure]:
    """What jumps while a page loads, on a wide screen and on a phone."""
    windows = {"wide": browser.WIDE, "phone": browser.PHONE}
    with serving() as server:
        return [
            Figure(f"{path or 'home'}, {name}: layout shift while it loads", "", scores, STILL)
            for path in ("", "claims", *(topic.slug for topic in TOPICS))
            for name, window in windows.items()
            for scores in [browser.shift(server, path, window, options.rounds or 3)]
        ]


def training(_: Options) -> list[Figure]:
    """A page in use while it trains its default model."""
    with serving() as server:
        answers, seconds = browser.in_training(server)
    return [
        Figure("vae: slider to changed chart in training", "ms", answers, Target("p95", 300)),
        Figure("vae: the default model trained, asked to done", "s", [seconds], Target("max", 180)),
    ]


def control(options: Options) -> list[Figure]:
    """From a control's release to what it changes."""
    with serving() as server:
        answers = browser.controls(server, options.rounds or 40)
    with serving(BARE) as server:
        bare = browser.bare_slider(server, options.rounds or 40)
    names = {
        "slider": "slider to changed chart",
        "buttons": "buttons to changed chart",
        "drag": "dragged coefficient to changed text",
    }
    target = Target("p95", 150)
    figures = [Figure(name, "ms", answers[kind], target) for kind, name in names.items()]
    return [*figures, Figure("bare page: slider to changed chart", "ms", bare)]


def readers(options: Options) -> list[Figure]:
    """Many readers at once, over the websocket."""
    with serving() as server:
        asyncio.run(_open_once(server))
        before = server.resident_megabytes()
        seen = asyncio.run(
            crowd(server, [browser.PAGE], readers=options.readers, seconds=options.seconds)
        )
    for error in seen.errors:
        print(f"error: {error}", file=sys.stderr)
    many = f"{options.readers} readers"
    reruns = [1000 * seconds for seconds in seen.reruns]
    per_rerun = [1000 * seen.cpu_seconds / len(reruns)] if reruns else []
    return [
        Figure(f"{many}: opening the page together", "s", seen.openings),
        Figure(f"{many}: control to finished rerun", "ms", reruns, Target("median", 200)),
        Figure(f"{many}: errors", "count", [len(seen.errors)], Target("max", 0)),
        Figure(f"{many}: processor time per rerun", "ms", per_rerun),
        Figure("resident memory with one reader gone", "MB", [before]),
        Figure(f"{many}: resident memory at the end", "MB", [seen.megabytes]),
    ]


PARTS: dict[str, Callable[[Options], list[Figure]]] = {
    "cold": cold,
    "warm": warm,
    "pictures": pictures,
    "shift": shift,
    "control": control,
    "training": training,
    "readers": readers,
}
IN_A_BROWSER = set(PARTS) - {"readers"}


def main(arguments: list[str] | None = None) -> None:
    """Measure, print, and keep the figures."""
    asked = _parser().parse_args(arguments)
    parts = _possible([asked.only] if asked.only else list(PARTS))
    options = Options(asked.rounds, asked.readers, asked.seconds)
    about = machine()
    figures = []
    for part in parts:
        print(f"measuring: {part} ...", file=sys.stderr)
        figures += PARTS[part](options)
    print(table(figures))
    kept = asked.out or (None if asked.only else RESULTS)
    if kept and figures:
        write(kept, about, figures)


def measure_parts(
    parts: Mapping[str, Callable[[], list[Figure]]],
    results: Path,
    description: str | None,
    arguments: list[str] | None = None,
) -> None:
    """The command of a benchmark in parts: measure, print, and keep the figures of all of them."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--only", choices=parts, help="measure one part, and write no file")
    asked = parser.parse_args(arguments)
    about, figures = machine(), []
    for part in [asked.only] if asked.only else parts:
        print(f"measuring: {part} ...", file=sys.stderr)
        figures += parts[part]()
    print(table(figures))
    if not asked.only:
        write(results, about, figures)


def machine() -> dict[str, Any]:
    """What the figures were measured on, without saying whose it is."""
    return {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "streamlit": version("streamlit"),
        "torch": version("torch"),
        "chromium": browser.version() if browser.chromium() else None,
        "load_average_before": round(os.getloadavg()[0], 2),
    }


def write(path: Path, about: dict[str, Any], figures: list[Figure]) -> None:
    """Keep the figures with their targets and the machine."""
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = {"machine": about, "figures": [figure.to_dict() for figure in figures]}
    path.write_text(json.dumps(kept, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _possible(parts: list[str]) -> list[str]:
    """The parts that this machine can run."""
    if browser.chromium():
        return parts
    skipped = [part for part in parts if part in IN_A_BROWSER]
    if skipped:
        print(f"Chromium is not installed; skipped: {', '.join(skipped)}.", file=sys.stderr)
    return [part for part in parts if part not in IN_A_BROWSER]


async def _open_once(server: Server) -> None:
    """Let the server import and compute what a first reader makes it."""
    async with Reader(server.url) as reader:
        await reader.open(browser.PAGE)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dashboard", description=__doc__)
    parser.add_argument("--only", choices=PARTS, help="measure one part, and write no file")
    parser.add_argument("--rounds", type=int, help="repetitions in the browser")
    parser.add_argument("--readers", type=int, default=20, help="readers at once")
    parser.add_argument("--seconds", type=float, default=30, help="how long they move controls")
    parser.add_argument("--out", type=Path, help="where the figures go")
    return parser


if __name__ == "__main__":
    main()
