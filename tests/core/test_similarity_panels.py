"""What the similarity page computes: readings, masses, costs, and every panel."""

import dataclasses
import importlib
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from core import similarity as core
from core.encoders import TokenEncoder, TokenVectors
from core.similarity.costs import COSTS
from core.similarity.pair import readings

reading = importlib.import_module("core.similarity.reading")
FIRST, SECOND = core.EXAMPLES["bilingual"]


class Speaker(TokenEncoder):
    """An encoder of known vectors: each character is a token, digits are unknown."""

    layers = 2

    def __init__(self) -> None:
        fields = {"name": "speaker", "licence": None, "notice": None, "_tokenizer": 0}
        for name, value in fields.items():
            object.__setattr__(self, name, value)

    def encode_many(self, texts: Any, **options: Any) -> list[TokenVectors]:
        return [self.encode(text, **options) for text in texts]

    def encode(self, text: str, *, layer: int = -1, contextual: bool = True) -> TokenVectors:
        tokens = tuple(text.replace(" ", ""))[:50]
        if not tokens:
            raise ValueError("no word")
        codes = np.array([ord(token) for token in tokens], dtype=np.float32)
        vectors = np.stack([np.cos(codes), np.sin(codes), codes % 7], axis=1)
        known = np.array([not token.isdigit() for token in tokens])
        return TokenVectors(
            tokens, vectors, known, len(text) > 50, np.ones(len(tokens), dtype=bool)
        )

    def sentence(self, text: str) -> np.ndarray:
        return self.encode(text).vectors.sum(axis=0)


@pytest.fixture
def speaker(monkeypatch: pytest.MonkeyPatch) -> Speaker:
    found = Speaker()
    monkeypatch.setattr(reading, "encoder", lambda name: found)
    return found


def vectors(seed: int, m: int = 4, n: int = 5, dim: int = 3) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    return generator.standard_normal((m, dim)), generator.standard_normal((n, dim))


@settings(deadline=None)
@given(st.integers(0, 10**6))
def test_every_cost_is_what_scipy_says(seed: int) -> None:
    x, y = vectors(seed)
    found = {name: cost(x, y) for name, cost in COSTS.items()}
    np.testing.assert_allclose(found["euclidean"], cdist(x, y), atol=1e-9)
    np.testing.assert_allclose(found["squared"], cdist(x, y, "sqeuclidean"), atol=1e-9)
    np.testing.assert_allclose(found["cosine"], cdist(x, y, "cosine"), atol=1e-9)
    right = np.arccos(np.clip(1 - cdist(x, y, "cosine"), -1, 1)) / (np.pi / 2)
    np.testing.assert_allclose(found["angle"], right, atol=1e-6)


def test_a_zero_vector_is_at_a_right_angle_to_all_and_costs_no_nan() -> None:
    x, y = np.array([[0.0, 0.0]]), np.array([[3.0, 4.0], [0.0, 0.0]])
    assert COSTS["cosine"](x, y).tolist() == [[1.0, 1.0]]
    assert COSTS["angle"](x, y) == pytest.approx(np.ones((1, 2)))


def test_places_are_shares_of_the_length() -> None:
    np.testing.assert_allclose(core.position(3, 2), np.array([[0, 1], [0.5, 0.5], [1, 0]]))
    assert core.position(1, 1).tolist() == [[0.0]]
    assert core.position(1, 2).tolist() == [[0.5, 0.5]]


@settings(deadline=None)
@given(st.lists(st.text(max_size=8), min_size=1, max_size=9), st.sampled_from(list(core.MASSES)))
def test_masses_are_shares_whatever_the_words(words: list[str], kind: str) -> None:
    found = core.masses(kind, words, np.linspace(1, 2, len(words)))
    assert found.sum() == pytest.approx(1)
    assert found.min() > 0


