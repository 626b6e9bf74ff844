"""The house keeps its shape: imports point down, a topic has all of its files or none."""

import ast
import re
from pathlib import Path

import pytest

from core.topics import TOPICS, built
from tests.conftest import ROOT
from ui.catalogue import LANGUAGES

BUILT = [topic.slug for topic in TOPICS if built(topic.slug)]
SLUGS = [topic.slug for topic in TOPICS]
CORE, UI, PAGES = (sorted((ROOT / folder).rglob("*.py")) for folder in ("core", "ui", "pages"))


def imported(file: Path) -> set[str]:
    """Dotted names of the modules that a file imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def tops(file: Path) -> set[str]:
    return {name.partition(".")[0] for name in imported(file)}


def files_of(slug: str) -> dict[str, bool]:
    """What a topic consists of, and whether it is there."""
    paths = [
        f"core/{slug}/__init__.py", f"core/{slug}/claims.py", f"pages/{slug}.py",
        f"content/equations/{slug}.toml", f"pretrained/evidence/{slug}.json",
        *(f"content/{language}/{slug}.toml" for language in LANGUAGES),
    ]  # fmt: skip
    there = {path: (ROOT / path).exists() for path in paths}
    return there | {f"tests/core/test_{slug}*.py": any(ROOT.glob(f"tests/core/test_{slug}*.py"))}


def test_the_registry_is_complete_and_its_slugs_are_unique() -> None:
    assert SLUGS == [
        "gelu", "initialization", "batchnorm", "attention", "similarity", "vae", "nvae",
        "optimization",
    ]  # fmt: skip
    assert len({topic.post for topic in TOPICS}) == len(TOPICS)
    assert all(re.fullmatch(r"20(19|20)-\d\d-\d\d", topic.date) for topic in TOPICS)


@pytest.mark.parametrize("slug", SLUGS)
def test_a_topic_has_all_of_its_files_or_none(slug: str) -> None:
    there = files_of(slug)
    missing = [path for path, exists in there.items() if exists != built(slug)]
    assert not missing, (
        f"{slug} is {'built' if built(slug) else 'announced'}, but look at {missing}"
    )


def test_topics_in_core_are_topics_of_the_registry() -> None:
    packages = {path.parent.name for path in (ROOT / "core").glob("*/__init__.py")}
    assert packages <= set(SLUGS)


@pytest.mark.parametrize("file", CORE, ids=lambda file: str(file.relative_to(ROOT)))
def test_core_knows_nothing_of_the_interface(file: Path) -> None:
    assert not tops(file) & {"streamlit", "altair", "ui", "pages", "app"}


@pytest.mark.parametrize("slug", BUILT)
def test_topics_do_not_import_each_other(slug: str) -> None:
    others = {f"core.{other}" for other in SLUGS if other != slug}
    for file in (ROOT / "core" / slug).rglob("*.py"):
        assert not {name for name in imported(file) if ".".join(name.split(".")[:2]) in others}


@pytest.mark.parametrize("file", UI, ids=lambda file: file.name)
def test_the_interface_knows_no_page_and_no_topic(file: Path) -> None:
    assert not tops(file) & {"pages", "app"}
    assert not {name for name in imported(file) if name in {f"core.{slug}" for slug in SLUGS}}


@pytest.mark.parametrize("file", PAGES, ids=lambda file: file.name)
def test_pages_do_not_compute(file: Path) -> None:
    assert not tops(file) & {"torch", "numpy", "scipy", "pandas", "sklearn", "ot", "app"}


@pytest.mark.parametrize("file", PAGES, ids=lambda file: file.name)
def test_a_page_begins_with_the_guard_of_the_frame(file: Path) -> None:
    """Streamlit runs a page without app.py on a cold deep link; the title waits for no import."""
    _, first, second, *_ = ast.parse(file.read_text(encoding="utf-8")).body
    assert ast.unparse(first) == "from ui.frame import ensure_frame"
    assert ast.unparse(second) == "ensure_frame()"


@pytest.mark.parametrize("file", PAGES, ids=lambda file: file.name)
def test_pages_hold_no_sentence(file: Path) -> None:
    """What a reader sees stands in content/: no string literal of a page has words in a row."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and isinstance(node.body[0], ast.Expr)
    }
    texts = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and id(node) not in docstrings
    ]
    assert not [text for text in texts if re.search(r"[A-Za-z]{2,} [A-Za-z]{2,}|[一-鿿]", text)]


@pytest.mark.parametrize("file", [*CORE, *UI, *PAGES], ids=lambda file: str(file.relative_to(ROOT)))
def test_every_module_says_what_it_is(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert not text or ast.get_docstring(ast.parse(text))


def test_requirements_are_pinned_and_torch_is_plain() -> None:
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    pin = re.compile(r"[a-z0-9-]+==[0-9.]+(post\d+)?(; sys_platform != .win32.)?")
    assert all(map(pin.fullmatch, pins))
    assert "torch==2.13.0" in pins
    assert not (ROOT / "uv.lock").exists()


def test_what_the_code_imports_is_required() -> None:
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    names = {
        "ot": "pot",
        "PIL": "pillow",
        "sklearn": "scikit-learn",
        "sentence_transformers": "sentence-transformers",
        "huggingface_hub": "huggingface-hub",
    }
    standard = set(__import__("sys").stdlib_module_names) | {"core", "ui"}
    used = set().union(*(tops(file) for file in [*CORE, *UI, *PAGES])) - standard
    assert not {name for name in used if f"{names.get(name, name)}==" not in lines}
