"""An NVAE beside a plain VAE of as many weights: pictures, sharpness, likelihood.

Both were trained by the same code, their images drawn and binarized alike. Their likelihoods are of
the same held-out images, binarized once, so that the difference has an interval of its own.

Source: https://kexue.fm/archives/7574, on why the pictures of a VAE blur.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Annotated

import pandas as pd
import torch
from torch import Tensor

from core import library
from core.images import sharpness
from core.knobs import Choice, Config, Range
from core.nvae import data
from core.nvae.likelihood import Interval, interval, negative_elbo, negative_log_likelihood
from core.nvae.models import card, model, plain
from core.nvae.outputs import bits_per_dimension, mean_image
from core.nvae.presets import BESIDE, SHIPPED
from core.nvae.training import PLAIN, TRAINING, Model
from core.pictures import picture_table
from core.store import Tensors
from core.training import Snapshot, Task

SHOWN = 10  # pictures beside each other
MEASURED = 64  # samples, and reconstructions, whose sharpness is taken
DRAWS = ("10", "100", "1000")
KINDS = ("nvae", "plain")
VIEWS = ("samples", "reconstructions")


@dataclass(frozen=True)
class LikelihoodConfig(Config):
    """Which two models, on how many held-out images, by how many draws for each."""

    model: Annotated[str, Choice(*BESIDE)] = "glyphs"
    draws: Annotated[str, Choice(*DRAWS)] = "100"
    images: Annotated[int, Range(10, 1000)] = 200
    seed: Annotated[int, Range(0, 99)] = 0


@dataclass(frozen=True)
class CompareConfig(Config):
    """What is shown of which pair, and the draws behind each likelihood."""

    model: Annotated[str, Choice(*BESIDE)] = "glyphs"
    view: Annotated[str, Choice(*VIEWS)] = "samples"
    draws: Annotated[str, Choice(*DRAWS)] = "100"
    seed: Annotated[int, Range(0, 99)] = 0
    likelihood_seed: Annotated[int, Range(0, 99)] = 0

    @property
    def likelihood(self) -> LikelihoodConfig:
        """The measurement that the panel asks for."""
        return LikelihoodConfig(model=self.model, draws=self.draws, seed=self.likelihood_seed)


@dataclass(frozen=True)
class Compared:
    """Pictures, and one row a model beside the data's own."""

    pictures: pd.DataFrame  # row ("data", "nvae", "plain"), column, image
    looks: pd.DataFrame  # kind, samples, reconstructions: mean sharpness; error: squared, a pixel
    training: pd.DataFrame  # kind, parameters: millions, updates, shown: images, minutes


@dataclass(frozen=True)
class Likelihoods:
    """Nats per held-out image; each error is 1.96 standard errors over the images."""

    table: pd.DataFrame  # kind, elbo, elbo_error, nll, nll_error, bits
    difference: Interval  # -ln p of the plain model less that of the NVAE, image by image
    images: int


@torch.no_grad()
def compare(config: CompareConfig) -> Compared:
    """The same seeds and the same held-out images through both models. Raises Absent."""
    gray = data.held_out(SHIPPED[config.model].data, MEASURED)
    kinds = _pair(config.model)
    drawn = {kind: _drawn(net, config.seed) for kind, net in kinds.items()}
    again = {kind: _again(net, gray, config.seed) for kind, net in kinds.items()}
    shown = {"data": gray, **(drawn if config.view == "samples" else again)}
    looks = [
        {"kind": kind, "samples": _sharp(drawn.get(kind, gray)),
         "reconstructions": _sharp(again.get(kind, gray)),
         "error": float((again.get(kind, gray) - gray).square().mean())}
        for kind in shown
    ]  # fmt: skip
    return Compared(
        pictures=picture_table(
            [image for part in shown.values() for image in part[:SHOWN, 0].numpy()],
            [kind for kind in shown for _ in range(SHOWN)],
            list(range(1, SHOWN + 1)) * len(shown),
        ),
        looks=pd.DataFrame(looks),
        training=_training(config.model),
    )


