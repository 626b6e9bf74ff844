"""What ships beside the trained networks: the accuracies that each activation reaches.

`python scripts/train_gelu_network.py` makes it.
"""

from pathlib import Path

import pandas as pd

from core.tables import load_table

RETRAINED = Path(__file__).parents[2] / "pretrained" / "gelu" / "retrained.json"


def retrained() -> pd.DataFrame:
    """Test accuracy of networks trained with each activation: activation, seed, accuracy.

    Raises ValueError if the file is missing or damaged.
    """
    return load_table(RETRAINED, ["activation", "seed", "accuracy"])
