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
    factor: float  # WMD / what the post's code returns: of the first pair, as of every other
    root: float  # √d


def bounds(config: BoundsConfig) -> Bounds:
    """Every pair's distance and bounds."""
    pairs = _sentences() if config.source == "sentences" else _random(config)
    measured = [MEASURED[config.distance](x, y) for x, y in pairs]
    found = {name: np.array([one[name] for one in measured]) for name in measured[0]}
    distances = found.pop("exact")
    apart = distances > ROUNDING  # equal texts have no ratio
    wrong = {name: _wrong(name, values, distances) for name, values in found.items()}
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
        factor=wmd(*pairs[0]) / code_wmd(*pairs[0]),
        root=math.sqrt(pairs[0][0].shape[1]),
    )


def code_wmd(x: np.ndarray, y: np.ndarray) -> float:
    """What the post's reference code returns for WMD: its mean over dimensions divides by √d."""
    return wmd(x, y) / math.sqrt(x.shape[1])


def _wmd(x: np.ndarray, y: np.ndarray) -> dict[str, float]:
    _, upper = wmd_bounds(x, y)
    return {"exact": wmd(x, y), "wcd": wcd(x, y), "rwmd": rwmd(x, y), "wmd-upper": upper}


def _code(x: np.ndarray, y: np.ndarray) -> dict[str, float]:
    centroids, root = wcd(x, y), math.sqrt(x.shape[1])
    return {"exact": code_wmd(x, y), "wcd": centroids, "wcd-root": centroids / root}


def _wrd(x: np.ndarray, y: np.ndarray) -> dict[str, float]:
    lower, upper = wrd_bounds(x, y)
    return {
        "exact": wrd(x, y), "wrd-lower": lower, "wrd-no-half": 2 * lower, "wrd-upper": upper,
    }  # fmt: skip


# For each distance: the exact one, and its bounds. Upper bounds have "upper" in their name.
MEASURED: dict[str, Callable[[np.ndarray, np.ndarray], dict[str, float]]] = {
    "wmd": _wmd, "code": _code, "wrd": _wrd,
}  # fmt: skip


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
    x, values = (np.concatenate(column) for column in zip(*curves.values(), strict=True))
    names = np.repeat(list(curves), [len(place) for place, _ in curves.values()])
    return pd.DataFrame({"x": x, "curve": names, "value": values})
