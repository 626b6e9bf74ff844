"""Measure what the initialization page computes: `python -m benchmarks.initialization`."""

import time
from collections.abc import Callable
from functools import partial
from itertools import count

import torch

from benchmarks.dashboard import machine, write
from benchmarks.figures import Figure, Target, table
from benchmarks.server import ROOT
from core.initialization import (
    DISTRIBUTIONS,
    AnglesConfig,
    CodeConfig,
    MetersConfig,
    ProfileConfig,
    angles,
    code,
    meters,
    profile,
    propagate,
    sides,
)

RESULTS = ROOT / "benchmarks" / "results" / "initialization.json"
QUICK = Target("median", 100)  # milliseconds, for up to 512 inputs
LARGE = Target("median", 1500)  # for up to 4096
DEEP = Target("median", 300)  # 100 layers of 256, a batch of 256


def main() -> None:
    """Measure everything, print a table and write the results."""
    torch.set_num_threads(1)
    figures = [*small(), *large(), *deep()]
    print(table(figures))
    write(RESULTS, machine(), figures)


def small() -> list[Figure]:
    """Every panel that has an n, at 512 or at its largest below."""
    return [
        _timed("angles, n = 512", lambda: angles(AnglesConfig(dim=512)), QUICK),
        _timed("meters, n = 512", lambda: meters(MetersConfig(size=512)), QUICK),
        _timed("the post's code, n = 120", lambda: code(CodeConfig(n=120)), QUICK),
    ]


def large() -> list[Figure]:
    """Angles at 4096; meters up to it on the longer side: every law, exact, wide and tall ones."""
    configs = [MetersConfig(size=1024), MetersConfig(size=2048)]
    configs += [MetersConfig(size=4096, distribution=law) for law in DISTRIBUTIONS]
    for scheme in ("post", "orthogonal"):
        configs += [MetersConfig(size=4096, scheme=scheme, aspect=a) for a in ("0.25", "2", "4")]
    configs += [MetersConfig(size=size, scheme="orthogonal") for size in (1024, 2048, 4096)]
    angular = partial(angles, AnglesConfig(dim=4096))
    found = [_timed(_named(config), partial(meters, config), LARGE, runs=3) for config in configs]
    return [_timed("angles, n = 4096", angular, LARGE, runs=3), *found]


def deep() -> list[Figure]:
    """The depth experiment, alone and with the theory and tables of its panel."""
    generator = torch.Generator().manual_seed(0)
    widths, seeds = [256] * 101, count()  # a profile of the same seed is kept
    return [
        _timed(
            "propagate, 100 x 256, batch 256",
            lambda: propagate(widths, "relu", "he", batch=256, generator=generator),
            DEEP,
        ),
        _timed(
            "depth panel, 100 x 256, gelu",
            lambda: profile(
                ProfileConfig(
                    depth=100, width=256, activation="gelu", scheme="tuned", seed=next(seeds)
                )
            ),
            DEEP,
        ),
    ]


def _timed(name: str, run: Callable[[], object], target: Target, runs: int = 7) -> Figure:
    """Milliseconds of CPU time, after one run that is not counted."""
    run()
    samples = []
    for _ in range(runs):
        started = time.process_time()
        run()
        samples.append(1000 * (time.process_time() - started))
    return Figure(name, "ms CPU", samples, target)


def _named(config: MetersConfig) -> str:
    kind = config.distribution if config.scheme == "post" else config.scheme
    m, n = sides(config, config.size)
    return f"meters, {m} x {n}, {kind}"


if __name__ == "__main__":
    main()
