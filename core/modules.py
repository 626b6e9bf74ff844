"""Modules whose weights come from elsewhere: drawn from a generator of ours, or read."""

from typing import TypeVar

import torch
from torch import nn

Module = TypeVar("Module", bound=nn.Module)


def allocated(module: Module, device: str = "cpu") -> Module:
    """A module of the device "meta", on a real one; its parameters are whatever lies there.

    As torch.nn.utils.skip_init and to_empty do, which have torch import its compiler and sympy for
    it: a second, and 70 MB of a server.
    """
    return module._apply(lambda kept: torch.empty(kept.shape, dtype=kept.dtype, device=device))
