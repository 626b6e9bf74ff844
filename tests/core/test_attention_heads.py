"""A trained head: shipped queries and keys are the encoder's, bad texts are refused by name."""

import dataclasses
import importlib

import numpy as np
import pytest

from core import attention as core
from core.encoders import EMBEDDED, Notice, TokenEncoder, encoder

module = importlib.import_module("core.attention.heads")  # its function has its name


@pytest.fixture(scope="module")
def embedded() -> TokenEncoder:
    return encoder(EMBEDDED)


@pytest.fixture
def no_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> TokenEncoder:
        raise AssertionError("the encoder was asked for")

    monkeypatch.setattr(module, "encoder", refuse)
    monkeypatch.delenv("LAB_MODEL", raising=False)


@pytest.mark.parametrize("text", [core.ENGLISH, core.CHINESE])
def test_the_first_pictures_need_no_encoder(no_encoder: None, text: str) -> None:
    result = core.heads(core.HeadsConfig(text=text, layer=12, head=12))
    assert (result.layer, result.head) == (12, 12)
    assert result.reachable
    assert not result.unknown
    assert result.notice is None


@pytest.mark.parametrize("text", [core.ENGLISH, core.CHINESE])
@pytest.mark.parametrize("layer", [0, 3, 11])
def test_what_ships_is_the_encoder_s_own(embedded: TokenEncoder, text: str, layer: int) -> None:
    found = embedded.layer(text, layer)
    shipped = module._shipped(text, layer)
    assert shipped.tokens == found.tokens
    assert found.queries is not None
    np.testing.assert_allclose(shipped.queries, found.queries, atol=5e-3)
    np.testing.assert_allclose(shipped.weights, found.weights, atol=0.02)


def test_at_scale_1_the_softmax_is_the_model_s_own_attention(embedded: TokenEncoder) -> None:
    text = "We eat red apples."
    result = core.heads(core.HeadsConfig(text=text, layer=3, head=5))
    own = embedded.attention(text, 2, 4)
    np.testing.assert_allclose(result.softmax["weight"], own.flatten(), atol=1e-4)


def test_unknown_tokens_are_named(embedded: TokenEncoder) -> None:
    result = core.heads(core.HeadsConfig(text="Say привет to them"))
    assert result.unknown == ("привет",)


@pytest.mark.parametrize("text", ["", "   "])
def test_a_text_without_a_word_is_refused(embedded: TokenEncoder, text: str) -> None:
    with pytest.raises(core.NoWord, match="at least one word"):
        core.heads(core.HeadsConfig(text=text))


def test_a_model_that_hides_its_queries_shows_its_own_attention_twice(
    embedded: TokenEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    notice = Notice("model-not-found", "somebody/some-model")
    hidden = dataclasses.replace(embedded, notice=notice)
    monkeypatch.setattr(TokenEncoder, "_queries_keys", lambda self, state, index: None)
    monkeypatch.setattr(module, "encoder", lambda: hidden)
    result = core.heads(core.HeadsConfig(text="Apples are red."))
    assert not result.reachable
    assert result.kernel.equals(result.softmax)
    assert result.notice == notice


def test_a_model_with_fewer_layers_shows_its_last(
    embedded: TokenEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TokenEncoder, "layers", 6)
    result = core.heads(core.HeadsConfig(text="Apples are red.", layer=9))
    assert result.layer == 6


def test_a_damaged_file_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    module._files.cache_clear()
    monkeypatch.setattr(module, "CARD", module.TENSORS)
    with pytest.raises(ValueError, match="damaged"):
        core.heads(core.HeadsConfig())
    module._files.cache_clear()


def test_claim_the_heads_of_the_presets_look_where_their_names_say(no_encoder: None) -> None:
    sharp = core.heads(core.HeadsConfig())
    even, first = (core.heads(core.HeadsConfig(layer=1, head=head)) for head in (1, 8))
    assert sharp.softmax_entropy < 0.1
    assert sharp.distance > 0.85
    assert even.softmax_entropy > 0.8
    assert even.distance < 0.4
    on_the_first = first.softmax[first.softmax["key"].str.startswith("1 ")]["weight"]
    assert on_the_first.mean() > 0.9
