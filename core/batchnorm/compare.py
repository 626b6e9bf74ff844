"""A normalized network beside the plain one: same data, same start, same learning rate.

`python scripts/train_batchnorm_networks.py` makes what ships.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Annotated, Any

import pandas as pd

from core import library
from core.batchnorm.data import DATA
from core.batchnorm.networks import ACTIVATIONS, PLACEMENTS, STARTS
from core.batchnorm.norms import NORMS, REFUSED_ALONE
from core.batchnorm.training import TRAINING, TrainConfig
from core.knobs import Choice, Config, Range
from core.runs import trained

EDGE = TrainConfig(
    norm="none", activation="tanh", batch_size=4000, steps=800, lr=0.4, standardized=True
)
SHIPPED: dict[str, TrainConfig] = {
    **{f"none-{lr:g}": TrainConfig(norm="none", lr=lr) for lr in (0.1, 0.3, 1.0)},
    **{f"batch-{lr:g}": TrainConfig(lr=lr) for lr in (0.1, 0.3, 1.0)},
    "before": TrainConfig(placement="before"),
    "layer": TrainConfig(norm="layer"),
    "noisy": TrainConfig(noise=0.5),
    "edge-none": EDGE,
    "edge-batch": replace(EDGE, norm="batch"),
    "cnn-none": TrainConfig(net="cnn", norm="none"),
    "cnn-batch": TrainConfig(net="cnn"),
}
REPEATED = ("none-0.1", "none-0.3", "batch-0.1", "batch-0.3", "noisy")  # ship from three seeds
SEEDS = 3
AT_START = ("loss", "accuracy", "sharpness", "lowest", "highest", "distance", "smoothness")
Points = Sequence[Mapping[str, int | float]]  # a training's metrics, snapshot by snapshot
SIZES = {"1": 1, "4": 4, "16": 16, "64": 64, "256": 256, "all": 4000}


class OneSample(ValueError):
    """Nothing would be left of a batch of one."""


@dataclass(frozen=True)
class CompareConfig(Config):
    """A normalization, where it stands, and how both networks are trained."""

    norm: Annotated[str, Choice(*NORMS[1:])] = "batch"
    learning_rate: Annotated[float, Range(0.01, 3.0, 0.01)] = 1.0
    data: Annotated[str, Choice(*DATA)] = "digits"
    placement: Annotated[str, Choice(*PLACEMENTS)] = "after"
    net: Annotated[str, Choice("mlp", "cnn")] = "mlp"
    activation: Annotated[str, Choice(*ACTIVATIONS)] = "relu"
    start: Annotated[str, Choice(*STARTS)] = "torch"
    batch_size: Annotated[str, Choice(*SIZES)] = "64"
    standardized: bool = False
    affine: bool = True
    steps: Annotated[int, Range(200, 2000, 200)] = 400
    seed: Annotated[int, Range(0, 9)] = 0

    @property
    def trainings(self) -> Mapping[str, TrainConfig]:
        """Both trainings: "plain" and "normalized".

        Raises ValueError where normalization, network and data do not fit together, and OneSample
        where the batch is a single vector, which equals its own mean.
        """
        if self.net == "cnn" and self.data == "synthetic":
            raise ValueError("net is 'cnn', but the synthetic data are no images")
        if self.net == "mlp" and self.norm == "instance":
            raise ValueError("norm is 'instance', but a vector has one number a channel")
        if self.net == "mlp" and self.norm in REFUSED_ALONE and self.batch_size == "1":
            raise OneSample(f"batch_size is 1, but must be at least 2 where norm is {self.norm!r}")
        own = TrainConfig(
            data=self.data, net=self.net, norm=self.norm, placement=self.placement,
            activation=self.activation, start=self.start, standardized=self.standardized,
            affine=self.affine, lr=self.learning_rate, batch_size=SIZES[self.batch_size],
            steps=self.steps, seed=self.seed,
        )  # fmt: skip
        plain = replace(own, norm="none", placement="after", affine=True)  # it has no gain
        return {"plain": plain, "normalized": own}


def is_trained(config: CompareConfig) -> bool:
    """Whether both networks are here; settings that don't fit together have none."""
    try:
        return all(library.has(TRAINING.key(one)) for one in config.trainings.values())
    except ValueError:
        return False


def repeats(config: TrainConfig) -> list[TrainConfig]:
    """The same training from three seeds; seed k stands for 3k, 3k + 1 and 3k + 2."""
    return [replace(config, seed=SEEDS * config.seed + k) for k in range(SEEDS)]


@dataclass(frozen=True)
class Run:
    """How a training ended."""

    loss: float  # of the last batches, nats
    accuracy: float  # on the test set
    diverged: int  # the step in which the loss passed the limit; 0: it never did
    reached: float  # the loss there
    sharpness: float  # at the last look before the end
    limit: float  # 2 over that


