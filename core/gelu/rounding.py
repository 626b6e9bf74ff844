"""Is an approximation worse than the rounding of the number format it runs in?

Source: https://kexue.fm/archives/7309, eq. (1), (3), (4), evaluated in three float formats.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor

from core.gelu.functions import gelu, gelu_sigmoid, gelu_tanh
from core.knobs import Choice, Config, Range

FORMATS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
SOURCES: dict[str, Callable[[Tensor], Tensor]] = {
    "rounding": F.gelu,
    "tanh": gelu_tanh,
    "sigmoid": gelu_sigmoid,
}
POINTS = 801
FLOOR = 1e-20  # stands for an error of exactly 0 on a log axis


@dataclass(frozen=True)
class RoundingConfig(Config):
    """A number format and how far out."""

    dtype: Annotated[str, Choice(*FORMATS)] = "float32"
    reach: Annotated[float, Range(2.0, 8.0, 0.5)] = 5.0


@dataclass(frozen=True)
class Rounding:
    """Absolute errors against GELU in float64; `source` is "rounding", "tanh" or "sigmoid"."""

    errors: pd.DataFrame  # x, source, error > 0
    half_ulp: pd.DataFrame  # x, error: the least that any rounded result must allow
    worst: pd.DataFrame  # source, error
    share: pd.DataFrame  # source, share of the points with error <= half an ulp of the result


def rounding(config: RoundingConfig) -> Rounding:
    """Each formula computed wholly in the format, on points that the format represents."""
    dtype = FORMATS[config.dtype]
    x = torch.linspace(-config.reach, config.reach, POINTS, dtype=torch.float64).to(dtype)
    true = gelu(x.double())
    half_ulp = _half_ulp(true, dtype)
    errors = {name: (f(x).double() - true).abs() for name, f in SOURCES.items()}
    shares = [(name, float((error <= half_ulp).double().mean())) for name, error in errors.items()]
    worst = [(name, float(error.max())) for name, error in errors.items()]
    return Rounding(
        errors=pd.concat([_table(x, name, error) for name, error in errors.items()]).reset_index(
            drop=True
        ),
        half_ulp=pd.DataFrame({"x": x.double().numpy(), "error": half_ulp.numpy()}),
        worst=pd.DataFrame(worst, columns=["source", "error"]),
        share=pd.DataFrame(shares, columns=["source", "share"]),
    )


def _half_ulp(value: Tensor, dtype: torch.dtype) -> Tensor:
    """Half the gap between neighbors of the format around each value; float64."""
    info = torch.finfo(dtype)
    size = value.abs().clamp(min=info.smallest_normal)
    return 0.5 * info.eps * torch.exp2(torch.floor(torch.log2(size)))


def _table(x: Tensor, name: str, error: Tensor) -> pd.DataFrame:
    floored = np.maximum(error.numpy(), FLOOR)
    return pd.DataFrame({"x": x.double().numpy(), "source": name, "error": floored})
