"""The curvature of a three-conv net against power iteration. `python -m benchmarks.batchnorm`.

34 000 weights, a batch of 128 images of 28 x 28, one thread. Power iteration as PyHessian does it
(Yao et al. 2020, arXiv:1912.07145): a fresh graph for every product with the Hessian, an end when
two successive estimates agree. Here with the tolerance that its answer needs for the same error.
"""

import argparse
import time

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from benchmarks.dashboard import machine, write
from benchmarks.figures import Figure, Target, table
from benchmarks.server import ROOT
from core.batchnorm import cnn, hessian_product, top_eigenvalues

RESULTS = ROOT / "benchmarks" / "results" / "batchnorm.json"
CHANNELS = (16, 32, 64)
ERROR = 1e-4  # relative, of the eigenvalue, against one found to a residual of 1e-6
TOLERANCE = 3e-3  # of the residual; the eigenvalue's error goes as its square
MOST = 1000


class Net:
    """A network at He's initialization, its batch, and its loss."""

    def __init__(self, norm: str) -> None:
        generator = Generator().manual_seed(0)
        self.model: nn.Module = cnn(CHANNELS, 28, 10, "relu", norm, start="he", generator=generator)
        self.x = torch.randn(128, 1, 28, 28, generator=generator)
        self.y = torch.randint(10, (128,), generator=generator)
        self.weights = list(self.model.parameters())

    def loss(self) -> Tensor:
        """Cross-entropy in training mode."""
        return F.cross_entropy(self.model(self.x), self.y)

    def lanczos(self, tolerance: float) -> float:
        """The largest eigenvalue as the page finds it."""
        generator = Generator().manual_seed(1)
        found = top_eigenvalues(
            self.loss, self.weights, model=self.model, tolerance=tolerance, generator=generator
        )
        return float(found)

    def power(self, exact: float) -> tuple[float, int]:
        """Power iteration until its estimate is within ERROR of `exact`, and how many products."""
        vector = torch.randn(
            sum(weight.numel() for weight in self.weights), generator=Generator().manual_seed(1)
        )
        estimate = 0.0
        for count in range(1, MOST + 1):
            vector = vector / vector.norm()
            with hessian_product(self.loss, self.weights) as multiply:
                image = multiply(vector)
            estimate = float(vector @ image)
            if abs(estimate / exact - 1) <= ERROR:
                return estimate, count
            vector = image
        return estimate, MOST


def timed(net: Net, rounds: int) -> tuple[list[float], list[float], float, int]:
    """Seconds of Lanczos and of power iteration, Lanczos' error, power iteration's products."""
    exact = net.lanczos(1e-6)
    ours, theirs, count = [], [], 0
    for _ in range(rounds):
        started = time.perf_counter()
        found = net.lanczos(TOLERANCE)
        ours.append(time.perf_counter() - started)
        started = time.perf_counter()
        _, count = net.power(exact)
        theirs.append(time.perf_counter() - started)
    return ours, theirs, abs(found / exact - 1), count


def figures(rounds: int) -> list[Figure]:
    """Both networks."""
    found = []
    for norm, target in (("none", 1.0), ("batch", 2.0)):
        ours, theirs, error, count = timed(Net(norm), rounds)
        ratios = [a / b for a, b in zip(theirs, ours, strict=True)]
        found += [
            Figure(f"largest eigenvalue to 1e-4, norm {norm}", "s", ours, Target("median", target)),
            Figure("  its relative error", "", [error], Target("max", ERROR)),
            Figure(f"  power iteration to 1e-4, {count} products", "s", theirs),
            Figure("  power iteration : Lanczos", "", ratios),
        ]
    return found


def main(arguments: list[str] | None = None) -> None:
    """Measure, print and keep the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.batchnorm", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args(arguments)
    torch.set_num_threads(1)
    about = machine()
    measured = figures(asked.rounds)
    print(table(measured))
    write(RESULTS, about, measured)


if __name__ == "__main__":
    main()