@dataclass(frozen=True)
class Compare:
    """Curves by step; `curve` is "plain" or "normalized"."""

    losses: pd.DataFrame  # step, curve, loss
    sharpness: pd.DataFrame  # step, curve, value; "edge" is 2/rate
    updates: pd.DataFrame  # layer, curve, value: median relative update of a step
    landscape: pd.DataFrame  # step, curve, span, distance, smoothness: along the gradient
    runs: dict[str, Run]
    rate: float


def compare(config: CompareConfig) -> Compare:
    """Both networks; they are trained first, if they never were."""
    cards = {name: trained(TRAINING, one).meta for name, one in config.trainings.items()}
    return compared(cards, config.learning_rate)


def shipped(config: CompareConfig) -> Compare:
    """The default pair, to be looked at while the chosen one is not trained."""
    return _default_pair()


@lru_cache(maxsize=1)
def _default_pair() -> Compare:
    return compare(CompareConfig())


def compared(cards: Mapping[str, Mapping[str, Any]], rate: float) -> Compare:
    """Tables from the cards of trainings by name."""
    points = {name: curve(card) for name, card in cards.items()}
    losses = in_step({name: rows["loss"] for name, rows in points.items()}, "loss")
    sharpness = in_step({name: rows["sharpness"] for name, rows in points.items()}, "value")
    return Compare(
        losses=losses,
        sharpness=_with_edge(sharpness, rate),
        updates=pd.concat([_updates(name, rows) for name, rows in points.items()]),
        landscape=pd.concat([_landscape(name, rows) for name, rows in points.items()]),
        runs={name: _run(card, points[name]) for name, card in cards.items()},
        rate=rate,
    )


def curve(card: Mapping[str, Any]) -> pd.DataFrame:
    """The snapshots of a training by step; where it diverged, the last row has the loss there."""
    rows = pd.DataFrame(card["curve"]).astype({"step": int}).set_index("step")
    if not rows["diverged"].iloc[-1]:
        return rows
    end = rows.iloc[-1]
    seen = rows.iloc[:-1] if len(rows) > 1 else rows[[*AT_START]].set_axis([0])
    last = pd.DataFrame({"loss": end["reached"]}, index=[int(end["diverged"])])
    return pd.concat([seen, last]).rename_axis("step")


def in_step(curves: Mapping[str, pd.Series], value: str) -> pd.DataFrame:
    """Curves under each other over all their steps; one that ended early has gaps."""
    table = pd.DataFrame(curves).sort_index().rename_axis("step").reset_index()
    return table.melt("step", var_name="curve", value_name=value)


@dataclass(frozen=True)
class Live:
    """What is known of trainings that still run."""

    losses: pd.DataFrame  # step, curve, loss
    sharpness: pd.DataFrame  # step, curve, value; "edge" is 2/rate


def live(points: Mapping[str, Points], rate: float) -> Live:
    """Curves as far as they are; one that has not begun has none."""
    rows = {
        name: pd.DataFrame(list(part)).set_index("step") for name, part in points.items() if part
    }
    losses = in_step({name: part["loss"] for name, part in rows.items()}, "loss")
    sharpness = in_step({name: part["sharpness"] for name, part in rows.items()}, "value")
    return Live(losses, _with_edge(sharpness, rate))


def _with_edge(sharpness: pd.DataFrame, rate: float) -> pd.DataFrame:
    """The largest eigenvalues with the edge of stability beside them."""
    edge = pd.DataFrame({"step": sharpness["step"].unique(), "curve": "edge", "value": 2 / rate})
    return pd.concat([sharpness, edge], ignore_index=True)


def _updates(name: str, rows: pd.DataFrame) -> pd.DataFrame:
    layers = [column for column in rows if str(column).startswith("update_")]
    median = rows[layers].median()
    return pd.DataFrame(
        {"layer": range(1, len(layers) + 1), "curve": name, "value": median.to_numpy()}
    )


def _landscape(name: str, rows: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "step": rows.index,
            "curve": name,
            "span": (rows["highest"] - rows["lowest"]).to_numpy(),
            "distance": rows["distance"].to_numpy(),
            "smoothness": rows["smoothness"].to_numpy(),
        }
    )


def _run(card: Mapping[str, Any], rows: pd.DataFrame) -> Run:
    last, sharp = card["metrics"], float(rows["sharpness"].dropna().iloc[-1])
    return Run(
        loss=last["loss"],
        accuracy=last["accuracy"],
        diverged=int(last["diverged"]),
        reached=last["reached"],
        sharpness=sharp,
        limit=2 / sharp if sharp > 0 else float("inf"),
    )
