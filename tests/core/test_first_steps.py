"""The first steps of every training, in a small setting, against losses that are kept here.

What ships belongs to a version of the code. If a loss has changed here, so has the training: raise
its task's `version`, make again what ships of it, and write the new loss down.

The settings are small and well-conditioned: from one processor to the next, whose rounding differs,
a loss moves by 1e-5 of itself at most. What ships can't always be compared like this: in a net of
50 layers a rounding of the last digit grows to percents within five steps.
"""

import importlib
from typing import Any

import pytest

from core.topics import TOPICS
from core.training import Task, task

VERSIONS = {
    "initialization.network": 1,
    "vae.model": 1,
    "attention.recall": 1,
    "attention.transformer": 1,
    "attention.projection": 1,
    "batchnorm.network": 1,
    "gelu.network": 1,
    "nvae.model": 1,
    "nvae.plain": 1,
    "optimization.metric": 2,
}
# They measure, or run many of the trainings above.
NO_TRAININGS = {
    "attention.speed",
    "batchnorm.batches",
    "batchnorm.row",
    "batchnorm.surface",
    "initialization.region",
    "nvae.ablation",
    "nvae.likelihood",
    "similarity.corpus",
    "similarity.judged",
}

SMALL: dict[str, dict[str, Any]] = {
    "initialization.network": {"depth": 3, "steps": 5, "lr": 0.05},
    "vae.model": {"data": "digits", "hidden": 8, "steps": 20, "batch_size": 16},
    "attention.recall": {"pairs": 4, "dim": 4, "steps": 25, "batch_size": 8},
    "attention.transformer": {"pairs": 4, "width": 8, "steps": 25, "batch_size": 8},
    "attention.projection": {"tokens": 12, "projections": 4, "dim": 4, "scale": 1.0, "steps": 10},
    "batchnorm.network": {"steps": 200, "lr": 0.1},
    "gelu.network": {"depth": 2, "epochs": 1},
    "nvae.model": {"groups": "1,1", "latent": 2, "width": 4, "steps": 20, "batch_size": 8},
    "nvae.plain": {"width": 4, "steps": 20, "batch_size": 8},
}
LOSSES: list[tuple[str, dict[str, Any], float]] = [
    ("initialization.network", {"scheme": "post", "activation": "tanh"}, 2.148394),
    ("initialization.network", {"scheme": "orthogonal", "activation": "tanh"}, 2.219744),
    ("initialization.network", {"scheme": "he", "activation": "relu"}, 2.137643),
    ("initialization.network", {"scheme": "post", "layer_norm": True}, 1.891126),
    ("initialization.network", {"scheme": "tuned", "activation": "gelu"}, 2.110890),
    ("vae.model", {}, 97.823908),
    ("vae.model", {"beta": 4.0, "variance": 0.1}, 290.867263),
    ("vae.model", {"family": "point"}, 51.434982),
    ("vae.model", {"family": "fixed"}, 69.736134),
    ("vae.model", {"penalty": "none"}, 97.599109),
    ("vae.model", {"penalty": "simple"}, 97.860501),
    ("vae.model", {"likelihood": "bernoulli"}, 46.322766),
    ("attention.recall", {"attention": "softmax"}, 3.634526),
    ("attention.recall", {"attention": "elu"}, 3.538326),
    ("attention.recall", {"attention": "relu"}, 3.670004),
    ("attention.recall", {"attention": "exp"}, 3.601043),
    ("attention.recall", {"attention": "cosine"}, 3.542196),
    ("attention.recall", {"attention": "taylor2"}, 3.622859),
    ("attention.recall", {"attention": "favor"}, 3.800788),
    ("attention.recall", {"attention": "identity-rms"}, 3.807255),
    ("attention.recall", {"attention": "decay"}, 3.809119),
    ("attention.recall", {"attention": "delta"}, 3.821865),
    ("attention.recall", {"attention": "efficient"}, 3.577798),
    ("attention.recall", {"attention": "linformer"}, 3.485679),
    ("attention.recall", {"task": "copy"}, 3.415654),
    ("attention.transformer", {"attention": "softmax"}, 3.831565),
    ("attention.transformer", {"attention": "elu"}, 3.839712),
    ("attention.transformer", {"attention": "taylor2"}, 3.827552),
    ("attention.transformer", {"attention": "favor"}, 3.829386),
    ("attention.transformer", {"attention": "decay"}, 3.808621),
    ("attention.transformer", {"attention": "delta"}, 3.836234),
    ("attention.transformer", {"attention": "efficient-mended"}, 3.838167),
    ("attention.transformer", {"task": "copy"}, 3.844187),
    ("attention.projection", {}, 0.053349),
    ("batchnorm.network", {"norm": "none"}, 2.306094),
    ("batchnorm.network", {"norm": "batch", "placement": "before"}, 1.880914),
    ("batchnorm.network", {"norm": "batch"}, 2.105270),
    ("batchnorm.network", {"norm": "center", "placement": "before"}, 2.307281),
    ("batchnorm.network", {"norm": "center"}, 2.306573),
    ("batchnorm.network", {"norm": "rms", "placement": "before"}, 2.132161),
    ("batchnorm.network", {"norm": "rms"}, 2.091440),
    ("batchnorm.network", {"norm": "layer", "placement": "before"}, 2.016902),
    ("batchnorm.network", {"norm": "layer"}, 2.247536),
    ("batchnorm.network", {"norm": "group", "placement": "before"}, 2.267805),
    ("batchnorm.network", {"norm": "group"}, 2.216903),
    ("batchnorm.network", {"norm": "rms-norm", "placement": "before"}, 2.289375),
    ("batchnorm.network", {"norm": "rms-norm"}, 2.251825),
    ("batchnorm.network", {"norm": "none", "net": "cnn"}, 2.305713),
    ("batchnorm.network", {"norm": "batch", "net": "cnn"}, 2.040190),
    ("batchnorm.network", {"norm": "instance", "net": "cnn"}, 2.190067),
    ("batchnorm.network", {"data": "synthetic", "standardized": True}, 0.701743),
    ("batchnorm.network", {"start": "he"}, 2.495738),
    ("batchnorm.network", {"affine": False}, 2.106431),
    ("batchnorm.network", {"noise": 0.5}, 2.350391),
    ("batchnorm.network", {"activation": "tanh"}, 1.874494),
    ("gelu.network", {}, 2.117929),
    ("nvae.model", {}, 46.402720),
    ("nvae.model", {"flows": 1}, 197.571529),
    ("nvae.plain", {}, 44.542268),
]


