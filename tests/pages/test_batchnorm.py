"""The batch normalization page: pictures react, misfits are explained, maps are offered."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from core import batchnorm as core
from core import runs
from core.batchnorm import data, training
from tests.core.test_datasets import idx_bytes, put
from tests.pages.app import charts, linked, make_again, table, text, widget

SLUG = "batchnorm"
opened = partial(linked, SLUG)
# The first chart of each panel, counted over the page.
FIRST = {
    "valley": 0, "scales": 2, "training": 4, "curvature": 10, "surface": 12, "sweep": 16,
    "shift": 19, "batches": 21, "slopes": 24,
}  # fmt: skip


@pytest.fixture(scope="module")
def page() -> AppTest:
    """One page that the tests of single controls share: each moves its own."""
    return opened()


@pytest.mark.parametrize(
    ("panel", "knob", "value"),
    [
        ("valley", "mean", 2.0), ("scales", "inputs", "digits"), ("training", "learning_rate", 0.3),
        ("curvature", "start", "he"), ("surface", "pair", "0.1"), ("batches", "view", "std"),
        ("slopes", "reach", 50),
        ("sweep", "standardized", True),
    ],
)  # fmt: skip
def test_the_picture_reacts_to_a_control(page: AppTest, panel: str, knob: str, value: Any) -> None:
    before = table(charts(page)[FIRST[panel]])
    widget(page, f"{SLUG}.{panel}.{knob}").set_value(value)
    page.run()
    assert not page.exception
    assert not before.equals(table(charts(page)[FIRST[panel]]))


def test_a_rate_above_the_limit_is_said_to_break() -> None:
    page = opened(valley__learning_rate=0.95)
    assert "**Broken:** η = 0.95 is above 2/L = 0.9377" in text(page)
    drawn = table(charts(page)[0])
    expected = core.valley(core.ValleyConfig(learning_rate=0.95)).picture
    pd.testing.assert_frame_equal(
        drawn.reset_index(drop=True), expected.reset_index(drop=True), check_dtype=False
    )


def test_what_does_not_fit_or_is_not_here_is_said_and_the_default_is_drawn() -> None:
    page = opened(training__norm="instance", sweep__seed=3)
    assert not page.exception
    assert "instance normalization has nothing to average" in page.warning[0].value
    assert widget(page, "_train.batchnorm.row")
    assert len(charts(page)) == 24


def test_a_batch_of_one_is_refused_with_the_reason() -> None:
    page = opened(training__batch_size="1")
    assert not page.exception
    assert "A batch of one equals its own mean" in page.warning[0].value


def test_a_pair_that_nobody_has_trained_is_offered_beside_the_default() -> None:
    page = opened(training__learning_rate=0.77)
    assert widget(page, "_train.batchnorm.network")
    assert "learning rate 1," in text(page)


def test_a_run_that_diverged_is_explained_in_words_and_drawn_without_gaps_in_the_numbers() -> None:
    asked: dict[str, Any] = {
        "data": "synthetic", "activation": "linear", "start": "he", "learning_rate": 3.0,
        "steps": 200,
    }  # fmt: skip
    for config in core.CompareConfig(**asked).trainings.values():
        runs.run(core.TRAINING, config)
    page = opened(**{f"training__{name}": value for name, value in asked.items()})
    said = text(page)
    for name in ("no normalization", "normalized"):
        assert f"**{name}: diverged.** The loss passed " in said
    assert "your rate is 3." in said
    losses = table(charts(page)[FIRST["training"]])
    plain = losses[losses["curve"] == "plain"].dropna()
    assert plain["loss"].iloc[-1] > 1e4
    assert np.isfinite(plain["loss"]).all()


def test_the_surface_is_that_of_the_pair_above_and_follows_it() -> None:
    page = opened(training__learning_rate=0.3, surface__pair="own")
    for pair in ("0.3", "0.1"):
        widget(page, f"{SLUG}.training.learning_rate").set_value(float(pair))
        page.run()
        assert not page.exception
        drawn = table(charts(page)[FIRST["surface"]])
        expected = core.surface(core.SurfaceConfig(pair=pair)).plain
        np.testing.assert_allclose(drawn["loss"], expected["loss"])


def test_the_surface_of_an_untrained_pair_is_not_promised() -> None:
    page = opened(training__learning_rate=0.77, surface__pair="own")
    assert "has not been trained here: train it there" in page.info[0].value
    drawn = table(charts(page)[FIRST["surface"]])
    expected = core.surface(core.SurfaceConfig(pair="own")).plain
    np.testing.assert_allclose(drawn["loss"], expected["loss"])


def test_the_surface_of_own_convolutions_is_a_job() -> None:
    page = opened(surface__pair="cnn", surface__reach=0.7)
    assert widget(page, "_train.batchnorm.surface")
    assert not page.exception


@pytest.fixture
def garments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Fashion-MNIST's four files, made up, in a LAB_DATA of their own."""
    monkeypatch.setenv("LAB_DATA", str(tmp_path))
    generator = np.random.default_rng(0)
    for prefix, count in (("train", 60), ("t10k", 20)):
        images = generator.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        labels = generator.integers(0, 10, count, dtype=np.uint8)
        put(tmp_path / f"fashion-mnist/{prefix}-images-idx3-ubyte.gz", idx_bytes(images))
        put(tmp_path / f"fashion-mnist/{prefix}-labels-idx1-ubyte.gz", idx_bytes(labels))
    data._load.cache_clear()
    yield tmp_path
    data._load.cache_clear()


def test_fashion_mnist_is_taken_where_it_is(
    garments: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "SNAPSHOTS", 4)
    monkeypatch.setattr(training, "LANCZOS", 3)
    asked: dict[str, Any] = {"data": "fashion-mnist", "steps": 200, "batch_size": "16"}
    knobs = {f"training__{name}": value for name, value in asked.items()}
    page = opened(**knobs)
    assert not page.warning
    assert widget(page, "_train.batchnorm.network")
    for config in core.CompareConfig(**asked).trainings.values():
        runs.run(core.TRAINING, config)
    page = opened(**knobs, surface__pair="own")
    assert not page.exception
    assert not page.warning
    assert not page.info
    assert text(page).count("data Fashion-MNIST") == 2
    assert core.load("fashion-mnist").x.shape == (60, 28 * 28)


def test_fashion_mnist_is_said_to_be_missing_where_it_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_DATA", str(tmp_path))
    page = opened(training__data="fashion-mnist")
    assert not page.exception
    assert page.warning[0].value.startswith("Fashion-MNIST is not here: set LAB_DATA")
    assert "data digits" in text(page)


def test_panels_hand_out_scripts_that_make_their_figures_again(tmp_path: Path) -> None:
    page = opened(valley__mean=2.0)
    make_again(page, SLUG, tuple(FIRST), tmp_path)
    made = pd.read_csv(tmp_path / "valley" / "breaking.csv")
    pd.testing.assert_frame_equal(made, core.valley(core.ValleyConfig(mean=2.0)).breaking)
    drawn = {path.parent.name for path in tmp_path.glob("*/*.html")}
    assert drawn == set(FIRST)
