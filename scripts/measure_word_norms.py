"""Measure the norms of word vectors for the similarity page.

Writes norms.json and norm_cuts.json in pretrained/similarity. Run from the repository root:
`python scripts/measure_word_norms.py` (half a minute).
"""

import re
import sys
import tomllib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import pandas as pd
import wordfreq

from core.encoder_file import read_card
from core.encoders import EMBEDDED, TokenEncoder, encoder
from core.similarity.importance import CUTS, NORMS, correlation
from core.similarity.reading import FOLDER
from core.similarity.words import RAREST, frequencies
from core.tables import save_table

COUNT = 700  # of each language, whose norms are kept
COUNTS = (200, 700, 1500, 3000, 6000)  # and the whole list
SCRIPTS = {"en": re.compile(r"[a-z]+"), "zh": re.compile(r"[一-鿿]+")}


def main() -> None:
    """Measure both kinds of vectors."""
    model = encoder(EMBEDDED)
    static = {code: embedding(model, code) for code in SCRIPTS}
    first = [rows.head(COUNT) for rows in static.values()]
    rows = pd.concat([*first, after_the_last_layer(model)])
    card = {"model": read_card()["model"], "licence": read_card()["licence"]}
    card |= {"frequencies": "wordfreq, small lists"}
    save_table(NORMS, rows.round({"norm": 4}), card)
    save_table(CUTS, pd.concat([cuts(rows) for rows in static.values()]), card)


def cuts(rows: pd.DataFrame) -> pd.DataFrame:
    """The correlation among ever more of the most frequent words."""
    counts = [*(count for count in COUNTS if count < len(rows)), len(rows)]
    return pd.DataFrame(
        {
            "language": rows["language"].iloc[0],
            "count": counts,
            "correlation": [correlation(rows.head(count)) for count in counts],
        }
    )


def embedding(model: TokenEncoder, code: str) -> pd.DataFrame:
    """Words in the order of their frequency that are one token, and the norm of its row."""
    found: list[tuple[str, float]] = []
    for word in wordfreq.top_n_list(code, 20_000, "small"):
        if SCRIPTS[code].fullmatch(word):
            read = model.encode(word, contextual=False)
            if len(read.tokens) == 1 and read.known[0]:
                found.append((word, float(np.linalg.norm(read.vectors[0]))))
    return table(dict(found), code, "static")


def after_the_last_layer(model: TokenEncoder) -> pd.DataFrame:
    """The words of the shipped sentences, and the mean norm over their occurrences."""
    themes = tomllib.loads((FOLDER / "corpus.toml").read_text(encoding="utf-8"))["themes"]
    tables = []
    for code, script in SCRIPTS.items():
        norms: dict[str, list[float]] = {}
        texts = [text for theme in themes.values() for text in theme[code]]
        for text, read in zip(texts, model.encode_many(texts), strict=True):
            whole = re.findall(r"[a-z]+", text.lower())
            lengths = np.linalg.norm(read.vectors, axis=1)
            for word, length in zip(read.tokens, lengths, strict=True):
                # A piece of an English word is none; Chinese is not written in words.
                if script.fullmatch(word.lower()) and (code == "zh" or word.lower() in whole):
                    norms.setdefault(word.lower(), []).append(float(length))
        means = {word: float(np.mean(found)) for word, found in norms.items()}
        tables.append(table(means, code, "contextual"))
    return pd.concat(tables)


def table(norms: dict[str, float], code: str, vectors: str) -> pd.DataFrame:
    """Rows of the words whose frequency is known."""
    found = pd.DataFrame(
        {
            "word": list(norms),
            "language": code,
            "vectors": vectors,
            "frequency": frequencies(list(norms)),
            "norm": list(norms.values()),
        }
    )
    return found[found["frequency"] > RAREST]


if __name__ == "__main__":
    main()