@pytest.mark.parametrize(("name", "options", "loss"), LOSSES)
def test_a_training_begins_as_it_did(name: str, options: dict[str, Any], loss: float) -> None:
    training = task(name)
    first = next(training.train(training.config(**SMALL[name], **options), None))
    assert first.metrics["loss"] == pytest.approx(loss, rel=1e-4)


METRIC = importlib.import_module("core.optimization.metric")
ENTROPIES = {
    "cross-entropy": 1.371182,
    "mgs": 1.870791,
    "mgs-honest": 1.960877,
    "mgs-unguided": 2.595116,
    "policy-gradient": 2.580552,
    "policy-gradient-baseline": 1.977364,
    "minimum-risk": 1.936724,
    "evolution-strategies": 2.629992,
}


@pytest.mark.parametrize(("method", "entropy"), ENTROPIES.items())
def test_a_race_of_metrics_begins_as_it_did(method: str, entropy: float) -> None:
    config = METRIC.MetricConfig(metric="accuracy", start="random", passes=600)
    _, (_, found, _), *_ = METRIC.one_run(config, method, 0)
    assert found == pytest.approx(entropy, rel=1e-4)


def test_every_task_is_here_in_its_version() -> None:
    topics = [importlib.import_module(f"core.{topic.slug}") for topic in TOPICS]
    tasks: list[Task] = [found for topic in topics for found in topic.TASKS.values()]
    assert {found.name for found in tasks} == NO_TRAININGS | set(VERSIONS)
    assert {found.name: found.version for found in tasks if found.name in VERSIONS} == VERSIONS
    assert {name for name, *_ in LOSSES} | {"optimization.metric"} == set(VERSIONS)
