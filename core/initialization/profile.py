"""A deep net at its first step: second moments forward and back, and angles, by layer.

Theory of wide layers beside one measured net; and how much one net's norm differs from another's.

Source: https://kexue.fm/archives/7180.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from typing import Annotated, Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from scipy.special import polygamma, psi
from scipy.stats import binom, norm
from torch import Tensor

from core.initialization.activations import ACTIVATIONS, gain
from core.initialization.propagation import propagate
from core.initialization.schemes import DISTRIBUTIONS, SCHEMES, variance
from core.initialization.wide import wide_net
from core.knobs import Choice, Config, Range

BATCH = 64
PASSES = 20  # pictures of the signal on its way
NETS = 500
BINS = 24
MOMENTS = {"forward_second_moment": "forward", "backward_second_moment": "backward"}
LEAST, MOST = 1e-30, 1e30  # what the axes of second moments can show
SHAPES = {"even": (1, 1), "narrowing": (1, 1 / 8), "widening": (1 / 8, 1)}  # first and last width


@dataclass(frozen=True)
class ProfileConfig(Config):
    """The start of a net: its scheme, its activation, its depth, and the rest."""

    scheme: Annotated[str, Choice(*SCHEMES, "tuned")] = "he"  # "tuned": 1/n times the gain
    activation: Annotated[str, Choice(*ACTIVATIONS)] = "relu"
    depth: Annotated[int, Range(1, 100)] = 50
    width: Annotated[int, Range(16, 256, 16)] = 128  # of the widest layer
    shape: Annotated[str, Choice(*SHAPES)] = "even"
    multiple: Annotated[float, Range(0.0, 4.0, 0.01)] = 1.0  # of every weight
    distribution: Annotated[str, Choice(*DISTRIBUTIONS)] = "normal"
    layer_norm: bool = False
    residual: bool = False
    seed: Annotated[int, Range(0, 99)] = 0
    progress: Annotated[int, Range(0, PASSES)] = PASSES  # half of it up, half of it back down


@dataclass(frozen=True)
class Profile:
    """Layer by layer, measured and, with "-theory" behind the name, expected of wide layers."""

    moments: pd.DataFrame  # layer, curve in {"forward", "backward", "forward-theory", ...}, value
    cosines: pd.DataFrame  # layer, curve in {"cosine", "cosine-theory"}, value
    domain: tuple[float, float]  # powers of ten around all moments, also those not reached yet
    forward: float  # second moment before the last activation
    backward: float  # mean square of the gradient at the input
    cosine: float  # of two inputs that were orthogonal
    ends: tuple[int, int]  # width of the input and of the last layer
    stretch: float  # squared norm before the last activation over that of the input
    overflow: int  # the first layer whose second moment is not finite or left the axis; -1: none
    overflow_backward: int  # the last layer whose gradient's is or has; -1: none


@dataclass(frozen=True)
class CloudConfig(Config):
    """How deep, how wide, linear or relu with He's factor."""

    depth: Annotated[int, Range(1, 100)] = 50
    width: Annotated[int, Range(16, 256, 16)] = 64
    activation: Annotated[str, Choice("linear", "relu")] = "linear"
    seed: Annotated[int, Range(0, 99)] = 0


@dataclass(frozen=True)
class Cloud:
    """log ||y||^2 - log ||x||^2 of one vector through many nets."""

    densities: pd.DataFrame  # x, curve in {"sample", "expected"}, value
    mean: float
    mean_error: float  # standard error
    variance: float
    expected_mean: float
    expected_variance: float
    dead: int  # nets whose relus were all silent in some layer: their norm is 0


def profile(config: ProfileConfig) -> Profile:
    """One net, measured in both directions as far as the signal has come, beside the theory.

    Raises UnequalWidths on residual branches in a net whose layers differ in width.
    """
    whole = _profile(replace(config, progress=PASSES))
    up = config.depth * min(2 * config.progress / PASSES, 1.0)
    down = config.depth * (2 - max(2 * config.progress / PASSES, 1.0))
    moments, cosines = whole.moments, whole.cosines
    unseen = (moments["curve"] == "forward") & (moments["layer"] > up)
    unseen |= (moments["curve"] == "backward") & (moments["layer"] < down)
    unseen_cosines = (cosines["curve"] == "cosine") & (cosines["layer"] > up)
    return replace(
        whole,
        moments=moments[~unseen].reset_index(drop=True),
        cosines=cosines[~unseen_cosines].reset_index(drop=True),
    )


def widths(config: ProfileConfig) -> list[int]:
    """Of the input and of every layer, in even steps of the logarithm; 2 at least."""
    first, last = (share * config.width for share in SHAPES[config.shape])
    return np.geomspace(first, last, config.depth + 1).round().astype(int).tolist()


