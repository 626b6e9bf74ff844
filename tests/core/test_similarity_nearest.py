"""The search panel: what ships is searched as brute force searches it, and the plan fits."""

import pytest

from core.similarity import reading, texts
from core.similarity.nearest import SearchConfig, nearest


@pytest.mark.parametrize("vectors", ["contextual", "static"])
@pytest.mark.parametrize("metric", ["wrd", "wmd"])
def test_what_ships_is_searched_as_brute_force_does(vectors: str, metric: str) -> None:
    result = nearest(SearchConfig(vectors=vectors, metric=metric, checked=True))
    assert result.agrees is True
    assert "mouse" in result.hits["text"][0]
    assert result.hits["distance"].is_monotonic_increasing
    assert result.cascade["texts"].iloc[0] == 480
    assert result.solved < 120
    cost = (result.cells["mass"] * result.cells["cost"]).sum()
    assert cost == pytest.approx(result.hits["distance"][0], abs=1e-9)
    assert result.cells["mass"].sum() == pytest.approx(1)


def test_claim_of_the_page_context_finds_the_same_theme_in_the_other_language() -> None:
    result = nearest(SearchConfig(k=5))
    assert "猫把一只活老鼠叼进了卧室。" in set(result.hits["text"])


def test_a_query_without_a_word_and_texts_that_are_gone_are_refused() -> None:
    with pytest.raises(reading.BadText):
        nearest(SearchConfig(query=" "))
    with pytest.raises(texts.Gone):
        nearest(SearchConfig(texts="0" * 32, vectors="static"))
