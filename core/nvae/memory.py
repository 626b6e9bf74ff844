"""What autograd keeps for the backward pass, and what computing it again costs.

Source: https://kexue.fm/archives/7574, "gradient checkpointing"; Chen et al. 2016
(arXiv:1604.06174).
"""

import dataclasses
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from core.nvae.config import NVAEConfig
from core.nvae.training import Training

BATCH = 4


@dataclass(frozen=True)
class Kept:
    """Of one update."""

    bytes: int  # of distinct tensors that were kept, weights aside
    convolutions: int  # that were computed, both ways


def saved_bytes(config: NVAEConfig, checkpointing: bool) -> Kept:
    """One loss and its gradient, on a small batch of noise."""
    run = Training(dataclasses.replace(config, checkpointing=checkpointing))
    run.model.train()
    own = {weight.untyped_storage().data_ptr() for weight in run.model.parameters()}
    kept: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    x = torch.full((BATCH, config.channels, config.side, config.side), 0.5)
    with _Convolutions() as counted:
        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            loss, _, _ = run.loss(x, run.model.noise(BATCH, run.generator), 0)
        loss.backward()
    return Kept(sum(kept.values()), counted.count)


class _Convolutions(TorchDispatchMode):
    """Counts the convolutions that pass."""

    count = 0

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        self.count += "convolution" in str(function)
        return function(*args, **(kwargs or {}))
