"""A reader's own texts: out of a pasted text or a file, plain or CSV, whatever its encoding.

Nothing is guessed silently: what was read, in which encoding, and what was left out is told with
the lines. What can't be read raises Unreadable, whose code the page has a sentence for.
"""

import codecs
import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

ENCODINGS = ("auto", "utf-8", "gb18030", "utf-16")
LINES = 100_000  # that are kept at most
BYTES = 20_000_000  # that a file may have
CHARACTERS = 1_000  # of a line; the rest is cut off
HEAD = 64_000  # characters that tell a table's delimiter
DELIMITERS = ",;\t|"
EMPTY = frozenset({"", "nan", "null", "none", "na", "n/a", "#n/a"})  # cells that hold no text
_WORD = re.compile(r"\w")
_CONTROLS = re.compile("[\x00-\x08\x0e-\x1f]")
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class Unreadable(ValueError):
    """A file that no lines can be had of. The page has a sentence for each code."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"the file can't be read ({code}): {detail}")
        self.code, self.detail = code, detail


@dataclass(frozen=True)
class Lines:
    """The texts of a file, and what became of the rest."""

    texts: tuple[str, ...]
    encoding: str
    column: str | None  # the one that was read; None: the file is no table
    columns: tuple[str, ...]  # of a table
    empty: int  # lines without a word, and cells that say they are empty
    cut: int  # lines longer than CHARACTERS
    left_out: int  # lines after the first LINES


def read_lines(
    content: bytes, *, encoding: str = "auto", table: bool = False, column: str | None = None
) -> Lines:
    """The texts of a file's content: a line each, or a cell each of one column of a table.

    `column` None: the one with the longest texts. Raises Unreadable: "empty", "too-large",
    "encoding" (with the byte that does not fit), "binary", "table", "column", or "no-text".
    """
    if len(content) > BYTES:
        raise Unreadable("too-large", f"{len(content)} bytes, but {BYTES} at most")
    text, found = decode(content, encoding)
    columns: tuple[str, ...] = ()
    if table:
        columns, rows = _table(text)
        column = _chosen(columns, rows, column)
        raw: Sequence[str] = [row[columns.index(column)] for row in rows]
    else:
        column, raw = None, text.splitlines()
    kept = [line for line in map(_tidy, raw) if line]
    if not kept:
        raise Unreadable("no-text")
    return Lines(
        texts=tuple(line[:CHARACTERS] for line in kept[:LINES]),
        encoding=found,
        column=column,
        columns=columns,
        empty=len(raw) - len(kept),
        cut=sum(len(line) > CHARACTERS for line in kept[:LINES]),
        left_out=max(len(kept) - LINES, 0),
    )


def decode(content: bytes, encoding: str = "auto") -> tuple[str, str]:
    """A file's text and its encoding; "auto" goes by the mark at its beginning, then by what fits.

    Raises Unreadable: "empty", "encoding", or "binary" if the text has control characters.
    """
    if encoding not in ENCODINGS:
        raise ValueError(f"encoding is {encoding!r}, but must be one of {ENCODINGS}")
    if not content.strip():
        raise Unreadable("empty")
    tries = _candidates(content) if encoding == "auto" else [_marked(content, encoding)]
    for number, name in enumerate(tries, start=1):
        try:
            text = content.decode(name)
        except UnicodeDecodeError as error:
            if number == len(tries):
                raise Unreadable("encoding", f"{name}, byte {error.start}") from error
            continue
        if _CONTROLS.search(text):
            raise Unreadable("binary", name)
        return text, name
    raise AssertionError("there is always a candidate")


def _candidates(content: bytes) -> list[str]:
    for mark, name in _MARKS:
        if content.startswith(mark):
            return [name]
    sample = content[:1000]
    if sample.count(0) > len(sample) / 4:  # every other byte of Latin text in UTF-16 is 0
        return ["utf-16-be" if sample[:1] == b"\0" else "utf-16-le"]
    return ["utf-8", "gb18030"]


def _marked(content: bytes, encoding: str) -> str:
    """The encoding that a reader names, with the mark at the beginning read as one."""
    if encoding == "utf-8" and content.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    has_mark = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return "utf-16-le" if encoding == "utf-16" and not has_mark else encoding


def _table(text: str) -> tuple[tuple[str, ...], list[list[str]]]:
    """The header and the rows of a table; short rows are filled up with empty cells."""
    delimiter = max(DELIMITERS, key=text[:HEAD].partition("\n")[0].count)
    try:
        found = list(_rows(text, delimiter))
    except csv.Error as error:
        raise Unreadable("table", str(error)) from error
    if len(found) < 2:
        raise Unreadable("table", "no row below the header")
    header = tuple(name.strip() or f"#{n}" for n, name in enumerate(found[0], start=1))
    width = len(header)
    return header, [[*row, *[""] * width][:width] for row in found[1:]]


def _rows(text: str, delimiter: str) -> Iterator[list[str]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    return (row for row in reader if row)


def _chosen(columns: tuple[str, ...], rows: Sequence[Sequence[str]], column: str | None) -> str:
    if column is None:
        lengths = [sum(len(row[i]) for row in rows[:1000]) for i in range(len(columns))]
        return columns[lengths.index(max(lengths))]
    if column not in columns:
        raise Unreadable("column", f"{column}; there are {', '.join(columns)}")
    return column


def _tidy(line: str) -> str:
    """One line without spaces around it; empty if it has no letter or digit, or says it is."""
    plain = " ".join(line.split())
    return plain if _WORD.search(plain) and plain.lower() not in EMPTY else ""
