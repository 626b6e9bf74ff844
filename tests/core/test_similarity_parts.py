"""A corpus in parts answers as the whole one does, to the last digit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.similarity.corpus import Corpus
from core.similarity.parts import merge, split
from tests.core.test_similarity_search import random_corpus, searches


@pytest.mark.parametrize("metric", ["wrd", "wmd"])
@settings(deadline=None, max_examples=40)
@given(case=searches(), parts=st.integers(1, 5))
def test_the_parts_together_find_what_the_whole_finds(metric: str, case: tuple, parts: int) -> None:
    query, texts, k = case
    corpus = Corpus.from_vectors(texts)
    pieces = split(corpus, min(parts, len(corpus)))
    found = merge(
        [piece.search(query, k, metric=metric) for piece in pieces], [*map(len, pieces)], k
    )
    whole = corpus.search(query, k, metric=metric)
    assert found.indices.tolist() == whole.indices.tolist()
    assert found.distances.tolist() == whole.distances.tolist()


def test_parts_have_all_texts_in_order_and_only_the_words_of_their_own() -> None:
    corpus = Corpus.from_vectors(random_corpus(40, 6, 0))
    pieces = split(corpus, 3)
    assert max(map(len, pieces)) - min(map(len, pieces)) <= 1
    texts = [piece.vectors(i) for piece in pieces for i in range(len(piece))]
    for index, text in enumerate(texts):
        np.testing.assert_array_equal(text, corpus.vectors(index))
    assert all(len(piece.vocabulary) == len(np.unique(piece.ids)) for piece in pieces)


@pytest.mark.parametrize("parts", [0, 41])
def test_more_parts_than_texts_are_refused(parts: int) -> None:
    corpus = Corpus.from_vectors(random_corpus(40, 6, 0))
    with pytest.raises(ValueError, match=f"parts is {parts}, but must be from 1 to 40"):
        split(corpus, parts)