def likelihoods(config: LikelihoodConfig) -> Likelihoods:
    """What was measured of both models. Raises KeyError where it was not."""
    found = library.find(LIKELIHOOD.key(config))
    if found is None:
        raise KeyError(LIKELIHOOD.key(config))
    numbers, dimensions = found.tensors, SHIPPED[config.model].dimensions
    rows = []
    for kind in KINDS:
        elbo, nll = (interval(numbers[f"{kind}.{part}"]) for part in ("elbo", "nll"))
        rows.append({
            "kind": kind, "elbo": elbo.mean, "elbo_error": elbo.error, "nll": nll.mean,
            "nll_error": nll.error, "bits": bits_per_dimension(nll.mean, dimensions),
        })  # fmt: skip
    difference = interval(numbers["plain.nll"] - numbers["nvae.nll"])
    return Likelihoods(pd.DataFrame(rows), difference, len(numbers["nvae.nll"]))


def measure(config: LikelihoodConfig, state: Tensors | None = None) -> Iterator[Snapshot]:
    """-ELBO and -ln p of every image under both models, image by image; nats. Raises Absent."""
    nets = _pair(config.model)
    gray = data.held_out(SHIPPED[config.model].data, config.images)
    names = [f"{kind}.{part}" for kind in KINDS for part in ("elbo", "nll")]
    found = {name: state[name].tolist() if state else [] for name in names}
    for at in range(len(found[names[0]]), len(gray)):
        for kind, net in nets.items():
            elbo, nll = _measure_one(net, gray[at], config, at)
            found[f"{kind}.elbo"].append(elbo)
            found[f"{kind}.nll"].append(nll)
        kept = {name: torch.tensor(values) for name, values in found.items()}
        yield Snapshot(
            done=at + 1,
            total=len(gray),
            metrics={kind: sum(found[f"{kind}.nll"]) / (at + 1) for kind in KINDS},
            weights=partial(dict, kept),
            state=partial(dict, kept),
        )


def _pair(name: str) -> dict[str, Model]:
    return {"nvae": model(name), "plain": plain(name)}


def _measure_one(
    net: Model, gray: Tensor, config: LikelihoodConfig, at: int
) -> tuple[float, float]:
    """Both models see the same binary image; each image has a seed of its own."""
    generator = torch.Generator().manual_seed(1000 * config.seed + at)
    x = data.binarized(net.config, gray[None], generator)
    elbo = negative_elbo(net, x, generator)
    return float(elbo), float(negative_log_likelihood(net, x, int(config.draws), generator))


def _identity(config: LikelihoodConfig) -> str:
    """The two models: with other weights there is another likelihood."""
    return f"{TRAINING.key(SHIPPED[config.model])} {PLAIN.key(BESIDE[config.model])}"


LIKELIHOOD = Task("nvae.likelihood", 1, LikelihoodConfig, _identity, measure)


def _training(name: str) -> pd.DataFrame:
    """What each cost, off its card."""
    cards = zip(KINDS, (card(TRAINING, SHIPPED[name]), card(PLAIN, BESIDE[name])), strict=True)
    nets = _pair(name)
    return pd.DataFrame([
        {
            "kind": kind,
            "parameters": sum(part.numel() for part in nets[kind].parameters()) / 1e6,
            "updates": meta["config"]["steps"],
            "shown": meta["config"]["steps"] * meta["config"]["batch_size"],
            "minutes": meta["metrics"]["processor"],
        }
        for kind, meta in cards
    ])  # fmt: skip


def _drawn(net: Model, seed: int) -> Tensor:
    return net.sample(MEASURED, 1.0, torch.Generator().manual_seed(seed))


def _again(net: Model, gray: Tensor, seed: int) -> Tensor:
    """Binarized, encoded, one draw from the posterior, decoded."""
    generator = torch.Generator().manual_seed(seed)
    seen = net.encode(data.binarized(net.config, gray, generator))
    return mean_image(net.config, net.decode(net.noise(len(gray), generator), seen).output)


def _sharp(images: Tensor) -> float:
    return float(sharpness(images[:, 0]).mean())
