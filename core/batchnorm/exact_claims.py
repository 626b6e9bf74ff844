"""The claims of post 6992 that need no training: bounds, least squares, one layer.

Source: https://kexue.fm/archives/6992
"""

import math
from functools import partial

import numpy as np
import torch
from torch import Generator, Tensor

from core.batchnorm.batch_statistics import batch_noise, expected_noise
from core.batchnorm.descent import (
    descent_bound,
    descent_step,
    gradient,
    guaranteed_change,
    lipschitz_ratio,
    loss_along,
    quadratic_gaps,
)
from core.batchnorm.inputs import (
    best_scale,
    best_shift,
    least_squares_smoothness,
    logistic_smoothness,
    second_moment,
    shifted_inputs,
    trace,
    treated,
)
from core.batchnorm.nonlinearity import SLOPES, largest_slope, nonlinear_share
from core.batchnorm.one_layer import (
    cauchy_bound,
    gradient_change,
    loss_slope,
    mean_loss,
    output,
    sample_loss,
    slope_change,
)
from core.batchnorm.scales import inputs
from core.claims import Evidence, graded, held

TRIES = 100


def upper_bound(seed: int) -> Evidence:
    """C3: eq. (2) holds for every loss with a Lipschitz gradient.

    Logistic regression with its exact L, random places and steps of all lengths. HOLDS if the bound
    is never passed, the integral (3) gives the loss to 1e-9, and no ratio (1) is above L.
    """
    x, y, generator = _labelled(seed)
    smoothness = logistic_smoothness(x).largest
    loss = partial(_logistic, x, y)
    slack, ratios, wrong = [], [], []
    for k in range(TRIES):
        theta, step = _draws(2, 11, generator)
        step = step * 10 ** (k % 5 - 3)
        slack.append(descent_bound(loss, theta, step, smoothness) - float(loss(theta + step)))
        ratios.append(lipschitz_ratio(loss, theta, step) / smoothness)
        if k % 10 == 0:
            wrong.append(abs(loss_along(loss, theta, 0.1 * step) - float(loss(theta + 0.1 * step))))
    passed = sum(value < -1e-12 for value in slack)
    details = {"smoothness": smoothness, "largest_ratio": max(ratios), "integral_off": max(wrong)}
    holds = passed == 0 and max(ratios) <= 1 + 1e-9 and max(wrong) < 1e-9
    return Evidence(held(holds), float(passed), 0.0, 0.0, details=details)


def descent_is_natural(seed: int) -> Evidence:
    """C4: the step against the gradient makes the bound smallest.

    HOLDS if of 100 random directions of the same length none has a lower bound than minus the
    gradient, and the bound's minimum over all steps, found by solving, is -g/L with the decrease
    |g|^2 / 2L.
    """
    x, y, generator = _labelled(seed)
    smoothness, theta = logistic_smoothness(x).largest, _draws(1, 11, generator)[0]
    loss = partial(_logistic, x, y)
    slope = gradient(loss, theta)
    own = descent_step(loss, theta, 1 / smoothness)
    best = descent_bound(loss, theta, own, smoothness)
    others = []
    for direction in _draws(TRIES, 11, generator):
        step = direction / direction.norm() * own.norm()
        others.append(descent_bound(loss, theta, step, smoothness))
    decrease = float(loss(theta)) - best
    expected = -guaranteed_change(float(slope.norm()), smoothness, 1 / smoothness)
    details = {
        "decrease": decrease,
        "best_random": float(loss(theta)) - min(others),
        "real_decrease": float(loss(theta) - loss(theta + own)),
    }
    holds = min(others) >= best and math.isclose(decrease, expected, rel_tol=1e-9)
    return Evidence(held(holds), decrease, expected, 1e-9, details=details)


