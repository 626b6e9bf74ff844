"""The models that ship, loaded once, and what every panel reads off them."""

from functools import lru_cache
from typing import Any

from core import library
from core.nvae.config import NVAEConfig
from core.nvae.network import NVAE
from core.nvae.training import SHIPPED, TRAINING, restored

MODELS = ("glyphs", "digits", "mnist")
SCALES = ("coarse", "middle", "fine")  # their names, from the top


class Absent(ValueError):
    """A model that neither ships nor was trained here; `name` says which."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"the model {name!r} is not here: python -m core.nvae.train --dataset {name}"
        )
        self.name = name


@lru_cache(maxsize=4)
def model(name: str) -> NVAE:
    """The trained model, read-only. Raises Absent."""
    found = library.find(TRAINING.key(SHIPPED[name]))
    if found is None:
        raise Absent(name)
    return restored(SHIPPED[name], found.tensors)


def curve(name: str) -> list[dict[str, Any]]:
    """What was measured along the training. Raises Absent."""
    found = library.find(TRAINING.key(SHIPPED[name]))
    if found is None:
        raise Absent(name)
    points: list[dict[str, Any]] = found.meta["curve"]
    return points


def scale_names(config: NVAEConfig) -> tuple[str, ...]:
    """What its scales are called, from the top: coarse and fine, and middle if there are three."""
    return SCALES if len(config.sides) == 3 else (SCALES[0], SCALES[-1])


def have_model(name: str) -> bool:
    """Whether a trained model of that name is here."""
    return library.has(TRAINING.key(SHIPPED[name]))