def test_claim_rare_words_weigh_more_by_inverse_frequency_and_by_sif() -> None:
    words = ["the", "apple", "的", "苹果", "xqzzy"]
    frequency = core.frequencies(words)
    assert frequency[0] > frequency[1] > frequency[4]
    assert frequency[2] > frequency[3] > frequency[4] == 1e-6
    for kind in ("idf", "sif"):
        the, apple, de, pingguo, unheard = core.masses(kind, words, np.ones(5))
        assert the < apple < unheard
        assert de < pingguo < unheard


def test_stop_words_are_frequent_or_no_words_at_all() -> None:
    words = ["The", "apple", "的", "苹果", "，", "!", "7"]
    assert core.stop_words(words).tolist() == [True, False, True, False, True, True, False]


def test_the_shipped_examples_are_what_the_encoder_says() -> None:
    model = core.encoder("embedded")
    for text in (FIRST, core.EXAMPLES["order-en"][0]):
        for layer in (core.Layer(), core.Layer(contextual=False)):
            shipped = core.read(text, layer=layer)
            live = reading._encoded(text, model, layer)
            assert shipped.words == live.words
            np.testing.assert_allclose(shipped.vectors, live.vectors, atol=1e-4)
            np.testing.assert_allclose(shipped.sentence, live.sentence, atol=1e-5)
    live = core.read("她喜欢吃梨", layer=core.Layer(depth=3))
    assert live.vectors.shape[1] == len(core.mean_vector(layer=core.Layer(depth=3)))
    beyond = core.mean_vector(layer=core.Layer(depth=22))
    np.testing.assert_array_equal(beyond, core.mean_vector())
    with pytest.raises(core.BadText, match="only-unknown"):
        core.read("ཨོཾ་མ་ཎི་")
    mixed = core.read("ཨོཾ apple 😀 苹果")
    assert mixed.unknown
    assert any(label.startswith("⍰") for label in mixed.labels)


def test_pieces_of_a_word_are_joined_to_their_mean() -> None:
    pieces = core.read("The programmer reimplemented tokenization")
    words = pieces.joined()
    assert words.words == ("The", "programmer", "reimplemented", "tokenization")
    assert pieces.words[2:5] == ("re", "implement", "ed")
    np.testing.assert_allclose(words.vectors[2], sum(pieces.vectors[2:5]) / 3)
    assert words.joined().words == words.words
    long, stop = core.masses("idf", words.words[3:], np.ones(1)), words.without_stop_words()
    assert long == pytest.approx(1.0)
    assert "tokenization" in stop.words  # its piece "to" is a stop word, the word is none


@settings(max_examples=25)
@given(
    st.lists(st.from_regex(r"[A-Za-z]{1,9}(n't)?", fullmatch=True), min_size=1, max_size=6),
    st.sampled_from(["我喜欢", "苹果。", "!", ""]),
)
def test_whole_words_are_what_stands_between_spaces(words: list[str], after: str) -> None:
    text = f"{' '.join(words)} {after}".strip()
    found = core.read(text, layer=core.Layer(contextual=False)).joined()
    assert found.words[: len(words)] == tuple(words)
    assert "".join(found.words[len(words) :]) == after


def test_no_encoder_is_loaded_for_the_first_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "encoder", None)
    assert core.plan(core.PlanConfig()).words[0] == ("我", "喜欢", "吃", "红", "苹果")


def test_the_plan_is_the_transport_of_its_cells() -> None:
    found = core.plan(core.PlanConfig())
    m, n = map(len, found.words)
    mass = found.cells["mass"].to_numpy().reshape(m, n)
    cost = found.cells["cost"].to_numpy().reshape(m, n)
    p, q = (found.weights.loc[found.weights["side"] == s, "mass"] for s in ("first", "second"))
    assert found.value == pytest.approx(core.wasserstein_linprog(p, q, cost), abs=1e-9)
    np.testing.assert_allclose(mass.sum(axis=1), p, atol=1e-12)
    values = dict(zip(found.measures["measure"], found.measures["value"], strict=True))
    assert found.value == pytest.approx(values["wrd"], abs=1e-12)  # the default is WRD
    x, y = core.readings(core.PlanConfig())
    assert values["wmd"] == pytest.approx(core.wmd(x.vectors, y.vectors))


