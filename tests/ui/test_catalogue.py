"""Two languages with equal keys, and every equation tied to what computes it."""

import importlib
import re
import string
import unicodedata
from pathlib import Path

import pytest

from core.claims import all_claims, shipped
from core.topics import TOPICS, built, topic
from tests.conftest import ROOT
from ui.catalogue import LANGUAGES, bibliography, code_blocks, equations, glossary, words

UNMEASURED = {"nvae.N2"}  # open, and nothing here can be measured of it
BUILT = [row.slug for row in TOPICS if built(row.slug)]
SOURCES = [
    ROOT / "app.py",
    *sorted((ROOT / "ui").glob("*.py")),
    *sorted((ROOT / "pages").glob("*.py")),
]


def placeholders(text: str) -> set[str]:
    """The {names} of a text; a text with LaTeX has braces that are none."""
    try:
        return {name for _, name, _, _ in string.Formatter().parse(text) if name}
    except ValueError:
        return set()


def test_both_languages_have_equal_keys() -> None:
    english, chinese = (set(words(language)) for language in LANGUAGES)
    assert english ^ chinese == set()


def test_both_languages_have_equal_placeholders() -> None:
    english, chinese = (words(language) for language in LANGUAGES)
    differ = {key for key in english if placeholders(english[key]) != placeholders(chinese[key])}
    assert differ == set()


def unopened(text: str) -> list[str]:
    """Stars that Markdown does not read as bold: between a letter and a mark, on the wrong side."""
    plain = re.sub(r"\{[^{}]*\}", "x", text)
    found = []
    for number, star in enumerate(re.finditer(r"\*\*", plain)):
        outside, inside = plain[: star.start()][-1:] or " ", plain[star.end() :][:1] or " "
        if number % 2:
            outside, inside = inside, outside
        turned = unicodedata.category(inside)[0] in "PS" and outside.isalnum()
        if inside.isspace() or turned:
            found.append(plain[max(0, star.start() - 9) : star.end() + 9])
    return found


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_meant_bold_is_bold(language: str) -> None:
    found = {key: unopened(text) for key, text in words(language).items()}
    assert {key: stars for key, stars in found.items() if stars} == {}


def test_no_text_is_empty() -> None:
    assert not [key for language in LANGUAGES for key, text in words(language).items() if not text]


def test_chinese_is_written_in_chinese() -> None:
    """Sentences of the Chinese catalogue are not English ones left behind."""
    english, chinese = (words(language) for language in LANGUAGES)
    same = [key for key in english if english[key] == chinese[key] and " " in english[key]]
    assert [key for key in same if re.search(r"[a-z]{3,} [a-z]{3,}", english[key])] == []


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: file.name)
def test_every_key_written_in_the_code_is_in_the_catalogue(file: Path) -> None:
    keys = re.findall(r'\bt[(,]\s*"([^"{}]+)"', file.read_text(encoding="utf-8"))
    assert [key for key in keys if key not in words("en")] == []


@pytest.mark.parametrize("slug", BUILT)
def test_every_numbered_equation_is_there(slug: str) -> None:
    numbers = [equation.number for equation in equations(slug)]
    assert numbers == list(range(1, (topic(slug).equations or 0) + 1))


@pytest.mark.parametrize("slug", BUILT)
def test_every_equation_names_a_function_that_exists(slug: str) -> None:
    for equation in equations(slug):
        module, _, name = equation.function.rpartition(".")
        assert module == f"core.{slug}"
        assert callable(getattr(importlib.import_module(module), name))


@pytest.mark.parametrize("slug", BUILT)
def test_every_claim_and_each_of_its_numbers_has_words(slug: str) -> None:
    keys = set(words("en"))
    for claim in all_claims():
        if claim.topic == slug:
            number = claim.id.partition(".")[2]
            details, unit = shipped(slug)[claim.id].details, shipped(slug)[claim.id].unit
            kinds = (
                ("claims", "rules") if claim.id in UNMEASURED else ("claims", "measures", "rules")
            )
            wanted = {f"{slug}.{kind}.{number}" for kind in kinds}
            wanted |= {f"{slug}.details.{name}" for name in details}
            wanted |= {f"claims.units.{unit}"} if unit else set()
            assert wanted - keys == set()


@pytest.mark.parametrize("slug", [row.slug for row in TOPICS])
def test_every_reference_of_a_topic_has_its_entry(slug: str) -> None:
    for url in (topic(slug).url, *(paper.url for paper in topic(slug).papers)):
        assert re.search(r"title\s*=.*\n\s*author\s*=", bibliography()[url])


def test_no_two_references_share_a_key() -> None:
    keys = [re.findall(r"@\w+\{(.*),", entry)[0] for entry in bibliography().values()]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("slug", BUILT)
def test_a_topic_explains_its_words(slug: str) -> None:
    assert glossary(slug)


def test_the_papers_symbols_are_those_of_the_post_with_p_and_q_exchanged() -> None:
    exchange = str.maketrans("pq", "qp")
    for equation in equations("nvae"):
        if equation.papers:
            symbols = [
                "".join(re.findall(r"(?<![A-Za-z\\}])[pq](?=\()", text))
                for text in (
                    row.replace(r"\tilde p", "") for row in (equation.latex, equation.papers)
                )
            ]
            assert symbols[0].translate(exchange) == symbols[1] != ""


def test_nothing_of_the_posts_is_missing() -> None:
    assert sum(len(equations(slug)) for slug in BUILT) == 94
    assert len(all_claims()) == 124
    assert sum(len(code_blocks(slug)) for slug in BUILT) == 5


@pytest.mark.parametrize("slug", BUILT)
def test_the_code_blocks_of_a_post_are_functions_that_its_page_shows(slug: str) -> None:
    page = (ROOT / "pages" / f"{slug}.py").read_text(encoding="utf-8")
    shown = " ".join(re.findall(r"lab\.source\(([^)]*)\)", page))
    for function in code_blocks(slug):
        module, _, name = function.rpartition(".")
        assert callable(getattr(importlib.import_module(module), name))
        assert f"core.{name}" in shown
