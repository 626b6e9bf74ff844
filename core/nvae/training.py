"""The training of an NVAE, or a plain VAE, and what is done when its numbers run away.

`python -m core.nvae.train` runs one to its end, from its last checkpoint if there is one. Processor
time, not time on the clock, is counted, and survives a stop. Where torch.distributed is set up,
every process takes its share of each batch, and gradients are averaged; batch normalization sees
the share.
"""

import time
from collections.abc import Iterator
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, distributed
from torch.nn.parallel import DistributedDataParallel

from core.numerics import Diverged
from core.nvae import data
from core.nvae.config import NVAEConfig, PlainConfig
from core.nvae.gaussians import ACTIVE
from core.nvae.network import NVAE
from core.nvae.outputs import bits_per_dimension
from core.nvae.plain import PlainVAE
from core.nvae.schedule import balance, kl_coefficient, rate
from core.nvae.spectral import SpectralPenalty
from core.store import Tensors
from core.training import Snapshot, Task, pack, restore

EVERY = 10  # steps between two snapshots
HUGE = 30.0  # bits of a number of an image: a loss above it has run away, finite or not
REMEDIES = 4  # times that a training is rolled back before it is given up
EPS, DECAY = 1e-3, 3e-4  # of Adamax, as in the authors' code

AnyConfig = NVAEConfig | PlainConfig
Model = NVAE | PlainVAE


class Training:
    """All that a training holds: it can be packed, put back, and go on with the same numbers.

    Raises ValueError if processes that train together can't share a batch evenly.
    """

    def __init__(self, config: AnyConfig, device: str = "cpu") -> None:
        if _together() and config.batch_size % distributed.get_world_size():
            count = distributed.get_world_size()
            raise ValueError(
                f"batch_size is {config.batch_size}, but must be a multiple of {count}"
            )
        self.config, self.device = config, device
        self.generator = torch.Generator().manual_seed(config.seed)
        self.model = built(config, device)
        self.network = DistributedDataParallel(self.model) if _together() else self.model
        self.penalty = SpectralPenalty(self.model, self.generator)
        self.remedies = torch.zeros((), dtype=torch.int64)  # rollbacks so far
        self.seconds = torch.zeros((), dtype=torch.float64)  # of processor time, over all attempts
        self.optimizer = torch.optim.Adamax(
            self.model.parameters(), lr=config.lr, eps=EPS, weight_decay=DECAY
        )

    def parts(self) -> dict[str, Tensor]:
        """Every tensor but the optimizer's, by name; the tensors themselves."""
        counts = {"remedies": self.remedies, "seconds": self.seconds}
        return {**self.model.state_dict(), **self.penalty.state(), **counts}

    def pack(self, step: int) -> Tensors:
        """A copy of everything, for a checkpoint or a rollback."""
        found = pack(self.parts(), self.optimizer, self.generator, step)
        return {name: value.detach().cpu().clone() for name, value in found.items()}

    def restore(self, state: Tensors) -> int:
        """Go back to a packed state; its step."""
        return restore(state, self.parts(), self.optimizer, self.generator)

    def loss(self, x: Tensor, noise: list[Tensor], step: int) -> tuple[Tensor, Tensor, Tensor]:
        """What is minimized, nats per image; -ln p(x | z) of each image, its KL per channel."""
        config = self.config
        with torch.autocast(x.device.type, torch.bfloat16, enabled=config.precision != "float32"):
            nll, kl = self.network(x, noise)
        coefficient = kl_coefficient(step, config.steps, config.warmup)
        told = by_group(config, kl)
        factors = coefficient * balance(config, told, coefficient)
        norms, gammas = self.penalty()
        penalty = 2.0 ** int(self.remedies) * (config.spectral * norms + config.gamma * gammas)
        return nll.mean() + (told.mean(0) * factors).sum() + penalty, nll, kl

    def step(self, images: Tensor, step: int) -> Tensor:
        """One update: -ln p(x | z), then the KL of each channel; nats per image, summed."""
        config = self.config
        share = 0.5 ** int(self.remedies) * rate(step, config.steps, config.rise)
        for group in self.optimizer.param_groups:
            group["lr"] = share * config.lr
        chosen = torch.randint(len(images), (config.batch_size,), generator=self.generator)
        x = data.binarized(config, images[chosen], self.generator).to(self.device)
        noise = self.model.noise(config.batch_size, self.generator)
        self.optimizer.zero_grad()
        loss, nll, kl = self.loss(_share(x), [_share(part) for part in noise], step)
        loss.backward()
        value = _mean(loss)
        if not bits_per_dimension(value, config.dimensions) <= HUGE:  # that of NaN is not, either
            raise Diverged(f"the loss is {value:g} in step {step}")
        self.optimizer.step()
        return torch.cat([nll.detach().mean()[None], kl.detach().mean(0)]).cpu()


