"""The sentence encoder that ships: 4-bit weights in one file, unpacked once to a model folder.

It is multilingual-e5-small with the vocabulary of Chinese and English; where it comes from and what
was dropped stands in `pretrained/encoder/meta.json`. `python scripts/pack_encoder.py` makes it.

In the packed file a matrix `name` [rows, columns] is two tensors: `name.scale` float16
[rows, columns / 32] and `name.nibbles` uint8 [rows, columns / 2]. Sixteen bytes hold 32 weights:
first their low halves, then their high halves; weight = (nibble - 8) scale. The rest is as it is:
float32 tensors, the tokenizer's pieces (UTF-8, a line each, in the order of the matrix's rows) and
their scores. Unpacked, all weights are float32, which is exact.
"""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy
from jaxtyping import Float16, Float32, UInt8
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers
from tokenizers.processors import TemplateProcessing

from core.store import Store

SHIPPED = Path(__file__).parents[1] / "pretrained" / "encoder"
WEIGHTS, CARD = "model.safetensors", "meta.json"
PIECES, SCORES = "tokenizer.pieces", "tokenizer.scores"
SCALE, NIBBLES = ".scale", ".nibbles"
BLOCK = 32  # weights that share a scale
PREFIX = "query: "  # what the model was trained to read before a text
SPECIAL = BOS, PAD, EOS, UNKNOWN, MASK = "<s>", "<pad>", "</s>", "<unk>", "<mask>"
LAYOUT = 1  # of the unpacked folder; raised when an older one would be wrong

_DIGESTS = "digests.json"
_POOLER = "pooler.dense"  # a layer that BERT has and this model does not use

Card = dict[str, Any]


def unpacked(root: Path) -> Path:
    """The model folder inside `root`, made unless it is there and whole.

    `SentenceTransformer(folder)` and transformers' `AutoModel` read it. About 170 MB. Safe under
    several threads and processes: a folder appears complete, and its content is always the same.
    Raises ValueError if the packed file is missing or damaged, OSError if `root` can't be written.
    """
    card = read_card()
    place = root / "_encoder" / f"{card['sha256'][:16]}-{LAYOUT}"
    _check_packed(card)
    if not _is_whole(place):
        with Store(root).new_folder() as made:
            write_folder(SHIPPED / WEIGHTS, card, made / "model")
            _publish(made / "model", place)
    return place


def read_card() -> Card:
    """Where the encoder comes from and what was measured. Raises ValueError if it is damaged."""
    path = SHIPPED / CARD
    try:
        card: Card = json.loads(path.read_text(encoding="utf-8"))
        card["config"], card["sha256"]
    except OSError as error:
        raise ValueError(f"encoder/{CARD} is missing: {error.strerror}") from error
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"encoder/{CARD} is damaged: {error}") from error
    return card


def dequantize(
    scale: Float16[np.ndarray, "rows blocks"], nibbles: UInt8[np.ndarray, "rows bytes"]
) -> Float32[np.ndarray, "rows columns"]:
    """The weights of a packed matrix: 32 columns a block, 16 bytes a block."""
    halves = nibbles.reshape(*scale.shape, BLOCK // 2)
    weights = np.concatenate([halves & 15, halves >> 4], axis=-1).astype(np.float32)
    weights -= 8
    weights *= scale[..., None].astype(np.float32)
    return weights.reshape(len(scale), -1)


def write_folder(packed: Path, card: Card, folder: Path) -> None:
    """Unpack a file into a new folder, with the digest of each file written.

    Raises OSError if the folder can't be written.
    """
    (folder / "1_Pooling").mkdir(parents=True)
    try:
        with safetensors.safe_open(packed, framework="numpy") as file:
            weights = {**_weights(file), **_pooler(card["config"]["hidden_size"])}
            text = tokenizer(file.get_tensor(PIECES), file.get_tensor(SCORES)).to_str()
        safetensors.numpy.save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})
    except safetensors.SafetensorError as error:  # it hides the operating system's error
        raise OSError(f"{folder.name}: {error}") from error
    (folder / "tokenizer.json").write_text(text, encoding="utf-8")
    for name, content in _settings(card).items():
        (folder / name).write_text(content, encoding="utf-8")
    digests = {path.relative_to(folder).as_posix(): _digest(path) for path in _files(folder)}
    (folder / _DIGESTS).write_text(_json(digests), encoding="utf-8")


