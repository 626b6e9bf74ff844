"""Linformer's claim: m mixtures of the tokens do for n tokens, and m need not grow with n.

Random E and F keep inner products on average (Johnson and Lindenstrauss), but not through an
exponential. Trained ones begin as means of neighbors and are fitted to softmax on tokens drawn anew
in every step. Beside both stands the softmax matrix itself, cut to rank m: what the best matrix of
that rank for each single sequence can do.

Sources: https://kexue.fm/archives/7546, eq. (8); Wang et al. 2020 (arXiv:2006.04768).
Axes: b sequences, n tokens, d width, m projections.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Annotated

import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from core import library
from core.attention.lowrank import linformer_attention, random_projection
from core.attention.matrices import scaled
from core.attention.recall import ENOUGH, TASK_NAMES
from core.attention.shipped import FOLDER, PROJECTIONS
from core.attention.softmax import softmax_attention, softmax_weights
from core.knobs import Choice, Config, Range
from core.store import Tensors
from core.tables import load_table
from core.training import Snapshot, Task, stepwise

LENGTHS = ("32", "64", "128", "256")
COUNTS = (4, 8, 16, 32, 64, 128, 256)  # of projections, as far as there are tokens
DRAWS = 8  # sequences that an error is measured on, each with a random E and F of its own
EVERY = 10  # steps between two snapshots
HALF = 0.5  # a relative error of 1 is what an output of zeros has
FITS = FOLDER / "fits.json"


@dataclass(frozen=True)
class FitConfig(Config):
    """A pair E, F that is fitted to softmax attention, and how long."""

    tokens: Annotated[int, Range(2, 512)] = 64
    projections: Annotated[int, Range(1, 512)] = 16
    dim: Annotated[int, Range(1, 64)] = 16
    scale: Annotated[float, Range(0.1, 10.0)] = 4.0  # of q·k / sqrt(d)
    steps: Annotated[int, Range(10, 5000, 10)] = 200
    lr: Annotated[float, Range(1e-4, 1.0)] = 0.003
    batch_size: Annotated[int, Range(1, 256)] = 16
    seed: Annotated[int, Range(0, 99)] = 0


@dataclass(frozen=True)
class ProjectionConfig(Config):
    """How many tokens, how many projections, how large q·k; and which trained task is shown."""

    tokens: Annotated[str, Choice(*LENGTHS)] = "64"
    projections: Annotated[int, Range(4, 256, 4)] = 16
    scale: Annotated[str, Choice("1", "4")] = "1"
    task: Annotated[str, Choice(*TASK_NAMES)] = "recall"
    seed: Annotated[int, Range(0, 9)] = 0

    @property
    def fit(self) -> FitConfig:
        """The fit of the chosen size; m beyond n is n."""
        tokens, m = int(self.tokens), min(self.projections, int(self.tokens))
        scale = float(self.scale)
        return FitConfig(tokens=tokens, projections=m, scale=scale, seed=self.seed)


@dataclass(frozen=True)
class Projection:
    """Errors are relative to the softmax outputs: 1 is no better than zeros."""

    errors: pd.DataFrame  # m, value, curve in {"random", "trained", "cut", "own"}
    learned: pd.DataFrame  # pairs, projections, accuracy: Linformer trained on the task
    needed: pd.DataFrame  # tokens, cut, trained, recall: the least m with an error of at most half,
    # or with 90 % of the values right; NaN where no m tried is enough
    random: float  # at the chosen m
    cut: float
    trained: float  # of the chosen fit; NaN if it is not there yet
    has_fit: bool


def sequences(
    tokens: int, dim: int, scale: float, count: int, generator: torch.Generator
) -> Float[Tensor, "three b n d"]:
    """q, k, v from N(0, I), q and k scaled."""
    q, k, v = torch.randn(3, count, tokens, dim, generator=generator)
    return torch.stack([*scaled(q, k, scale), v])


def pooling(projections: int, tokens: int) -> Float[Tensor, "m n"]:
    """Where a fit begins: each row is the mean of its stretch of tokens; m = n: the identity."""
    stretch = torch.arange(tokens) * projections // tokens == torch.arange(projections)[:, None]
    return stretch / stretch.sum(dim=-1, keepdim=True)


def error(out: Float[Tensor, "*b n d"], exact: Float[Tensor, "*b n d"]) -> Float[Tensor, ""]:
    """|out - exact| / |exact|, over everything."""
    return (out - exact).norm() / exact.norm()


def fit(config: FitConfig, state: Tensors | None = None) -> Iterator[Snapshot]:
    """Adam on the squared error, its rate falling to 0 as a cosine; a snapshot every ten steps.

    All randomness is from the seed. Raises Diverged if the loss is not finite.
    """
    generator = torch.Generator().manual_seed(config.seed)
    weights = {name: pooling(config.projections, config.tokens) for name in ("e", "f")}
    optimizer = torch.optim.Adam([w.requires_grad_() for w in weights.values()], lr=config.lr)
    yield from stepwise(
        lambda at: _step(config, weights, optimizer, generator, at),
        lambda losses: {"error": fitted_error(config, weights), "loss": losses[-1]},
        weights,
        optimizer,
        generator,
        total=config.steps,
        every=EVERY,
        state=state,
    )


def fitted_error(config: FitConfig, weights: Tensors) -> float:
    """The relative error on sequences that no fit has seen."""
    generator = torch.Generator().manual_seed(config.seed + 1_000_000)
    q, k, v = sequences(config.tokens, config.dim, config.scale, 64, generator)
    with torch.no_grad():
        out = linformer_attention(q, k, v, weights["e"], weights["f"])
    return float(error(out, softmax_attention(q, k, v)))


def random_error(q: Tensor, k: Tensor, v: Tensor, m: int, seed: int) -> float:
    """The relative error with random E and F, drawn for every sequence anew."""
    generator = torch.Generator().manual_seed(seed)
    draw = partial(random_projection, m, q.shape[-2], generator=generator)
    e, f = (torch.stack([draw() for _ in q]) for _ in range(2))
    return float(error(linformer_attention(q, k, v, e, f), softmax_attention(q, k, v)))


def cut_errors(q: Tensor, k: Tensor, v: Tensor) -> Float[Tensor, " n"]:
    """The relative error of the softmax matrices cut to rank m, for m = 1 to n.

    Their left singular vectors are orthonormal, so what is cut off adds up in squares.
    """
    _, values, right = torch.linalg.svd(softmax_weights(q, k))
    parts = (values.square() * (right @ v).square().sum(dim=-1)).sum(dim=0)
    beyond = parts.flip(0).cumsum(0).flip(0)
    return (torch.cat([beyond[1:], beyond.new_zeros(1)]) / beyond[0]).sqrt()


def shipped_fits() -> pd.DataFrame:
    """tokens, projections, scale, error. Raises ValueError if the file is missing or damaged."""
    return load_table(FITS, ("tokens", "projections", "scale", "error"))


def fit_of(config: ProjectionConfig) -> float:
    """The error of the chosen fit: one that ships, or one that was made here; else NaN."""
    fits, wanted = shipped_fits(), config.fit
    row = fits[
        (fits["tokens"] == wanted.tokens) & (fits["projections"] == wanted.projections)
        & (fits["scale"] == wanted.scale)
    ]  # fmt: skip
    if len(row) and not config.seed:
        return float(row["error"].iloc[0])
    kept = library.find(FIT.key(wanted))
    return float(kept.meta["metrics"]["error"]) if kept else math.nan


def projection(config: ProjectionConfig) -> Projection:
    """Random and trained projections beside the best of their rank, and what n asks of m."""
    n, m, scale = config.fit.tokens, config.fit.projections, config.fit.scale
    generator = torch.Generator().manual_seed(config.seed)
    q, k, v = sequences(n, config.fit.dim, scale, DRAWS, generator)
    cut, trained = cut_errors(q, k, v), fit_of(config)
    learned = PROJECTIONS.load()
    learned = learned[learned["task"] == config.task]
    errors = pd.concat([_curves(q, k, v, config), _point(m, trained)], ignore_index=True)
    return Projection(
        errors=errors,
        learned=learned[["pairs", "projections", "accuracy"]].reset_index(drop=True),
        needed=_needed(scale, learned),
        random=random_error(q, k, v, m, config.seed),
        cut=float(cut[m - 1]) if m < n else 0.0,
        trained=trained,
        has_fit=not math.isnan(trained),
    )


def _curves(q: Tensor, k: Tensor, v: Tensor, config: ProjectionConfig) -> pd.DataFrame:
    """The errors for m < n: with m = n a fit begins, and a cut ends, without any."""
    n, scale = config.fit.tokens, config.fit.scale
    counts, cut, fits = [m for m in COUNTS if m < n], cut_errors(q, k, v), shipped_fits()
    fits = fits[(fits["tokens"] == n) & (fits["scale"] == scale)].set_index("projections")
    curves = {
        "random": [random_error(q, k, v, m, config.seed) for m in counts],
        "cut": [float(cut[m - 1]) for m in counts],
        "trained": [float(error) for error in fits["error"][counts]],
    }
    return pd.concat(
        [
            pd.DataFrame({"m": counts, "value": errors, "curve": name})
            for name, errors in curves.items()
        ]
    )


def _point(m: int, error: float) -> pd.DataFrame:
    """The chosen fit, if it is there and a log axis can show it."""
    rows = [(m, error, "own")] if error > 0 else []
    return pd.DataFrame(rows, columns=["m", "value", "curve"])


def _needed(scale: float, learned: pd.DataFrame) -> pd.DataFrame:
    """For every n: the least m that is enough, three ways."""
    fits = shipped_fits()
    good = fits[(fits["scale"] == scale) & (fits["error"] <= HALF)]
    trained = good.groupby("tokens")["projections"].min()
    recall = learned[learned["accuracy"] >= ENOUGH].groupby("pairs")["projections"].min()
    lengths = sorted({*learned["pairs"], *map(int, LENGTHS)})
    cut = [cut_needed(n, scale) for n in lengths]
    return pd.DataFrame(
        {"tokens": lengths, "cut": cut, "trained": trained.reindex(lengths).to_numpy(),
         "recall": recall.reindex(lengths).to_numpy()}
    )  # fmt: skip


@lru_cache
def cut_needed(n: int, scale: float) -> int:
    """The least m at which softmax matrices of n random tokens, cut to rank m, err by half."""
    q, k, v = sequences(n, FitConfig().dim, scale, DRAWS, torch.Generator().manual_seed(0))
    return int((cut_errors(q, k, v) > HALF).sum()) + 1


def _step(
    config: FitConfig,
    weights: Tensors,
    optimizer: torch.optim.Optimizer,
    generator: torch.Generator,
    at: int,
) -> float:
    for group in optimizer.param_groups:
        group["lr"] = config.lr * (1 + math.cos(math.pi * at / config.steps)) / 2
    q, k, v = sequences(config.tokens, config.dim, config.scale, config.batch_size, generator)
    out = linformer_attention(q, k, v, weights["e"], weights["f"])
    loss = (out - softmax_attention(q, k, v)).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


FIT = Task("attention.projection", 1, FitConfig, lambda config: "generated", fit)
