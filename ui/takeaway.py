"""What a reader takes along: the script that makes a figure again, and its data."""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from core.knobs import Config

FORMULA_BEGINS = "=+-@\t\r\n＝＋－＠"  # a cell that a spreadsheet computes, full width included


@dataclass(frozen=True)
class Drawing:
    """One chart of a panel: the verb that drew it, its table, its words."""

    verb: Callable[..., Any]
    table: pd.DataFrame
    options: Mapping[str, Any]


@dataclass
class Recorder:
    """What a panel computed and drew, noted as it happens."""

    panel: str
    config: Config
    compute: Callable[..., Any] | None = None
    result: Any = None
    drawings: list[Drawing] = field(default_factory=list)

    def field_of(self, table: pd.DataFrame) -> str:
        """The name of the result's field that is this table. Raises ValueError if none is."""
        for item in dataclasses.fields(self.result):
            if getattr(self.result, item.name) is table:
                return item.name
        raise ValueError("a chart must draw a table of the result, or its script can't find it")

    def tables(self) -> dict[str, pd.DataFrame]:
        """Every table the panel drew, by its field's name."""
        return {self.field_of(drawing.table): drawing.table for drawing in self.drawings}


def script(recorder: Recorder) -> str:
    """A Python program that computes and draws the panel again, with the current numbers."""
    if recorder.compute is None:
        raise ValueError(f"{recorder.panel} has computed nothing")
    package, config = _package(recorder.compute), type(recorder.config).__name__
    compute = recorder.compute.__name__
    return "\n".join(
        [
            f'"""Executable Claims: {package}.{compute}. Run it from the repository\'s root."""',
            "",
            f"from {package} import {config}, {compute}",
            "from ui import charts",
            "",
            _call("config", config, _fields(recorder.config)),
            f"result = {compute}(config)",
            *_saved_tables(recorder),
            *_saved_figures(recorder),
            "",
        ]
    )


def csv(table: pd.DataFrame) -> bytes:
    """A table as CSV, every digit kept; no text of it is a formula to a spreadsheet."""
    return table.map(_harmless).to_csv(index=False).encode()


def _harmless(cell: Any) -> Any:
    """A text that a spreadsheet would compute gets an apostrophe before it."""
    is_formula = isinstance(cell, str) and len(cell) > 1 and cell[0] in FORMULA_BEGINS
    return f"'{cell}" if is_formula else cell


def _saved_tables(recorder: Recorder) -> list[str]:
    lines = []
    for name in recorder.tables():
        lines += ["", f"result.{name}.to_csv('{name}.csv', index=False)"]
        lines += [f"print(result.{name})"]
    return lines


def _saved_figures(recorder: Recorder) -> list[str]:
    lines = []
    for drawing in recorder.drawings:
        name = recorder.field_of(drawing.table)
        options = {key: repr(value) for key, value in drawing.options.items()}
        arguments = {"": f"result.{name}"} | options
        lines += ["", _call("figure", f"charts.{drawing.verb.__name__}", arguments)]
        lines += [f"figure.save('{name}.html')"]
    return lines


def _call(name: str, function: str, arguments: Mapping[str, str]) -> str:
    inside = [f"    {key}={value}," if key else f"    {value}," for key, value in arguments.items()]
    return "\n".join([f"{name} = {function}(", *inside, ")"])


def _fields(config: Config) -> dict[str, str]:
    return {f.name: repr(getattr(config, f.name)) for f in dataclasses.fields(config)}


def _package(function: Callable[..., Any]) -> str:
    """The topic package that shows this function: core.gelu for core.gelu.curves."""
    return ".".join(function.__module__.split(".")[:2])
