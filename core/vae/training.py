"""The training of a model as a generator, and the models that ship.

`python scripts/train_vae_models.py` makes what ships.
"""

import math
from collections.abc import Iterator
from functools import partial

import torch
from torch import Generator, Tensor

from core.numerics import Diverged
from core.store import Tensors
from core.training import Snapshot, Task, pack, restore
from core.vae import data
from core.vae.bounds import training_loss
from core.vae.networks import AutoEncoder, VAEConfig, build

EVERY = 20  # steps between two snapshots

SHIPPED: dict[str, VAEConfig] = {
    "ae": VAEConfig(family="point"),
    "noise": VAEConfig(family="fixed"),
    "vae": VAEConfig(),
    "beta-4": VAEConfig(beta=4.0),
    "beta-20": VAEConfig(beta=20.0),
    "none": VAEConfig(penalty="none"),
    "simple": VAEConfig(penalty="simple"),
    "isotropic": VAEConfig(family="isotropic"),
    "full": VAEConfig(family="full"),
    "learned": VAEConfig(likelihood="learned"),
    "bernoulli": VAEConfig(likelihood="bernoulli"),
    "ae-8": VAEConfig(family="point", latent=8),
    "vae-8": VAEConfig(latent=8),
    "vae-all": VAEConfig(data="glyphs", latent=16, steps=8000, batch_size=128),
}


def train(config: VAEConfig, state: Tensors | None = None) -> Iterator[Snapshot]:
    """Adam on minus log p(x | z) plus beta times the penalty; a snapshot every 20 steps.

    The learning rate falls to 0 along a half cosine. Bernoulli pixels are drawn anew in every
    step. All randomness is from the config's seed. Weights are kept as float16. Raises Diverged if
    the loss is not finite.
    """
    generator = torch.Generator().manual_seed(config.seed)
    model, images = build(config), data.load(config.data).pixels
    weights = dict(model.named_parameters())
    optimizer = torch.optim.Adam(weights.values(), lr=config.lr)
    done = restore(state, weights, optimizer, generator) if state else 0
    for step in range(done + EVERY, config.steps + 1, EVERY):
        numbers = [
            _step(model, images, optimizer, generator, at) for at in range(step - EVERY, step)
        ]
        reconstruction, penalty = (sum(part) / EVERY for part in zip(*numbers, strict=True))
        loss = reconstruction + config.beta * penalty
        if not math.isfinite(loss):
            raise Diverged(f"the loss is {loss} in step {step}")
        yield Snapshot(
            done=step,
            total=config.steps,
            metrics={"loss": loss, "reconstruction": reconstruction, "penalty": penalty},
            weights=lambda: {name: value.detach().half() for name, value in weights.items()},
            state=partial(pack, weights, optimizer, generator, step),
        )


def restored(config: VAEConfig, tensors: Tensors) -> AutoEncoder:
    """A trained model, read-only, for everybody."""
    model = build(config)
    model.load_state_dict({name: value.float() for name, value in tensors.items()})
    return model.eval().requires_grad_(False)


def _step(
    model: AutoEncoder,
    images: Tensor,
    optimizer: torch.optim.Optimizer,
    generator: Generator,
    at: int,
) -> tuple[float, float]:
    config = model.config
    x = images[torch.randint(len(images), (config.batch_size,), generator=generator)]
    if config.likelihood == "bernoulli":
        x = torch.bernoulli(x, generator=generator)
    for group in optimizer.param_groups:
        group["lr"] = 0.5 * config.lr * (1 + math.cos(math.pi * at / config.steps))
    reconstruction, penalty = training_loss(model, x, generator)
    optimizer.zero_grad()
    (reconstruction + config.beta * penalty).mean().backward()
    optimizer.step()
    return reconstruction.mean().item(), penalty.mean().item()


TRAINING = Task("vae.model", 1, VAEConfig, lambda config: data.digest(config.data), train)
TASKS = {"model": TRAINING}
