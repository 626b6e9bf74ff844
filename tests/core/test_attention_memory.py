"""What a state holds: exact recall where theory grants it, and the share that is left elsewhere."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from core import attention as core
from core.attention.capacity import COUNTS, FORMS, numbers, pairs, recalled
from core.attention.fading import delta_attention, fading_attention
from tests.configs import configs


def drawn(n: int, d: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    keys, values = torch.randn(2, n, d, generator=generator, dtype=torch.float64)
    return torch.nn.functional.normalize(keys, dim=-1), values


@settings(deadline=None)
@given(seed=st.integers(0, 1000), n=st.integers(1, 6))
def test_orthonormal_keys_are_kept_exactly_by_sum_and_delta_rule(seed: int, n: int) -> None:
    keys = torch.linalg.qr(drawn(6, 6, seed)[0]).Q[:n]
    values = drawn(n, 6, seed + 1)[1]
    torch.testing.assert_close(keys @ core.write_sum(keys, values), values)
    torch.testing.assert_close(keys @ core.write_delta(keys, values), values)


@settings(deadline=None)
@given(seed=st.integers(0, 1000), n=st.integers(1, 20))
def test_the_delta_rule_keeps_the_last_pair_exactly(seed: int, n: int) -> None:
    keys, values = drawn(n, 5, seed)
    torch.testing.assert_close(keys[-1] @ core.write_delta(keys, values), values[-1])


def test_one_pass_disturbs_earlier_pairs_and_many_keep_all_independent_ones() -> None:
    keys, values = drawn(4, 8)
    once = (keys @ core.write_delta(keys, values) - values).norm(dim=-1)
    assert float(once[:-1].min()) > 1e-3
    often = keys @ core.write_delta(keys, values, passes=500)
    torch.testing.assert_close(often, values, atol=1e-6, rtol=0)
    solved = np.linalg.lstsq(keys.numpy(), values.numpy(), rcond=None)[0]
    np.testing.assert_allclose(core.write_delta(keys, values, passes=500), solved, atol=1e-6)


def test_decay_weighs_a_pair_by_its_age() -> None:
    keys, values = torch.eye(5).double(), drawn(5, 5)[1]
    read = keys @ core.write_sum(keys, values, decay=0.5)
    expected = values * 0.5 ** torch.arange(4, -1, -1).unsqueeze(1)
    torch.testing.assert_close(read, expected)


def test_states_are_those_of_the_causal_forms_after_the_last_token() -> None:
    keys, values = drawn(13, 6)
    query = drawn(1, 6, 9)[0]
    q = torch.cat([keys[:-1], query])
    for found, state in (
        (fading_attention(q, keys, values, decay=0.9), core.write_sum(keys, values, decay=0.9)),
        (delta_attention(q, keys, values, strength=0.7),
         core.write_delta(keys, values, strength=0.7)),
    ):  # fmt: skip
        torch.testing.assert_close(found[-1], (query @ state)[0])


def test_the_gradient_reaches_keys_values_and_the_strength() -> None:
    keys, values = (x.requires_grad_() for x in drawn(4, 3))
    rate = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda k, v, r: core.write_delta(k, v, strength=r), (keys, values, rate)
    )
    assert torch.autograd.gradcheck(
        lambda k, v, r: core.write_sum(k, v, decay=r), (keys, values, rate)
    )


def test_recalled_is_the_share_whose_own_value_is_nearest() -> None:
    values = torch.eye(3).unsqueeze(0)
    assert recalled(values, values).tolist() == [[1, 1, 1]]
    assert recalled(values.flip(1), values).tolist() == [[0, 1, 0]]


@settings(deadline=None, max_examples=3)
@given(config=configs(core.CapacityConfig))
def test_capacities_are_shares_and_one_pair_is_always_recalled(
    config: core.CapacityConfig,
) -> None:
    result = core.capacity(config)
    assert result.curves["value"].between(0, 1).all()
    assert (result.curves[result.curves["pairs"] == 1]["value"] == 1).all()
    assert set(result.held) == set(FORMS)
    assert set(result.held.values()) <= set(COUNTS)


@pytest.mark.parametrize("dim", ["4", "8", "16", "32"])
def test_claim_orthogonal_keys_fill_the_state_to_its_width(dim: str) -> None:
    held = core.capacity(core.CapacityConfig(dim=dim, orthogonal=True, decay=1.0)).held
    assert min(held[form] for form in ("sum", "decay", "delta")) >= int(dim)


def test_claim_positive_kernels_mix_pairs_first_and_more_features_hold_more() -> None:
    held = core.capacity(core.CapacityConfig()).held
    assert held["softmax"] == COUNTS[-1]
    assert held["elu"] < held["delta"]
    assert held["elu"] < held["sum"] < held["taylor2"]
    wide = core.capacity(core.CapacityConfig(dim="32")).held
    assert wide["sum"] > held["sum"]


def test_claim_rehearsal_helps_the_delta_rule() -> None:
    once, often = (core.capacity(core.CapacityConfig(passes=p)).held["delta"] for p in (1, 8))
    assert once < often


def test_claim_decay_and_delta_rule_forget_the_oldest_first() -> None:
    ages = core.capacity(core.CapacityConfig()).ages
    for rule in ("decay", "delta"):
        by_age = ages[ages["curve"] == rule].set_index("age")["value"].sort_index()
        assert by_age.iloc[:4].mean() > by_age.iloc[-8:].mean() + 0.3
    by_age = ages[ages["curve"] == "sum"].set_index("age")["value"].sort_index()
    assert abs(by_age.iloc[:16].mean() - by_age.iloc[16:].mean()) < 0.1


def test_keys_have_their_length_and_blocks_are_orthogonal() -> None:
    config = core.CapacityConfig(dim="8", scale=2.0, orthogonal=True)
    keys, values = pairs(config, 8, torch.Generator().manual_seed(0))
    norms = keys.square().sum(dim=-1)
    np.testing.assert_allclose(norms, 2.0 * np.sqrt(8), rtol=1e-5)
    products = keys @ keys.mT
    np.testing.assert_allclose(products, torch.diag_embed(norms), atol=1e-4)
    np.testing.assert_allclose(values.norm(dim=-1), 1, rtol=1e-5)


def test_the_state_of_the_taylor_kernel_has_a_row_for_each_feature() -> None:
    width = core.taylor2(torch.zeros(1, 16)).shape[-1]
    assert numbers("taylor2", 16) == 16 * width
    assert numbers("softmax", 16) == np.inf
