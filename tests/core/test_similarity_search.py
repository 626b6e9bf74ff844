"""The search finds what brute force finds, to the index; and no bound exceeds its distance."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from core.similarity.corpus import Corpus
from core.similarity.distances import wmd, wrd
from core.similarity.vectors import words_of

METRICS: dict[str, Callable[..., float]] = {"wrd": wrd, "wmd": wmd}
# Few different numbers: ties, duplicates, zero rows and collinear vectors come by themselves.
GRID = st.sampled_from([-2.0, -1.0, 0.0, 0.5, 1.0, 1.0 + 2**-20, 3.0])


@st.composite
def texts(draw: st.DrawFn, width: int, at_most: int = 5) -> np.ndarray:
    """A text that has a distance: not all of its rows are zero."""
    shape = (draw(st.integers(1, at_most)), width)
    rows = draw(arrays.arrays(np.float64, shape, elements=GRID))
    if not rows.any():
        rows[0, 0] = 1.0
    return rows


@st.composite
def searches(draw: st.DrawFn) -> tuple[np.ndarray, list[np.ndarray], int]:
    """A query, a corpus with repeated and reordered texts, and k."""
    width = draw(st.integers(1, 3))
    corpus = draw(st.lists(texts(width), min_size=1, max_size=12))
    again = [corpus[i][::-1] for i in draw(st.lists(st.integers(0, len(corpus) - 1), max_size=8))]
    query = draw(st.one_of(texts(width), st.sampled_from(corpus)))
    return query, [*corpus, *again], draw(st.integers(1, 25))


def brute_force(
    metric: str, x: np.ndarray, corpus: list[np.ndarray], k: int
) -> tuple[list[int], list[float]]:
    distances = [METRICS[metric](x, y) for y in corpus]
    order = sorted(range(len(corpus)), key=lambda i: (distances[i], i))[:k]
    return order, [distances[i] for i in order]


def random_corpus(count: int, width: int, seed: int, dtype: str = "float32") -> list[np.ndarray]:
    generator = np.random.default_rng(seed)
    vocabulary = generator.normal(size=(count, width)) + 3 * generator.normal(size=width)
    sizes = generator.integers(1, 9, size=count)
    return [vocabulary[generator.integers(0, count, n)].astype(dtype) for n in sizes]


@pytest.mark.parametrize("metric", METRICS)
@settings(deadline=None, max_examples=150)
@given(searches())
def test_pruned_search_is_brute_force_with_ties_and_zero_rows(metric: str, case: tuple) -> None:
    query, corpus, k = case
    indices, distances = brute_force(metric, query, corpus, k)
    for prune in (True, False):
        result = Corpus.from_vectors(corpus).search(query, k, metric=metric, prune=prune)
        assert result.indices.tolist() == indices
        assert result.distances.tolist() == distances


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize(("count", "width"), [(300, 2), (400, 24), (60, 384)])
def test_pruned_search_is_brute_force_in_every_precision(
    metric: str, dtype: str, count: int, width: int
) -> None:
    corpus = random_corpus(count, width, seed=width, dtype=dtype)
    query = corpus[7][:3] + np.asarray(0.01, dtype)
    result = Corpus.from_vectors(corpus).search(query, 10, metric=metric)
    assert (result.indices.tolist(), result.distances.tolist()) == brute_force(
        metric, query, corpus, 10
    )


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("scale", [1e-150, 1e-40, 1e-18, 1e18, 1e30, 1e150])
def test_lengths_that_single_precision_cannot_hold_change_nothing(
    metric: str, scale: float
) -> None:
    corpus = [text * scale for text in random_corpus(40, 5, seed=1, dtype="float64")]
    corpus += random_corpus(10, 5, seed=2, dtype="float64")
    for query in (corpus[3], corpus[-1]):
        result = Corpus.from_vectors(corpus).search(query, 5, metric=metric)
        assert result.indices.tolist() == brute_force(metric, query, corpus, 5)[0]


@pytest.mark.parametrize("metric", METRICS)
@settings(deadline=None, max_examples=100)
@given(searches(), st.floats(1e-6, 1e6))
def test_no_bound_exceeds_its_distance(metric: str, case: tuple, scale: float) -> None:
    query, corpus, _ = case
    query, corpus = query * scale, [text * scale for text in corpus]
    index, words = Corpus.from_vectors(corpus).index(metric), words_of("x", query)
    distances = np.array([METRICS[metric](query, text) for text in corpus])
    costs = index.costs(words)
    assert (index.below_by_centroid(words) <= distances).all()
    assert (index.below_by_words(costs, words) <= distances).all()
    everything = np.arange(len(corpus))
    for given_costs in (costs, None):
        assert (index.below_by_both(everything, words, given_costs) <= distances).all()


@pytest.mark.parametrize("metric", METRICS)
def test_bounds_are_close_to_what_they_are_without_rounding(metric: str) -> None:
    """A bound of 0 would never be wrong: what is taken off for rounding must stay small."""
    from core.similarity.distances import rwmd, wmd_bounds, wrd_bounds

    corpus = random_corpus(50, 40, seed=4)
    query = random_corpus(1, 40, seed=5)[0]
    index, words = Corpus.from_vectors(corpus).index(metric), words_of("x", query)
    both = index.below_by_both(np.arange(50), words, None)
    if metric == "wmd":
        np.testing.assert_allclose(both, [rwmd(query, text) for text in corpus], rtol=1e-3)
        larger = np.maximum(index.below_by_centroid(words), both)
        np.testing.assert_allclose(
            larger, [wmd_bounds(query, text)[0] for text in corpus], rtol=1e-3
        )
    else:
        expected = [wrd_bounds(query, text)[0] for text in corpus]
        np.testing.assert_allclose(index.below_by_centroid(words), expected, atol=2e-4)


@pytest.mark.parametrize("metric", METRICS)
def test_most_texts_are_never_solved_where_the_query_has_neighbors(metric: str) -> None:
    corpus = random_corpus(2000, 24, seed=6)
    result = Corpus.from_vectors(corpus).search(corpus[5], 3, metric=metric)
    assert result.indices[0] == 5
    assert result.solved < 200
    left = result.left
    assert 3 <= left["both"] <= left["words"] <= left["centroid"] <= 2000


def test_k_beyond_the_corpus_returns_all_of_it() -> None:
    corpus = random_corpus(5, 3, seed=0)
    result = Corpus.from_vectors(corpus).search(corpus[2], 100)
    assert sorted(result.indices.tolist()) == [0, 1, 2, 3, 4]
    assert result.solved == 5
    assert result.left["both"] == 5


def test_a_word_that_comes_again_is_kept_once() -> None:
    corpus = Corpus.from_vectors([np.eye(3), np.eye(3)[::-1], np.ones((2, 3))])
    assert corpus.vocabulary.shape == (4, 3)
    for index, text in enumerate((np.eye(3), np.eye(3)[::-1])):
        np.testing.assert_array_equal(corpus.vectors(index), text)
    assert len(corpus) == 3


def test_any_strides_and_any_kind_of_number_will_do() -> None:
    wide = np.random.default_rng(0).normal(size=(6, 8))
    views = [wide[::2, ::2], wide.T[:3, :4].T[:, :3].T[:, :4], [[1, 2, 3, 4]]]
    corpus = Corpus.from_vectors(views)
    for i, view in enumerate(views):
        np.testing.assert_array_equal(corpus.vectors(i), np.asarray(view, dtype=np.float64))


def test_centering_takes_the_mean_of_all_words_out() -> None:
    corpus = Corpus.from_vectors(random_corpus(30, 4, seed=3, dtype="float64"))
    centered = corpus.centered()
    np.testing.assert_allclose(centered.mean, np.zeros(4), atol=1e-12)
    np.testing.assert_allclose(centered.vectors(4) + corpus.mean, corpus.vectors(4))


@pytest.mark.parametrize(
    ("vectors", "sentence"),
    [
        ([], "no text"),
        ([np.ones((2, 3)), np.ones((0, 3))], r"vectors\[1\] has shape \(0, 3\)"),
        ([np.ones((2, 3)), np.ones(3)], r"vectors\[1\] has shape \(3,\)"),
        ([np.ones((2, 3)), np.ones((2, 4))], r"vectors\[1\] has width 4"),
        ([np.ones((2, 3)), np.zeros((2, 3))], r"vectors\[1\] has only zero vectors"),
        ([np.ones((2, 3)), np.full((1, 3), np.nan)], r"vectors\[1\] has NaN or infinity"),
        ([np.full((1, 3), np.inf)], r"vectors\[0\] has NaN or infinity"),
    ],
)
def test_texts_without_a_distance_are_refused_by_number(vectors: list, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Corpus.from_vectors(vectors)


@pytest.mark.parametrize(
    ("x", "k", "metric", "sentence"),
    [
        (np.zeros((2, 3)), 1, "wrd", "x has only zero"),
        (np.full((2, 3), np.nan), 1, "wmd", "x has"),
        (np.ones((2, 4)), 1, "wrd", "x has width 4, but the corpus 3"),
        (np.ones((2, 3)), 0, "wrd", "k is 0"),
        (np.ones((2, 3)), 1, "cosine", "metric is 'cosine'"),
    ],
)
def test_a_search_that_makes_no_sense_is_refused_in_words(
    x: np.ndarray, k: int, metric: str, sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        Corpus.from_vectors([np.eye(3)]).search(x, k, metric=metric)
