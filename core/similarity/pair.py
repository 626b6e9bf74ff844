"""Two sentences: how the words of one are moved onto the other, and what every measure says.

Sources: https://kexue.fm/archives/7388, eq. 1 to 7. Axes: m words of the first, n of the second.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import pandas as pd

from core.encoders import EMBEDDED
from core.knobs import Choice, Config, Range, Text
from core.similarity.costs import COSTS, position
from core.similarity.distances import rwmd, wcd, wmd, wmd_bounds, wrd, wrd_bounds
from core.similarity.reading import (
    EXAMPLES,
    BadText,
    Layer,
    Reading,
    Source,
    mean_vector,
    read,
    source,
)
from core.similarity.transport import Transport, transport
from core.similarity.words import MASSES, masses

LENGTH = 200  # characters of a sentence
ROW = 600  # of a row of masses
SMALL = 1e-9  # a distance below it is 0
LAYERS = 24  # of the largest encoder that a control can walk through


@dataclass(frozen=True)
class PlanConfig(Config):
    """Two sentences, what a word weighs, and what moving it costs."""

    first: Annotated[str, Text(LENGTH)] = EXAMPLES["bilingual"][0]
    second: Annotated[str, Text(LENGTH)] = EXAMPLES["bilingual"][1]
    vectors: Annotated[str, Choice("contextual", "static")] = "contextual"
    masses: Annotated[str, Choice(*MASSES)] = "norm"
    cost: Annotated[str, Choice(*COSTS)] = "cosine"
    centred: bool = True
    tokens: Annotated[str, Choice("words", "pieces")] = "words"
    stop_words: bool = True
    layer: Annotated[int, Range(0, LAYERS, 1)] = LAYERS  # beyond the encoder's last: the last
    position: Annotated[float, Range(0.0, 1.0, 0.05)] = 0.0
    p: Annotated[str, Text(ROW)] = ""  # own masses, in the order of the words
    q: Annotated[str, Text(ROW)] = ""
    model: Annotated[str, Text(120)] = ""  # an encoder's name or folder; nothing: the embedded one


@dataclass(frozen=True)
class Plan:
    """The cheapest plan between two sentences, and the measures of their likeness."""

    cells: pd.DataFrame  # first, second (words, each once), mass that moves, cost of moving it
    weights: pd.DataFrame  # word, side in {"first", "second"}, mass, norm
    measures: pd.DataFrame  # measure, value
    bounds: pd.DataFrame  # bound, value, share: of the distance that it bounds
    value: float  # what the plan costs
    words: tuple[tuple[str, ...], tuple[str, ...]]
    unknown: int
    truncated: bool
    made_by: Source  # of the vectors


def plan(config: PlanConfig) -> Plan:
    """Move the first sentence onto the second. Raises BadText if one of them can't be read."""
    x, y = readings(config)
    p, q = _masses(config, "p", x), _masses(config, "q", y)
    cost = COSTS[config.cost](x.vectors, y.vectors)
    cost = cost + config.position * position(*cost.shape)
    found = transport(p, q, cost)
    return Plan(
        cells=_cells(x, y, found, cost),
        weights=_weights(x, y, p, q),
        measures=measures(x, y),
        bounds=bounds(x, y),
        value=found.value,
        words=(x.labels, y.labels),
        unknown=x.unknown + y.unknown,
        truncated=x.truncated or y.truncated,
        made_by=source(config.model or EMBEDDED),
    )


def readings(config: PlanConfig) -> tuple[Reading, Reading]:
    """Both sentences with the vectors that the settings ask for."""
    model, depth = config.model or EMBEDDED, config.layer if config.layer < LAYERS else -1
    layer = Layer(config.vectors == "contextual", depth if config.vectors == "contextual" else -1)
    found = [read(text, model, layer) for text in (config.first, config.second)]
    if config.tokens == "words":
        found = [reading.joined() for reading in found]
    if not config.stop_words:
        found = [reading.without_stop_words() for reading in found]
    if config.centred:
        mean = mean_vector(model, layer)
        found = [reading.centred(mean) for reading in found]
    return found[0], found[1]


def measures(x: Reading, y: Reading) -> pd.DataFrame:
    """WMD, WRD, the cosine of the mean vectors, the encoder's own score: measure, value."""
    values = {
        "wmd": wmd(x.vectors, y.vectors),
        "wrd": wrd(x.vectors, y.vectors),
        "mean": cosine(x.vectors.mean(axis=0), y.vectors.mean(axis=0)),
        "sentence": cosine(x.sentence, y.sentence),
    }
    return pd.DataFrame({"measure": list(values), "value": list(values.values())})


def bounds(x: Reading, y: Reading) -> pd.DataFrame:
    """What is known of WMD and WRD without a solver: bound, value, share of the exact distance.

    The share is NaN between equal texts, whose distance is 0.
    """
    a, b = x.vectors, y.vectors
    (_, most), (least_rotated, most_rotated) = wmd_bounds(a, b), wrd_bounds(a, b)
    exact = {"wmd": wmd(a, b), "wrd": wrd(a, b)}
    rows = [
        ("wcd", wcd(a, b), "wmd"),
        ("rwmd", rwmd(a, b), "wmd"),
        ("wmd-upper", most, "wmd"),
        ("wrd-lower", least_rotated, "wrd"),
        ("wrd-upper", most_rotated, "wrd"),
    ]
    return pd.DataFrame(
        [
            (name, value, value / exact[distance] if exact[distance] > SMALL else np.nan)
            for name, value, distance in rows
        ],
        columns=["bound", "value", "share"],
    )


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    """The cosine of the angle between two vectors; 0 if one of them is zero."""
    size = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / size if size else 0.0


def own_masses(text: str, count: int) -> np.ndarray:
    """Masses that a reader typed, brought to a sum of 1. Raises BadText if they are none."""
    try:
        numbers = np.array([float(part) for part in text.replace(",", " ").split()])
    except ValueError as error:
        raise BadText("masses-number", text[:40]) from error
    if len(numbers) != count:
        raise BadText("masses-count", f"{len(numbers)} ≠ {count}")
    if not np.isfinite(numbers).all() or (numbers < 0).any() or not 0 < numbers.sum() < np.inf:
        raise BadText("masses-sign", text[:40])
    return numbers / numbers.sum()


def edited_masses(masses: Sequence[float], changed: Mapping[int, float]) -> str:
    """The row that a reader would type to change some masses and leave the others."""
    return " ".join(f"{changed.get(place, mass):.3g}" for place, mass in enumerate(masses))


def _masses(config: PlanConfig, name: str, reading: Reading) -> np.ndarray:
    typed = getattr(config, name).strip()
    if typed:
        return own_masses(typed, len(reading.words))
    return masses(config.masses, reading.words, reading.norms)


def _cells(x: Reading, y: Reading, found: Transport, cost: np.ndarray) -> pd.DataFrame:
    first, second = np.meshgrid(x.labels, y.labels, indexing="ij")
    columns = {"first": first, "second": second, "mass": found.plan, "cost": cost}
    return pd.DataFrame({name: values.ravel() for name, values in columns.items()})


def _weights(x: Reading, y: Reading, p: np.ndarray, q: np.ndarray) -> pd.DataFrame:
    sides = (("first", x, p), ("second", y, q))
    tables = [
        pd.DataFrame({"word": r.labels, "side": side, "mass": mass, "norm": r.norms})
        for side, r, mass in sides
    ]
    return pd.concat(tables, ignore_index=True)
