"""A reader's words stay words: no markup, no link, no formula, wherever they are shown."""

import csv
import io
import re

import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from core.similarity import CORPUS
from tests.conftest import ROOT
from tests.security import BAD, hostile
from ui import cards, lab, takeaway

MARKDOWN = MarkdownIt().enable(["table", "strikethrough"])  # an independent reading


def kinds(markdown: str) -> list[tuple[str, str]]:
    """The inline parts of a paragraph, each with its content."""
    tokens = MARKDOWN.parse(markdown)
    assert [token.type for token in tokens] == ["paragraph_open", "inline", "paragraph_close"]
    return [(part.type, part.content) for part in tokens[1].children or []]


@hostile
def test_quoted_text_is_one_piece_of_code_and_nothing_else(text: str) -> None:
    parts = kinds(f"before {lab.quoted(text)} after".replace("\x00", "�"))
    shown = text[:60].replace("`", "").replace("\n", " ")
    assert {kind for kind, _ in parts} <= ({"text", "code_inline"} if shown else {"text"})
    assert len([kind for kind, _ in parts if kind == "code_inline"]) == bool(shown)


@hostile
def test_plain_text_is_text_and_nothing_else(text: str) -> None:
    line = " ".join(text.split())
    assert {kind for kind, _ in kinds(f"before {lab.plain(line)} after")} <= {
        "text",
        "text_special",
    }


@given(st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"]), max_size=60))
@example("![a](b)")
def test_any_words_keep_their_letters_and_become_no_markup(text: str) -> None:
    line = " ".join(text.split())
    parts = kinds(f"a {lab.plain(line)} z")
    assert {kind for kind, _ in parts} <= {"text", "text_special"}
    assert "".join(content for _, content in parts) == f"a {line} z"


def test_a_setting_that_a_reader_wrote_is_no_markup_on_the_pages_of_the_others() -> None:
    model = "![](https://evil.example/pixel.png)"
    title = cards.title(CORPUS.name, {"model": model})
    assert "image" not in {kind for kind, _ in kinds(title)}
    assert ("code_inline", model) in kinds(title)


@pytest.mark.parametrize("address", ["s3://name:secret@bucket/x", "cache::sftp://me:secret@host/x"])
def test_the_password_of_the_shared_store_is_not_shown(address: str) -> None:
    assert "secret" not in cards._without_password(address)
    assert cards._without_password(address).endswith("/x")


# ---- tables that a spreadsheet opens


def cells(table: pd.DataFrame) -> list[str]:
    rows = list(csv.reader(io.StringIO(takeaway.csv(table).decode("utf-8", "surrogatepass"))))
    return [cell for row in rows[1:] for cell in row]


@pytest.mark.parametrize("text", [text for text in BAD if "\ud800" not in text])
def test_no_cell_of_an_export_is_a_formula(text: str) -> None:
    (cell,) = cells(pd.DataFrame({"text": [text]})) or [""]
    assert not re.match(r"[=+\-@\t\r\n＝＋－＠].", cell, re.DOTALL)
    assert cell.removeprefix("'") == text.removeprefix("'")


def test_numbers_and_lone_signs_of_an_export_stay() -> None:
    table = pd.DataFrame({"value": [-1.5, 2.0], "word": ["-", "+"]})
    assert cells(table) == ["-1.5", "-", "2.0", "+"]


# ---- what the source must not hold


@pytest.mark.parametrize("folder", ["core", "ui", "pages"])
def test_no_source_runs_text_or_writes_markup(folder: str) -> None:
    python = "\n".join(file.read_text() for file in (ROOT / folder).rglob("*.py"))
    script = "\n".join(file.read_text() for file in (ROOT / folder).rglob("*.js"))
    assert not re.search(
        r"unsafe_allow|(?<![\w.])(eval|exec)\(|shell=True|weights_only=False", python
    )
    assert not re.search(r"import pickle|pickle\.loads?\(|yaml\.load\(", python)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", script)