def test_claim_each_chinese_word_goes_to_its_translation() -> None:
    cells = core.plan(core.PlanConfig()).cells
    best = cells.loc[cells.groupby("first", sort=False)["mass"].idxmax()]
    pairs = dict(zip(best["first"], best["second"], strict=True))
    assert pairs == {"我": "I", "喜欢": "like", "吃": "eating", "红": "red", "苹果": "apples"}


def test_as_wmd_the_plan_costs_the_wmd() -> None:
    found = core.plan(core.PlanConfig(masses="uniform", cost="euclidean"))
    assert found.value == pytest.approx(found.measures["value"][0], abs=1e-9)


def test_own_masses_take_the_place_of_weights() -> None:
    found = core.plan(core.PlanConfig(p="1 0, 0 0 3", q="0 0 0 0 1"))
    moved = found.cells[found.cells["mass"] > 0]
    assert moved["first"].tolist() == ["我", "苹果"]
    assert moved["mass"].tolist() == pytest.approx([0.25, 0.75])


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("1 2", "masses-count"), ("a b c d e", "masses-number"), ("1 1 1 1 -1", "masses-sign"),
        ("0 0 0 0 0", "masses-sign"), ("nan 1 1 1 1", "masses-sign"),
        ("inf 1 1 1 1", "masses-sign"),
    ],
)  # fmt: skip
def test_own_masses_that_are_none_are_refused(typed: str, code: str) -> None:
    with pytest.raises(core.BadText) as caught:
        core.plan(core.PlanConfig(p=typed))
    assert caught.value.code == code


def test_a_mass_that_is_edited_changes_the_others_by_their_common_sum_alone() -> None:
    before = core.plan(core.PlanConfig()).weights["mass"][:5].tolist()
    typed = core.edited_masses(before, {1: 0.9, 3: 0.0})
    after = core.own_masses(typed, 5)
    expected = np.array([before[0], 0.9, before[2], 0.0, before[4]])
    np.testing.assert_allclose(after, expected / expected.sum(), atol=1e-3)


def test_a_pair_stands_beside_its_bounds_and_they_hold() -> None:
    found = core.plan(core.PlanConfig())
    bounds = found.bounds.set_index("bound")
    exact = dict(zip(found.measures["measure"], found.measures["value"], strict=True))
    for name, row in bounds.iterrows():
        distance = exact["wrd" if str(name).startswith("wrd") else "wmd"]
        assert row["share"] == pytest.approx(row["value"] / distance)
        assert row["share"] >= 1 - 1e-9 if "upper" in str(name) else row["share"] <= 1 + 1e-9
    x, y = (reading.vectors for reading in readings(core.PlanConfig()))
    means = np.linalg.norm(x.mean(axis=0) - y.mean(axis=0))
    assert bounds.loc["wcd", "value"] == pytest.approx(means)
    assert bounds.loc["wmd-upper", "value"] == pytest.approx(cdist(x, y).mean())
    same = core.plan(core.PlanConfig(second=core.PlanConfig().first))
    assert same.bounds["share"].isna().all()


@pytest.mark.parametrize("text", ["", "   ", "\u200b", "\t"])
def test_a_text_without_a_word_is_refused(text: str) -> None:
    with pytest.raises(core.BadText, match="empty"):
        core.read(text)


def test_one_word_emoji_mixed_scripts_and_ten_thousand_words_are_read(speaker: Speaker) -> None:
    for text in ("a", "😀", "aж한😀苹", "word " * 10_000):
        config = core.PlanConfig(first="a", second="b", model="speaker")
        found = reading.read(text, "speaker")
        assert found.truncated == (len(text) > 50)
        assert core.wmd(found.vectors, found.vectors) == pytest.approx(0, abs=1e-9)
    assert core.plan(config).value > 0


