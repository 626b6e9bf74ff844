"""The claims of post 6992 about training, read off the networks and maps that ship.

`python scripts/train_batchnorm_networks.py` and `python scripts/sweep_learning_rates.py` made them;
C10 and C23 train their own.

Source: https://kexue.fm/archives/6992
"""

import math
from dataclasses import replace

import numpy as np
from scipy.stats import kstwo

from core.batchnorm.batches import MOMENTA, SIZES, EvalConfig, accuracies
from core.batchnorm.compare import SHIPPED, repeats
from core.batchnorm.curvature import COLUMNS, SHARPNESS
from core.batchnorm.measured import (
    accuracy_after_a_pass,
    accuracy_by_batch,
    accuracy_gap,
    best_of_row,
    block_sharpness,
    clearly_below,
    distances,
    estimate,
    loss_slopes,
    row,
    shipped_accuracies,
    skewness,
    update_spread,
)
from core.batchnorm.networks import STARTS
from core.batchnorm.scales import inputs, preconditioned_difference
from core.batchnorm.sweep import widest
from core.batchnorm.training import WATCHED, TrainConfig, final_accuracy
from core.claims import Evidence, graded
from core.tables import load_table


def never_normal(seed: int) -> Evidence:
    """C1: no layer's input is normal, so standardizing cannot make it N(0, 1).

    Units of every hidden layer of a normalized network that trained (accuracy above 0.9), from
    three seeds, each unit standardized over 256 rows. HOLDS if in every layer the median
    Kolmogorov-Smirnov distance to N(0, 1) exceeds what one in a hundred normal samples of that size
    exceeds; CONDITIONAL if in some.
    """
    far = np.array([distances(config) for config in repeats(SHIPPED["batch-0.3"])])
    limit = float(kstwo.isf(0.01, WATCHED))
    details = {f"distance_{k}": float(value) for k, value in enumerate(far.mean(0), 1)}
    details["skewness"] = skewness(SHIPPED["batch-0.3"])
    details["accuracy_batch"] = min(shipped_accuracies("batch-0.3"))
    normal, learned = far <= limit, details["accuracy_batch"] > 0.9
    verdict = graded(learned and not normal.all(), learned and not normal.any())
    return Evidence(verdict, float(far.min()), limit, None, details=details)


def other_normalizations(seed: int) -> Evidence:
    """C2: the shift story cannot explain layer or instance normalization.

    The map with standardized inputs, two activations. HOLDS if layer normalization and RMSNorm,
    which leave a unit's distribution over the data alone, train over at least as wide a range of
    rates as no normalization and end below it by more than two standard errors of three seeds;
    CONDITIONAL if that is so of one norm with one activation.
    """
    details: dict[str, float] = {}
    good = []
    for activation in ("relu", "tanh"):
        best = {name: best_of_row(name, True, activation) for name in STORY}
        reach = {name: widest(row(name, True, activation)) for name in STORY}
        details |= {f"best_{name}_{activation}": found[0] for name, found in best.items()}
        details |= {f"widest_{name}_{activation}": value for name, value in reach.items()}
        good += [
            clearly_below(best[name], best["none"]) and reach[name] >= reach["none"]
            for name in STORY[1:]
        ]
    return Evidence(
        graded(any(good), all(good)), details["best_layer-after_relu"], details["best_none_relu"],
        None, "nats", details,
    )  # fmt: skip


