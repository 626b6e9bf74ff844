"""Real word vectors: read whole, and not without a preferred direction."""

import importlib
import json
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.distance import pdist

from core import initialization as core

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


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("words.json", "words.safetensors"):
        (tmp_path / name).write_bytes((module.FOLDER / name).read_bytes())
    monkeypatch.setattr(module, "FOLDER", tmp_path)
    core.word_vectors.cache_clear()
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
    core.word_vectors.cache_clear()
