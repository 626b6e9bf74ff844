"""Small transformers: tasks, causality, training, and what ships."""

import threading
from dataclasses import replace
from itertools import islice

import pytest
import torch

from core import attention as core
from core import library
from core.attention.transformer import (
    ATTEND,
    CAUSAL,
    HEADS,
    KEYS,
    VALUES,
    accuracy,
    forward,
    initial_weights,
    sequences,
    train,
)
from core.training import task

QUICK = core.TransformerConfig(pairs=4, width=16, steps=50, batch_size=8)


def losses(config: core.TransformerConfig) -> list[float]:
    return [snapshot.metrics["loss"] for snapshot in train(config)]


def test_the_task_is_found_by_its_name() -> None:
    assert task("attention.transformer") is core.TRANSFORMER


@pytest.mark.parametrize("pairs", [2, 5, 16])
def test_an_answer_is_what_followed_the_key_when_it_came_first(pairs: int) -> None:
    config = replace(QUICK, pairs=pairs)
    data = sequences(config, 6, torch.Generator().manual_seed(0))
    assert data.tokens.shape == (6, 4 * pairs - 1)
    for tokens, answers in zip(data.tokens.tolist(), data.answers.tolist(), strict=True):
        value_of = dict(zip(tokens[: 2 * pairs : 2], tokens[1 : 2 * pairs : 2], strict=True))
        assert len(value_of) == pairs
        assert max(value_of) < KEYS <= min(value_of.values())
        assert [value_of[tokens[at]] - KEYS for at in data.asked.tolist()] == answers


def test_copying_says_again_what_stood_before_the_mark() -> None:
    data = sequences(replace(QUICK, task="copy"), 6, torch.Generator().manual_seed(0))
    n = 2 * QUICK.pairs
    assert data.tokens.shape == (6, 2 * n)
    assert torch.equal(data.tokens[:, :n] - KEYS, data.answers)
    assert torch.equal(data.tokens[:, n + 1 :], data.tokens[:, : n - 1])
    assert (data.tokens[:, n] < KEYS).all()
    assert data.asked.tolist() == list(range(n, 2 * n))


@pytest.mark.parametrize("attention", CAUSAL)
def test_no_model_looks_ahead(attention: str) -> None:
    config = replace(QUICK, attention=attention)
    generator = torch.Generator().manual_seed(0)
    weights = {n: w.double() for n, w in initial_weights(config, generator).items()}
    tokens = sequences(config, 3, generator).tokens
    changed = tokens.clone()
    changed[:, 9:] = torch.randint(KEYS + VALUES, changed[:, 9:].shape, generator=generator)
    before, after = (forward(weights, x, config) for x in (tokens, changed))
    torch.testing.assert_close(before[:, :9], after[:, :9], rtol=0, atol=1e-12)
    assert not torch.equal(before[:, 9:], after[:, 9:])


@pytest.mark.parametrize("attention", CAUSAL)
def test_heads_attend_as_the_written_out_form_does(attention: str) -> None:
    generator = torch.Generator().manual_seed(0)
    q, k, v = torch.randn(3, 2, HEADS, 7, 4, generator=generator, dtype=torch.float64)
    gate = torch.tensor([0.5, -1.0], dtype=torch.float64)
    directions = torch.randn(16, 4, generator=generator, dtype=torch.float64)
    rate, later = gate.sigmoid()[:, None, None], torch.ones(7, 7).triu(1).bool()
    dots = (q @ k.mT).masked_fill(later, 0)
    apart = (torch.arange(7)[:, None] - torch.arange(7)).clamp(min=0)
    sims = features(q, directions) @ features(k, directions).mT
    expected = {
        "softmax": lambda: (q @ k.mT / 2).masked_fill(later, -torch.inf).softmax(-1) @ v,
        "favor": lambda: shares(sims, later) @ v,
        "identity-rms": lambda: rms(dots @ v),
        "decay": lambda: rms((dots * rate**apart) @ v),
        "delta": lambda: rms(
            core.delta_attention(q, k, v, strength=gate.sigmoid(), form="recurrent")
        ),
        "efficient-mended": lambda: core.causal_efficient_attention(q, k, v),
    }.get(attention, lambda: core.attention_matrix(q, k, attention, causal=True) @ v)
    found = ATTEND[attention](q, k, v, {"gate": gate, "directions": directions})
    torch.testing.assert_close(found, expected())