def two_over_smoothness(seed: int) -> Evidence:
    """C5: rates below 2/L are enough for descent.

    Least squares, 200 steps. HOLDS if the loss falls in every step at 0.5, 1, 1.9 and 1.999 over L
    and is higher at the end than at the start at 2.01/L. The other meter: where logistic
    regression, started at its most curved place, first rises.
    """
    x, y, generator = _labelled(seed)
    hessian = second_moment(x)
    start = _draws(1, 11, generator)[0]
    largest = least_squares_smoothness(x).largest
    growth = {
        f"growth_{multiple:g}": float(gaps[-1] / gaps[0])
        for multiple in (0.5, 1.0, 1.9, 1.999, 2.0, 2.01, 2.1)
        for gaps in [quadratic_gaps(hessian, start, multiple / largest, 200)]
    }
    falls = all(
        bool((gaps[1:] <= gaps[:-1]).all())
        for multiple in (0.5, 1.0, 1.9, 1.999)
        for gaps in [quadratic_gaps(hessian, start, multiple / largest, 200)]
    )
    growth["logistic"] = _logistic_breaks(x, y)
    holds = falls and growth["growth_2.01"] > 1
    return Evidence(held(holds), growth["growth_2.01"], 1.0, None, details=growth)


def change_the_function(seed: int) -> Evidence:
    """C6: L belongs to the loss, so to lower it one has to change the loss.

    Ten normal inputs, digits and glyphs. HOLDS if centering lowers L on all three while the best
    fit's loss stays the same to 1e-9; CONDITIONAL if on some.
    """
    details: dict[str, float] = {}
    factors = []
    for name in ("normal", "digits", "glyphs"):
        x = inputs(name, seed)
        kept = _best_loss(x, True), _best_loss(treated(x, "centered"), True)
        found = {how: least_squares_smoothness(treated(x, how)) for how in HOWS}
        details |= {f"{name}_{how}": value.largest for how, value in found.items()}
        factors.append(found["centered"].largest / found["raw"].largest)
        if abs(kept[0] - kept[1]) > 1e-9:
            factors[-1] = math.inf
    good = [factor < 1 for factor in factors]
    return Evidence(graded(any(good), all(good)), max(factors), 1.0, None, details=details)


HOWS = ("raw", "centered", "standardized")


def bounded_slopes(seed: int) -> Evidence:
    """C8: the derivatives of the usual activations are bounded.

    HOLDS if for none of five the largest slope grows when the range does, from [-50, 50] to a
    hundred times that; CONDITIONAL if for some. The other meter: the square of relu.
    """
    found = {name: largest_slope(name) for name in SLOPES}
    wide = {name: largest_slope(name, 5000.0) for name in SLOPES}
    bounded = {name: wide[name] <= found[name] * (1 + 1e-9) for name in SLOPES}
    square = bounded.pop("squared-relu"), found.pop("squared-relu")
    details = {f"slope_{name}": value for name, value in found.items()} | {
        "slope_square": square[1]
    }
    verdict = graded(any(bounded.values()), all(bounded.values()))
    return Evidence(verdict, found["gelu"], 1.128904, 1e-6, "", details)


def bounded_loss_slope(seed: int) -> Evidence:
    """C9: cross-entropy alone has unbounded slopes, behind a sigmoid they lie in [-1, 1].

    HOLDS if -1/p passes 1e6, the slope behind the sigmoid stays within (-1, 0) over |h| <= 30 and
    agrees with autograd, and that of the squared error passes every bound with h.
    """
    h = torch.linspace(-30, 30, 2001, dtype=torch.float64).requires_grad_()
    (slope,) = torch.autograd.grad(sample_loss(torch.ones_like(h), h).sum(), h)
    h = h.detach()
    agrees = float((slope - loss_slope(torch.ones_like(h), h)).abs().max())
    details = {
        "least": float(slope.min()),
        "largest": float(slope.max()),
        "bare": 1 / float(torch.sigmoid(h[0])),
        "squared": float((2 * h).abs().max()),
        "off": agrees,
    }
    holds = details["least"] >= -1 and details["largest"] < 0 and agrees < 1e-12
    holds = holds and details["bare"] > 1e6
    return Evidence(held(holds), details["least"], -1.0, None, details=details)


