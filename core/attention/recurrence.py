"""Linear attention as a recurrent network: a state S and a sum z, one token after another.

Source: https://kexue.fm/archives/7546, eq. (9), (10).
Axes: n tokens, d width of q, k and v, f features.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from core.attention.linear import linear_attention
from core.attention.shipped import FOLDER
from core.attention.state import State, recurrent_state, recurrent_step
from core.knobs import Choice, Config, Range
from core.tables import load_table

DRIFT = FOLDER / "drift.json"
LENGTH = 24  # tokens of the run that is stepped through
LONG = 10_000  # tokens of the long runs
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True)
class RecurrenceConfig(Config):
    """Random tokens, and how many of them have been read."""

    token: Annotated[int, Range(0, LENGTH)] = 8
    kernel: Annotated[str, Choice("elu", "relu", "exp", "cosine", "taylor2")] = "elu"
    dim: Annotated[int, Range(1, 6)] = 4
    seed: Annotated[int, Range(0, 99)] = 0


@dataclass(frozen=True)
class Recurrence:
    """The state after some tokens, and the outputs so far beside those of the parallel form."""

    state: pd.DataFrame  # feature, column, value: S, and z in the last column
    outputs: pd.DataFrame  # token, value, curve in {"parallel", "recurrent"}: first number of out
    difference: float  # largest between the two forms, over all tokens and numbers so far
    numerator: float  # phi(q)·S of the last token, first number
    denominator: float  # phi(q)·z of the last token
    bound: float  # no number of the state is larger in this run
    features: int
    numbers: int  # that the state holds
    cache: int  # that a cache of keys and values holds by now

    @property
    def output(self) -> float:
        """The first number of the last token's output; 0 where it looks at nothing."""
        return self.numerator / self.denominator if self.denominator else 0.0


@dataclass(frozen=True)
class DriftConfig(Config):
    """Which of the long runs is shown."""

    kernel: Annotated[str, Choice("elu", "relu", "exp")] = "elu"
    meter: Annotated[str, Choice("output", "normalizer")] = "output"


@dataclass(frozen=True)
class Drift:
    """How far a state kept in few digits is from the same state kept in many."""

    errors: pd.DataFrame  # token, value, curve (a dtype): relative error
    last: pd.DataFrame  # dtype, value: after the last token
    worst: str  # dtype
    error: float  # its relative error at the end


def tokens(config: RecurrenceConfig) -> Float[Tensor, "three n d"]:
    """q, k and v of every token of the run, N(0, 1), float64."""
    generator = torch.Generator().manual_seed(config.seed)
    return torch.randn(3, LENGTH, config.dim, generator=generator, dtype=torch.float64)


def steps(config: RecurrenceConfig) -> Iterator[tuple[State, Float[Tensor, " d"]]]:
    """The state and the output after every token, one after another."""
    state = recurrent_state((), config.dim, config.dim, dtype=torch.float64)
    for q, k, v in tokens(config).unbind(1):
        out, state = recurrent_step(state, q, k, v, feature_map=config.kernel)
        yield state, out


def recurrence(config: RecurrenceConfig) -> Recurrence:
    """The run up to the config's token, beside the form that sees all tokens at once."""
    q, k, v = tokens(config)
    parallel = linear_attention(q, k, v, feature_map=config.kernel, causal=True)
    run = list(steps(config))
    so_far = run[: config.token]
    outs = torch.stack([out for _, out in so_far]) if so_far else parallel[:0]
    width = run[-1][0].z.shape[-1]
    state = so_far[-1][0] if so_far else recurrent_state((), width, config.dim)
    last = _terms(config, state, q) if so_far else (math.nan, math.nan)
    return Recurrence(
        state=_cells(state),
        outputs=_outputs(parallel, outs),
        difference=float((outs - parallel[: len(outs)]).abs().max()) if so_far else 0.0,
        numerator=last[0],
        denominator=last[1],
        bound=_round_up(max(float(_whole(each).abs().max()) for each, _ in run)),
        features=width,
        numbers=width * (config.dim + 1),
        cache=2 * config.dim * config.token,
    )


