"""The claims of post 6992 about training, read off the networks and maps that ship.

`python scripts/train_batchnorm_networks.py` and `python scripts/sweep_learning_rates.py` made them;
C10 and C23 train their own.

Source: https://kexue.fm/archives/6992
"""

import math
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from scipy.stats import kstest, skew
from torch import Generator, Tensor, nn

from core.batchnorm.batches import MOMENTA, SIZES, EvalConfig, accuracies
from core.batchnorm.compare import SHIPPED, curve
from core.batchnorm.curvature import COLUMNS, SHARPNESS
from core.batchnorm.data import load
from core.batchnorm.hessian import top_eigenvalues, unchanged
from core.batchnorm.networks import STARTS
from core.batchnorm.scales import inputs, preconditioned_difference
from core.batchnorm.surface import restored
from core.batchnorm.sweep import RATES, SEEDS, RowConfig, losses, widest
from core.batchnorm.training import (
    TRAINING,
    TrainConfig,
    begin,
    build,
    descend,
    final_accuracy,
    watched,
)
from core.claims import Evidence, graded, held
from core.runs import trained
from core.tables import load_table

RECTIFIED = 1.64056  # skewness of max(z, 0), z standard normal


def never_normal(seed: int) -> Evidence:
    """C1: no layer's input is normal, so standardizing cannot make it N(0, 1).

    Units of every hidden layer of a normalized network that trained (accuracy above 0.9), each
    standardized over the data. HOLDS if the median Kolmogorov-Smirnov distance to N(0, 1) exceeds
    0.1 in every layer.
    """
    model = restored(SHIPPED["batch-0.3"])
    details: dict[str, float] = {}
    medians = []
    for k, units in enumerate(_fed(model, watched(SHIPPED["batch-0.3"])[0])[1:], 1):
        alive = units[:, units.std(0) > 1e-6]
        standard = (alive - alive.mean(0)) / alive.std(0)
        far = [float(kstest(unit.numpy(), "norm").statistic) for unit in standard.T]
        medians.append(float(np.median(far)))
        details |= {f"distance_{k}": medians[-1]}
    details["skewness"] = float(np.median(skew(alive.numpy())))
    details["accuracy_batch"] = _card("batch-0.3")["accuracy"]
    holds = min(medians) > 0.1 and details["accuracy_batch"] > 0.9
    return Evidence(held(holds), min(medians), 0.0, 0.1, details=details)


def other_normalizations(seed: int) -> Evidence:
    """C2: the shift story cannot explain layer or instance normalization.

    Best losses of the map, standardized inputs. HOLDS if layer normalization and RMSNorm, which
    leave a unit's distribution over the data alone, train over at least as wide a range of rates as
    no normalization and end below it; CONDITIONAL if one does.
    """
    found = {name: _row(name, True) for name in ("none", "layer-after", "rms-norm-after")}
    details = {f"best_{name}": float(part.mean(1).min()) for name, part in found.items()}
    details |= {f"widest_{name}": widest(part) for name, part in found.items()}
    good = [
        details[f"best_{name}"] < details["best_none"]
        and details[f"widest_{name}"] >= details["widest_none"]
        for name in ("layer-after", "rms-norm-after")
    ]
    return Evidence(
        graded(any(good), all(good)), details["best_layer-after"], details["best_none"], None,
        "nats", details,
    )  # fmt: skip


def smoother(seed: int) -> Evidence:
    """C7: normalization makes the landscape smoother.

    Largest Hessian eigenvalue at the start, three data sets, both initializations, three seeds.
    HOLDS if batch normalization after the map lowers it in all of them, FAILS if in none.
    """
    rows = load_table(SHARPNESS, COLUMNS)
    rows = rows[~rows["standardized"]]
    means = rows.groupby(["start", "data", "variant"])["sharpness"].mean().unstack()
    ratio = means["batch-after"] / means["none"]
    details = {
        f"ratio_{start}_{data}": float(ratio[start, data])
        for start in STARTS
        for data in ("digits", "synthetic", "glyphs")
    }
    verdict = graded(bool((ratio < 1).any()), bool((ratio < 1).all()))
    return Evidence(verdict, details["ratio_he_digits"], 1.0, None, details=details)