def test_unknown_tokens_are_counted_and_marked_and_alone_they_are_refused(speaker: Speaker) -> None:
    found = core.plan(core.PlanConfig(first="a1a2", second="bb", model="speaker"))
    assert found.unknown == 2
    assert found.words == (("a", "⍰ 1", "a (2)", "⍰ 2"), ("b", "b (2)"))
    made_by = found.made_by
    assert (made_by.name, made_by.licence, made_by.foreign) == ("speaker", None, True)
    with pytest.raises(core.BadText, match="only-unknown"):
        core.plan(core.PlanConfig(first="12", second="b", model="speaker"))


def test_texts_of_stop_words_alone_are_refused_without_them(speaker: Speaker) -> None:
    config = core.PlanConfig(first="a!", second="xyz", model="speaker", stop_words=False)
    with pytest.raises(core.BadText, match="only-stop-words"):
        core.plan(config)


def test_shipped_files_that_are_damaged_are_named(tmp_path: Path, monkeypatch: Any) -> None:
    for name in ("_card", "_tensors"):
        getattr(reading, name).cache_clear()
    card = json.loads(reading.CARD.read_text(encoding="utf-8"))
    (tmp_path / "card.json").write_text(json.dumps(card), encoding="utf-8")
    (tmp_path / "vectors").write_bytes(b"not what the card says")
    monkeypatch.setattr(reading, "CARD", tmp_path / "card.json")
    monkeypatch.setattr(reading, "VECTORS", tmp_path / "vectors")
    with pytest.raises(ValueError, match="vectors is damaged"):
        core.read(FIRST)
    for name in ("_card", "_tensors"):
        getattr(reading, name).cache_clear()
    (tmp_path / "card.json").write_text("{", encoding="utf-8")
    with pytest.raises(ValueError, match=r"card\.json is damaged"):
        core.read(FIRST)


@pytest.mark.parametrize("distance", ["wmd", "code", "wrd"])
def test_bounds_are_drawn_beside_the_exact_distance(distance: str) -> None:
    found = core.bounds(core.BoundsConfig(distance=distance, dim=40))
    assert set(found.points["curve"]) == {"diagonal", *found.table["bound"]}
    assert found.factor == pytest.approx(math.sqrt(40))
    assert found.root == pytest.approx(math.sqrt(40))


def test_claim_true_bounds_hold_and_the_slips_break_theirs() -> None:
    for source in ("random", "sentences"):
        tables = {
            distance: core.bounds(core.BoundsConfig(distance=distance, source=source))
            for distance in ("wmd", "code", "wrd")
        }
        holds = {
            bound: holds / found.pairs
            for distance, found in tables.items()
            for bound, holds in zip(found.table["bound"], found.table["holds"], strict=True)
            if not (distance == "code" and bound == "wcd")
        }
        assert holds.pop("wrd-no-half") < 1
        assert set(holds.values()) == {1.0}
        assert tables["code"].broken == tables["code"].pairs


def test_claim_in_one_dimension_the_slip_changes_nothing() -> None:
    assert core.bounds(core.BoundsConfig(distance="code", dim=1)).broken == 0


def test_claim_the_code_s_slip_keeps_the_ranking() -> None:
    x, y = vectors(3)
    z = vectors(4)[0]
    one, other = core.post_word_mover_distance(x, y), core.post_word_mover_distance(x, z)
    assert (one < other) == (core.wmd(x, y) < core.wmd(x, z))
    assert core.wmd(x, y) / one == pytest.approx(math.sqrt(3))
    assert core.code_wmd(x, y) == pytest.approx(one, abs=1e-9)


