"""Pick the word vectors of the initialization page from the encoder that ships.

Writes pretrained/initialization/words.safetensors and words.json. Run from the repository root
with an English word list (Debian's wamerican): `python scripts/ship_word_vectors.py [WORDS]`.
"""

import hashlib
import json
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import safetensors
import safetensors.numpy

from core.encoder_file import (
    NIBBLES,
    PIECES,
    SCALE,
    SCORES,
    SHIPPED,
    WEIGHTS,
    dequantize,
    read_card,
)
from core.initialization.words import FOLDER

COUNT = 400  # words of each language
EMBEDDING = "embeddings.word_embeddings.weight"
CHINESE = re.compile(r"[一-鿿]{2,}")


def main(word_list: str = "/usr/share/dict/american-english") -> None:
    """Pick the most frequent whole words of both languages, and keep their vectors."""
    english = set(Path(word_list).read_text(encoding="utf-8").split())
    with safetensors.safe_open(SHIPPED / WEIGHTS, framework="numpy") as file:
        pieces = file.get_tensor(PIECES).tobytes().decode().split("\n")
        by_frequency = np.argsort(-file.get_tensor(SCORES), kind="stable")
        rows = dequantize(file.get_tensor(EMBEDDING + SCALE), file.get_tensor(EMBEDDING + NIBBLES))
    ids = {
        "en": [i for i in by_frequency if is_english(pieces[i], english)][:COUNT],
        "zh": [i for i in by_frequency if CHINESE.fullmatch(pieces[i])][:COUNT],
    }
    vectors = rows[[*ids["en"], *ids["zh"]]].astype(np.float16)
    content = safetensors.numpy.save({"vectors": vectors})
    card = {
        "model": read_card()["model"],
        "licence": read_card()["licence"],
        "what": "rows of the word embedding, float16",
        "sha256": hashlib.sha256(content).hexdigest(),
        "words": {code: [pieces[i].lstrip("▁") for i in found] for code, found in ids.items()},
    }
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "words.safetensors").write_bytes(content)
    text = json.dumps(card, ensure_ascii=False, indent=1)
    (FOLDER / "words.json").write_text(text + "\n", encoding="utf-8")


def is_english(piece: str, words: set[str]) -> bool:
    """Whether a piece is a whole lower-case word of the list, of four letters or more."""
    return piece.startswith("▁") and len(piece) > 4 and piece[1:].islower() and piece[1:] in words


if __name__ == "__main__":
    main(*sys.argv[1:])
