"""What an attention costs whoever runs it: multiplications and the largest tensor, counted.

Times depend on the machine (`speed.py`); these do not.
Source: https://kexue.fm/archives/7546, section 1; https://kexue.fm/archives/8610 for whole layers.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode


def multiplications(run: Callable[[], object]) -> int:
    """How many multiplications the matrix products of a run make."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        run()
    return counter.get_total_flops() // 2  # a product and an addition count as two


def largest_tensor(run: Callable[[], object]) -> int:
    """How many numbers the largest tensor holds that a run makes."""
    with _Largest() as seen, torch.no_grad():
        run()
    return seen.size


def exponent(sizes: Sequence[int | float], values: Sequence[int | float]) -> float:
    """The slope of the line through the points, both axes logarithmic."""
    return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])


def crossing(first: Callable[[int], float], second: Callable[[int], float], most: int) -> float:
    """The least n up to `most` at which the first costs less than the second; NaN if none does."""
    return next((float(n) for n in range(1, most + 1) if first(n) < second(n)), math.nan)


class _Largest(TorchDispatchMode):
    """Looks at every tensor that is made while it is on."""

    def __init__(self) -> None:
        super().__init__()
        self.size = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        if isinstance(made, Tensor) and made.is_contiguous():  # views of others are not
            self.size = max(self.size, made.numel())
        return made
