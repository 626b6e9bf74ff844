"""The models that ship, loaded once, and what every panel reads off them."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from core import library
from core.nvae import data
from core.nvae.config import NVAEConfig, PlainConfig
from core.nvae.network import NVAE
from core.nvae.plain import PlainVAE
from core.nvae.presets import BESIDE, SHIPPED
from core.nvae.training import PLAIN, TRAINING, restored
from core.store import Artefact
from core.training import Task

MODELS = ("glyphs", "digits", "mnist")
SCALES = ("coarse", "middle", "fine")  # their names, from the top


class Absent(ValueError):
    """A model that neither ships nor was trained here; `name` says which."""

    def __init__(self, name: str, kind: str) -> None:
        more = " --plain" if kind == PLAIN.name else ""
        super().__init__(
            f"the model {name!r} is not here: python -m core.nvae.train --dataset {name}{more}"
        )
        self.name = name


@lru_cache(maxsize=4)
def model(name: str) -> NVAE:
    """The trained model, read-only. Raises Absent."""
    found = restored(SHIPPED[name], _found(TRAINING, SHIPPED[name]).tensors)
    assert isinstance(found, NVAE)
    return found


@lru_cache(maxsize=4)
def plain(name: str) -> PlainVAE:
    """The plain VAE of as many weights beside it, read-only. Raises Absent."""
    found = restored(BESIDE[name], _found(PLAIN, BESIDE[name]).tensors)
    assert isinstance(found, PlainVAE)
    return found


def card(task: Task, config: NVAEConfig | PlainConfig) -> Mapping[str, Any]:
    """What is noted of a model: its settings, its training. Raises Absent."""
    return _found(task, config).meta


def scale_names(config: NVAEConfig) -> tuple[str, ...]:
    """What its scales are called, from the top: coarse and fine, and middle if there are three."""
    return SCALES if len(config.sides) == 3 else (SCALES[0], SCALES[-1])


def images_at_hand(name: str) -> bool:
    """Whether somebody has asked for the images of a model since the process began."""
    return data.at_hand(SHIPPED[name].data)


def have_model(name: str) -> bool:
    """Whether a trained model of that name is here."""
    return library.has(TRAINING.key(SHIPPED[name]))


def have_data(name: str) -> bool:
    """Whether the images that the model of that name learned from are here."""
    return data.available(SHIPPED[name].data)


def _found(task: Task, config: NVAEConfig | PlainConfig) -> Artefact:
    found = library.find(task.key(config))
    if found is None:
        raise Absent(config.data, task.name)
    return found