def rms(x: torch.Tensor) -> torch.Tensor:
    return x / (x.square().mean(dim=-1, keepdim=True) + 1e-6).sqrt()


def features(x: torch.Tensor, directions: torch.Tensor) -> torch.Tensor:
    return (x @ directions.T - x.square().sum(-1, keepdim=True) / 2).exp() / len(directions) ** 0.5


def shares(sims: torch.Tensor, later: torch.Tensor) -> torch.Tensor:
    seen = sims.masked_fill(later, 0)
    return seen / seen.sum(dim=-1, keepdim=True)


def test_seeds_decide_the_training_in_every_thread() -> None:
    alone, found = losses(QUICK), []
    threads = [threading.Thread(target=lambda: found.append(losses(QUICK))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [alone] * 3
    assert alone != losses(replace(QUICK, seed=1))


@pytest.mark.parametrize("attention", ["softmax", "delta", "favor"])
def test_a_training_goes_on_where_it_stopped(attention: str) -> None:
    config = replace(QUICK, attention=attention, task="copy")
    whole = list(train(config))[-1].weights()
    state = {name: value.clone() for name, value in next(iter(train(config))).state().items()}
    *_, last = train(config, state)
    assert all(torch.equal(whole[name], value) for name, value in last.weights().items())


@pytest.mark.parametrize(("attention", "name"), [("softmax", "copy"), ("elu", "recall")])
def test_what_ships_is_what_today_s_code_trains(attention: str, name: str) -> None:
    config = core.TransformerConfig(attention=attention, task=name)
    kept = library.SHIPPED.get(core.TRANSFORMER.key(config))
    assert kept is not None
    today = next(islice(train(config), 1)).metrics["loss"]
    assert today == pytest.approx(kept.meta["curve"][0]["loss"], abs=1e-3)
    weights = {key: value.float() for key, value in kept.tensors.items()}
    found = accuracy(weights, config)
    assert found == pytest.approx(kept.meta["metrics"]["accuracy"], abs=0.02)


def test_everything_that_is_said_to_ship_does() -> None:
    assert all(library.SHIPPED.card(core.TRANSFORMER.key(config)) for config in core.TRANSFORMERS)


def test_claim_softmax_answers_nearly_all_and_small_states_do_not(store: object) -> None:
    for name in ("recall", "copy"):
        assert core.transformers(core.TransformersConfig(task=name)).softmax > 0.99
    table = core.transformers(core.TransformersConfig()).table
    small = table[table["numbers"] < 2 * 2 * 16 * 18]
    assert len(small) == 8
    assert small["accuracy"].max() < 0.95


def test_the_chosen_model_stands_beside_those_that_ship(store: object) -> None:
    result = core.transformers(core.TransformersConfig())
    assert result.table["attention"].tolist() == [
        "own", *(name for name in CAUSAL if name != "elu")
    ]  # fmt: skip
    assert set(result.curves["curve"]) == {"own", "softmax", "taylor2", "delta"}
    of_task = result.ends[result.ends["task"] == "recall"]
    assert of_task["accuracy"].is_monotonic_decreasing
    assert len(result.ends) == 2 * len(CAUSAL) == len(core.TRANSFORMERS)
    states = result.table.set_index("attention")["numbers"]
    assert states["own"] == 2 * 2 * 16 * 16  # two layers of two heads, 16 by 16 numbers each
    assert states["softmax"] == float("inf")