STORY = ("none", "layer-after", "rms-norm-after")


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

    Its root mean square over the rows in every step, of runs that train and of runs that do not,
    three seeds each. HOLDS if in those that train it never exceeds its first value, CONDITIONAL if
    in some. The other meter: in the bad runs it rises, but behind a softmax never above sqrt(2).
    """
    settings = [TrainConfig(data="synthetic", steps=120, seed=3 * seed + k) for k in range(3)]
    good = [loss_slopes(one) for one in settings]
    bad = [loss_slopes(replace(one, norm="none", lr=3.0)) for one in settings]
    rises = [max(run) / run[0] for run in good]
    details = {
        "last_good": max(run[-1] / run[0] for run in good),
        "rise_bad": min(max(run) / run[0] for run in bad),
        "largest_bad": max(max(run) for run in bad),
    }
    stable = [rise <= 1 for rise in rises]
    return Evidence(graded(any(stable), all(stable)), max(rises), 1.0, 0.0, "", details)


def adaptive_rate(seed: int) -> Evidence:
    """C17: dividing by the deviation acts as an adaptive rate, synchronizes layers, regularizes.

    CONDITIONAL if descent on standardized inputs is exactly descent with rate eta / sigma^2 per
    coordinate (to 1e-9); HOLDS if, too, the largest relative update of a layer over the smallest is
    lower with normalization, and so is the gap of test to training accuracy, at 0.1 and 0.3, by
    more than two standard errors of three seeds.
    """
    off = preconditioned_difference(inputs("normal", seed))
    details: dict[str, float] = {}
    calmer = []
    for lr in ("0.1", "0.3"):
        for meter, measure in (("spread", update_spread), ("gap", accuracy_gap)):
            plain, normal = (
                estimate([measure(config) for config in repeats(SHIPPED[f"{name}-{lr}"])])
                for name in ("none", "batch")
            )
            details |= {f"{meter}_none_{lr}": plain[0], f"{meter}_batch_{lr}": normal[0]}
            details[f"{meter}_error_{lr}"] = math.hypot(plain[1], normal[1])
            calmer.append(clearly_below(normal, plain))
    exact = off < 1e-9
    return Evidence(graded(exact, exact and all(calmer)), off, 0.0, 1e-9, details=details)


def layer_by_layer(seed: int) -> Evidence:
    """C19: one layer stands for all of them, since deep nets are compositions.

    Largest eigenvalue of every layer's own block at the start, normalized before the map, over that
    of the plain net; synthetic inputs, five draws, both initializations. HOLDS if its geometric
    mean is below 1 in every layer by more than two standard errors, CONDITIONAL if with one of the
    initializations.
    """
    details: dict[str, float] = {}
    lower = []
    for start in STARTS:
        draws = [replace(BLOCKS, start=start, seed=DRAWS * seed + k) for k in range(DRAWS)]
        plain = np.array([block_sharpness(replace(one, norm="none")) for one in draws])
        own = np.array([block_sharpness(one) for one in draws])
        logs = [estimate(layer) for layer in np.log(own / plain).T.tolist()]
        details |= {f"{start}_{k}": math.exp(mean) for k, (mean, _) in enumerate(logs, 1)}
        lower.append(all(clearly_below(ratio, (0.0, 0.0)) for ratio in logs))
    return Evidence(graded(any(lower), all(lower)), details["he_1"], 1.0, None, details=details)


BLOCKS = TrainConfig(data="synthetic", placement="before")
DRAWS = 5


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
            before, after = (
                best_of_row(f"batch-{side}", standardized, activation)
                for side in ("before", "after")
            )
            details |= {f"before_{name}": before[0], f"after_{name}": after[0]}
            wins.append(clearly_below(before, after))
        better[standardized] = all(wins)
    ratio = details["after_relu_raw"] / details["before_relu_raw"]
    fair = details["after_relu_standardized"] / details["before_relu_standardized"]
    details["fair_ratio"] = fair
    verdict = graded(better[False], better[False] and better[True])
    return Evidence(verdict, ratio, 1.0, None, details=details)


def running_averages(seed: int) -> Evidence:
    """C22: inference needs running averages of mean and variance.

    Test accuracy of three trained networks with their running averages, against three ways to do
    without them: the statistics of test batches of 2, of 64, and of one pass over the training set.
    HOLDS if each loses more than two standard errors, CONDITIONAL if some do. The other meter: what
    the momentum does. A batch of 1 has no statistics at all and is refused.
    """
    configs = repeats(SHIPPED["batch-0.3"])
    running = estimate(shipped_accuracies("batch-0.3"))
    ways = {
        "pairs": estimate([accuracy_by_batch(config, 2) for config in configs]),
        "large": estimate([accuracy_by_batch(config, 64) for config in configs]),
        "pass": estimate([accuracy_after_a_pass(config) for config in configs]),
    }
    lost = [clearly_below(found, running) for found in ways.values()]
    evaluated, _ = accuracies(EvalConfig())
    details = {
        "running": running[0],
        **{name: found[0] for name, found in ways.items()},
        "momentum_0.1": float(evaluated[SIZES.index(64), MOMENTA.index(0.1)]),
        "momentum_0.001": float(evaluated[SIZES.index(64), MOMENTA.index(0.001)]),
        "momentum_1": float(evaluated[SIZES.index(2), MOMENTA.index(1.0)]),
    }
    verdict = graded(any(lost), all(lost))
    return Evidence(verdict, running[0] - ways["pairs"][0], 0.0, None, details=details)


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