def weights_carry_the_input(seed: int) -> Evidence:
    """C11: the bias's gradient is stable, the weights' carries x.

    Curvature blocks of logistic regression at 0, over scales 1/4 to 4 of x. HOLDS if that of the
    bias does not change and that of the weights goes as the square (slope 2 to 1e-9).
    """
    x = inputs("normal", seed)
    scales = (0.25, 0.5, 1.0, 2.0, 4.0)
    weights = [logistic_smoothness(s * x, bias=False).largest for s in scales]
    bias = [logistic_smoothness(torch.ones(len(x), 1), bias=False).largest for s in scales]
    slope = float(np.polyfit(np.log(scales), np.log(weights), 1)[0])
    shifted = logistic_smoothness(x + 3, bias=False).largest
    details = {"weights": weights[2], "bias": bias[0], "shifted": shifted}
    return Evidence(held(abs(slope - 2) < 1e-9), slope, 2.0, 1e-9, details=details)


def cauchy_schwarz(seed: int) -> Evidence:
    """C12: eq. (12), for every step of the weights.

    HOLDS if in 600 random places and steps the gradient's change is never above the bound.
    """
    x, y, generator = _labelled(seed)
    details: dict[str, float] = {}
    worst = 0.0
    for how in HOWS:
        rows, ratios = treated(x, how), []
        for w, step in zip(*_draws(2 * 200, 10, generator).split(200), strict=True):
            change = slope_change(rows, y, w, torch.tensor(0.0).double(), step)
            ratios.append(gradient_change(rows, change) / cauchy_bound(rows, change))
        details[f"ratio_{how}"] = float(np.mean(ratios))
        worst = max(worst, *ratios)
    return Evidence(held(worst <= 1), worst, 1.0, 0.0, details=details)


def mean_is_best(seed: int) -> Evidence:
    """C13: the shift that makes eq. (13) smallest is the mean.

    HOLDS if 100 random shifts have no lower trace than the mean, and a matrix of outer products,
    which the sign may mean, too, has no lower 1-norm either; CONDITIONAL if only the first.
    """
    x, _, generator = _labelled(seed)
    shift = best_shift(x)
    least = trace(x, shift)
    tries = [trace(x, shift + 0.1 * row) for row in _draws(TRIES, 10, generator)]
    covariance = torch.full((3, 3), -0.4).double().fill_diagonal_(1.0)
    moved = covariance + 0.4  # the second moment after a shift by sqrt(0.4) (1, 1, 1)
    details = {
        "outer_at_mean": float(covariance.abs().sum()),
        "outer_moved": float(moved.abs().sum()),
        "trace_at_mean": float(covariance.trace()),
        "trace_moved": float(moved.trace()),
    }
    best = min(tries) >= least
    outer = details["outer_moved"] >= details["outer_at_mean"]
    return Evidence(graded(best, best and outer), min(tries) - least, 0.0, None, "", details)


def centering_is_free(seed: int) -> Evidence:
    """C14: taking the mean out lowers L and costs no fitting power.

    200 random inputs. FAILS if centering ever raises L or the condition number of a layer with a
    bias; HOLDS if the best fit is the same with and without a bias; CONDITIONAL if only with one.
    """
    generator = Generator().manual_seed(seed)
    worse, factors = 0, []
    for _ in range(200):
        x = shifted_inputs(40, 3, generator)
        before, after = (least_squares_smoothness(treated(x, how)) for how in ("raw", "centered"))
        worse += after.largest > before.largest * (1 + 1e-9)
        worse += after.condition_number > before.condition_number * (1 + 1e-9)
        factors.append(after.largest / before.largest)
    x = inputs("normal", seed)
    own = treated(x, "centered")
    lost = [abs(_best_loss(own, bias) / _best_loss(x, bias) - 1) for bias in (True, False)]
    details = {
        "with_bias": lost[0], "without_bias": lost[1], "median_factor": float(np.median(factors)),
        "condition_raw": 1.01, "condition_centered": 100.0,
    }  # fmt: skip
    flat = torch.tensor([[1.0, 0.0], [0.0, 1.01]]), torch.tensor([[1.0, 0.0], [0.0, 0.01]])
    details["condition_raw"], details["condition_centered"] = (
        float(torch.linalg.cond(matrix)) for matrix in flat
    )
    verdict = graded(worse == 0, worse == 0 and max(lost) < 1e-6)
    return Evidence(verdict, float(worse), 0.0, 0.0, details=details)