@lru_cache(maxsize=8)  # the pictures of one net on its way
def _profile(config: ProfileConfig) -> Profile:
    tuned = config.scheme == "tuned"
    scheme, fans = "lecun" if tuned else config.scheme, widths(config)
    factor = config.multiple * (gain(config.activation) if tuned else 1.0)
    branches = {"layer_norm": config.layer_norm, "residual": config.residual}
    net = propagate(
        fans, config.activation, scheme,
        batch=BATCH, distribution=config.distribution, gain=factor, **branches,
        generator=torch.Generator().manual_seed(config.seed),
    )  # fmt: skip
    scales = [factor * math.sqrt(n * variance(scheme, m, n)) for n, m in pairwise(fans)]
    aspects = [m / n for n, m in pairwise(fans)]
    wide = wide_net(config.activation, config.depth, scales, aspect=aspects, **branches)
    tables = {"": net, "-theory": wide}
    forward, moments = net["forward_second_moment"], _curves(tables, MOMENTS, _shown)
    return Profile(
        moments=moments,
        cosines=_curves(tables, {"cosine": "cosine"}, np.asarray),
        domain=_decades(moments["value"]),
        forward=float(forward.iloc[-1]),
        backward=float(net["backward_second_moment"].iloc[0]),
        cosine=float(net["cosine"].iloc[-1]),
        ends=(fans[0], fans[-1]),
        stretch=float(forward.iloc[-1] / forward.iloc[0] * fans[-1] / fans[0]),
        overflow=min(_gone(forward), default=-1),
        overflow_backward=max(_gone(net["backward_second_moment"]), default=-1),
    )


def cloud(config: CloudConfig) -> Cloud:
    """Five hundred nets, each with fresh weights, and the logarithm of what each does to a norm."""
    width = config.width
    generator = torch.Generator().manual_seed(config.seed)
    logs = log_norms(config.depth, width, config.activation, NETS, generator).numpy()
    alive = logs[np.isfinite(logs)]
    mean, spread = log_norm_law(config.depth, width, config.activation)
    counts, edges = np.histogram(alive, BINS)
    x = (edges[1:] + edges[:-1]) / 2
    curves = {
        "sample": counts / len(alive) / np.diff(edges),
        "expected": norm.pdf(x, mean, math.sqrt(spread)),
    }
    tables = [pd.DataFrame({"x": x, "curve": k, "value": v}) for k, v in curves.items()]
    return Cloud(
        densities=pd.concat(tables, ignore_index=True),
        mean=float(alive.mean()),
        mean_error=float(alive.std(ddof=1) / math.sqrt(len(alive))),
        variance=float(alive.var(ddof=1)),
        expected_mean=mean,
        expected_variance=spread,
        dead=len(logs) - len(alive),
    )


def log_norms(
    depth: int, width: int, activation: str, nets: int, generator: torch.Generator | None = None
) -> Float[Tensor, " nets"]:
    """log(||y||^2 / ||x||^2) for `nets` nets with normal weights of variance 1/n, 2/n for relu.

    A fresh normal weight times x is a normal vector of variance ||x||^2 / n whatever x is, so no
    weight need be drawn. A net whose relus are all silent in some layer gives minus infinity.
    """
    relu = activation == "relu"
    x = torch.randn(nets, width, generator=generator)
    start, total = x.square().sum(1), torch.zeros(nets, dtype=torch.float64)
    for _ in range(depth):
        inside = x.relu() if relu else x
        ratio = (2.0 if relu else 1.0) * inside.square().sum(1) / start
        x = torch.randn(nets, width, generator=generator)
        start = x.square().sum(1)
        total += (ratio.double() * start / width).log()
    return total


def log_norm_law(depth: int, width: int, activation: str) -> tuple[float, float]:
    """Mean and variance of the former: L (psi(n/2) + ln(2/n)) and L psi_1(n/2) for linear nets.

    Behind relu k of n coordinates live, k binomial, and add chi-square numbers of their own; nets
    that die are left out.
    """
    mean = float(psi(width / 2)) + math.log(2 / width)
    spread = float(polygamma(1, width / 2))
    if activation == "relu":
        alive = np.arange(1, width + 1)
        share = binom.pmf(alive, width, 0.5) / (1 - 0.5**width)
        # ln of ||relu(x)||^2 2 / ||x||^2 is ln of a beta(k/2, (n-k)/2) number times 2.
        middle = psi(alive / 2) - float(psi(width / 2)) + math.log(2)
        within = polygamma(1, alive / 2) - float(polygamma(1, width / 2))
        center = float(share @ middle)
        mean, spread = mean + center, spread + float(share @ (within + (middle - center) ** 2))
    return depth * mean, depth * spread


def _curves(
    tables: Mapping[str, pd.DataFrame],
    columns: Mapping[str, str],
    show: Callable[[pd.Series], Any],
) -> pd.DataFrame:
    """Columns of the tables as curves, named by the column's word and the table's suffix."""
    curves = [
        table[["layer"]].assign(curve=word + suffix, value=show(table[column]))
        for suffix, table in tables.items()
        for column, word in columns.items()
    ]
    return pd.concat(curves, ignore_index=True)


def _shown(values: pd.Series) -> pd.Series:
    """What a log axis can show: nothing outside its bounds."""
    return values.where((values >= LEAST) & (values <= MOST))


def _decades(values: pd.Series) -> tuple[float, float]:
    """The powers of ten around positive numbers; a decade at least."""
    low, high = (math.log10(end) for end in (values.min(), values.max()))
    return 10.0 ** math.floor(low - 1e-9), 10.0 ** math.ceil(high + 1e-9)


def _gone(moments: pd.Series) -> list[int]:
    """The layers whose moment no axis can show."""
    return np.flatnonzero(_shown(moments).isna()).tolist()
