"""What every topic asks of its claims."""

import numpy as np

from core.claims import Claim, record


def assert_as_expected(claim: Claim, seed: int) -> None:
    """The claim has the verdict that it expects, and no number is missing."""
    row = record(claim, seed)
    assert row.as_expected
    assert np.isfinite([row.measured, *row.details.values()]).all()
