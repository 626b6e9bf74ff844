"""Networks without weights: nothing is drawn, and torch imports no compiler for them."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from core.modules import allocated
from tests.conftest import ROOT

BUILT = {
    "vae": "vae.build(vae.VAEConfig())",
    "batchnorm": "batchnorm.mlp([4, 5, 3], 'relu'); batchnorm.cnn([4, 8], 8, 10, 'relu')",
    "nvae": "nvae.NVAE(nvae.SHIPPED['digits'])",
    "attention": "x = torch.ones(2, 3, 4); attention.linear_attention(x, x, x)",
}


def test_what_is_allocated_has_the_shapes_of_the_module_and_draws_nothing() -> None:
    before = torch.get_rng_state()
    made = allocated(
        nn.Sequential(nn.Linear(3, 2, device="meta"), nn.BatchNorm1d(2, device="meta"))
    )
    assert torch.equal(torch.get_rng_state(), before)
    expected = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)).state_dict()
    found = made.state_dict()
    assert {name: (one.shape, one.dtype, one.device) for name, one in found.items()} == {
        name: (one.shape, one.dtype, one.device) for name, one in expected.items()
    }
    made.load_state_dict(expected)
    torch.testing.assert_close(made.state_dict(), expected)


@pytest.mark.parametrize("topic", BUILT)
def test_a_network_is_built_without_torch_s_compiler(topic: str) -> None:
    program = f"""
import sys, torch
from core import {topic}
{BUILT[topic]}
print(*{{"sympy", "torch._dynamo"}} & set(sys.modules))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ""
