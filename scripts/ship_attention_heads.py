"""Keep the queries and keys of the attention page's two sentences, all layers and heads.

Writes pretrained/attention/heads.safetensors and heads.json. Run from the repository root:
`python scripts/ship_attention_heads.py`.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import safetensors.numpy

from core.attention.heads import CARD, SENTENCES, TENSORS
from core.encoder_file import read_card
from core.encoders import EMBEDDED, encoder


def main() -> None:
    """Run the embedded encoder on both sentences."""
    model = encoder(EMBEDDED)
    tensors, tokens = {}, {}
    for code, sentence in SENTENCES.items():
        layers = [model.layer(sentence, index) for index in range(model.layers)]
        tokens[code] = layers[0].tokens
        for name in ("queries", "keys"):
            stacked = np.stack([getattr(layer, name) for layer in layers])
            tensors[f"{code}.{name}"] = stacked.astype(np.float16)
    TENSORS.parent.mkdir(parents=True, exist_ok=True)
    safetensors.numpy.save_file(tensors, TENSORS)
    card = {"model": read_card()["model"], "licence": read_card()["licence"]}
    card |= {"what": "queries and keys [layer, head, token, 32], float16", "tokens": tokens}
    CARD.write_text(json.dumps(card, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
