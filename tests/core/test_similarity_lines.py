"""A reader's file: read in its encoding, counted, or refused in words; never half understood."""

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.similarity import lines
from core.similarity.lines import CHARACTERS, LINES, Unreadable, decode, read_lines

TEXTS = ["The night train is late.", "夜里的火车晚点了。", "emoji 🚆 and accents: café"]


def table(rows: list[list[str]], delimiter: str = ",") -> bytes:
    file = io.StringIO()
    csv.writer(file, delimiter=delimiter).writerows(rows)
    return file.getvalue().encode()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16", "utf-16-le"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_every_encoding_is_found_by_itself(encoding: str, newline: str) -> None:
    found = read_lines(newline.join([*TEXTS, ""]).encode(encoding))
    assert found.texts == tuple(TEXTS)
    assert found.encoding == encoding


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030", "utf-16"])
def test_an_encoding_that_the_reader_names_is_used(encoding: str) -> None:
    assert read_lines("火车\n".encode(encoding), encoding=encoding).texts == ("火车",)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=20), min_size=1))
def test_lines_come_back_as_they_were_written(texts: list[str]) -> None:
    kept = [text for text in texts if text.lower() not in lines.EMPTY]
    if kept:
        assert read_lines("\n".join(texts).encode()).texts == tuple(kept)


def test_a_column_is_the_one_with_the_longest_texts_unless_named() -> None:
    content = table([["id", "text", "note"], *([str(i), text, ""] for i, text in enumerate(TEXTS))])
    found = read_lines(content, table=True)
    assert (found.texts, found.column, found.columns) == (
        tuple(TEXTS), "text", ("id", "text", "note"),
    )  # fmt: skip
    assert read_lines(content, table=True, column="id").texts == ("0", "1", "2")


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_a_delimiter_is_found_and_a_cell_may_have_lines_and_quotes(delimiter: str) -> None:
    rows = [["a", "b"], ['said "no"\nand left', "x"], ["one, two; three", "y"], ["short"]]
    found = read_lines(table(rows, delimiter), table=True, column="a")
    assert found.texts == ('said "no" and left', "one, two; three", "short")
    assert read_lines(table(rows, delimiter), table=True, column="b").texts == ("x", "y")


def test_what_is_left_out_is_counted() -> None:
    many = ["x" * (CHARACTERS + 5), "", "NaN", "  ", "...", *["word"] * LINES]
    found = read_lines("\n".join(many).encode())
    assert len(found.texts) == LINES
    assert len(found.texts[0]) == CHARACTERS
    assert (found.empty, found.cut, found.left_out) == (4, 1, 1)


def test_nan_cells_of_a_table_are_empty() -> None:
    content = table([["text"], ["a word"], ["nan"], ["NULL"], ["N/A"]])
    found = read_lines(content, table=True)
    assert found.texts == ("a word",)
    assert found.empty == 3


@pytest.mark.parametrize(
    ("content", "options", "code"),
    [
        (b"", {}, "empty"),
        (b" \n ", {}, "empty"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), {}, "encoding"),
        (b"a\x01b\n", {}, "binary"),
        ("火车\n".encode("gb18030"), {"encoding": "utf-8"}, "encoding"),
        (b"caf\xe9 au lait", {}, "encoding"),
        ("火车\n".encode()[:-2], {"encoding": "utf-8"}, "encoding"),
        (b"...\n---\n", {}, "no-text"),
        (b"text\n", {"table": True}, "table"),
        (b'text\n"open', {"table": True}, "table"),
        (b"text\na\n", {"table": True, "column": "other"}, "column"),
        (b"x" * (lines.BYTES + 1), {}, "too-large"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_read_is_refused_by_its_code(
    content: bytes, options: dict, code: str
) -> None:
    with pytest.raises(Unreadable) as caught:
        read_lines(content, **options)
    assert caught.value.code == code


def test_the_place_of_a_wrong_byte_is_told() -> None:
    with pytest.raises(Unreadable, match="byte 2"):
        decode(b"ab\xff\xff", "utf-8")


@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_give_lines_or_a_sentence(content: bytes, as_table: bool) -> None:
    try:
        found = read_lines(content, table=as_table)
    except Unreadable:
        return
    assert found.texts
    assert all(text.strip() for text in found.texts)
