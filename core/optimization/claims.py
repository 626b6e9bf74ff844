"""The claims of post 7521 (O1 to O13) as experiments.

What needs trainings is read off those that ship; O1 and O13 run their own.

Source: https://kexue.fm/archives/7521
"""

import math
import time
from collections.abc import Callable

import numpy as np
import torch
from scipy.stats import spearmanr
from torch import Tensor

from core.claims import Claim, Cost, Evidence, Verdict, graded, held
from core.optimization.ball import first_order_update, sample_ball, shrinkage
from core.optimization.density import cosine
from core.optimization.errors import Unusable
from core.optimization.importance import log_normal
from core.optimization.landscapes import gradient, landscape
from core.optimization.limits import axis_loss, mean_update
from core.optimization.metric import (
    STARTS,
    MetricConfig,
    cost_of_choice,
    disagreements,
    one_run,
    runs_of,
)
from core.optimization.orders import GRADIENT, SecondConfig, quadratic_moments
from core.optimization.outputs import MODELS
from core.optimization.quadratic import second_order_covariance, second_order_update
from core.optimization.quadrature import expected_update
from core.optimization.sampling import (
    SamplingConfig,
    estimates,
    guide,
    truth,
)
from core.optimization.steps import METHODS

CHANCE = 1e-4  # a result less probable than this is none
COLD, HOT = 0.01, 300.0
RUNS = 10  # for each metric


def mismatch(seed: int) -> Evidence:
    """O1: that training loss and metric disagree is typical.

    Ten runs of cross-entropy for each of four metrics, from random starts: the true loss that it
    costs to stop where cross-entropy is least instead of where the metric is, chosen on one half of
    the held-out examples and judged on the other. HOLDS if for every metric that is more than two
    standard errors above 0, FAILS if for none, else CONDITIONAL. The details have the share of
    stretches of the shipped runs in which one loss falls and the other rises, too.
    """
    details: dict[str, float] = {}
    sure = []
    for name in MODELS:
        config = MetricConfig(name)
        costs = np.array([cost_of_choice(config, RUNS * seed + run) for run in range(RUNS)])
        error = float(costs.std(ddof=1)) / math.sqrt(RUNS)
        sure.append(float(costs.mean()) / max(error, 1e-12))
        details |= {f"missed_{name}": float(costs.mean()), f"missed_error_{name}": error}
    for name in MODELS:
        for kind in STARTS:
            details[f"{name}_{kind}"] = disagreements(_runs(name, kind)["cross-entropy"])
    much = [value > 2 for value in sure]
    return Evidence(
        graded(any(much), all(much)), min(sure), 2.0, None, "standard errors", details
    )  # fmt: skip


def no_derivative(seed: int) -> Evidence:
    """O2: the density and its mean ask for no derivative.

    A staircase at 50 random places, alpha = 0.2. HOLDS if every update is finite, points within 60
    degrees of the middle of the lowest step, and lands lower than where it began, although every
    gradient is 0; FAILS if none does, else CONDITIONAL.
    """
    field, generator = landscape("stairs"), _generator(seed)
    places = 3 * torch.rand(50, 2, generator=generator, dtype=torch.float64) - 1.5
    places = places[field.loss(places) > 0]
    updates = torch.stack([expected_update(field.loss, place, 0.2) for place in places])
    toward = torch.tensor([cosine(u, -p) for u, p in zip(updates, places, strict=True)])
    lower = field.loss(places + updates) < field.loss(places)
    fine = (toward > 0.5) & lower & torch.isfinite(updates).all(1)
    steepest = max(float(gradient(field.loss, place).norm()) for place in places)
    details = {"gradient": steepest, "lower": float(lower.double().mean())}
    verdict = graded(bool(fine.any()), bool(fine.all()))
    return Evidence(verdict, float(toward.min()), 0.5, None, details=details)


