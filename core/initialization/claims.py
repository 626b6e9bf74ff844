"""The claims of posts 7076 (A1 to A4) and 7180 (B1 to B10) as experiments.

The post's headings count as sections. 7076: 1 density, 2 how angles are distributed. 7180: 1
orthogonality for free, 2 why, 3 initialization, 4 more to say.

Sources: https://kexue.fm/archives/7076, https://kexue.fm/archives/7180
"""

import math
from itertools import pairwise

import numpy as np
import torch
from scipy.stats import chisquare, kstest
from torch import Tensor

from core.claims import Claim, Cost, Evidence, Verdict, graded, held
from core.initialization.activations import (
    ACTIVATIONS,
    angles_by_layer,
    gain,
    moments_by_layer,
    second_moment,
    variance_slope,
)
from core.initialization.angles import (
    angle_density,
    angle_distribution,
    angle_variance,
    cosine_density,
    random_directions,
    sample_angles,
)
from core.initialization.law import normal_distance, within
from core.initialization.meters import (
    Orthogonality,
    expected_mse,
    orthogonality,
    singular_values,
    stretch,
)
from core.initialization.network import TrainConfig, final_accuracy
from core.initialization.propagation import propagate
from core.initialization.schemes import kurtosis, sample_weight
from core.initialization.words import WordsConfig, words

CHANCE = 1e-4  # a result less probable than this is none
ERRORS = 4.5  # standard errors that a mean may be off by
RIGHT = math.radians(5)
SIZES = (16, 32, 64, 128, 256)
LEAVES = (0.5, 2.0)  # a second moment outside has not been kept


def flat_in_low_dimensions(seed: int) -> Evidence:
    """A1: for n = 2 the angle is uniform, for n = 3 its cosine.

    HOLDS if both exact densities are flat and 10^5 sampled pairs pass a chi-square test.
    """
    x = np.linspace(0.05, 0.95, 50)
    spreads = [np.ptp(angle_density(math.pi * x, 2)), np.ptp(cosine_density(2 * x - 1, 3))]
    angle, third = (sample_angles(n, 100_000, _generator(seed)).numpy() for n in (2, 3))
    chances = {
        "chance_angle_plane": _flatness(angle / math.pi),
        "chance_cosine_space": _flatness((1 + np.cos(third)) / 2),
    }
    likely = min(chances.values()) > CHANCE
    verdict = held(bool(max(spreads) < 1e-12 and likely))
    details = {**chances, "chance_angle_space": _flatness(third / math.pi)}
    return Evidence(verdict, float(max(spreads)), 0.0, 1e-12, details=details)


def centred_at_right_angles(seed: int) -> Evidence:
    """A2: from n = 3 on the most frequent angle and the mean angle are a right one.

    HOLDS if the density peaks at pi/2 alone and the sampled mean is within 4.5 standard errors.
    """
    theta = np.linspace(0, math.pi, 2001)
    peaks, errors = [], []
    for dim in (3, 10, 100):
        peaks.append(theta[angle_density(theta, dim).argmax()])
        away = sample_angles(dim, 20_000, _generator(seed)).numpy() - math.pi / 2
        errors.append(abs(away.mean()) / (away.std() / math.sqrt(len(away))))
    peaked = max(abs(peak - math.pi / 2) for peak in peaks) < 1e-12
    verdict = held(bool(peaked and max(errors) < ERRORS))
    details = {"largest_peak": float(max(peaks)), "standard_errors": float(max(errors))}
    return Evidence(verdict, float(min(peaks)), math.pi / 2, 1e-12, "rad", details)


def nearly_orthogonal(seed: int) -> Evidence:
    """A3: the variance falls with n, so any two random vectors are nearly orthogonal.

    FAILS if the exact variance does not fall or samples contradict it: in 768 dimensions 19 of 20
    pairs must be within 5 degrees. HOLDS if pairs of real words are, too, at least 19/20 as often
    as the law of their dimension says; CONDITIONAL if only vectors that prefer no direction.
    """
    variances = [angle_variance(n) for n in (3, 10, 20, 50, 100, 200, 1000)]
    shares = {
        "share_isotropic": _share_right(torch.zeros(768), seed),
        "share_common_mean": _share_right(0.5 * torch.ones(768), seed),
    }
    falls = all(b < a for a, b in pairwise(variances))
    weak = falls and shares["share_isotropic"] > 0.95
    details = {**shares, "share_exact": within(768, RIGHT), "variance_1000": variances[-1]}
    real, centered = words(WordsConfig()), words(WordsConfig(centered=True))
    details["share_words_centered"] = centered.within
    verdict = graded(weak, real.within > 0.95 * real.expected_within)
    return Evidence(verdict, real.within, real.expected_within, None, "", details)


