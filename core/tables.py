"""Tables that ship with the repository: slow results, so that a first picture waits for none.

A file is JSON: "table", a list of values for each column, and beside it how they were made.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd


def load_table(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    """The rows of a file. Raises ValueError if it is missing or damaged."""
    try:
        table = pd.DataFrame(json.loads(path.read_text(encoding="utf-8"))["table"])
        if missing := set(columns) - set(table.columns):
            raise ValueError(f"it has no {', '.join(sorted(missing))}")
    except OSError as error:
        raise ValueError(f"{path.name} is missing: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path.name} is damaged: {error}") from error
    return table[list(columns)]


def save_table(path: Path, table: pd.DataFrame, card: Mapping[str, Any]) -> None:
    """Keep a table, and how it was made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {**card, "table": table.to_dict(orient="list")}
    path.write_text(json.dumps(content, ensure_ascii=False) + "\n", encoding="utf-8")
