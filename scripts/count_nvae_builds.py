"""Build the paper's models without memory and count them: pretrained/nvae/builds.json.

Run from the repository root: `python scripts/count_nvae_builds.py` (seconds).
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from core.nvae.budget import BUILDS, counted
from core.runs import versions
from core.tables import save_table

if __name__ == "__main__":
    save_table(BUILDS, counted(), {"made_by": Path(__file__).name, "versions": versions("torch")})