def zero_is_useless(seed: int) -> Evidence:
    """C15: multiplying by 0 lowers L, too, and is useless.

    Inputs divided by up to 1000, weights no longer than those of the best fit at 1. HOLDS if L
    falls below a thousandth and the share of the labels' variance that is fitted below a tenth.
    """
    x, y, _ = _labelled(seed)
    x = treated(x, "standardized")
    fitted = {s: _bounded_fit(x / s, y, _best_weights(x, y).norm()) for s in (1, 10, 100, 1000)}
    details = {f"fitted_{s}": value for s, value in fitted.items()}
    fall = least_squares_smoothness(x / 1000, False).largest
    fall /= least_squares_smoothness(x, False).largest
    holds = fall < 1e-3 and fitted[1000] < 0.1 * fitted[1]
    return Evidence(held(holds), fall, 1e-6, None, details=details)


def weights_as_the_bias(seed: int) -> Evidence:
    """C16: choose the scale so that the weights' gradient is as large as the bias's.

    Second moments of every weight's slope over that of the bias, logistic regression at a random
    place. HOLDS if for standardized inputs all lie between 1/2 and 2 while raw ones leave it.
    """
    x, y, generator = _labelled(seed)
    w = 0.3 * _draws(1, 10, generator)[0]
    details: dict[str, float] = {}
    for how in HOWS:
        rows = treated(x, how)
        slope = loss_slope(y, output(rows, w / (1 + best_scale(rows)), torch.zeros(()).double()))
        ratios = (slope[:, None] * rows).square().mean(0) / slope.square().mean()
        details |= {f"least_{how}": float(ratios.min()), f"most_{how}": float(ratios.max())}
    near = details["least_standardized"] > 0.5 and details["most_standardized"] < 2
    raw = details["least_raw"] < 0.5 or details["most_raw"] > 2
    return Evidence(held(near and raw), details["most_standardized"], 1.0, None, "", details)


def large_inputs(seed: int) -> Evidence:
    """C18: where inputs are too large, dividing by their deviation lowers L.

    Ten normal inputs, digits and glyphs, centered and scaled until the smallest deviation is 2.
    HOLDS if dividing lowers L for all three, CONDITIONAL if for some. The other meter: pixels as
    they stand, between 0 and 1, whose deviations are small.
    """
    details: dict[str, float] = {}
    factors = []
    for name in ("normal", "digits", "glyphs"):
        x = treated(inputs(name, seed), "centered")
        large = least_squares_smoothness(2 * x / best_scale(x).min()).largest
        divided = least_squares_smoothness(treated(x, "standardized")).largest
        details |= {f"{name}_before": large, f"{name}_after": divided}
        factors.append(divided / large)
        if name != "normal":
            details[f"{name}_small"] = least_squares_smoothness(x).largest
    falls = [factor < 1 for factor in factors]
    return Evidence(graded(any(falls), all(falls)), max(factors), 1.0, None, details=details)


def statistics_need_samples(seed: int) -> Evidence:
    """C20: mean and deviation are of the population, so a batch has to be large.

    Normal inputs, 20 000 batches a size. HOLDS if the deviations of a batch's mean and deviation
    follow 1/sqrt(B) and 1/sqrt(2B) within 3 % from B = 8 (the second within 10 %) on.
    """
    details: dict[str, float] = {}
    off = []
    for size in (2, 8, 32, 128):
        measured, law = batch_noise(size, seed), expected_noise(size)
        details |= {f"mean_{size}": measured.mean_std, f"std_{size}": measured.std_std}
        details[f"bias_{size}"] = measured.std_mean
        if size >= 8:
            off.append(abs(measured.mean_std / law.mean_std - 1) / 0.03)
            off.append(abs(measured.std_std / law.std_std - 1) / 0.1)
    return Evidence(
        held(max(off) < 1), details["mean_32"], 1 / math.sqrt(32), 0.03, details=details
    )


