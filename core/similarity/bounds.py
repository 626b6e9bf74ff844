"""The bounds on many pairs at once: how tight they are, and which slip of code breaks one.

Source: https://kexue.fm/archives/7388, eq. 3, 4 and 8, and its reference implementation.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from typing import Annotated

import numpy as np
import pandas as pd

from core.knobs import Choice, Config, Range
from core.similarity.distances import rwmd, wcd, wmd, wmd_bounds, wrd, wrd_bounds
from core.similarity.reading import Layer, example_texts, mean_vector, read

PAIRS = 60
ROUNDING = 1e-9

Pair = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class BoundsConfig(Config):
    """Which distance, between texts of how many words in how many dimensions."""

    distance: Annotated[str, Choice("wmd", "code", "wrd")] = "code"
    source: Annotated[str, Choice("random", "sentences")] = "random"
    dim: Annotated[int, Range(1, 768, 1)] = 300  # of the random vectors
    words: Annotated[int, Range(1, 30, 1)] = 8
    seed: Annotated[int, Range(0, 99, 1)] = 0


@dataclass(frozen=True)
class Bounds:
    """The bounds of every pair beside its exact distance."""

    points: pd.DataFrame  # x: exact distance, curve: which bound, or "diagonal"; value
    table: pd.DataFrame  # bound, holds: in how many pairs, ratio: mean of bound / distance
    pairs: int
    broken: int  # pairs with a bound on the wrong side
    factor: float  # mean of WMD / what the post's code returns
    root: float  # √d


def bounds(config: BoundsConfig) -> Bounds:
    """Every pair's distance and bounds."""
    pairs = _sentences() if config.source == "sentences" else _random(config)
    exact, limits = LIMITS[config.distance]
    distances = np.array([exact(x, y) for x, y in pairs])
    found = {name: np.array([limit(x, y) for x, y in pairs]) for name, limit in limits.items()}
    apart = distances > ROUNDING  # equal texts have no ratio
    wrong = {name: _wrong(name, values, distances) for name, values in found.items()}
    factors = [wmd(x, y) / code_wmd(x, y) for x, y in pairs]
    return Bounds(
        points=_points(distances, found),
        table=pd.DataFrame(
            {
                "bound": list(found),
                "holds": [float(len(pairs) - wrong[name].sum()) for name in found],
                "ratio": [float((v[apart] / distances[apart]).mean()) for v in found.values()],
            }
        ),
        pairs=len(pairs),
        broken=int(np.logical_or.reduce(list(wrong.values())).sum()),
        factor=float(np.mean(factors)),
        root=math.sqrt(pairs[0][0].shape[1]),
    )


def code_wmd(x: np.ndarray, y: np.ndarray) -> float:
    """What the post's reference code returns for WMD: its mean over dimensions divides by √d."""
    return wmd(x, y) / math.sqrt(x.shape[1])


Limit = Callable[[np.ndarray, np.ndarray], float]
# For each distance: the exact one, and its bounds. Upper bounds have "upper" in their name.
LIMITS: dict[str, tuple[Limit, dict[str, Limit]]] = {
    "wmd": (
        wmd,
        {"wcd": wcd, "rwmd": rwmd, "wmd-upper": lambda x, y: wmd_bounds(x, y)[1]},
    ),
    "code": (
        code_wmd,
        {"wcd": wcd, "wcd-root": lambda x, y: wcd(x, y) / math.sqrt(x.shape[1])},
    ),
    "wrd": (
        wrd,
        {
            "wrd-lower": lambda x, y: wrd_bounds(x, y)[0],
            "wrd-no-half": lambda x, y: 2 * wrd_bounds(x, y)[0],
            "wrd-upper": lambda x, y: wrd_bounds(x, y)[1],
        },
    ),
}


def _wrong(name: str, values: np.ndarray, distances: np.ndarray) -> np.ndarray:
    slack = ROUNDING * np.maximum(distances, 1)
    return values < distances - slack if "upper" in name else values > distances + slack


def _random(config: BoundsConfig) -> list[Pair]:
    """Texts whose words lie around a topic of their own, weakly or strongly."""
    generator = np.random.default_rng(config.seed)
    pairs = []
    for strength in np.linspace(0, 1, PAIRS):
        topics = strength * generator.standard_normal((2, 1, config.dim))
        x, y = generator.standard_normal((2, config.words, config.dim)) + topics
        pairs.append((x, y))
    return pairs


@lru_cache(maxsize=1)
def _sentences() -> list[Pair]:
    """Every two of the example texts, in the last layer of the encoder, centred."""
    mean = mean_vector()
    vectors = [read(text, layer=Layer()).joined().centred(mean).vectors for text in example_texts()]
    return list(combinations(vectors, 2))


def _points(distances: np.ndarray, found: dict[str, np.ndarray]) -> pd.DataFrame:
    span = np.array([distances.min(), distances.max()])
    curves = {"diagonal": (span, span), **{k: (distances, v) for k, v in found.items()}}
    tables = [pd.DataFrame({"x": x, "curve": k, "value": v}) for k, (x, v) in curves.items()]
    return pd.concat(tables, ignore_index=True)
