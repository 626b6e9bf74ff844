"""What each measure makes of our own judged pairs: rank correlation with the grades, and by kind.

140 pairs of sentences, Chinese and English, whose grades follow a written rubric by construction
(`pretrained/similarity/judged.toml`). They are ours and no benchmark: two fifths of them are built
to mislead a measure that looks at words alone.

An interval is a bootstrap over the groups, since the five pairs of a group share a sentence.
"""

import hashlib
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float64, Int64
from scipy.stats import rankdata

from core.encoders import EMBEDDED
from core.knobs import Choice, Config, Range, Text
from core.runs import trained
from core.similarity.embedding import digest_of_encoder
from core.similarity.measures import MEASURES, Sight
from core.similarity.ranks import counts_of, resampled_spearman
from core.similarity.reading import Source, source
from core.store import Tensors
from core.training import Snapshot, Task

FILE = Path(__file__).parents[2] / "pretrained" / "similarity" / "judged.toml"
DRAWS = 500  # of the bootstrap
SHARE = 0.95  # of the draws that an interval holds


@dataclass(frozen=True)
class JudgedPair:
    """Two sentences, how they are related, and the grade that follows from it."""

    group: str
    languages: str  # "en-en", "zh-zh", "en-zh" or "zh-en"
    kind: str  # "paraphrase", "negation", "swapped", "topic" or "unrelated"
    grade: int
    first: str
    second: str


@dataclass(frozen=True)
class ScoresConfig(Config):
    """Whose vectors."""

    model: Annotated[str, Text(120)] = ""  # an encoder's name or folder; "": the embedded one


@dataclass(frozen=True)
class JudgedConfig(Config):
    """Which of the pairs."""

    languages: Annotated[str, Choice("all", "en-en", "zh-zh", "across")] = "all"
    seed: Annotated[int, Range(0, 99, 1)] = 0  # of the bootstrap
    model: Annotated[str, Text(120)] = ""

    @property
    def scores(self) -> ScoresConfig:
        """What has to be measured first."""
        return ScoresConfig(self.model)


@dataclass(frozen=True)
class Judged:
    """How far each measure agrees with the grades."""

    correlations: pd.DataFrame  # measure, value: Spearman's, low, high: its interval; best first
    kinds: pd.DataFrame  # measure, kind, rank: mean place of its pairs, 0 farthest to 1 nearest
    examples: pd.DataFrame  # kind, grade, first, second: of one group
    pairs: int
    groups: int
    best: str  # the measure with the greatest correlation
    value: float
    low: float
    high: float
    made_by: Source  # of the vectors


@lru_cache(maxsize=1)
def judged_pairs() -> tuple[JudgedPair, ...]:
    """All pairs, group by group."""
    content = tomllib.loads(FILE.read_text(encoding="utf-8"))
    return tuple(
        JudgedPair(
            group=group["id"],
            languages="-".join(group["languages"]),
            kind=kind,
            grade=row["grade"],
            first=group["anchor"],
            second=group[kind],
        )
        for group in content["groups"]
        for kind, row in content["kinds"].items()
    )


def measure(config: ScoresConfig, state: Tensors | None = None) -> Iterator[Snapshot]:
    """Every measure of every pair, a pair at a time: "scores" [pairs, measures]."""
    sight, pairs = Sight(config.model), judged_pairs()
    rows: list[list[float]] = state["scores"].tolist() if state else []
    for pair in pairs[len(rows) :]:
        rows.append([score(sight, pair.first, pair.second) for score in MEASURES.values()])
        scores = partial(_as_tensors, rows)
        yield Snapshot(len(rows), len(pairs), {"wrd": rows[-1][0]}, weights=scores, state=scores)


def _as_tensors(rows: list[list[float]]) -> Tensors:
    return {"scores": torch.tensor(rows, dtype=torch.float64)}


def _data(config: ScoresConfig) -> str:
    """The digests of the pairs and of the encoder."""
    digest = hashlib.sha256(FILE.read_bytes()).hexdigest()[:32]
    return f"{digest} {digest_of_encoder(config.model)}".strip()


JUDGED = Task("similarity.judged", 1, ScoresConfig, _data, measure)


def judged(config: JudgedConfig) -> Judged:
    """Every measure against the grades."""
    scores = trained(JUDGED, config.scores).tensors["scores"].numpy()
    chosen = [i for i, pair in enumerate(judged_pairs()) if _is_asked(pair, config.languages)]
    pairs, scores = [judged_pairs()[i] for i in chosen], scores[chosen]
    correlations = _correlations(pairs, scores, config.seed)
    best = correlations.iloc[0]
    shown = [vars(pair) for pair in pairs if pair.group == pairs[0].group]
    return Judged(
        correlations=correlations,
        kinds=_kinds(pairs, scores, correlations["measure"].tolist()),
        examples=pd.DataFrame(shown)[["kind", "grade", "first", "second"]],
        pairs=len(pairs),
        groups=len({pair.group for pair in pairs}),
        best=str(best["measure"]),
        value=float(best["value"]),
        low=float(best["low"]),
        high=float(best["high"]),
        made_by=source(config.model or EMBEDDED),
    )


def draws(groups: Sequence[str], count: int, seed: int) -> Int64[np.ndarray, "count pairs"]:
    """The rows of as many groups as there are, drawn with replacement, `count` times.

    Every group must have as many rows as the others.
    """
    names = np.array(groups)
    members = np.stack([np.flatnonzero(names == name) for name in dict.fromkeys(groups)])
    generator = np.random.default_rng(seed)
    return members[generator.integers(0, len(members), (count, len(members)))].reshape(count, -1)


def _is_asked(pair: JudgedPair, languages: str) -> bool:
    across = {"en-zh", "zh-en"}
    return languages in ("all", pair.languages) or (
        languages == "across" and pair.languages in across
    )


def _correlations(
    pairs: Sequence[JudgedPair], scores: Float64[np.ndarray, "pairs measures"], seed: int
) -> pd.DataFrame:
    """Spearman's correlation, and the interval that 95 % of the draws of groups fall into."""
    grades = np.array([float(pair.grade) for pair in pairs])
    rows = draws([pair.group for pair in pairs], DRAWS, seed)
    (value,) = resampled_spearman(
        scores, grades, counts_of(np.arange(len(pairs))[None], len(pairs))
    )
    drawn = resampled_spearman(scores, grades, counts_of(rows, len(pairs)))
    low, high = np.quantile(drawn, [(1 - SHARE) / 2, (1 + SHARE) / 2], axis=0)
    table = {"measure": list(MEASURES), "value": value, "low": low, "high": high}
    return pd.DataFrame(table).sort_values("value", ascending=False, ignore_index=True)


def _kinds(
    pairs: Sequence[JudgedPair], scores: Float64[np.ndarray, "pairs measures"], order: Sequence[str]
) -> pd.DataFrame:
    """Where each measure puts the pairs of a kind among all: places compare, scores do not."""
    places = (rankdata(scores, axis=0) - 1) / max(len(scores) - 1, 1)
    table = pd.DataFrame(places, columns=list(MEASURES)).assign(kind=[p.kind for p in pairs])
    means = table.groupby("kind", sort=False).mean().rename_axis(columns="measure")
    rows = means[list(order)].T.reset_index()
    return rows.melt("measure", var_name="kind", value_name="rank")
