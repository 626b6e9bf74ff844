"""Texts embedded in the background: the same vectors as `encode`, resumable, bounded, told."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from core import library
from core.encoder_file import unpacked
from core.encoders import TokenEncoder, encoder
from core.runs import run
from core.similarity import embedding, texts
from core.similarity.corpus import Corpus
from core.similarity.distances import wmd, wrd
from core.similarity.embedding import CORPUS, CorpusConfig, embed, embedded
from core.similarity.judged import JUDGED, ScoresConfig

OWN = [
    "The night train is late.",
    "夜里的火车晚点了。",
    "!!!",
    "A dog barks.",
    "ཀ་ཁ་ག",
    "The dog barks.",
]


@pytest.fixture(scope="module")
def model() -> TokenEncoder:
    return encoder()


@pytest.fixture(autouse=True)
def _forget() -> None:
    embedding._own.cache_clear()
    embedding._ours.cache_clear()


def digest(store: Path, lines: list[str] = OWN) -> str:
    return texts.keep(lines)


@pytest.mark.parametrize("contextual", [True, False])
def test_from_texts_has_the_vectors_of_encode(model: TokenEncoder, contextual: bool) -> None:
    corpus = Corpus.from_texts(OWN[:2], model, contextual=contextual)
    for index in (0, 1):
        alone = model.encode(OWN[index], contextual=contextual).vectors
        np.testing.assert_allclose(corpus.vectors(index), alone, atol=2e-5)
    x = model.encode("late trains", contextual=contextual).vectors
    expected = [wrd(x, corpus.vectors(i)) for i in (0, 1)]
    result = corpus.search(x, 2)
    assert result.distances.tolist() == sorted(expected)


def test_claim_half_precision_moves_a_distance_by_less_than_a_thousandth(
    model: TokenEncoder,
) -> None:
    sample = texts.shipped()[:40]
    x = model.encode(OWN[0]).vectors
    single, half = (
        Corpus.from_texts(sample, model, precision=precision) for precision in ("single", "half")
    )
    assert half.vocabulary.nbytes * 2 == single.vocabulary.nbytes
    for exact, near, query in (
        (single, half, x), (single.centered(), half.centered(), x - single.mean),
    ):  # fmt: skip
        for distance in (wmd, wrd):
            expected = np.array([distance(query, exact.vectors(i)) for i in range(40)])
            found = np.array([distance(query, near.vectors(i)) for i in range(40)])
            assert np.abs(found / expected - 1).max() < 1e-3


def test_a_text_without_a_word_is_named(model: TokenEncoder) -> None:
    with pytest.raises(ValueError, match=r"texts\[1\]: text is ''"):
        Corpus.from_texts(["a word", ""], model)


@pytest.mark.parametrize("vectors", ["static", "contextual"])
def test_the_task_embeds_what_encode_embeds(store: Path, model: TokenEncoder, vectors: str) -> None:
    config = CorpusConfig(texts=digest(store), vectors=vectors)
    found = embedded(config, centered=False)
    assert set(found.texts) >= {text for text in OWN if text != "!!!"}
    for member, text in enumerate(found.texts):
        alone = model.encode(text, contextual=vectors == "contextual")
        np.testing.assert_allclose(found.corpus.vectors(member), alone.vectors, atol=2e-3)
        assert len(found.words(member)) == len(alone.tokens)
    assert 0 < found.unknown < 1


@pytest.mark.parametrize("vectors", ["static", "contextual"])
def test_a_stopped_task_goes_on_to_the_same_vectors(
    store: Path, monkeypatch: pytest.MonkeyPatch, vectors: str
) -> None:
    monkeypatch.setattr(embedding, "BATCH", {"static": 2, "contextual": 2})
    config = CorpusConfig(texts=digest(store), vectors=vectors)
    whole = list(embed(config))[-1].weights()
    steps = embed(config)
    state = next(steps).state()
    resumed = list(embed(config, state))[-1].weights()
    assert whole.keys() == resumed.keys()
    for name, tensor in whole.items():
        assert tensor.equal(resumed[name]), name


def test_a_kept_corpus_is_found_by_content(store: Path) -> None:
    config = CorpusConfig(texts=digest(store), vectors="static")
    made = run(CORPUS, config)
    assert library.find(CORPUS.key(CorpusConfig(texts=digest(store), vectors="static"))) is not None
    assert made.meta["metrics"]["tokens"] > 10
    assert CORPUS.key(config) != CORPUS.key(CorpusConfig(digest(store, OWN[:2]), "static"))


def test_too_many_contextual_vectors_are_refused(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedding, "TOKENS", 10)
    with pytest.raises(ValueError, match="more than 10 words"):
        run(CORPUS, CorpusConfig(texts=digest(store)))
    run(CORPUS, CorpusConfig(texts=digest(store), vectors="static"))


def test_texts_that_are_gone_are_said_to_be(store: Path) -> None:
    for name in ("0" * 32, "no digest"):
        assert not texts.is_here(name)
        with pytest.raises(texts.Gone):
            texts.texts_of(name)
    assert texts.is_here("")
    assert texts.is_here(digest(store))


def test_readers_texts_are_bounded(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "LIMIT", 3000)
    kept = [texts.keep([f"{number} " * 400]) for number in range(5)]
    assert [texts.is_here(name) for name in (kept[0], kept[-1])] == [False, True]


def test_a_model_that_cannot_be_had_is_not_replaced_silently(store: Path) -> None:
    with pytest.raises(ValueError, match="can't be had"):
        run(CORPUS, CorpusConfig(vectors="static", model="/no/such/model"))


def test_a_folder_that_changes_gives_fresh_vectors(store: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(unpacked(store), folder)
    config = CorpusConfig(texts=digest(store, OWN[:2]), vectors="static", model=str(folder))
    before, key = embedded(config, centered=False).corpus.vectors(0), CORPUS.key(config)
    os.utime(folder / "model.safetensors")  # the same content, written again
    assert CORPUS.key(config) == key
    weights = safetensors.numpy.load_file(folder / "model.safetensors")
    name = "embeddings.word_embeddings.weight"
    doubled = {**weights, name: 2 * weights[name]}
    safetensors.numpy.save_file(doubled, tmp_path / "new", metadata={"format": "pt"})
    (tmp_path / "new").replace(folder / "model.safetensors")
    after = embedded(config, centered=False).corpus.vectors(0)
    np.testing.assert_array_equal(after, 2 * before)
    assert CORPUS.key(config) != key
    assert JUDGED.key(ScoresConfig(str(folder))) != JUDGED.key(ScoresConfig(str(unpacked(store))))
    assert library.find(key) is not None


def test_the_shipped_vectors_are_those_of_the_shipped_texts(model: TokenEncoder) -> None:
    """A changed text or encoder changes the key: then the script has to be run again."""
    found = embedded(CorpusConfig(), centered=False)
    kept = library.find(CORPUS.key(CorpusConfig()))
    assert kept is not None
    assert kept.origin == "shipped"
    for member in (0, 250):
        alone = model.encode(found.texts[member])
        np.testing.assert_allclose(found.corpus.vectors(member), alone.vectors, atol=2e-3)
