"""Every word a reader sees: `content/<language>/<topic>.toml`, flattened to dotted keys.

`content/equations/<topic>.toml` holds what is the same in every language: the formulas, each tied
to the function in `core` that computes it.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any
from unicodedata import east_asian_width

CONTENT = Path(__file__).parent.parent / "content"
LANGUAGES = ("en", "zh")


@dataclass(frozen=True)
class Equation:
    """A numbered equation of a post."""

    number: int
    latex: str
    function: str  # dotted name of what computes it: "core.gelu.gelu"
    papers: str = ""  # the same in the papers' symbols, where they differ from the post's
    label: str = ""  # its number in another post, if it is from one: "7076: 3"


@lru_cache
def words(language: str) -> Mapping[str, str]:
    """Every text of one language by key: file name, then the keys inside it, joined by dots."""
    files = sorted((CONTENT / language).glob("*.toml"))
    return {key: text for file in files for key, text in _flatten(_read(file), file.stem)}


@lru_cache
def equations(slug: str) -> tuple[Equation, ...]:
    """The numbered equations of a topic's post, in order."""
    rows = (Equation(int(number), **row) for number, row in _formulas(slug)["numbered"].items())
    return tuple(sorted(rows, key=lambda row: row.number))


def code_blocks(slug: str) -> list[str]:
    """The dotted names of the functions that run the code blocks of a topic's post."""
    return list(_formulas(slug).get("code", ()))


def live_formula(slug: str, name: str) -> str:
    """LaTeX in which @names wait for the reader's current numbers."""
    return str(_formulas(slug)["live"][name])


def shows(slug: str, claim: str) -> tuple[str, dict[str, str]]:
    """The panel that shows a claim, and the controls to set there."""
    return _state(_formulas(slug)["shows"][claim])


def stops(slug: str) -> list[tuple[str, dict[str, str]]]:
    """The stops of a topic's tour: for each the panel, and the controls to set there."""
    return [_state(stop) for stop in _formulas(slug).get("tour", ())]


def _state(row: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    controls = dict(row)
    return controls.pop("panel"), controls


def glossary(slug: str) -> list[str]:
    """The keys of a topic's terms: each has a `.word` and a `.meaning`."""
    start, end = f"glossary.{slug}.", ".word"
    keys = words(LANGUAGES[0])
    return [key.removesuffix(end) for key in keys if key.startswith(start) and key.endswith(end)]


@lru_cache
def bibliography() -> Mapping[str, str]:
    """BibTeX entries by the address that each one gives."""
    entries = (CONTENT / "references.bib").read_text(encoding="utf-8").strip().split("\n\n")
    return {re.findall(r"url\s*=\s*\{(.*?)\}", entry)[0]: entry for entry in entries}


@lru_cache
def _formulas(slug: str) -> dict[str, Any]:
    return _read(CONTENT / "equations" / f"{slug}.toml")


def _read(file: Path) -> dict[str, Any]:
    with file.open("rb") as stream:
        return tomllib.load(stream)


def _flatten(table: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    for name, value in table.items():
        key = f"{prefix}.{name}"
        if isinstance(value, Mapping):
            yield from _flatten(value, key)
        else:
            yield key, str(value)


def button_width(label: str, beside: int = 0) -> int:
    """Pixels that a button with these words takes at most, and `beside` them an icon, a key.

    A browser that has yet to fetch what draws a button gives it this place, and nothing jumps.
    """
    return FRAME + beside + round(sum(map(_pixels, label)))


FRAME = 28  # pixels


def _pixels(letter: str) -> float:
    """At most, in the fonts that are wide."""
    if east_asian_width(letter) in "WF":
        return 14.0
    if letter in "mwMW":
        return 13.6
    return 10.6 if letter.isupper() else 8.0


def cells(text: str) -> int:
    """How many letters wide a text is: a Chinese character takes the room of two."""
    return sum(2 if east_asian_width(letter) in "WF" else 1 for letter in text)
