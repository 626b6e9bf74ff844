"""What a density costs, and a race: `python -m benchmarks.optimization`.

The race: CMA-ES in ten dimensions to a loss of 1e-8, through our bookkeeping,
against the medians of the package driven alone.
"""

import argparse
import statistics
import time

import torch
from torch import Tensor

from benchmarks.dashboard import machine, write
from benchmarks.figures import Figure, Target, table
from benchmarks.server import ROOT
from core.optimization import MinimizeConfig, landscape, minimize, update_moments

RESULTS = ROOT / "benchmarks" / "results" / "optimization.json"
DIM, GOAL, BUDGET = 10, 1e-8, 20_000
MEDIANS = {"sphere": 1360, "ellipsoid": 3970, "rosenbrock": 5190}  # pycma's, measured apart


def sphere(x: Tensor) -> Tensor:
    """Every curvature 1."""
    return x.square().sum(-1)


def ellipsoid(x: Tensor) -> Tensor:
    """Curvatures from 1 to a million."""
    return (10 ** (6 * torch.linspace(0, 1, DIM, dtype=x.dtype)) * x.square()).sum(-1)


def rosenbrock(x: Tensor) -> Tensor:
    """A bent valley."""
    bend = 100 * (x[..., 1:] - x[..., :-1] ** 2).square()
    return (bend + (1 - x[..., :-1]).square()).sum(-1)


LOSSES = {"sphere": sphere, "ellipsoid": ellipsoid, "rosenbrock": rosenbrock}


def evaluations(name: str, seed: int) -> float:
    """Until the mean of CMA-ES reaches the goal; the budget where it doesn't."""
    start = torch.full((DIM,), 0.5 if name == "rosenbrock" else 1.0, dtype=torch.float64)
    config = MinimizeConfig(evaluations=BUDGET, sigma=0.5, seed=seed)
    run = minimize(LOSSES[name], start, "cma-es", config)
    reached = run[run["loss"] <= GOAL]
    return float(reached["evaluations"].iloc[0]) if len(reached) else float(BUDGET)


def milliseconds(kind: str, radius: float | None, repeats: int) -> list[float]:
    """Processor time of a density on 200 x 200 nodes with its mean and covariance."""
    loss, theta = landscape(kind).loss, torch.tensor([0.9, 0.6], dtype=torch.float64)
    times = []
    for _ in range(repeats):
        started = time.process_time()
        update_moments(loss, theta, 0.1, radius=radius)
        times.append(1000 * (time.process_time() - started))
    return times


def main(arguments: list[str] | None = None) -> None:
    """Measure, print and keep the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.optimization", description=__doc__)
    parser.add_argument("--runs", type=int, default=11, help="of each race")
    parser.add_argument("--keep", action="store_true", help="write the results file")
    asked = parser.parse_args(arguments)
    torch.set_num_threads(1)
    about = machine()
    figures = [
        Figure(f"density and mean, {kind}, {where}", "ms", milliseconds(kind, radius, 40),
               Target("median", 50))
        for kind in ("wells", "stairs", "noisy")
        for where, radius in (("plane", None), ("ball", 1.0))
    ]  # fmt: skip
    for name, median in MEDIANS.items():
        found = [evaluations(name, seed) for seed in range(asked.runs)]
        figures.append(
            Figure(
                f"CMA-ES, evaluations to 1e-8, {name}", "", found, Target("median", 1.1 * median)
            )
        )
        print(name, statistics.median(found), "peer", median)
    print(table(figures))
    if asked.keep:
        write(RESULTS, about, figures)


if __name__ == "__main__":
    main()