def test_the_debiased_divergence_is_zero_for_equal_texts_and_positive_else() -> None:
    x, y = core.readings(core.PlanConfig())
    problem_of = importlib.import_module("core.similarity.entropy").problem_of
    assert core.debiased(problem_of(x, x), 0.1) == pytest.approx(0, abs=1e-9)
    assert core.debiased(problem_of(x, y), 0.1) > 0


def test_claim_entropy_blurs_and_sweeps_crawl_as_it_falls() -> None:
    sharp, blurred = (core.entropy(core.EntropyConfig(exponent=e)) for e in (-3.0, 1.0))
    assert sharp.value == pytest.approx(sharp.exact, abs=1e-5)
    assert sharp.debiased == pytest.approx(sharp.exact, abs=2e-3)
    assert blurred.value > 1.5 * blurred.exact
    assert blurred.spread > sharp.spread == pytest.approx(sharp.spread_exact, abs=0.05)
    assert sharp.sweeps > 50 * blurred.sweeps
    assert sharp.newton < 50


def test_claim_static_vectors_do_not_see_who_bites_whom() -> None:
    static = core.order(core.OrderConfig(distance="wmd"))
    assert static.swapped == pytest.approx(0, abs=1e-9)
    assert core.order(core.OrderConfig(vectors="contextual")).swapped > 0.01
    assert core.order(core.OrderConfig(position=0.5)).swapped > 0.05
    assert math.isnan(static.crossing)


def test_triangles_are_those_of_the_cosine() -> None:
    found = core.triangle(core.TriangleConfig())
    assert found.direct == pytest.approx(1)
    assert found.detour == pytest.approx(2 - math.sqrt(2))
    assert found.direct_angle == pytest.approx(found.detour_angle) == pytest.approx(1)
    share, worst = core.broken_triangles(300, np.random.default_rng(0))
    assert 0 < share < 1
    assert worst > 0


def test_claim_norm_rises_with_rarity_in_english_rows_only() -> None:
    found = {
        (language, vectors): core.importance(core.ImportanceConfig(language, vectors))
        for language in ("en", "zh")
        for vectors in ("static", "contextual")
    }
    assert found["en", "static"].low > 0.2
    assert abs(found["zh", "static"].correlation) < 0.2
    assert found["en", "contextual"].high < 0 > found["zh", "contextual"].high
    assert max(one.variation for one in found.values()) < 0.1
    english = found["en", "static"]
    assert english.stop < english.content
    assert {"the", "of", "in"} <= set(english.shortest["word"])


CONFIGS = (
    (core.PlanConfig, core.plan), (core.BoundsConfig, core.bounds),
    (core.EntropyConfig, core.entropy), (core.OrderConfig, core.order),
    (core.TriangleConfig, core.triangle), (core.ImportanceConfig, core.importance),
)  # fmt: skip


@pytest.mark.parametrize(("config", "compute"), CONFIGS, ids=lambda item: item.__name__)
@settings(max_examples=4, deadline=None)
@given(data=st.data())
def test_any_setting_gives_finite_tables(config: Any, compute: Any, data: Any) -> None:
    from core.knobs import Choice, Range, knobs

    chosen: dict[str, Any] = {}
    for knob in knobs(config):
        if isinstance(knob.domain, Choice):
            chosen[knob.name] = data.draw(st.sampled_from(knob.domain.options))
        elif isinstance(knob.domain, Range):
            low, high = knob.domain.low, knob.domain.high
            numbers = st.integers(int(low), int(high)) if knob.type is int else st.floats(low, high)
            chosen[knob.name] = data.draw(numbers)
        elif knob.domain is None:
            chosen[knob.name] = data.draw(st.booleans())
    result = compute(config(**chosen))
    for field in dataclasses.fields(result):
        table = getattr(result, field.name)
        if isinstance(table, pd.DataFrame):
            assert len(table)
            assert np.isfinite(table.select_dtypes("number").to_numpy()).all()
