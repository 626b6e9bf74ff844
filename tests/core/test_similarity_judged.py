"""The judged pairs: balanced, each in its language; the measures of them: ranks as scipy has."""

import re
import tomllib
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr
from sklearn.feature_extraction.text import TfidfTransformer

from core import library
from core.similarity.judged import (
    JUDGED,
    JudgedConfig,
    ScoresConfig,
    judged,
    judged_pairs,
    measure,
)
from core.similarity.measures import MEASURES, overlap, rarity, terms
from core.similarity.ranks import counts_of, resampled_spearman
from core.similarity.texts import shipped
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


# ---- what the measures make of them


def test_every_pair_is_listed_with_its_grade() -> None:
    expected = {
        (group["anchor"], group[kind], row["grade"])
        for group in GROUPS
        for kind, row in KINDS.items()
    }
    assert {(pair.first, pair.second, pair.grade) for pair in judged_pairs()} == expected


@settings(deadline=None, max_examples=50)
@given(st.integers(3, 40), st.integers(0, 99))
def test_spearman_of_resamples_is_scipys(count: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    scores = generator.integers(0, 8, (count, 3)).astype(float)
    grades = np.arange(count) % 4.0
    rows = generator.integers(0, count, (5, count))
    rows[0] = np.arange(count)  # none left out, none twice
    expected = [
        [
            spearmanr(column, grades[row]).statistic
            if np.ptp(column) and np.ptp(grades[row])
            else 0.0
            for column in scores[row].T
        ]
        for row in rows
    ]
    found = resampled_spearman(scores, grades, counts_of(rows, count))
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_what_ships_is_what_the_measures_say_now() -> None:
    """The first group, measured again: a changed measure, text or encoder is found out."""
    kept = library.find(JUDGED.key(ScoresConfig()))
    assert kept is not None
    assert kept.origin == "shipped"
    steps = measure(ScoresConfig())
    for _ in range(5):
        snapshot = next(steps)
    np.testing.assert_allclose(snapshot.weights()["scores"], kept.tensors["scores"][:5], atol=1e-3)
    resumed = next(measure(ScoresConfig(), snapshot.state()))
    assert resumed.done == 6


@pytest.mark.parametrize("languages", ["all", "en-en", "zh-zh", "across"])
def test_an_interval_holds_its_correlation_and_kinds_are_places(languages: str) -> None:
    result = judged(JudgedConfig(languages=languages))
    table = result.correlations
    assert set(table["measure"]) == set(MEASURES)
    assert (table["low"] <= table["value"] + 1e-3).all()
    assert (table["value"] <= table["high"] + 1e-3).all()
    assert table["value"].is_monotonic_decreasing
    # As many pairs of each kind: the mean place over the kinds is the middle.
    np.testing.assert_allclose(result.kinds.groupby("measure")["rank"].mean(), 0.5, atol=1e-9)
    assert len(result.examples) == 5


def test_the_seed_decides_the_draws_and_nothing_else_does() -> None:
    once, again, other = (judged(JudgedConfig(seed=seed)).correlations for seed in (0, 0, 1))
    pd.testing.assert_frame_equal(once, again)
    assert not once["low"].equals(other["low"])
    assert once["value"].equals(other["value"])


def test_claim_of_the_page_every_measure_prefers_swapped_roles_to_a_paraphrase() -> None:
    means = judged(JudgedConfig()).kinds.pivot(index="measure", columns="kind", values="rank")
    assert (means["swapped"] > means["paraphrase"] + 0.1).all()
    assert (means["negation"] > means["paraphrase"]).all()


def test_claim_of_the_page_the_mean_vector_is_no_worse_than_transport() -> None:
    table = judged(JudgedConfig()).correlations.set_index("measure")["value"]
    assert table["mean-centred"] > table["wrd-centred"] - 0.01
    assert table["wrd-centred"] > max(table["bag"], table["tf-idf"]) + 0.2


def test_terms_are_words_in_english_and_pairs_of_characters_in_chinese() -> None:
    assert terms("The cat's THE 狗咬人 好") == {
        "the": 2, "cat's": 1, "狗咬": 1, "咬人": 1, "好": 1,
    }  # fmt: skip


def test_overlap_is_one_minus_half_the_l1_distance() -> None:
    first, second = terms("a b b c"), terms("b c d")
    p = np.array([1 / 4, 2 / 4, 1 / 4, 0])
    q = np.array([0, 1 / 3, 1 / 3, 1 / 3])
    assert overlap(first, second) == pytest.approx(1 - np.abs(p - q).sum() / 2)
    assert overlap(first, first) == pytest.approx(1)
    assert overlap(first, {}) == 0


def test_rarity_is_sklearns_smooth_idf() -> None:
    names = ["the", "mouse", "猫把", "absent"]
    counts = np.array([[term in terms(text) for term in names] for text in shipped()], dtype=float)
    expected = TfidfTransformer(smooth_idf=True).fit(counts).idf_
    np.testing.assert_allclose([rarity(term) for term in names], expected)


def test_a_measure_is_symmetric_and_greatest_for_the_same_sentence() -> None:
    from core.similarity.measures import Sight

    sight = Sight()
    first, second = GROUPS[0]["anchor"], GROUPS[0]["topic"]
    for name, score in MEASURES.items():
        assert score(sight, first, second) == pytest.approx(score(sight, second, first)), name
        assert score(sight, first, first) > score(sight, first, second), name
