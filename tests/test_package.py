"""`core` by itself: installed without the dashboard, in notebooks, documented."""

import importlib
import inspect
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from core.topics import TOPICS, built
from tests.conftest import ROOT

DASHBOARD = {"streamlit", "altair", "uvloop"}
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
# Runs a module as `python -m` does, in a world without the dashboard's libraries.
WITHOUT_DASHBOARD = (
    "import runpy, sys; sys.modules.update(dict.fromkeys(('streamlit', 'altair'))); "
    "sys.argv = sys.argv[1:]; runpy.run_module(sys.argv[0], run_name='__main__')"
)


def written(item: object) -> bool:
    """A function or a class, not the name of a type."""
    return inspect.isroutine(item) or inspect.isclass(item)


def names(requirements: list[str]) -> set[str]:
    return {re.split("[=<>]", line)[0] for line in requirements if line[:1].isalpha()}


def test_the_package_asks_for_all_that_the_dashboard_does_but_the_dashboard_itself() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pinned = names((ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines())
    assert names(project["dependencies"]) == pinned - DASHBOARD


def test_installed_without_the_dashboard_the_claims_run(tmp_path: Path) -> None:
    source = tmp_path / "source"
    for folder in ("core", "pretrained"):
        shutil.copytree(ROOT / folder, source / folder, copy_function=os.link)
    for file in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, source)
    build = ("-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index", "--no-build-isolation")
    subprocess.run([sys.executable, *build, "--wheel-dir", tmp_path, source], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(tmp_path / "installed")
    asked = ("core.claims", "--topic", "gelu", "--id", "gelu.G4")
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_DASHBOARD, *asked],
        cwd=tmp_path / "installed",
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "gelu.G4" in done.stdout
    assert (tmp_path / "installed" / "pretrained" / "evidence" / "vae.json").exists()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(ROOT)}}).execute()
    outputs = [cell.outputs for cell in notebook.cells if cell.cell_type == "code"]
    assert all(outputs[1:])  # every cell after the imports shows something


@pytest.mark.parametrize("slug", [row.slug for row in TOPICS if built(row.slug)])
def test_whatever_a_topic_offers_is_documented(slug: str) -> None:
    package = importlib.import_module(f"core.{slug}")
    offered = {name: getattr(package, name) for name in package.__all__}
    ours = {name: item for name, item in offered.items() if written(item)}
    assert [name for name, item in ours.items() if not inspect.getdoc(item)] == []