def nonlinear_region(seed: int) -> Evidence:
    """C24: around [-1, 1] activations are strongly nonlinear.

    Share of an activation's variance that the best straight line misses, standard normal input, by
    quadrature. HOLDS if it is above 5 % for tanh, sigmoid and GELU, CONDITIONAL if for one.
    """
    names = ("tanh", "sigmoid", "gelu", "relu")
    shares = {f"{n}_{s:g}": nonlinear_share(n, s) for n in names for s in (0.1, 1.0, 3.0)}
    strong = [shares[f"{name}_1"] > 0.05 for name in names[:3]]
    return Evidence(graded(any(strong), all(strong)), shares["tanh_1"], 0.05, None, details=shares)


def two_kinds_of_lipschitz(seed: int) -> Evidence:
    """C25: Lipschitz in the input leads to weights, of the gradient in the weights to inputs.

    HOLDS if doubling W doubles the first constant and leaves the second (at 0) alone, and doubling
    x multiplies the second by 4 and leaves the first alone.
    """
    x, _, generator = _labelled(seed)
    weight = _draws(5, 10, generator)
    in_input = [float(torch.linalg.matrix_norm(f * weight, 2)) for f in (1, 2)]
    in_weights = [least_squares_smoothness(f * x, bias=False).largest for f in (1, 2)]
    details = {"spectral_norm": in_input[0], "smoothness": in_weights[0]}
    details["norm_factor"] = in_input[1] / in_input[0]
    factor = in_weights[1] / in_weights[0]
    holds = abs(details["norm_factor"] - 2) < 1e-9 and abs(factor - 4) < 1e-9
    return Evidence(held(holds), factor, 4.0, 1e-9, details=details)


# ---- parts


def _labelled(seed: int) -> tuple[Tensor, Tensor, Generator]:
    """Ten inputs with random means and scales, labels of +1 and -1 from a noisy plane."""
    generator = Generator().manual_seed(seed)
    x = shifted_inputs(500, 10, generator)
    plane = torch.randn(10, generator=generator, dtype=torch.float64)
    noise = torch.randn(500, generator=generator, dtype=torch.float64)
    return x, torch.sign(treated(x, "standardized") @ plane + noise), generator


def _draws(count: int, size: int, generator: Generator) -> Tensor:
    return torch.randn(count, size, generator=generator, dtype=torch.float64)


def _logistic(x: Tensor, y: Tensor, theta: Tensor) -> Tensor:
    return mean_loss(x, y, theta[:-1], theta[-1])


def _logistic_breaks(x: Tensor, y: Tensor) -> float:
    """The least rate, in units of 1/L, at which the loss ever rises in 100 steps from 0."""
    loss, largest = partial(_logistic, x, y), logistic_smoothness(x).largest
    for multiple in np.arange(2.0, 12.0, 0.5):
        theta = torch.zeros(x.shape[1] + 1, dtype=torch.float64)
        before = float(loss(theta))
        for _ in range(100):
            theta = theta + descent_step(loss, theta, multiple / largest)
            now = float(loss(theta))
            if now > before:
                return float(multiple)
            before = now
    return 12.0


def _best_loss(x: Tensor, bias: bool) -> float:
    """Of least squares on a fixed target of the first rows."""
    x = x[:400]
    rows = torch.cat([x, torch.ones(len(x), 1).double()], 1) if bias else x
    y = torch.sin(torch.arange(len(x), dtype=torch.float64)) + 1
    weights = torch.linalg.pinv(rows, rtol=1e-10) @ y
    return float((rows @ weights - y).square().mean() / 2)


def _best_weights(x: Tensor, y: Tensor) -> Tensor:
    return torch.linalg.lstsq(x, y[:, None]).solution[:, 0]


def _bounded_fit(x: Tensor, y: Tensor, length: Tensor) -> float:
    """Share of y's second moment that weights of at most this length fit, without a bias."""
    low, high = 0.0, 1e9
    gram, target = x.T @ x / len(x), x.T @ y / len(x)
    identity = torch.eye(x.shape[1], dtype=x.dtype)
    for _ in range(200):
        middle = (low + high) / 2
        w = torch.linalg.solve(gram + middle * identity, target)
        low, high = (middle, high) if w.norm() > length else (low, middle)
    w = torch.linalg.solve(gram + high * identity, target)
    return 1 - float((x @ w - y).square().mean() / y.square().mean())