def stable_loss_slope(seed: int) -> Evidence:
    """C10: where training succeeds, the loss's slope in the outputs stays stable.

    Its root mean square over the rows in every step, of a run that trains and of one that does not.
    HOLDS if in the good run it never exceeds its first value twice, and in the bad run it does;
    CONDITIONAL if only the first.
    """
    settings = TrainConfig(data="synthetic", steps=120, seed=seed)
    good = _slopes(settings)
    bad = _slopes(replace(settings, norm="none", lr=3.0))
    details = {
        "first": good[0], "largest_good": max(good), "last_good": good[-1],
        "largest_bad": max(bad), "last_bad": bad[-1],
    }  # fmt: skip
    stable, apart = max(good) <= 2 * good[0], max(bad) > 2 * bad[0]
    return Evidence(graded(stable, stable and apart), max(good), good[0], None, "", details)


def adaptive_rate(seed: int) -> Evidence:
    """C17: dividing by the deviation acts as an adaptive rate, synchronizes layers, regularizes.

    CONDITIONAL if descent on standardized inputs is exactly descent with rate eta / sigma^2 per
    coordinate (to 1e-9); HOLDS if, too, the largest relative update of a layer over the smallest is
    lower with normalization, and so is the gap of test to training accuracy, at 0.1 and 0.3.
    """
    off = preconditioned_difference(inputs("normal", seed))
    details: dict[str, float] = {}
    calmer = []
    for lr in ("0.1", "0.3"):
        spread = {name: _spread(f"{name}-{lr}") for name in ("none", "batch")}
        gaps = {name: _gap(f"{name}-{lr}") for name in ("none", "batch")}
        details |= {f"spread_{name}_{lr}": value for name, value in spread.items()}
        details |= {f"gap_{name}_{lr}": value for name, value in gaps.items()}
        calmer += [spread["batch"] < spread["none"], gaps["batch"] < gaps["none"]]
    exact = off < 1e-9
    return Evidence(graded(exact, exact and all(calmer)), off, 0.0, 1e-9, details=details)


def layer_by_layer(seed: int) -> Evidence:
    """C19: one layer stands for all of them, since deep nets are compositions.

    Largest eigenvalue of every layer's own block at the start, normalized before the map, over that
    of the plain net; synthetic inputs, He's weights. HOLDS if it is below 1 in every layer,
    CONDITIONAL if in some.
    """
    plain = _blocks(TrainConfig(data="synthetic", norm="none", start="he", seed=seed))
    own = _blocks(TrainConfig(data="synthetic", placement="before", start="he", seed=seed))
    ratios = [b / a for a, b in zip(plain, own, strict=True)]
    details = {f"block_{k}": ratio for k, ratio in enumerate(ratios, 1)}
    lower = [ratio < 1 for ratio in ratios]
    return Evidence(graded(any(lower), all(lower)), max(ratios), 1.0, None, details=details)


def before_the_map(seed: int) -> Evidence:
    """C21: batch normalization belongs before the linear map.

    Best mean loss over the rates, two activations, three seeds. HOLDS if before is better by more
    than two standard errors with raw and with standardized inputs; CONDITIONAL if with raw ones.
    """
    details: dict[str, float] = {}
    better = {}
    for standardized in (False, True):
        wins = []
        for activation in ("relu", "tanh"):
            name = f"{activation}_{'standardized' if standardized else 'raw'}"
            (before, error), (after, other) = (
                _best(f"batch-{side}", standardized, activation) for side in ("before", "after")
            )
            details |= {f"before_{name}": before, f"after_{name}": after}
            wins.append(after - before > 2 * math.hypot(error, other))
        better[standardized] = all(wins)
    ratio = details["after_relu_raw"] / details["before_relu_raw"]
    fair = details["after_relu_standardized"] / details["before_relu_standardized"]
    details["fair_ratio"] = fair
    verdict = graded(better[False], better[False] and better[True])
    return Evidence(verdict, ratio, 1.0, None, details=details)


