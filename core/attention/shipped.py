"""What ships: layers with their weights, and tables of accuracies and drifts.

`python scripts/train_attention_recall.py` makes them.
"""

from dataclasses import dataclass
from itertools import product
from pathlib import Path

import pandas as pd

from core.attention.recall import ATTENTIONS, TASK_NAMES, RecallConfig
from core.attention.transformer import CAUSAL, TransformerConfig
from core.tables import load_table

FOLDER = Path(__file__).parents[2] / "pretrained" / "attention"
COUNTS = (8, 16, 32, 64)  # pairs
COMPARED = ("softmax", "elu", "relu", "exp", "taylor2", "identity-rms", "decay", "delta")
COLUMNS = ("attention", "task", "pairs", "projections", "accuracy")
PROJECTED = (4, 8, 16, 32, 64)  # Linformer's m

SHIPPED: tuple[RecallConfig, ...] = tuple(
    RecallConfig(attention=attention, task=task)
    for task, attention in product(TASK_NAMES, ATTENTIONS)
)
TRANSFORMERS: tuple[TransformerConfig, ...] = tuple(
    TransformerConfig(attention=attention, task=task)
    for task, attention in product(TASK_NAMES, CAUSAL)
)


@dataclass(frozen=True)
class Table:
    """A table of accuracies, and the trainings that it is made of."""

    path: Path
    configs: tuple[RecallConfig, ...]

    def load(self) -> pd.DataFrame:
        """Its rows. Raises ValueError if the file is missing or damaged."""
        return load_table(self.path, COLUMNS)


LENGTHS = Table(
    FOLDER / "lengths.json",
    tuple(
        RecallConfig(attention=attention, task=task, pairs=pairs)
        for task, attention, pairs in product(TASK_NAMES, COMPARED, COUNTS)
    ),
)
PROJECTIONS = Table(
    FOLDER / "projections.json",
    tuple(
        RecallConfig(attention="linformer", task=task, pairs=pairs, projections=projections)
        for task, pairs, projections in product(TASK_NAMES, COUNTS, PROJECTED)
    ),
)
