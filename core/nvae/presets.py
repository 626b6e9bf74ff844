"""Settings of models, read from files: those of the models that ship lie in `settings/`.

A file has a table [nvae], and where a plain VAE of equal size stands beside it a table [plain]; a
key is a field of the configuration, and what is left out has the field's default.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from core.knobs import knobs
from core.nvae.config import ImagesConfig, NVAEConfig, PlainConfig

C = TypeVar("C", bound=ImagesConfig)

FOLDER = Path(__file__).parent / "settings"


@dataclass(frozen=True)
class Settings:
    """What a file says."""

    nvae: NVAEConfig
    plain: PlainConfig | None = None


def read(path: Path) -> Settings:
    """The settings in a TOML file.

    Raises OSError where it can't be read, ValueError where it says what can't be.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
        if "nvae" not in tables:
            raise ValueError("there is no table [nvae]")
        plain = configured(PlainConfig(), tables["plain"]) if "plain" in tables else None
        return Settings(configured(NVAEConfig(), tables["nvae"]), plain)
    except ValueError as error:  # of TOML, of UTF-8, of a setting
        raise ValueError(f"{path.name}: {error}") from error


def configured(config: C, changes: Mapping[str, Any]) -> C:
    """A configuration with some settings changed. Raises ValueError for what can't be."""
    types, found = {knob.name: knob.type for knob in knobs(type(config))}, {}
    for name, value in changes.items():
        if name not in types:
            raise ValueError(f"{name!r} is no setting; there are {list(types)}")
        wanted = (int, float) if types[name] is float else types[name]
        if not isinstance(value, wanted) or isinstance(value, bool) != (types[name] is bool):
            raise ValueError(f"{name} is {value!r}, but must be of type {types[name].__name__}")
        found[name] = types[name](value)
    return replace(config, **found)


_FILES = {path.stem: read(path) for path in sorted(FOLDER.glob("*.toml"))}
PRESETS: dict[str, NVAEConfig] = {name: found.nvae for name, found in _FILES.items()}
SHIPPED = {name: PRESETS[name] for name in ("digits", "glyphs", "mnist")}
# Plain VAEs of as many weights, by the same code; a step of theirs is cheaper, so they take as many
# more as fill the NVAE's processor time.
BESIDE: dict[str, PlainConfig] = {
    name: found.plain for name, found in _FILES.items() if found.plain is not None
}