def running_averages(seed: int) -> Evidence:
    """C22: inference needs running averages of mean and variance.

    Test accuracy of a network with its running statistics, against statistics of test batches of 2.
    HOLDS if those lose at least five points; the other meter: what the momentum does.
    """
    config = SHIPPED["batch-0.3"]
    model, split = restored(config), load(config.data, "test")
    with torch.no_grad(), unchanged(model):
        pairs = [
            (model.train()(x).argmax(1) == y).double()
            for x, y in zip(split.x.split(2), split.y.split(2), strict=True)
        ]
    evaluated, _ = accuracies(EvalConfig())
    details = {
        "running": _card("batch-0.3")["accuracy"],
        "pairs": float(torch.cat(pairs).mean()),
        "momentum_0.1": float(evaluated[SIZES.index(64), MOMENTA.index(0.1)]),
        "momentum_0.001": float(evaluated[SIZES.index(64), MOMENTA.index(0.001)]),
        "momentum_1": float(evaluated[SIZES.index(2), MOMENTA.index(1.0)]),
    }
    lost = details["running"] - details["pairs"]
    return Evidence(held(lost >= 0.05), lost, 0.05, None, details=details)


def gain_and_offset(seed: int) -> Evidence:
    """C23: gain and offset are icing.

    Digits, three seeds with and without. HOLDS if the mean test accuracies differ by less than one
    point, FAILS if by more than five.
    """
    means = {}
    for affine in (True, False):
        runs = [final_accuracy(TrainConfig(affine=affine, seed=3 * seed + k)) for k in range(3)]
        means[affine] = float(np.mean(runs))
    off = abs(means[True] - means[False])
    details = {"with_affine": means[True], "without_affine": means[False]}
    return Evidence(graded(off < 0.05, off < 0.01), off, 0.0, 0.01, details=details)


# ---- parts


def _card(name: str) -> dict[str, float]:
    """The last numbers of a network that ships."""
    return dict(trained(TRAINING, SHIPPED[name]).meta["metrics"])


def _row(name: str, standardized: bool, activation: str = "relu") -> Tensor:
    return losses(RowConfig(name, activation, standardized))


def _best(name: str, standardized: bool, activation: str) -> tuple[float, float]:
    """The best mean over the seeds, and its standard error."""
    found = _row(name, standardized, activation)
    at = int(found.mean(1).argmin())
    assert len(found) == len(RATES)
    return float(found[at].mean()), float(found[at].std()) / math.sqrt(SEEDS)


@torch.no_grad()
def _fed(model: nn.Module, x: Tensor) -> list[Tensor]:
    """What every linear map is fed."""
    found: list[Tensor] = []
    maps = [part for part in model.modules() if isinstance(part, nn.Linear)]
    hooks = [
        part.register_forward_pre_hook(lambda part, fed: found.append(fed[0])) for part in maps
    ]
    with unchanged(model):
        model(x)
    for hook in hooks:
        hook.remove()
    return found


def _slopes(config: TrainConfig) -> list[float]:
    """Root mean square length of the loss's slope in the outputs, by step."""
    generator, model, optimizer = begin(config)
    x, y = watched(config)
    target = F.one_hot(y).float()
    found = []
    for _ in range(config.steps):
        with torch.no_grad(), unchanged(model):
            slope = torch.softmax(model(x), 1) - target
        found.append(float(slope.square().sum(1).mean().sqrt()))
        descend(model, optimizer, config, generator)
    return [value for value in found if math.isfinite(value)]


def _spread(name: str) -> float:
    """Largest over smallest median relative update of a layer."""
    rows = curve(trained(TRAINING, SHIPPED[name]).meta)
    medians = rows[[column for column in rows if str(column).startswith("update_")]].median()
    return float(medians.max() / medians.min())


@torch.no_grad()
def _gap(name: str) -> float:
    """Training accuracy minus test accuracy, eval mode."""
    config = SHIPPED[name]
    model = restored(config).eval()
    shares = [
        float((model(part.x).argmax(1) == part.y).double().mean())
        for part in (load(config.data, "train"), load(config.data, "test"))
    ]
    return shares[0] - shares[1]


def _blocks(config: TrainConfig) -> list[float]:
    """Largest eigenvalue of the Hessian's block of every linear map."""
    model = build(config, Generator().manual_seed(config.seed))
    x, y = watched(config)
    maps = [part for part in model.modules() if isinstance(part, nn.Linear)]
    return [
        float(
            top_eigenvalues(
                lambda: F.cross_entropy(model(x), y), part.parameters(), model=model,
                tolerance=1e-2, generator=Generator().manual_seed(0),
            )[0]
        )
        for part in maps
    ]  # fmt: skip
