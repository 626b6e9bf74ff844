"""The curvature of a three-conv net against power iteration. `python -m benchmarks.batchnorm`.

34 000 weights, a batch of 128 images of 28 x 28, one thread; and the largest net that a page looks
at, on the digits that it looks at. Each method gets the tolerance that it needs to be within 1e-4
of the eigenvalue. The peer is PyHessian (Yao et al. 2020, arXiv:1912.07145), where it is installed
(`pip install --no-deps pyhessian`; GPL, so nothing here depends on it); else, and beside it, the
same power iteration on our products.
"""

import argparse
import importlib.util
import sys
import time
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from benchmarks.dashboard import machine, write
from benchmarks.figures import Figure, Target, table
from benchmarks.server import ROOT
from core.batchnorm import (
    TrainConfig,
    available,
    build,
    cnn,
    hessian_product,
    sharpness,
    top_eigenvalues,
)
from core.batchnorm.training import LANCZOS

RESULTS = ROOT / "benchmarks" / "results" / "batchnorm.json"
CHANNELS = (16, 32, 64)
ERROR = 1e-4  # relative, of the eigenvalue, against one found to a residual of 1e-6
TOLERANCE = 3e-3  # of the residual; the eigenvalue's error goes as its square
TOLERANCES = (1e-3, 1e-4, 1e-5, 1e-6, 1e-7)  # PyHessian's, of successive estimates
MOST = 1000
MNIST = available("mnist")


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
        with hessian_product(self.loss, self.weights) as multiply:
            for count in range(1, MOST + 1):
                vector = vector / vector.norm()
                image = multiply(vector)
                estimate = float(vector @ image)
                if abs(estimate / exact - 1) <= ERROR:
                    return estimate, count
                vector = image
        return estimate, MOST

    def peer(self, tolerance: float) -> float:
        """The largest eigenvalue as PyHessian finds it, in training mode, which it would leave."""
        from pyhessian import hessian

        found = hessian(InTraining(self.model), F.cross_entropy, (self.x, self.y), cuda=False)
        values, _ = found.eigenvalues(maxIter=MOST, tol=tolerance)
        self.model.zero_grad()
        return float(values[0])


class InTraining(nn.Module):
    """A network that no one can put into eval mode."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model.train()

    def forward(self, x: Tensor) -> Tensor:
        """As the network does."""
        found: Tensor = self.model(x)
        return found

    def eval(self) -> "InTraining":
        """Stay in training mode: batch normalization has another Hessian there."""
        return self


class Page:
    """The page's own convolutions at its default settings, on what the page watches."""

    def __init__(self, norm: str) -> None:
        self.config = TrainConfig(net="cnn", norm=norm, data="mnist" if MNIST else "digits")
        self.model = build(self.config, Generator().manual_seed(0))

    def sharpness(self) -> float:
        """To the percent that the curve shows, or 25 steps."""
        return sharpness(self.model, self.config, iterations=LANCZOS)


def spent(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds of the processor and of the clock."""
    clock, processor = time.perf_counter(), time.process_time()
    work()
    return time.process_time() - processor, time.perf_counter() - clock


def against_peer(net: Net, exact: float, rounds: int) -> list[Figure]:
    """PyHessian at its own tolerance, and at the first that is good enough."""
    if importlib.util.find_spec("pyhessian") is None:
        print("PyHessian is not installed: no figures of it", file=sys.stderr)
        return []
    errors = {tolerance: abs(net.peer(tolerance) / exact - 1) for tolerance in TOLERANCES}
    enough = next((t for t, error in errors.items() if error <= ERROR), TOLERANCES[-1])
    own = [spent(lambda: net.peer(TOLERANCES[0]))[0] for _ in range(rounds)]
    equal = [spent(lambda: net.peer(enough))[0] for _ in range(rounds)]
    return [
        Figure(f"  PyHessian, its own tolerance {TOLERANCES[0]:g}", "s", own),
        Figure("    its relative error", "", [errors[TOLERANCES[0]]]),
        Figure(f"  PyHessian, tolerance {enough:g}", "s", equal),
        Figure("    its relative error", "", [errors[enough]]),
    ]


def figures(norm: str, target: float, rounds: int) -> list[Figure]:
    """Times are the processor's, of one thread, but for what says otherwise."""
    net, page = Net(norm), Page(norm)
    exact = net.lanczos(1e-6)
    times = [spent(lambda: net.lanczos(TOLERANCE)) for _ in range(rounds)]
    ours, clock = zip(*times, strict=True)
    error, (_, count) = abs(net.lanczos(TOLERANCE) / exact - 1), net.power(exact)
    power = [spent(lambda: net.power(exact))[0] for _ in range(rounds)]
    peer = against_peer(net, exact, rounds)
    looks, seen = zip(*(spent(page.sharpness) for _ in range(rounds)), strict=True)
    look = f"a page's look at its convolutions, {page.config.data}, norm {norm}"
    return [
        Figure(f"largest eigenvalue to 1e-4, norm {norm}", "s", ours, Target("median", target)),
        Figure("  on the clock", "s", clock),
        Figure("  its relative error", "", [error], Target("max", ERROR)),
        Figure(f"  power iteration on our products, {count} of them", "s", power),
        Figure("  power iteration : Lanczos", "", ratios(power, ours)),
        *peer,
        *([Figure("  PyHessian : Lanczos", "", ratios(peer[2].samples, ours))] if peer else []),
        Figure(look, "s", looks, Target("median", 2.0)),
        Figure("  on the clock", "s", seen),
    ]


def ratios(ones: Sequence[float], others: Sequence[float]) -> list[float]:
    """Round by round."""
    return [one / other for one, other in zip(ones, others, strict=True)]


def main(arguments: list[str] | None = None) -> None:
    """Measure, print and keep the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.batchnorm", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args(arguments)
    torch.set_num_threads(1)
    about = machine()
    measured = [*figures("none", 1.0, asked.rounds), *figures("batch", 2.0, asked.rounds)]
    print(table(measured))
    write(RESULTS, about, measured)


if __name__ == "__main__":
    main()
