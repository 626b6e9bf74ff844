"""Encode the example texts of the similarity page, and the mean vectors that centring takes out.

Writes pretrained/similarity/examples.safetensors and examples.json. Run from the repository root:
`python scripts/ship_similarity_vectors.py` (a quarter of a minute).
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from core.encoder_file import read_card
from core.encoders import EMBEDDED, encoder
from core.similarity.reading import write_examples


def main() -> None:
    """Encode and keep."""
    model = encoder(EMBEDDED)
    card = {
        "model": read_card()["model"],
        "licence": read_card()["licence"],
        "what": "token vectors of the last layer and of the word embedding, sentence vectors, "
        "and the mean token vector of every layer over some sentences of corpus.toml; float32",
    }
    write_examples(model, card)


if __name__ == "__main__":
    main()
