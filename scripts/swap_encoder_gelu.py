"""Swap GELU in the encoder that ships, and keep the tables that the GELU page shows first.

Writes pretrained/gelu/encoder-*.json. Run from the repository root:
`python scripts/swap_encoder_gelu.py` (about a minute of one core).
"""

import sys
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from core.gelu.encoder import PLACES, EncoderConfig, encoder_drift, kept
from core.tables import save_table


def main() -> None:
    """Every place of the swap, with the slope that is best for GELU."""
    for layers in PLACES:
        config = EncoderConfig(layers=layers)
        found = encoder_drift(config)
        print(layers, found.vectors.to_string(index=False), sep="\n")
        for name in ("by_layer", "vectors"):
            save_table(kept(layers, name), getattr(found, name), {"config": asdict(config)})


if __name__ == "__main__":
    main()