def _weights(file: Any) -> dict[str, np.ndarray]:
    names = [name for name in file.keys() if name not in (PIECES, SCORES)]  # noqa: SIM118
    whole = {n: file.get_tensor(n) for n in names if not n.endswith((SCALE, NIBBLES))}
    quantized = [name.removesuffix(SCALE) for name in names if name.endswith(SCALE)]
    return whole | {
        name: dequantize(file.get_tensor(name + SCALE), file.get_tensor(name + NIBBLES))
        for name in quantized
    }


def _pooler(width: int) -> dict[str, np.ndarray]:
    """Zeros: absent, transformers would draw them at random and warn."""
    return {
        f"{_POOLER}.weight": np.zeros((width, width), np.float32),
        f"{_POOLER}.bias": np.zeros(width, np.float32),
    }


def tokenizer(pieces: UInt8[np.ndarray, " bytes"], scores: Float32[np.ndarray, " n"]) -> Tokenizer:
    """Unigram over the pieces. Nmt and NFKC clean a text up as the original's own table does."""
    names = pieces.tobytes().decode().split("\n")
    vocabulary = list(zip(names, scores.tolist(), strict=True))
    made = Tokenizer(models.Unigram(vocabulary, names.index(UNKNOWN), byte_fallback=False))
    made.normalizer = normalizers.Sequence([normalizers.Nmt(), normalizers.NFKC()])
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()]
    )
    made.decoder = decoders.Metaspace()
    made.post_processor = TemplateProcessing(
        single=f"{BOS} $A {EOS}",
        pair=f"{BOS} $A {EOS} {EOS} $B {EOS}",
        special_tokens=[(BOS, names.index(BOS)), (EOS, names.index(EOS))],
    )
    made.add_special_tokens([AddedToken(name, normalized=False) for name in SPECIAL])
    return made


def _settings(card: Card) -> dict[str, str]:
    """The small files of a sentence-transformers folder."""
    config = card["config"]
    kind = "sentence_transformers.models"
    modules = [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")]
    settings = {
        "config.json": config,
        "tokenizer_config.json": {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": config["max_position_embeddings"],
            **dict(bos_token=BOS, cls_token=BOS, eos_token=EOS, sep_token=EOS),
            **dict(pad_token=PAD, unk_token=UNKNOWN, mask_token=MASK),
        },
        "sentence_bert_config.json": {"max_seq_length": config["max_position_embeddings"]},
        "config_sentence_transformers.json": {
            "prompts": {"query": PREFIX},
            "default_prompt_name": "query",
        },
        "1_Pooling/config.json": {
            "word_embedding_dimension": config["hidden_size"],
            "pooling_mode_mean_tokens": True,
        },
        "modules.json": [
            {"idx": index, "name": str(index), "path": path, "type": f"{kind}.{name}"}
            for index, (path, name) in enumerate(modules)
        ],
    }
    readme = f"---\nlicense: {card['licence'].lower()}\n---\n{card['model']}\n"
    return {name: _json(content) for name, content in settings.items()} | {"README.md": readme}


def _check_packed(card: Card) -> None:
    try:
        found = _digest(SHIPPED / WEIGHTS)
    except OSError as error:
        raise ValueError(f"encoder/{WEIGHTS} is missing: {error.strerror}") from error
    if found != card["sha256"]:
        raise ValueError(f"encoder/{WEIGHTS} is damaged: not the weights of its card")


def _is_whole(folder: Path) -> bool:
    try:
        digests = json.loads((folder / _DIGESTS).read_text(encoding="utf-8"))
        return WEIGHTS in digests and not _differing(folder, digests)
    except (OSError, ValueError, AttributeError, TypeError):
        return False


def _differing(folder: Path, digests: dict[str, str]) -> list[str]:
    """The files of `folder` that are absent or not of these digests."""
    return [
        name
        for name, digest in digests.items()
        if not (folder / name).is_file() or _digest(folder / name) != digest
    ]


def _publish(made: Path, place: Path) -> None:
    """Put a new folder in its place; where one stands already, mend the files that differ."""
    for path in _files(made):
        _sync(path)
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        made.rename(place)
    except OSError:
        if not place.is_dir():
            raise
        digests = json.loads((made / _DIGESTS).read_text(encoding="utf-8"))
        for name in [*_differing(place, digests), _DIGESTS]:
            (place / name).parent.mkdir(exist_ok=True)
            (made / name).replace(place / name)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _sync(path: Path) -> None:
    """Make sure that a file is on the disk."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _json(content: Any) -> str:
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"
