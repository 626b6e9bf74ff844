"""The judged pairs: as many of each kind, no sentence twice, each in the language it says."""

import re
import tomllib
from collections import Counter

import pytest

from tests.conftest import ROOT

FILE = tomllib.loads((ROOT / "pretrained/similarity/judged.toml").read_text(encoding="utf-8"))
KINDS, GROUPS = FILE["kinds"], FILE["groups"]
HAN = re.compile(r"[一-鿿]")
LATIN = re.compile(r"[A-Za-z]")


def pairs(group: dict) -> list[tuple[str, str]]:
    return [(group["anchor"], group[kind]) for kind in KINDS]


def test_there_are_enough_pairs_as_many_of_each_kind_and_of_each_language() -> None:
    assert sum(len(pairs(group)) for group in GROUPS) >= 96
    by_languages = Counter(tuple(group["languages"]) for group in GROUPS)
    assert by_languages[("en", "en")] == by_languages[("zh", "zh")] >= 8
    assert by_languages[("en", "zh")] == by_languages[("zh", "en")] >= 4
    assert all(set(group) == {"id", "languages", "anchor", *KINDS} for group in GROUPS)


def test_no_sentence_stands_there_twice() -> None:
    texts = [group[name] for group in GROUPS for name in ("anchor", *KINDS)]
    assert len(set(texts)) == len(texts)
    assert len({group["id"] for group in GROUPS}) == len(GROUPS)


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group["id"])
def test_every_sentence_is_in_the_language_it_says(group: dict) -> None:
    anchor, partner = group["languages"]
    texts = [(group["anchor"], anchor), *((group[kind], partner) for kind in KINDS)]
    for text, language in texts:
        assert bool(HAN.search(text)) == (language == "zh")
        assert bool(LATIN.search(text)) == (language == "en")
        assert text.endswith("。" if language == "zh" else ".")


def test_the_rubric_says_every_grade_in_both_languages() -> None:
    grades = {name: kind["grade"] for name, kind in KINDS.items()}
    assert grades == {"paraphrase": 3, "negation": 2, "swapped": 2, "topic": 1, "unrelated": 0}
    assert all(HAN.search(kind["zh"]) and LATIN.search(kind["en"]) for kind in KINDS.values())


def test_swapped_roles_keep_the_words_where_both_sentences_are_in_one_language() -> None:
    """By construction: the rubric says that nothing but the places changes."""
    for group in GROUPS:
        if group["languages"][0] == group["languages"][1]:
            words = [_words(group[name]) for name in ("anchor", "swapped")]
            assert (words[0] & words[1]).total() >= 0.75 * words[0].total(), group["id"]


def _words(text: str) -> Counter:
    return Counter(re.findall(r"[a-z']+|[一-鿿]", text.lower()))
