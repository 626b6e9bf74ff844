"""Embed the sentences that ship and measure the judged pairs, so that the page waits for nothing.

Run from the repository root: `python scripts/ship_similarity_results.py`.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from core import library
from core.knobs import Config
from core.runs import run
from core.similarity.embedding import CORPUS, CorpusConfig
from core.similarity.judged import JUDGED, ScoresConfig
from core.training import Task


def main() -> None:
    """Contextual vectors (static ones are looked up at once), and every measure of every pair."""
    ship(CORPUS, CorpusConfig(vectors="contextual"))
    ship(JUDGED, ScoresConfig())


def ship(task: Task, config: Config) -> None:
    """Run a task anew, and put its result among what comes with the repository."""
    key = task.key(config)
    library.withdraw(key)
    library.forget(key)
    library.ship(run(task, config))
    print(f"{task.name}: {key}")


if __name__ == "__main__":
    main()
