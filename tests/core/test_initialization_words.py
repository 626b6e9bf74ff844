"""Real word vectors: read whole, and not without a preferred direction."""

import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial.distance import pdist

from core import initialization as core
from core.encoders import EMBEDDED, Notice, TokenEncoder, TokenVectors

module = importlib.import_module("core.initialization.words")


@pytest.mark.parametrize("language", ["en", "zh", "both"])
@pytest.mark.parametrize("centered", [False, True])
def test_the_angles_are_those_of_scipys_cosine_distance(language: str, centered: bool) -> None:
    by_language, vectors = core.word_vectors()
    count = len(by_language["en"])
    rows = {"en": vectors[:count], "zh": vectors[count:], "both": vectors}[language]
    angles = np.degrees(np.arccos(1 - pdist(rows - centered * rows.mean(axis=0), "cosine")))
    result = core.words(core.WordsConfig(language=language, centered=centered))
    assert result.mean == pytest.approx(angles.mean())
    assert result.spread == pytest.approx(angles.std())
    assert result.within == pytest.approx((np.abs(angles - 90) <= 5).mean())
    assert result.closest["angle"].tolist() == pytest.approx(sorted(angles)[:6])
    assert result.count == len(rows)


def test_both_densities_integrate_to_nearly_one() -> None:
    table = core.words(core.WordsConfig()).densities
    for curve in ("words", "isotropic"):
        assert table.loc[table["curve"] == curve, "value"].sum() == pytest.approx(1, abs=0.01)


def test_what_is_expected_without_a_preferred_direction_is_what_samples_show() -> None:
    result = core.words(core.WordsConfig())
    sample = np.degrees(core.sample_angles(result.dim, 20_000).numpy())
    assert result.expected_spread == pytest.approx(sample.std(), rel=0.03)
    assert result.expected_within == pytest.approx((np.abs(sample - 90) <= 5).mean(), abs=0.01)


@pytest.mark.parametrize("language", ["en", "zh", "both"])
def test_claim_of_the_page_word_vectors_prefer_directions_also_without_their_mean(
    language: str,
) -> None:
    plain = core.words(core.WordsConfig(language=language))
    centered = core.words(core.WordsConfig(language=language, centered=True))
    assert plain.mean < 87
    assert abs(centered.mean - 90) < 0.5
    assert min(plain.spread, centered.spread) > 1.3 * plain.expected_spread
    assert max(plain.within, centered.within) < plain.expected_within - 0.1


class Speaker(TokenEncoder):
    """Knows English letters alone, each a piece with its code as a vector."""

    def __init__(self, name: str = "speaker") -> None:
        notice = Notice("model-not-found", "nobody") if name == EMBEDDED else None
        fields = {"name": name, "licence": None, "notice": notice, "_tokenizer": 0}
        for field, value in fields.items():
            object.__setattr__(self, field, value)

    def encode_many(self, texts: Any, **options: Any) -> list[TokenVectors]:
        assert options == {"contextual": False}
        return [self._letters(text) for text in texts]

    def _letters(self, text: str) -> TokenVectors:
        codes = np.array([ord(letter) for letter in text], dtype=np.float32)
        vectors = np.stack([np.cos(codes), np.sin(codes), codes % 7], axis=1)
        return TokenVectors(tuple(text), vectors, codes < 128, False, codes < 0)


def test_another_encoder_s_words_are_the_means_of_their_pieces(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "encoder", lambda name: Speaker())
    by_language, _ = core.word_vectors()
    english = by_language["en"]
    codes = [np.array([ord(letter) for letter in word]) for word in english]
    rows = [np.stack([np.cos(c), np.sin(c), c % 7], axis=1).mean(axis=0) for c in codes]
    angles = np.degrees(np.arccos(np.clip(1 - pdist(np.stack(rows), "cosine"), -1, 1)))
    found = core.words(core.WordsConfig(language="both", model="speaker"))
    assert found.count == len(english)  # what it does not know is left out
    assert found.mean == pytest.approx(angles.mean(), abs=1e-4)
    assert (found.encoder, found.licence, found.dim) == ("speaker", None, 3)
    with pytest.raises(core.TooFewWords, match="knows 0 of"):
        core.words(core.WordsConfig(language="zh", model="speaker"))


def test_where_the_encoder_that_ships_stands_in_its_shipped_vectors_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "encoder", lambda name: Speaker(EMBEDDED))
    found, plain = (core.words(core.WordsConfig(model=name)) for name in ("nobody", ""))
    assert (found.mean, found.encoder) == (plain.mean, plain.encoder)
    assert found.notice is not None
    assert plain.notice is None


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("words.json", "words.safetensors"):
        (tmp_path / name).write_bytes((module.FOLDER / name).read_bytes())
    monkeypatch.setattr(module, "FOLDER", tmp_path)
    module._files.cache_clear()
    return tmp_path


def test_damaged_vectors_are_refused_in_words(copy: Path) -> None:
    weights = copy / "words.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"?")
    with pytest.raises(ValueError, match=r"words\.safetensors is damaged"):
        core.word_vectors()
    (copy / "words.json").write_text(json.dumps([]))
    with pytest.raises(ValueError, match=r"words\.json is damaged"):
        core.word_vectors()
    (copy / "words.json").unlink()
    with pytest.raises(ValueError, match=r"words\.json is missing"):
        core.word_vectors()
    module._files.cache_clear()