def nearly_normal(seed: int) -> Evidence:
    """A4: the angle is nearly N(pi/2, 1/(n-2)).

    HOLDS if the largest gap between the distributions at n = 100 is below 1 % and falls with n,
    and samples follow the exact distribution; the details have 1/(n-1) beside it.
    """
    gaps = [normal_distance(n, n - 2) for n in (5, 20, 100, 400)]
    better = [normal_distance(n, n - 1) for n in (5, 20, 100, 400)]
    sample = sample_angles(20, 5000, _generator(seed)).numpy()
    chance = float(kstest(sample, lambda at: angle_distribution(at, 20)).pvalue)
    falls = all(b < a for a, b in pairwise(gaps))
    verdict = held(falls and gaps[2] < 0.01 and chance > CHANCE)
    details = {"gap_better_100": better[2], "gap_5": gaps[0], "gap_better_5": better[0]}
    return Evidence(verdict, gaps[2], 0.0, 0.01, details={**details, "chance_samples": chance})


def entrywise(seed: int) -> Evidence:
    """B1: n^2 numbers from N(0, 1/n) are approximately an orthogonal matrix.

    HOLDS if entry by entry the mean square of W^T W - I falls like 1/n, and is within a tenth of
    (n + 1)/n^2 at n = 256; the details have what the other meters say there.
    """
    means = [_entrywise("normal", n, 2048 // n, seed) for n in SIZES]
    slope = float(np.polyfit(np.log(SIZES), np.log(means), 1)[0])
    off = abs(means[-1] / expected_mse(256, 256) - 1)
    verdict = held(abs(slope + 1) < 0.1 and off < 0.1)
    details = {"entrywise_256": means[-1], "expected_256": expected_mse(256, 256)}
    return Evidence(verdict, slope, -1.0, 0.1, details=details | _strong(_by_size(seed)[-1]))


def better_with_size(seed: int) -> Evidence:
    """B2: the larger n, the better the approximation.

    FAILS if not even the mean square of an entry falls; HOLDS if the relative Frobenius norm and
    the spectral norm fall too (by a factor 2 from n = 16 to 256); CONDITIONAL if they do not.
    """
    found = _by_size(seed)
    first, last = found[0], found[-1]
    falls = {
        "entrywise_factor": last.entrywise_mse / first.entrywise_mse,
        "frobenius_factor": last.relative_frobenius / first.relative_frobenius,
        "spectral_factor": last.spectral / first.spectral,
    }
    weak, *strong = (factor < 0.5 for factor in falls.values())
    details = {**falls, **_strong(last), "condition_16": first.condition_number}
    return Evidence(graded(weak, all(strong)), last.spectral, 0.0, None, details=details)


def any_distribution(seed: int) -> Evidence:
    """B3: any distribution with mean 0 and variance 1/n will do.

    FAILS if the entrywise meter of five common distributions is off (n + kurtosis - 2)/n^2 by
    more than a tenth; CONDITIONAL if that is right, but a law without a fourth moment or one that
    changes with n gives a spectral error above 4 or a singular matrix; HOLDS otherwise.
    """
    common = ("normal", "uniform", "rademacher", "laplace", "student-t")
    off = {name: abs(_entrywise(name, 256, 3, seed) / _expected(name) - 1) for name in common}
    heavy = orthogonality(_square("heavy-t", 300, seed))
    sparse = orthogonality(_square("sparse", 300, seed))
    strong = max(heavy.spectral, sparse.spectral) < 4 and sparse.condition_number < 1e8
    details = {
        **{f"off_{name}": value for name, value in off.items()},
        "spectral_heavy": heavy.spectral,
        "spectral_sparse": sparse.spectral,
        "sparse_least_singular_value": float(singular_values(_square("sparse", 300, seed))[-1]),
    }
    worst = max(off.values())
    return Evidence(graded(worst < 0.1, strong), worst, 0.0, 0.1, details=details)


def isometry(seed: int) -> Evidence:
    """B4: an orthogonal matrix keeps every norm.

    HOLDS if the exact orthogonal weight's least and largest singular value are 1 to rounding, and
    random vectors keep their norms. The details have a weight that keeps one x and is far from
    orthogonal: W^T W = I is needed for every x, not for one.
    """
    generator = _generator(seed)
    weight = sample_weight(200, 200, "orthogonal", generator=generator, dtype=torch.float64)
    x = random_directions(100, 200, generator)
    gap = float((stretch(weight, x) - 1).abs().max())
    one = torch.outer(random_directions(1, 200, generator)[0], x[0])
    verdict = held(max(gap, orthogonality(weight).spectral) < 1e-12)
    details = {
        "spectral_orthogonal": orthogonality(weight).spectral,
        "one_vector_gap": abs(float(stretch(one, x[:1])[0]) - 1),
        "one_vector_spectral": orthogonality(one).spectral,
    }
    return Evidence(verdict, gap, 0.0, 1e-12, details=details)


def tall(seed: int) -> Evidence:
    """B5: for m >= n entries of variance 1/m give W^T W close to I.

    FAILS if the entrywise meter is off (n + 1)/(mn) by more than a tenth; HOLDS if the spectral
    error is below 1/2 for every m/n of 1, 4 and 64; CONDITIONAL if it is only for large m/n.
    """
    found = {r: orthogonality(_post(100 * r, 100, seed)) for r in (1, 4, 64)}
    off = {r: abs(one.entrywise_mse / expected_mse(100 * r, 100) - 1) for r, one in found.items()}
    values = singular_values(_post(400, 100, seed))
    details = {f"spectral_{r}": one.spectral for r, one in found.items()}
    details |= {"least_singular_value": float(values[-1])}
    details |= {"largest_singular_value": float(values[0])}
    strong = all(one.spectral < 0.5 for one in found.values())
    verdict = graded(max(off.values()) < 0.1, strong)
    mse = found[4].entrywise_mse
    return Evidence(verdict, mse, expected_mse(400, 100), 0.1 * mse, details=details)


def wide(seed: int) -> Evidence:
    """B6: for m < n nothing exact is possible; 1/m is used without derivation.

    FAILS if a fixed vector's mean squared norm changes by more than 4.5 standard errors over 400
    weights; HOLDS if no vector is lost; CONDITIONAL if the weight keeps a fixed vector's norm on
    average, which is a derivation, and sends others to 0.
    """
    generator = _generator(seed)
    x = random_directions(1, 400, generator)
    factors = torch.stack([stretch(_drawn(100, 400, generator), x)[0] for _ in range(400)]).numpy()
    error = float(factors.std(ddof=1) / math.sqrt(len(factors)))
    weight = _drawn(100, 400, generator)
    lecun = stretch(weight * math.sqrt(100 / 400), x)[0]
    lost = float(stretch(weight, _kernel(weight))[0])
    details = {
        "standard_error": error,
        "spread": float(factors.std(ddof=1)),
        "spread_expected": math.sqrt(2 / 100),
        "lecun_norm_factor": float(lecun.sqrt()),
        "lost_vector": lost,
    }
    kept = abs(float(factors.mean()) - 1) < ERRORS * error
    verdict = graded(kept, lost > 0.1)
    return Evidence(verdict, float(factors.mean()), 1.0, ERRORS * error, details=details)


def tanh_like_identity(seed: int) -> Evidence:
    """B7: tanh x is about x, so the same start serves tanh.

    FAILS if inputs of size 0.01 do not keep their second moment over 50 layers to 5 %; HOLDS if
    inputs of size 1 keep it within a factor of 2; CONDITIONAL if only small ones do.
    """
    small = float(moments_by_layer("tanh", 1e-4, 50)[-1]) / 1e-4
    path = moments_by_layer("tanh", 1.0, 200)
    net = propagate([256] * 51, "tanh", "post", batch=32, generator=_generator(seed))
    details = {
        "kept_by_small": small,
        "net_50": float(net["forward_second_moment"].iloc[-1]),
        **{f"moment_{layer}": float(path[layer]) for layer in (1, 10, 100, 200)},
        "slow_decay_50": 1 / 100,
    }
    verdict = graded(abs(small - 1) < 0.05, _kept(float(path[50])))
    return Evidence(verdict, float(path[50]), 1.0, None, details=details)


def relu_halves(seed: int) -> Evidence:
    """B8: relu takes half of the squared norm, so relu needs twice the variance.

    HOLDS if E[relu(z)^2] is 1/2, and wide nets of 20 layers keep their second moment with 2/m and
    halve it every layer with 1/m. The details have what is not kept: angles.
    """
    moment = second_moment("relu")
    ends = {
        scheme: float(
            propagate([512] * 21, "relu", scheme, batch=16, generator=_generator(seed))
            .iloc[-1]["forward_second_moment"]
        )
        for scheme in ("he-post", "post")
    }  # fmt: skip
    per_layer = (math.log2(ends["post"]) - math.log2(ends["he-post"])) / 20
    holds = abs(moment - 0.5) < 1e-12 and abs(per_layer + 1) < 1e-6 and _kept(ends["he-post"])
    cosine = angles_by_layer("relu", 0.0, 10)[-1]
    details = {"net_he": ends["he-post"], "net_post": ends["post"], "cosine_10": float(cosine)}
    details |= {"halvings_per_layer": -per_layer}
    return Evidence(held(holds), moment, 0.5, 1e-12, details=details)


def normalize_instead(seed: int) -> Evidence:
    """B9: mending every activation by hand is hard; normalize after it instead.

    FAILS if every tuned gain is stable (no slope of log V above 1), or a normalized gelu net of 50
    layers loses its second moment; HOLDS if that net also keeps gradients within a factor of 10
    and the cosine of orthogonal inputs below 1/2; CONDITIONAL if only sizes are kept.
    """
    slopes = {name: variance_slope(name) for name in ACTIVATIONS}
    unstable = [name for name, slope in slopes.items() if slope > 1 + 1e-9]
    net = propagate(
        [256] * 51, "gelu", "lecun", batch=32, layer_norm=True, generator=_generator(seed)
    )
    forward, backward, cosine = (
        float(net["forward_second_moment"].iloc[-1]),
        float(net["backward_second_moment"].iloc[0]),
        float(net["cosine"].iloc[-1]),
    )
    details = {
        **{f"slope_{name}": slopes[name] for name in ("relu", "tanh", "gelu", "silu", "selu")},
        **{f"gain_{name}": gain(name) for name in ("relu", "tanh", "gelu", "silu")},
        "normalized_forward": forward,
        "normalized_backward": backward,
        "normalized_cosine": cosine,
    }
    weak = bool(unstable) and _kept(forward)
    verdict = graded(weak, 0.1 < backward < 10 and cosine < 0.5)
    return Evidence(verdict, max(slopes.values()), 1.0, None, details=details)


def scale_matters(seed: int) -> Evidence:
    """B10: a start that expands or degenerates too much hurts training.

    HOLDS if the same 50-layer net, trained with 0.7 and with 2 times the weights, ends at least 20
    points of test accuracy below the start at 1, and CONDITIONAL if only one of them does. The
    details have a net whose size is kept, and which does not train as well: He's relu.
    """
    ends = {
        name: _trained(seed, multiple) for name, multiple in (("0.7", 0.7), ("1", 1.0), ("2", 2.0))
    }
    hurt = [ends["1"] - ends[name] > 0.2 for name in ("0.7", "2")]
    details = {f"accuracy_{name}": value for name, value in ends.items()}
    relu = TrainConfig(scheme="he", activation="relu", steps=150, seed=seed)
    details |= {"accuracy_he_relu": final_accuracy(relu)[1]}
    return Evidence(graded(any(hurt), all(hurt)), ends["1"], None, None, details=details)


# ---- what the checks share


def _kept(moment: float) -> bool:
    return LEAVES[0] < moment < LEAVES[1]


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _flatness(shares: np.ndarray) -> float:
    """The probability of counts at least as uneven, if the numbers are uniform on [0, 1]."""
    return float(chisquare(np.histogram(shares, 40, (0, 1))[0]).pvalue)


def _share_right(mean: Tensor, seed: int) -> float:
    """Share of pairs within 5 degrees of a right angle, for vectors from N(mean, I)."""
    x, y = torch.randn(2, 4000, len(mean), generator=_generator(seed)) + mean
    cosine = torch.nn.functional.cosine_similarity(x, y)
    return float((cosine.abs() < math.sin(RIGHT)).double().mean())


def _drawn(fan_out: int, fan_in: int, generator: torch.Generator) -> Tensor:
    return sample_weight(fan_out, fan_in, "post", generator=generator).double()


def _post(fan_out: int, fan_in: int, seed: int) -> Tensor:
    return _drawn(fan_out, fan_in, _generator(seed))


def _square(distribution: str, size: int, seed: int) -> Tensor:
    return sample_weight(size, size, "post", distribution=distribution, generator=_generator(seed))


def _entrywise(distribution: str, size: int, count: int, seed: int) -> float:
    """The entrywise meter, averaged over `count` square weights."""
    generator = _generator(seed)
    weights = (
        sample_weight(size, size, "post", distribution=distribution, generator=generator)
        for _ in range(count)
    )
    return float(np.mean([orthogonality(weight).entrywise_mse for weight in weights]))


def _expected(distribution: str) -> float:
    return expected_mse(256, 256, kurtosis(distribution, 256))


def _by_size(seed: int) -> list[Orthogonality]:
    return [orthogonality(_post(n, n, seed)) for n in SIZES]


def _strong(found: Orthogonality) -> dict[str, float]:
    return {
        "frobenius_256": found.relative_frobenius,
        "spectral_256": found.spectral,
        "condition_256": found.condition_number,
    }


def _kernel(weight: Tensor) -> Tensor:
    """A unit vector that a wide weight sends to 0, as one row."""
    return torch.linalg.svd(weight)[2][-1:]


def _trained(seed: int, multiple: float) -> float:
    config = TrainConfig(
        scheme="orthogonal", activation="tanh", multiple=multiple, steps=150, seed=seed
    )
    return final_accuracy(config)[1]


CLAIMS: tuple[Claim, ...] = tuple(
    Claim(f"initialization.{name}", source, cost, expects, check)
    for name, source, cost, expects, check in [
        ("A1", "7076 §2, eq. (7)–(8)", Cost.SECONDS, Verdict.HOLDS, flat_in_low_dimensions),
        ("A2", "7076 §2, eq. (7)", Cost.SECONDS, Verdict.HOLDS, centred_at_right_angles),
        ("A3", "7076 §2, eq. (9); 7180 §1", Cost.SECONDS, Verdict.CONDITIONAL, nearly_orthogonal),
        ("A4", "7076 §2, eq. (10)–(11)", Cost.SECONDS, Verdict.HOLDS, nearly_normal),
        ("B1", "7180 §1–2, eq. (1)–(2)", Cost.SECONDS, Verdict.HOLDS, entrywise),
        ("B2", "7180 §1", Cost.SECONDS, Verdict.CONDITIONAL, better_with_size),
        ("B3", "7180 §1–2", Cost.SECONDS, Verdict.CONDITIONAL, any_distribution),
        ("B4", "7180 §3, eq. (3)", Cost.SECONDS, Verdict.HOLDS, isometry),
        ("B5", "7180 §3", Cost.SECONDS, Verdict.CONDITIONAL, tall),
        ("B6", "7180 §3", Cost.SECONDS, Verdict.CONDITIONAL, wide),
        ("B7", "7180 §4", Cost.SECONDS, Verdict.CONDITIONAL, tanh_like_identity),
        ("B8", "7180 §4", Cost.SECONDS, Verdict.HOLDS, relu_halves),
        ("B9", "7180 §4", Cost.SECONDS, Verdict.CONDITIONAL, normalize_instead),
        ("B10", "7180 §4", Cost.SECONDS, Verdict.HOLDS, scale_matters),
    ]
)