def drift(config: DriftConfig) -> Drift:
    """The kept errors of one kernel. Raises ValueError if the file is missing or damaged."""
    table = load_table(DRIFT, ("kernel", "meter", "dtype", "token", "error"))
    chosen = table[(table["kernel"] == config.kernel) & (table["meter"] == config.meter)]
    errors = chosen.rename(columns={"error": "value", "dtype": "curve"})
    errors = errors[["token", "value", "curve"]].reset_index(drop=True)
    last = errors[errors["token"] == LONG].rename(columns={"curve": "dtype"})
    last = last[["dtype", "value"]].reset_index(drop=True)
    ends = dict(zip(last["dtype"], last["value"], strict=True))
    worst = max(ends, key=lambda dtype: ends[dtype])
    return Drift(errors, last, str(worst), float(ends[worst]))


def drifts(
    kernel: str, dtype: str, at: list[int], *, heads: int = 16, dim: int = 16
) -> pd.DataFrame:
    """token, meter, error: of a state kept in `dtype`, against float64 on the same tokens.

    The tokens are rounded to the dtype first, so that only the sums differ. Errors are relative
    Euclidean ones over all heads: of the outputs, and of z.
    """
    generator = torch.Generator().manual_seed(0)
    rough = recurrent_state((heads,), dim, dim, dtype=DTYPES[dtype])
    exact = recurrent_state((heads,), dim, dim, dtype=torch.float64)
    rows = []
    for token in range(1, max(at) + 1):
        q, k, v = torch.randn(3, heads, dim, generator=generator).to(DTYPES[dtype])
        out, rough = recurrent_step(rough, q, k, v, feature_map=kernel)
        q, k, v = (x.double() for x in (q, k, v))
        reference, exact = recurrent_step(exact, q, k, v, feature_map=kernel)
        if token in at:
            rows.append((token, "output", relative(out, reference)))
            rows.append((token, "normalizer", relative(rough.z, exact.z)))
    return pd.DataFrame(rows, columns=["token", "meter", "error"])


def relative(found: Tensor, exact: Float[Tensor, "*any"]) -> float:
    """|found - exact| / |exact|."""
    return float((found.double() - exact).norm() / exact.norm())


def _terms(config: RecurrenceConfig, state: State, q: Tensor) -> tuple[float, float]:
    """Numerator and denominator of the last token's first number."""
    phi = state.phi
    assert phi is not None  # a token has been read
    query = phi.query(q[state.steps - 1])
    return float(query @ state.s[:, 0]), float(query @ state.z)


def _whole(state: State) -> Float[Tensor, "f columns"]:
    """S with z beside it."""
    return torch.cat([state.s, state.z.unsqueeze(-1)], dim=-1)


def _cells(state: State) -> pd.DataFrame:
    whole = _whole(state)
    features, columns = whole.shape
    names = [*(str(column) for column in range(1, columns)), "z"]
    return pd.DataFrame(
        {
            "feature": [str(f) for f in range(1, features + 1) for _ in names],
            "column": names * features,
            "value": whole.flatten().double().numpy(),
        }
    )


def _outputs(parallel: Tensor, recurrent: Tensor) -> pd.DataFrame:
    curves = {"parallel": parallel, "recurrent": recurrent}
    return pd.concat(
        [
            pd.DataFrame(
                {"token": range(1, len(out) + 1), "value": out[:, 0].numpy(), "curve": curve}
            )
            for curve, out in curves.items()
            if len(out)
        ],
        ignore_index=True,
    )


def _round_up(value: float) -> float:
    """To one digit: the end of a color scale that holds for a whole run."""
    digit = 10.0 ** math.floor(math.log10(value))
    return math.ceil(value / digit) * digit
