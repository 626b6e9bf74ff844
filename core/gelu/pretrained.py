"""What ships beside the trained networks: the accuracies that each activation reaches.

`python scripts/train_gelu_network.py` makes it.
"""

import json
from pathlib import Path
from typing import Any

import pandas as pd

RETRAINED = Path(__file__).parents[2] / "pretrained" / "gelu" / "retrained.json"


def retrained() -> pd.DataFrame:
    """Test accuracy of networks trained with each activation: activation, seed, accuracy.

    Raises ValueError if the file is missing or damaged.
    """
    try:
        table = json.loads(RETRAINED.read_text(encoding="utf-8"))["table"]
    except OSError as error:
        raise ValueError(f"{RETRAINED.name} is missing: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{RETRAINED.name} is damaged: {error}") from error
    return pd.DataFrame(table, columns=["activation", "seed", "accuracy"])


def save_retrained(table: pd.DataFrame, card: dict[str, Any]) -> None:
    """Keep the accuracies of `retrained` and how they were made."""
    content = {**card, "table": table.to_dict(orient="records")}
    RETRAINED.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
