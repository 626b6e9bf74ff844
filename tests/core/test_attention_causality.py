"""Who looks ahead: leaks against a change made by hand, and none where none may be."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings

from core import attention as core
from core.attention.causality import KERNELS, forms, moved
from tests.configs import configs

TIGHT = ("softmax", *KERNELS, "efficient-mended")
LEAKING = ("efficient", "linformer")


def leaks(config: core.CausalityConfig) -> dict[str, float]:
    table = core.causality(config).table
    return dict(zip(table["form"], table["leak"], strict=True))


@settings(deadline=None, max_examples=25)
@given(config=configs(core.CausalityConfig))
def test_causal_forms_never_move_before_the_change(config: core.CausalityConfig) -> None:
    result = core.causality(config)
    found = dict(zip(result.table["form"], result.table["leak"], strict=True))
    assert all(found[form] == 0 for form in TIGHT)
    assert result.token == min(config.token, config.tokens)
    before = result.changes["value"][: result.token - 1]
    assert result.leak == (before.max() if len(before) else 0)
    assert (result.worst == 0) == (result.leak == 0)


@pytest.mark.parametrize("form", LEAKING)
def test_claim_two_softmaxes_and_linformer_leak_to_the_first_token(form: str) -> None:
    result = core.causality(core.CausalityConfig(form=form))
    assert result.changes["value"].iloc[0] > 1e-6
    assert result.leak > 0.005


def test_pooling_leaks_within_its_window_only() -> None:
    result = core.causality(core.CausalityConfig(form="pooling", token=24))
    values = result.changes["value"].to_numpy()
    assert (values[:20] == 0).all()
    assert (values[20:] > 0).all()
    assert core.causality(core.CausalityConfig(form="pooling", token=21)).leak == 0


def test_pooling_is_softmax_over_window_means() -> None:
    generator = torch.Generator().manual_seed(0)
    q, k, v = torch.randn(3, 6, 3, generator=generator, dtype=torch.float64)
    found = core.pooled(q, k, v)
    keys = torch.stack([k[:4].mean(dim=0), k[4:].mean(dim=0)])
    values = torch.stack([v[:4].mean(dim=0), v[4:].mean(dim=0)])
    np.testing.assert_allclose(found[:4], values[:1].expand(4, -1))
    np.testing.assert_allclose(found[5], (q[5] @ keys.T).softmax(dim=-1) @ values)


def test_no_change_moves_nothing_and_a_larger_one_moves_more() -> None:
    assert set(leaks(core.CausalityConfig(change=0.0)).values()) == {0.0}
    small, large = (leaks(core.CausalityConfig(change=c)) for c in (0.1, 2.0))
    assert large["linformer"] > small["linformer"] > 0


def test_cut_sums_of_two_softmaxes_do_not_reach_one() -> None:
    result = core.causality(core.CausalityConfig())
    assert 0 < result.row_sum < 0.2
    table = result.table.set_index("form")["row_sum"]
    np.testing.assert_allclose(table.drop(["efficient", "linformer"]), 1, rtol=1e-12)
    assert abs(table["linformer"] - 1) > 0.01  # rows of a random F do not sum to 1


def test_what_is_called_tight_is_tight_for_every_token() -> None:
    generator = torch.Generator().manual_seed(1)
    tokens = torch.randn(3, 9, 4, generator=generator, dtype=torch.float64)
    for at in range(9):
        changed = tokens.clone()
        changed[:, at] += 1
        for name, form in forms(9, 4, torch.Generator().manual_seed(0)).items():
            if name in TIGHT:
                assert float(moved(form, tokens, changed)[:at].sum()) == 0
