"""Where the distances fail: they do not see order, hardly see a "not", and WRD takes detours.

A remedy to try for the order: moving a word to another place of its text costs, too.

Source: https://kexue.fm/archives/7388, sections on WMD and WRD; the failures are not in the post.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

import numpy as np
import pandas as pd

from core.knobs import Choice, Config, Range
from core.similarity.costs import angle, position
from core.similarity.distances import euclidean, rotation, wrd
from core.similarity.pair import measures
from core.similarity.reading import EXAMPLES, Layer, Reading, mean_vector, read
from core.similarity.transport import transport
from core.similarity.vectors import pair_of

GRID = np.linspace(0, 1, 21)  # position costs of the curves
CASES = tuple(name for name in EXAMPLES if name != "bilingual")


@dataclass(frozen=True)
class OrderConfig(Config):
    """Which vectors and distance, and how much a word's place counts."""

    vectors: Annotated[str, Choice("static", "contextual")] = "static"
    distance: Annotated[str, Choice("wmd", "wrd")] = "wrd"
    position: Annotated[float, Range(0.0, 1.0, 0.05)] = 0.0


@dataclass(frozen=True)
class Order:
    """The examples under a growing position cost, and what every measure says of them."""

    curves: pd.DataFrame  # x (position cost), curve (an example), value
    table: pd.DataFrame  # example, own (at the chosen position cost), mean, sentence
    swapped: float  # the distance of the sentences with swapped roles, mean of both languages
    paraphrase: float
    crossing: float  # position cost from which swapped roles are farther than a paraphrase; NaN


def order(config: OrderConfig) -> Order:
    """Every example at that position cost, and the curves over all of them."""
    curves = _order_curves(config.vectors, config.distance)
    now = {name: _positioned(*_pair(name, config.vectors), config) for name in CASES}
    scores = {name: measures(*_pair(name, config.vectors)) for name in CASES}
    by_measure = {
        name: dict(zip(found["measure"], found["value"], strict=True))
        for name, found in scores.items()
    }
    return Order(
        curves=curves,
        table=pd.DataFrame(
            {
                "example": list(CASES),
                "own": list(now.values()),
                "mean": [by_measure[name]["mean"] for name in CASES],
                "sentence": [by_measure[name]["sentence"] for name in CASES],
            }
        ),
        swapped=(now["order-zh"] + now["order-en"]) / 2,
        paraphrase=now["paraphrase"],
        crossing=_crossing(curves),
    )


@dataclass(frozen=True)
class TriangleConfig(Config):
    """Three texts of one word each: two at an angle, and one between them."""

    end: Annotated[int, Range(10, 180, 5)] = 90  # degrees
    middle: Annotated[int, Range(0, 100, 5)] = 50  # percent of the way


@dataclass(frozen=True)
class Triangle:
    """Straight there, and by way of the text between, for two costs."""

    curves: pd.DataFrame  # x (degrees of the middle), curve, value
    direct: float  # WRD
    detour: float
    direct_angle: float  # in right angles
    detour_angle: float


def triangle(config: TriangleConfig) -> Triangle:
    """The distance of the ends, and the sum over the text between."""
    end = float(config.end)
    at, x = end * config.middle / 100, np.linspace(0.0, end, 46)
    detours = [_detour(float(degrees), end) for degrees in [*x, at]]
    direct, direct_angle = wrd(_word(0.0), _word(end)), _angle(0.0, end)
    curves = {
        "direct": [direct] * len(x),
        "detour": [cosine for cosine, _ in detours[:-1]],
        "direct-angle": [direct_angle] * len(x),
        "detour-angle": [angle for _, angle in detours[:-1]],
    }
    tables = [pd.DataFrame({"x": x, "curve": k, "value": v}) for k, v in curves.items()]
    return Triangle(pd.concat(tables, ignore_index=True), direct, detours[-1][0], direct_angle,
                    detours[-1][1])  # fmt: skip


def broken_triangles(count: int, generator: np.random.Generator) -> tuple[float, float]:
    """The share of random triples of texts that WRD takes a detour for, and the worst gain."""
    gains = []
    for _ in range(count):
        x, y, z = (
            generator.standard_normal((generator.integers(1, 6), 3))
            + 2 * generator.standard_normal(3)
            for _ in range(3)
        )
        gains.append(wrd(x, z) - wrd(x, y) - wrd(y, z))
    return float(np.mean(np.array(gains) > 1e-9)), float(max(gains))


def _positioned(x: Reading, y: Reading, config: OrderConfig) -> float:
    return _distance(x, y, config.distance, config.position)


def _distance(x: Reading, y: Reading, distance: str, weight: float) -> float:
    """WMD or WRD with a position cost."""
    a, b = pair_of(x.vectors, y.vectors)
    if distance == "wmd":
        p, q, cost = a.uniform, b.uniform, euclidean(a, b)
    else:
        p, q, cost = a.shares, b.shares, rotation(a, b)
    return max(0.0, transport(p, q, cost + weight * position(*cost.shape)).value)


@lru_cache(maxsize=2 * len(CASES))
def _pair(example: str, vectors: str) -> tuple[Reading, Reading]:
    layer = Layer(contextual=vectors == "contextual")
    mean = mean_vector(layer=layer)
    first, second = (read(text, layer=layer).joined().centred(mean) for text in EXAMPLES[example])
    return first, second


@lru_cache(maxsize=4)
def _order_curves(vectors: str, distance: str) -> pd.DataFrame:
    tables = []
    for name in CASES:
        values = [_distance(*_pair(name, vectors), distance, weight) for weight in GRID]
        tables.append(pd.DataFrame({"x": GRID, "curve": name, "value": values}))
    return pd.concat(tables, ignore_index=True)


def _crossing(curves: pd.DataFrame) -> float:
    wide = curves.pivot(index="x", columns="curve", values="value")
    beyond = wide[["order-zh", "order-en"]].min(axis=1) > wide["paraphrase"]
    return float(beyond.index[beyond][0]) if beyond.any() else float("nan")


def _word(degrees: float) -> np.ndarray:
    return np.array([[np.cos(np.radians(degrees)), np.sin(np.radians(degrees))]])


def _angle(start: float, end: float) -> float:
    return float(angle(_word(start), _word(end))[0, 0])


def _detour(middle: float, end: float) -> tuple[float, float]:
    by_cosine = wrd(_word(0.0), _word(middle)) + wrd(_word(middle), _word(end))
    return by_cosine, _angle(0.0, middle) + _angle(middle, end)
