"""docs/ADD_A_TOPIC.md, executed in a copy of the repository; then the tests of every topic."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

COPIED = ("core", "ui", "pages", "content", "tests", "benchmarks", ".streamlit")
BLOCK = re.compile(r"^```(\w+) ?(.*)\n((?:.*\n)*?)```$", re.MULTILINE)
TESTS = (
    "tests/core/test_smoothmax.py", "tests/pages/test_pages.py", "tests/ui/test_catalogue.py",
    "tests/test_architecture.py",
)  # fmt: skip


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A copy to write into; large files are links."""
    for folder in COPIED:
        shutil.copytree(
            ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__")
        )
    for file in ("app.py", "pyproject.toml", "requirements.txt"):
        shutil.copy(ROOT / file, tmp_path)
    (tmp_path / "pretrained").mkdir()
    for kept in (ROOT / "pretrained").iterdir():
        if kept.name != "evidence":
            (tmp_path / "pretrained" / kept.name).symlink_to(kept)
    shutil.copytree(ROOT / "pretrained" / "evidence", tmp_path / "pretrained" / "evidence")
    return tmp_path


def test_the_tutorial_makes_a_topic_that_passes_every_topics_tests(repository: Path) -> None:
    text = (ROOT / "docs" / "ADD_A_TOPIC.md").read_text(encoding="utf-8")
    for language, where, content in BLOCK.findall(text):
        if language != "sh":
            write(repository, where, content)
        else:
            run(repository, *content.split()[1:])
    run(repository, "-m", "pytest", "-q", "-k", "smoothmax", *TESTS)


def write(repository: Path, where: str, content: str) -> None:
    """Put a block in its place: a new file, the end of one, a row of the registry."""
    kind, _, name = where.rpartition(" of ")
    path = repository / name
    if kind == "row":
        source = path.read_text(encoding="utf-8")
        start = source.index("TOPICS: tuple")
        end = source.index("\n)\n", start) + 1
        content = source[:end] + content + source[end:]
    elif kind == "end":
        content = path.read_text(encoding="utf-8") + "\n" + content
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")


def run(repository: Path, *arguments: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(repository), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=repository,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
