"""What hostile readers try, and what stands against it (SECURITY.md)."""

from pathlib import Path

import pytest

BAD = Path(__file__).with_name("hostile.txt").read_text(encoding="utf-8").splitlines()
BAD += ["", " ", "\t", "a" * 5000, "(" * 300, "\x00", "\ud800", "two\nlines", "\r\n=1+1"]

hostile = pytest.mark.parametrize("text", BAD, ids=range(len(BAD)))