def limits_of_alpha(seed: int) -> Evidence:
    """O3: for alpha to 0 the update is the steepest descent, for alpha to infinity it is 0.

    Four losses on a line. HOLDS if in all of them the cold update points as minus the gradient does
    and the hot one is shorter than 0.02, FAILS if in none, else CONDITIONAL.
    """
    cases = {
        "linear": ("linear", 0.0, 1.0), "parabola": ("parabola", 1.0, None),
        "wells": ("wells", 0.9, None), "stairs": ("stairs", 1.1, None),
    }  # fmt: skip
    details: dict[str, float] = {}
    fine = []
    for name, (axis, at, radius) in cases.items():
        loss, theta = axis_loss(axis), torch.tensor([at], dtype=torch.float64)
        cold, hot = (mean_update(loss, theta, alpha, radius) for alpha in (COLD, HOT))
        details |= {f"cold_{name}": cold, f"hot_{name}": hot}
        fine.append(cold * -float(gradient(loss, theta)) > 0 and abs(hot) < 0.02)
    down = -float(gradient(axis_loss("wells"), torch.tensor([0.9], dtype=torch.float64)))
    verdict = graded(any(fine), all(fine))
    return Evidence(verdict, details["cold_wells"], down, None, details=details)


def first_order(seed: int) -> Evidence:
    """O4: to first order the update points against the gradient.

    100 000 draws in a ball of d = 1 to 1000 dimensions, kappa = 3 d. HOLDS if the closed form's
    cosine is -1 to 1e-12 everywhere, the draws' mean along g agrees with its length within five
    standard errors, and across g it is what chance leaves.
    """
    details: dict[str, float] = {}
    off = []
    for dim in (1, 2, 3, 10, 100, 1000):
        direction = torch.randn(dim, generator=_generator(seed + dim), dtype=torch.float64)
        unit = direction / direction.norm()
        draws = sample_ball(
            unit * 3 * dim, 1.0, 1.0, 100_000 // max(1, dim // 20), _generator(seed)
        )
        along = draws @ unit
        length = float(shrinkage(np.array(3.0 * dim), dim))
        off.append(abs(float(along.mean()) + length) / float(along.std()) * math.sqrt(len(draws)))
        aside = draws.mean(0) - along.mean() * unit
        expected = float((draws - along[:, None] * unit).square().sum(1).mean()) / len(draws)
        off.append(0.5 * float(aside.square().sum()) / max(expected, 1e-300) if dim > 1 else 0.0)
        details[f"length_{dim}"] = length
    exact = first_order_update(direction, 1.0, 0.3)
    apart = abs(cosine(exact, direction) + 1)
    details["standard_errors"] = max(off)
    return Evidence(held(max(off) < 5 and apart < 1e-12), apart, 0.0, 1e-12, details=details)


def second_order(seed: int) -> Evidence:
    """O5: to second order the update is Newton's step.

    Quadrature for alpha from 0.01 to 100. FAILS if mean and Newton's step differ by more than 1e-8;
    HOLDS if they agree and a Hessian with a negative eigenvalue has a density, too; CONDITIONAL if
    that one has none.
    """
    config = SecondConfig()
    newton = second_order_update(GRADIENT, config.hessian)
    found = {alpha: quadratic_moments(config.hessian, alpha) for alpha in (0.01, 1.0, 100.0)}
    apart = max(float((each.mean - newton).norm()) for each in found.values())
    spread = second_order_covariance(config.hessian, 100.0)
    details = {
        "covariance": float((found[100.0].covariance - spread).abs().max()) / 100,
        "printed_too_small": float(found[100.0].covariance[0, 0] / spread[0, 0]) * 100,
    }
    try:
        quadratic_moments(SecondConfig(curvature_2=-0.5).hessian, 1.0)
        indefinite = True
    except Unusable:
        indefinite = False
    return Evidence(
        graded(apart < 1e-8, indefinite), apart, 0.0, 1e-8, details=details
    )  # fmt: skip


def closer_is_better(seed: int) -> Evidence:
    """O6: the closer q is to p, the more efficient the sampling.

    p = N(0, 1), q = N(m, s^2). FAILS if along shifts and along widths above 1 efficiency (effective
    sample size per draw, for many draws 1/E(p/q)p) does not fall with KL(q || p); HOLDS if in no
    pair of all q the one with the smaller KL is less efficient, else CONDITIONAL.
    """
    shifts = [(m, 1.0) for m in (0.0, 0.5, 1.0, 1.5, 2.0)]
    widths = [(0.0, s) for s in (1.0, 1.5, 2.0, 3.0, 4.0)]
    narrow = [(0.0, s) for s in (0.5, 0.65, 0.8)]
    kl = {q: _kl(*q) for q in {*shifts, *widths, *narrow}}
    size = {q: _efficiency(*q) for q in kl}
    monotone = all(
        spearmanr([kl[q] for q in family], [size[q] for q in family]).statistic < -0.99
        for family in (shifts, widths)
    )
    turned = [(a, b) for a in kl for b in kl if kl[a] < kl[b] and size[a] < size[b] - 1e-9]
    details = {
        "pairs": len(kl) * (len(kl) - 1) / 2, "kl_narrow": kl[(0.0, 0.65)],
        "size_narrow": size[(0.0, 0.65)], "kl_wide": kl[(0.0, 2.0)], "size_wide": size[(0.0, 2.0)],
    }  # fmt: skip
    return Evidence(graded(monotone, not turned), float(len(turned)), 0.0, 0.0, "pairs", details)