def built(config: AnyConfig, device: str = "cpu") -> Model:
    """The untrained model of a configuration."""
    if isinstance(config, PlainConfig):
        return PlainVAE(config, device=device)
    return NVAE(config, device=device)


def by_group(config: AnyConfig, kl: Float[Tensor, "*n channels"]) -> Float[Tensor, "*n groups"]:
    """Sums over the channels of each group."""
    return kl.unflatten(-1, (len(config.scale_of), config.latent)).sum(-1)


def _together() -> bool:
    return distributed.is_available() and distributed.is_initialized()


def _share(batch: Tensor) -> Tensor:
    """What this process takes of a batch: all of it if it is alone."""
    if not _together():
        return batch
    return batch.tensor_split(distributed.get_world_size())[distributed.get_rank()]


def _mean(loss: Tensor) -> float:
    """Of all processes' losses: not finite for all, if it is for one."""
    found = loss.detach().clone()
    if _together():
        distributed.all_reduce(found)
        found /= distributed.get_world_size()
    return float(found)


def train(
    config: AnyConfig, state: Tensors | None = None, device: str = "cpu"
) -> Iterator[Snapshot]:
    """Adamax on -ln p(x | z) plus the KL as it comes in, plus the penalties.

    All randomness is from the config's seed. Weights are kept as float16. When the loss is huge or
    not finite the training goes back to its last snapshot with twice the penalty and half the rate,
    as the authors advise; after four times it raises Diverged.
    """
    run, images = Training(config, device), data.load(config.data)
    run.model.train()
    done = run.restore(state) if state else 0
    since = time.process_time()
    kept = run.pack(done)
    while done < config.steps:
        last = min(done + EVERY, config.steps)
        try:
            found = torch.stack([run.step(images, at) for at in range(done, last)]).mean(0)
        except Diverged as error:
            _roll_back(run, kept, error)
            continue
        done, now = last, time.process_time()
        run.seconds += now - since
        since = now
        kept = run.pack(done)
        yield Snapshot(
            done=done,
            total=config.steps,
            metrics=_metrics(config, found, run),
            weights=lambda: shipped(run.model),
            state=partial(dict, kept),
        )


def shipped(model: Model) -> Tensors:
    """The weights as they are kept: half precision, without what can be made again."""
    kept = {name: value for name, value in model.state_dict().items() if not name.endswith(SPARED)}
    return {name: value.detach().cpu().half().contiguous() for name, value in kept.items()}


def restored(config: AnyConfig, tensors: Tensors) -> Model:
    """A trained model, read-only, for everybody."""
    model = built(config)
    own = {name: value for name, value in model.state_dict().items() if name.endswith(SPARED)}
    model.load_state_dict({**own, **{name: value.float() for name, value in tensors.items()}})
    return model.eval().requires_grad_(False)


SPARED = ("num_batches_tracked", "mask")


def _roll_back(run: Training, kept: Tensors, error: Diverged) -> None:
    remedies = int(run.remedies) + 1
    if remedies > REMEDIES:
        raise Diverged(
            f"{error}, after {REMEDIES} rollbacks, each with twice the spectral weight and half "
            "the learning rate: choose a larger spectral weight or a smaller learning rate"
        )
    run.restore(kept)
    run.remedies.fill_(remedies)


def _metrics(config: AnyConfig, found: Tensor, run: Training) -> dict[str, float]:
    reconstruction, channels = float(found[0]), found[1:]
    groups = by_group(config, channels)
    scale_of = torch.tensor(config.scale_of)
    scales = torch.zeros(max(config.scale_of) + 1).index_add(0, scale_of, groups)
    told = {"kl": scales, "group": groups} if len(groups) > 1 else {"kl": scales}
    return {
        "loss": reconstruction + float(channels.sum()),
        "reconstruction": reconstruction,
        **{
            f"{name}_{at}": float(value)
            for name, part in told.items()
            for at, value in enumerate(part, 1)
        },
        "active": float((channels > ACTIVE).sum()),
        "rollbacks": float(run.remedies),
        "processor": float(run.seconds) / 60,
    }


TRAINING = Task("nvae.model", 1, NVAEConfig, lambda config: data.digest(config.data), train)
PLAIN = Task("nvae.plain", 1, PlainConfig, lambda config: data.digest(config.data), train)
