"""The training: repeatable, resumed without a trace, rolled back when it runs away, balanced."""

import dataclasses
import os
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from core import nvae as core
from core.numerics import Diverged
from core.nvae import data
from core.nvae.config import NVAEConfig
from core.nvae.presets import FOLDER, read
from core.nvae.schedule import LEAST_RATE
from core.nvae.train import chosen, task_of
from core.nvae.training import Training, train
from core.training import task
from tests.conftest import ROOT

TINY = core.NVAEConfig(groups="1,1", latent=2, width=4, steps=20, batch_size=8)


def test_a_resumed_training_ends_with_the_same_weights() -> None:
    whole = list(train(TINY))[-1].weights()
    half = next(islice(train(TINY), 0, None)).state()
    resumed = list(train(TINY, half))[-1].weights()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_processor_time_survives_a_stop() -> None:
    first = next(islice(train(TINY), 0, None))
    later = next(iter(train(TINY, first.state())))
    assert later.metrics["processor"] > first.metrics["processor"] > 0


def test_the_elbo_rises() -> None:
    losses = [found.metrics["loss"] for found in train(dataclasses.replace(TINY, steps=60))]
    assert losses[-1] < 0.8 * losses[0]


def test_what_is_kept_is_the_model_in_half_precision() -> None:
    last = list(train(TINY))[-1]
    model = core.restored(TINY, last.weights())
    assert all(value.dtype == torch.float16 for value in last.weights().values())
    assert not model.training
    assert task("nvae.model") is core.TRAINING
    first, again = (model.sample(2, 1.0, torch.Generator().manual_seed(1)) for _ in range(2))
    assert torch.equal(first, again)


def test_a_loss_that_is_not_finite_rolls_back_with_the_authors_remedy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real, calls = Training.step, []

    def step(self: Training, images: torch.Tensor, at: int) -> torch.Tensor:
        calls.append((at, int(self.remedies)))
        if at == 15 and int(self.remedies) == 0:
            with torch.no_grad():  # the weights are gone, too
                next(self.model.parameters()).fill_(float("nan"))
        return real(self, images, at)

    monkeypatch.setattr(Training, "step", step)
    last = list(train(TINY))[-1]
    assert last.metrics["rollbacks"] == 1
    assert calls[15:17] == [(15, 0), (10, 1)]  # from the last snapshot on, once more
    assert all(value.isfinite().all() for value in last.weights().values())