def self_normalized(seed: int) -> Evidence:
    """O7: dividing by the sum of the weights removes the constant, with a bias that vanishes.

    p = N(0, 1), q = N(1, 1.5^2), estimates of E x = 0 from n = 4 to 256 draws. HOLDS if the bias
    falls like n to a power between -1.3 and -0.7, FAILS if it doesn't fall, else CONDITIONAL.
    """
    counts = (4, 8, 16, 32, 64, 128, 256)
    found = [_self_normalized_mean(n, 1_500_000 // n, seed) for n in counts]
    bias = np.array([abs(mean) for mean, _ in found])
    power = float(np.polyfit(np.log(counts[:5]), np.log(bias[:5]), 1)[0])
    details = {f"bias_{n}": float(b) for n, b in zip(counts, bias, strict=True)}
    details |= {"error_256": found[-1][1]}
    verdict = graded(power < -0.3, -1.3 < power < -0.7)
    return Evidence(verdict, power, -1.0, 0.3, details=details)


def good_guide(seed: int) -> Evidence:
    """O8: minus the surrogate's gradient is a good guide, though not the best.

    The staircase with its smooth surrogate at 60 places, alpha = 0.2. HOLDS if its cosine with the
    true update is positive at nine places in ten and below 0.999 on average; FAILS if not positive
    on average, else CONDITIONAL. The details have the noisy bowl, and the double well, whose own
    gradient guides.
    """
    found = {name: _guide_cosines(name, seed) for name in ("stairs", "noisy", "wells")}
    right = found["stairs"]
    verdict = graded(
        float(right.mean()) > 0,
        float((right > 0).double().mean()) >= 0.9 and float(right.mean()) < 0.999,
    )
    details = {f"positive_{name}": float((c > 0).double().mean()) for name, c in found.items()}
    details |= {f"cosine_{name}": float(c.mean()) for name, c in found.items()}
    return Evidence(verdict, float(right.mean()), 1.0, None, details=details)


def four_draws(seed: int) -> Evidence:
    """O9: with a guide few draws suffice; four already help.

    The staircase, alpha = 0.2, 2000 estimates. FAILS if with the guide four draws err as much as
    without it. HOLDS if they err less than half as much, and more than two of the four count;
    else CONDITIONAL.
    """
    config = SamplingConfig(seed=seed)
    errors, sizes = {}, {}
    for share in (0.0, 0.5, 1.0):
        for n in (4, 256):
            found = estimates(config, n, share, 2000 if n == 4 else 100)
            errors[n, share] = _error(found.deltas, truth(config.alpha))
            sizes[n, share] = float(found.sizes.mean())
    details = {f"error_{n}_{share:g}": value for (n, share), value in errors.items()}
    details |= {f"size_4_{share:g}": sizes[4, share] for share in (0.0, 0.5, 1.0)}
    details["guide"] = float((guide(0) - truth(config.alpha)).norm())
    ratio = errors[4, 0.5] / errors[4, 1.0]
    verdict = graded(ratio < 1, ratio < 0.5 and sizes[4, 0.5] > 2)
    return Evidence(verdict, ratio, 0.5, None, details=details)


def mixture_is_safer(seed: int) -> Evidence:
    """O10: the mixture is better than the guide's Gaussian alone.

    The guide turned by 0 to 180 degrees, 64 draws, 500 estimates. HOLDS if the mixture errs less at
    every angle, FAILS at none, else CONDITIONAL.
    """
    errors = {}
    for angle in (0, 45, 90, 135, 180):
        config = SamplingConfig(angle=angle, seed=seed)
        for share in (0.0, 0.5):
            found = estimates(config, 64, share, 500)
            errors[angle, share] = _error(found.deltas, truth(config.alpha))
    better = [errors[angle, 0.5] < errors[angle, 0.0] for angle in (0, 45, 90, 135, 180)]
    details = {f"error_{angle}_{share:g}": value for (angle, share), value in errors.items()}
    verdict = graded(any(better), all(better))
    ratio = errors[180, 0.5] / errors[180, 0.0]
    return Evidence(verdict, ratio, 1.0, None, details=details)


def policy_gradient_needs_a_start(seed: int) -> Evidence:
    """O11: the policy gradient varies too much to start from nothing.

    Four metrics, equal budgets, three seeds. It needs a start if from a random one it ends with at
    least twice the true loss of MGS, and from a pre-trained one is closer to it. HOLDS if REINFORCE
    does with and without baseline for every metric, FAILS if it never does, else CONDITIONAL.
    """
    details, needs = {}, []
    for metric in MODELS:
        ends = {
            kind: {name: found[:, -1, 2].mean() for name, found in _runs(metric, kind).items()}
            for kind in STARTS
        }
        for name in ("policy-gradient", "policy-gradient-baseline"):
            gap = {kind: float(ends[kind][name] - ends[kind]["mgs"]) for kind in STARTS}
            ratio = float(ends["random"][name] / ends["random"]["mgs"])
            needs.append(ratio >= 2 and gap["pretrained"] < gap["random"])
            details[f"{name}_{metric}"] = ratio
    least = min(details.values())
    return Evidence(graded(any(needs), all(needs)), least, 2.0, None, details=details)


def policy_gradient_is_cheaper(seed: int) -> Evidence:
    """O12: a step of the policy gradient costs less than one of MGS, sample for sample.

    Passes of a batch through the network, four outputs against four candidates. HOLDS if fewer for
    the classifier and for the strings, FAILS if for neither, else CONDITIONAL. The details have
    REINFORCE with one output, and milliseconds.
    """
    passes = {
        (name, metric): float(METHODS[name].passes(MODELS[metric]))
        for metric in ("accuracy", "edit")
        for name in _TIMED
    }
    details = {f"passes_{name}_{metric}": count for (name, metric), count in passes.items()}
    details |= {f"milliseconds_{n}_{m}": _milliseconds(n, m, seed) for n, m in passes}
    four, mgs = "policy-gradient-baseline", "mgs"
    cheaper = [passes[four, metric] < passes[mgs, metric] for metric in ("accuracy", "edit")]
    return Evidence(
        graded(any(cheaper), all(cheaper)), passes[four, "edit"], passes[mgs, "edit"], None,
        "passes", details,
    )  # fmt: skip


def alpha_and_generalization(seed: int) -> Evidence:
    """O13: a suitable alpha generalizes better.

    MGS on accuracy with alpha = 0.001 to 1, four seeds each, error on held-out images. HOLDS if
    some alpha in the middle beats both ends by two standard errors of the difference, FAILS if the
    ends beat the middle so, else OPEN.
    """
    alphas = ("0.001", "0.01", "0.1", "1")
    ends = {
        alpha: np.array(
            [
                one_run(MetricConfig("accuracy", "random", alpha, 1200, 0), "mgs", 4 * seed + k)[
                    -1, 2
                ]
                for k in range(4)
            ]
        )
        for alpha in alphas
    }
    mean = {alpha: float(values.mean()) for alpha, values in ends.items()}
    error = {alpha: float(values.std(ddof=1)) / 2 for alpha, values in ends.items()}
    middle = min(alphas[1:3], key=mean.__getitem__)
    gains = [
        (mean[end] - mean[middle]) / max(math.hypot(error[end], error[middle]), 1e-12)
        for end in (alphas[0], alphas[-1])
    ]
    verdict = (
        Verdict.HOLDS if min(gains) > 2 else Verdict.FAILS if max(gains) < -2 else Verdict.OPEN
    )
    details = {f"loss_{alpha}": mean[alpha] for alpha in alphas}
    details |= {f"error_{alpha}": error[alpha] for alpha in alphas}
    return Evidence(verdict, min(gains), 2.0, None, "standard errors", details)


# ---- parts


_TIMED = ("policy-gradient", "policy-gradient-baseline", "mgs")


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _runs(metric: str, kind: str) -> dict[str, np.ndarray]:
    """Of every method [seeds, points, 3]."""
    return runs_of(MetricConfig(metric, kind))


def _kl(shift: float, width: float) -> float:
    """KL(N(shift, width^2) || N(0, 1)), nats."""
    return (shift**2 + width**2 - 1) / 2 - math.log(width)


def _efficiency(shift: float, width: float) -> float:
    """1 / E_q (p/q)^2 for p = N(0, 1): 0 where that is infinite."""
    rest = 2 - 1 / width**2
    if rest <= 0:
        return 0.0
    # E_q (p/q)^2 = width/sqrt(rest) exp(shift^2 (1/width^2) / rest), by completing the square
    return math.sqrt(rest) / width * math.exp(-(shift**2) / (width**2 * rest))


def _self_normalized_mean(samples: int, trials: int, seed: int) -> tuple[float, float]:
    """Mean over trials of the self-normalized estimate of E x = 0, and its standard error."""
    z = torch.randn(trials, samples, generator=_generator(seed + samples), dtype=torch.float64)
    x = 1 + 1.5 * z
    log_weights = log_normal(x[..., None], 1.0) - log_normal(x[..., None] - 1, 1.5)
    found = (torch.softmax(log_weights, 1) * x).sum(1)
    return float(found.mean()), float(found.std()) / math.sqrt(trials)


def _guide_cosines(name: str, seed: int) -> Tensor:
    field, generator = landscape(name), _generator(seed)
    places = 4 * torch.rand(60, 2, generator=generator, dtype=torch.float64) - 2
    found = [
        cosine(expected_update(field.loss, place, 0.2, grid=100), -gradient(field.surrogate, place))
        for place in places
    ]
    return torch.tensor(found, dtype=torch.float64)


def _error(deltas: Tensor, exact: Tensor) -> float:
    """Root mean square distance."""
    return math.sqrt(float((deltas - exact).square().sum(1).mean()))


def _milliseconds(name: str, metric: str, seed: int) -> float:
    """Processor time of the fastest of ten steps."""
    model, generator = MODELS[metric], _generator(seed)
    theta, data = model.initial(generator), model.batch(generator)
    times = []
    for _ in range(10):
        started = time.thread_time()
        METHODS[name].step(model, theta, data, 0.01, generator)
        times.append(time.thread_time() - started)
    return 1000 * min(times)


def _claim(
    name: str, source: str, cost: Cost, expects: Verdict, check: Callable[[int], Evidence]
) -> Claim:
    return Claim(f"optimization.{name}", source, cost, expects, check)


_S, _I, _M = Cost.SECONDS, Cost.INSTANT, Cost.MINUTES
_HOLDS, _IF, _FAILS, _OPEN = Verdict.HOLDS, Verdict.CONDITIONAL, Verdict.FAILS, Verdict.OPEN

CLAIMS: tuple[Claim, ...] = (
    _claim("O1", "§ introduction", _M, _IF, mismatch),
    _claim("O2", "§ the sampling view, eq. (1)-(2)", _S, _HOLDS, no_derivative),
    _claim("O3", "§ the sampling view, eq. (2)", _I, _IF, limits_of_alpha),
    _claim("O4", "§ differentiable objectives, eq. (6)", _S, _HOLDS, first_order),
    _claim("O5", "§ differentiable objectives, eq. (8)", _S, _IF, second_order),
    _claim("O6", "§ non-differentiable objectives, eq. (10)", _I, _IF, closer_is_better),
    _claim("O7", "§ non-differentiable objectives, eq. (13)", _S, _HOLDS, self_normalized),
    _claim("O8", "§ non-differentiable objectives, eq. (14)", _S, _HOLDS, good_guide),
    _claim("O9", "§ non-differentiable objectives, eq. (14)", _S, _IF, four_draws),
    _claim("O10", "§ non-differentiable objectives, eq. (15)", _S, _IF, mixture_is_safer),
    _claim("O11", "§ policy gradient, eq. (19)", _S, _IF, policy_gradient_needs_a_start),
    _claim("O12", "§ policy gradient, eq. (19)", _S, _IF, policy_gradient_is_cheaper),
    _claim("O13", "§ the sampling view, eq. (2)", _M, _OPEN, alpha_and_generalization),
)
