"""Shipped tables: read as they were kept, or refused in words."""

from pathlib import Path

import pandas as pd
import pytest

from core.tables import load_table, save_table

TABLE = pd.DataFrame({"name": ["a", "b"], "value": [0.1, 1e-300], "more": [1, 2]})


def test_a_table_comes_back_with_the_columns_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "table.json"
    save_table(file, TABLE, {"seconds": 3})
    pd.testing.assert_frame_equal(load_table(file, ["value", "name"]), TABLE[["value", "name"]])


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"table\.json is missing: No such file"):
        load_table(tmp_path / "table.json", ["value"])


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "{}", '{"table": 3}', '{"table": [{"name": "a"}]}', "\x00"]
)
def test_a_damaged_file_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "table.json").write_text(content)
    with pytest.raises(ValueError, match=r"table\.json is damaged"):
        load_table(tmp_path / "table.json", ["value"])