def test_a_huge_loss_rolls_back_too_and_names_its_step(monkeypatch: pytest.MonkeyPatch) -> None:
    real = Training.loss

    def loss(
        self: Training, x: torch.Tensor, noise: list[torch.Tensor], step: int
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        value, nll, kl = real(self, x, noise, step)
        return (value + 1e7 if step == 13 and int(self.remedies) < once else value), nll, kl

    monkeypatch.setattr(Training, "loss", loss)
    once = 1
    assert list(train(TINY))[-1].metrics["rollbacks"] == 1
    once = 99
    with pytest.raises(Diverged, match=r"the loss is 1e\+07 in step 13, after 4 rollbacks"):
        list(train(TINY))


def test_half_the_bits_train_nearly_as_well() -> None:
    """bfloat16 rounds to 8 bits: its first losses are within a hundredth of float32's."""
    half = dataclasses.replace(TINY, precision="bfloat16")
    found, exact = (next(iter(train(config))).metrics["loss"] for config in (half, TINY))
    assert found == pytest.approx(exact, rel=0.02)
    assert found != exact


def test_several_processes_make_a_model_of_their_own() -> None:
    alone, together = task_of(TINY), task_of(TINY, processes=2)
    assert alone.key(TINY) == core.TRAINING.key(TINY)
    assert together.key(TINY) != alone.key(TINY)
    assert together.identity(TINY)["data"].endswith("2 processes")


def test_a_training_that_never_mends_says_where_it_broke(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        nothing = torch.tensor(float("nan"), requires_grad=True)
        return nothing, nothing[None], nothing[None, None]

    monkeypatch.setattr(Training, "loss", broken)
    with pytest.raises(Diverged, match=r"the loss is nan in step 0, after 4 rollbacks"):
        list(train(TINY))


def test_the_kl_comes_in_along_a_line() -> None:
    found = [core.kl_coefficient(step, 100, 0.5) for step in (0, 25, 50, 99)]
    assert found == [1e-4, 0.5, 1.0, 1.0]
    assert core.kl_coefficient(0, 100, 0.0) == 1


def test_balancing_holds_the_talkative_back_and_ends_with_the_warm_up() -> None:
    kl = torch.tensor([[4.0, 1.0]])
    found = core.balance(TINY, kl, 0.5)
    assert float(found.mean()) == pytest.approx(1)
    # sizes 16 and 64 places for one group each: the finer may tell four times as much
    assert float(found[0] / found[1]) == pytest.approx(4.01 / 1.01 * 4)
    assert core.balance(TINY, kl, 1.0).tolist() == [1, 1]


def test_a_command_line_names_what_it_cannot_read() -> None:
    assert chosen("glyphs", ["steps=50", "balance=false"]).steps == 50
    glyphs = dataclasses.asdict(chosen("glyphs"))
    found = dataclasses.asdict(chosen("glyphs", ["balance=false"]))
    assert found == glyphs | {"balance": False}
    assert chosen("mnist", ["latent=9"], plain=True).latent == 9
    with pytest.raises(ValueError, match="'stepz' is no setting"):
        chosen("glyphs", ["stepz=1"])
    with pytest.raises(ValueError, match="steps is 0"):
        chosen("glyphs", ["steps=0"])
    with pytest.raises(ValueError, match="dataset is 'faces'"):
        chosen("faces")


def test_a_file_of_settings_is_read_or_said_to_be_wrong(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text('[nvae]\ndata = "digits"\nlatent = 3\nspectral = 1\n')
    config = chosen(file=own, settings=["steps=30"])
    assert config == core.NVAEConfig(data="digits", latent=3, spectral=1.0, steps=30)
    assert type(config.spectral) is float  # as the key of the model has it
    for text, said in {
        "[nvae]\nlatnet = 3": "'latnet' is no setting",
        "[nvae]\nlatent = 3.5": "latent is 3.5, but must be of type int",
        "[nvae]\nlatent = 0": "latent is 0",
        "latent = 3": r"no table \[nvae\]",
        "[nvae": "own.toml: ",
    }.items():
        own.write_text(text)
        with pytest.raises(ValueError, match=said):
            read(own)
    with pytest.raises(ValueError, match=r"digits.toml has no table \[plain\]"):
        chosen("digits", plain=True)
    with pytest.raises(OSError, match="absent"):
        chosen(file=tmp_path / "absent.toml")


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.toml")), ids=lambda path: path.stem)
def test_every_data_set_has_its_file_and_the_file_its_name(path: Path) -> None:
    assert read(path).nvae.data == path.stem
    assert f"--dataset {path.stem}" in path.read_text(encoding="utf-8")


def test_the_learning_rate_rises_along_a_line_then_falls_along_a_cosine() -> None:
    found = [core.rate(step, 100, 0.1) for step in range(100)]
    falls = [core.rate(step, 100, 0.0) for step in range(100)]
    assert falls[0] == 1
    assert falls[50] == pytest.approx((1 + LEAST_RATE) / 2)
    assert found[10:] == falls[10:]
    assert found[:10] == pytest.approx([(step + 1) / 10 * falls[step] for step in range(10)])


def test_what_a_training_notes_adds_up() -> None:
    metrics = next(iter(train(TINY))).metrics
    scales, groups = ([metrics[f"{name}_{at}"] for at in (1, 2)] for name in ("kl", "group"))
    assert scales == pytest.approx(groups)  # one group a scale
    assert metrics["loss"] == pytest.approx(metrics["reconstruction"] + sum(scales))
    assert 0 <= metrics["active"] <= 4


def test_an_epoch_is_every_image_once() -> None:
    images = len(data.load("digits"))
    assert chosen("digits", ["batch_size=32"], epochs=2).steps == round(2 * images / 32)


TOGETHER = """
import sys
from safetensors.torch import save_file
from torch import distributed
from core.nvae import data
from core.nvae.config import NVAEConfig
from core.nvae.training import Training

distributed.init_process_group("gloo")
run = Training(NVAEConfig(batch_size=8, seed=3))
run.step(data.load("digits"), 5)
if distributed.get_rank() == 0:
    save_file({name: p.grad.contiguous() for name, p in run.model.named_parameters()}, sys.argv[1])
distributed.destroy_process_group()
"""


def test_two_processes_have_the_gradient_of_one_that_sees_their_halves(tmp_path: Path) -> None:
    (tmp_path / "together.py").write_text(TOGETHER, encoding="utf-8")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    subprocess.run(
        [*command, str(tmp_path / "together.py"), str(tmp_path / "gradient.safetensors")],
        check=True, capture_output=True, cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    together = load_file(tmp_path / "gradient.safetensors")

    config = NVAEConfig(batch_size=8, seed=3)
    halves = [Training(config), Training(config)]
    images, generator = data.load("digits"), halves[0].generator
    chosen = torch.randint(len(images), (8,), generator=generator)
    x = data.binarized(config, images[chosen], generator)
    noise = halves[0].model.noise(8, generator)
    for at, half in enumerate(halves):
        own = slice(4 * at, 4 * at + 4)
        half.loss(x[own], [part[own] for part in noise], 5)[0].backward()
    pairs = zip(*(half.model.named_parameters() for half in halves), strict=True)
    for (name, one), (_, other) in pairs:
        assert one.grad is not None
        assert other.grad is not None
        mean = (one.grad + other.grad) / 2
        torch.testing.assert_close(together[name], mean, rtol=1e-4, atol=1e-5)
