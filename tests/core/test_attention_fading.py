"""A fading state and the delta rule: three forms are one function, and say what the words say."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from core import attention as core
from tests.core.test_attention_forms import attend, tokens

RULES: dict[str, Callable[..., Tensor]] = {
    "decay": core.fading_attention,
    "strength": core.delta_attention,
}


@settings(deadline=None, max_examples=40)
@given(
    rule=st.sampled_from(list(RULES)),
    n=st.integers(0, 30),
    widths=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    chunk=st.integers(1, 40),
    rate=st.floats(0, 1),
    seed=st.integers(0, 99),
)
def test_all_forms_are_one_function_with_one_gradient(
    rule: str, n: int, widths: tuple[int, int], chunk: int, rate: float, seed: int
) -> None:
    found = []
    for options in ({"form": "recurrent"}, {"form": "quadratic"}, {"chunk_size": chunk}):
        leaves = [
            x.requires_grad_() for x in tokens(2, 3, n, widths[0], seed=seed, values=widths[1])
        ]
        out = RULES[rule](*leaves, **{rule: rate}, **options)
        gradients = torch.autograd.grad(out.square().sum(), leaves) if n else ()
        found.append((out, *gradients))
    for other in found[1:]:
        for ours, theirs in zip(other, found[0], strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)


def test_without_fading_it_is_linear_attention_without_a_softmax() -> None:
    q, k, v = tokens(2, 3, 40, 4, values=3)
    expected = attend(q, k, v, feature_map="identity", normalize=False, causal=True)
    torch.testing.assert_close(core.fading_attention(q, k, v, chunk_size=7), expected)


def test_a_rate_for_each_head() -> None:
    q, k, v = tokens(2, 3, 20, 4)
    rates = torch.tensor([0.5, 0.9, 1.0], dtype=torch.float64)
    out = core.fading_attention(q, k, v, decay=rates, chunk_size=6)
    for head, rate in enumerate(rates.tolist()):
        one = core.fading_attention(q[:, head], k[:, head], v[:, head], decay=rate)
        torch.testing.assert_close(out[:, head], one)


def test_the_delta_rule_reads_back_what_the_key_was_last_given() -> None:
    _, keys, values = tokens(12, 6, values=4)
    keys = torch.nn.functional.normalize(keys, dim=-1)
    out = core.delta_attention(keys, keys, values, chunk_size=5)
    torch.testing.assert_close(out, values)


@pytest.mark.parametrize("rule", RULES)
def test_the_future_has_no_say(rule: str) -> None:
    q, k, v = tokens(2, 21, 4)
    before = RULES[rule](q, k, v, **{rule: 0.9}, chunk_size=5)
    for x in (q, k, v):
        x[..., 13:, :] += 3
    after = RULES[rule](q, k, v, **{rule: 0.9}, chunk_size=5)
    torch.testing.assert_close(after[..., :13, :], before[..., :13, :], rtol=0, atol=1e-12)
    assert float((after - before)[..., 13:, :].abs().amax()) > 0.01


@pytest.mark.parametrize(("rule", "rate"), [("decay", 1.1), ("decay", -0.1), ("strength", 2.5)])
def test_a_rate_outside_is_refused(rule: str, rate: float) -> None:
    with pytest.raises(ValueError, match=f"{rule} is {rate}"):
        RULES[rule](*tokens(3, 2), **{rule: rate})
    with pytest.raises(ValueError, match="form is 'cumulative'"):
        RULES[rule](*tokens(3, 2), form="cumulative")
