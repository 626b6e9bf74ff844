"""The NVAE: a bottom-up encoder, a top-down generator, and groups of latents between them.

The generator starts from a learned constant. At each group the prior of z is read off its state;
the posterior moves that prior by what the encoder saw at this place; z is mixed into the state.

Source: https://kexue.fm/archives/7574, eq. (2)-(5) and its picture of the towers. The std of the
first prior is 1 here (1.01 in the authors' code, which adds .01 to every std; without it eq. (5)
is exact). Axes: batch n, channels c, height h, width w.
"""

import math
from collections.abc import Sequence, Set
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Generator, Tensor, nn

from core.modules import allocated
from core.nvae.cells import Down, Up, decoder_cell, encoder_cell, norm
from core.nvae.config import NVAEConfig
from core.nvae.flows import Flow
from core.nvae.gaussians import Gaussian, gaussian_kl, soft_clamp
from core.nvae.outputs import log_likelihood, mean_image, output_channels

Noise = Sequence[Tensor]  # unit normal draws, one [n, c, h, w] a group, the coarsest first
Temperature = float | Sequence[float]  # of the priors' stds: one, or one a scale


@dataclass(frozen=True)
class Pass:
    """One way down: what was drawn, and what it cost."""

    output: Tensor  # of the last layer: logits, or parameters of mixtures
    z: list[Tensor]  # of each group
    priors: list[Gaussian]  # that each z had
    kl: list[Tensor]  # of each group, [n, c, h, w]; with flows an estimate from the one draw
    log_ratio: Float[Tensor, " n"]  # ln p(z) - ln q(z | x) of this very draw, nats

    def whitened(self) -> list[Tensor]:
        """Where each z lies in its prior, in stds: `decode(whitened)` makes the same picture."""
        pairs = zip(self.z, self.priors, strict=True)
        return [(z - prior.mean) * torch.exp(-prior.log_std) for z, prior in pairs]


class Group(nn.Module):
    """One group of latents: its cells, its prior, its posterior, how z enters the state."""

    def __init__(self, config: NVAEConfig, scale: int, *, first: bool) -> None:
        super().__init__()
        width, latent, again = config.widths[scale], config.latent, config.checkpointing
        self.residual = config.posterior == "residual"
        self.cells = nn.Sequential(
            *(
                decoder_cell(config.cell, width, config.expansion, recompute=again)
                for _ in range(0 if first else config.cells)
            )
        )
        self.prior = None if first else nn.Sequential(nn.ELU(), nn.Conv2d(width, 2 * latent, 1))
        self.merge = nn.Conv2d(width, width, 1)  # the state, for the posterior to see
        self.posterior = nn.Conv2d(width, 2 * latent, 3, padding=1)
        self.flow = Flow(latent, width, config.flows) if config.flows else None
        self.mix = nn.Conv2d(width + latent, width, 1)

    def prior_of(self, state: Tensor) -> Gaussian:
        """p(z_l | z_<l); the first one is standard normal."""
        if self.prior is None:
            still = state.new_zeros(len(state), self.mix.in_channels - state.shape[1], 1, 1)
            flat = still.expand(-1, -1, *state.shape[2:])
            return Gaussian(flat, flat)
        mean, log_std = self.prior(state).chunk(2, 1)
        return Gaussian(soft_clamp(mean), soft_clamp(log_std))

    def posterior_of(self, prior: Gaussian, state: Tensor, seen: Tensor) -> Gaussian:
        """q(z_l | z_<l, x): the prior moved (eq. 4), or told from scratch."""
        found = self.posterior(F.elu(seen + self.merge(state)))
        mean, log_std = (soft_clamp(part) for part in found.chunk(2, 1))
        return prior.residual(mean, log_std) if self.residual else Gaussian(mean, log_std)


class NVAE(nn.Module):
    """x -> groups of latents -> x. Weights are drawn from the config's seed, or `generator`.

    On the device "meta" nothing is drawn: for counting what can't be held.
    """

    def __init__(
        self, config: NVAEConfig, generator: Generator | None = None, *, device: str = "cpu"
    ) -> None:
        super().__init__()
        self.config = config
        with torch.device("meta"):
            self._build()
        if device != "meta":
            allocated(self, device)
            _draw(self, generator or torch.Generator().manual_seed(config.seed))
            self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def _build(self) -> None:
        config, widths = self.config, self.config.widths
        scales, again = len(widths), config.checkpointing
        self.stem = _stem(config)
        self.encoders = nn.ModuleList(  # from the finest scale up; a cell stack for each group
            nn.ModuleList(
                nn.Sequential(
                    *(encoder_cell(widths[scale], recompute=again) for _ in range(config.cells))
                )
                for _ in range(config.groups_per_scale[scale])
            )
            for scale in reversed(range(scales))
        )
        self.downs = nn.ModuleList(
            Down(widths[scale], widths[scale - 1]) for scale in reversed(range(1, scales))
        )
        self.top = nn.Parameter(torch.empty(1, widths[0], config.sides[0], config.sides[0]))
        self.groups = nn.ModuleList(
            Group(config, scale, first=number == 0) for number, scale in enumerate(config.scale_of)
        )
        self.ups = nn.ModuleList(
            Up(widths[scale], widths[scale + 1], config.sides[scale + 1])
            for scale in range(scales - 1)
        )
        self.head = _head(config)

    # ---- the two ways through

    def encode(self, x: Float[Tensor, "n c h w"]) -> list[Tensor]:
        """Bottom-up: what each group's posterior sees, the coarsest group first."""
        self._check(x)
        state, seen = self.stem(2 * x - 1), []
        for at, stacks in enumerate(self.encoders):
            for stack in stacks:  # type: ignore[attr-defined]
                state = stack(state)
                seen.append(state)
            if at < len(self.downs):
                state = self.downs[at](state)
        return seen[::-1]

    def decode(
        self,
        noise: Noise,
        seen: Sequence[Tensor] | None = None,
        *,
        temperature: Temperature = 1.0,
        redrawn: Set[int] = frozenset(),
    ) -> Pass:
        """Top-down: from the posteriors if there are features of an image, else from the priors.

        Scales in `redrawn` are drawn from their priors in any case. The temperature is that of
        the priors; posteriors are drawn as they are.
        """
        config, scale = self.config, 0
        heat = temperatures(temperature, len(config.sides))
        state = self.top.expand(len(noise[0]), -1, -1, -1).contiguous(
            memory_format=torch.channels_last
        )
        z, priors, kl, ratio = [], [], [], state.new_zeros(len(state))
        for number, group in enumerate(self.groups):
            if config.scale_of[number] != scale:
                state, scale = self.ups[scale](state), scale + 1
            state = group.cells(state)  # type: ignore[operator]
            prior = group.prior_of(state)  # type: ignore[operator]
            if seen is None or scale in redrawn:
                drawn = prior.draw(noise[number], heat[scale])
                cost, difference = torch.zeros_like(drawn), torch.zeros_like(ratio)
            else:
                posterior = group.posterior_of(prior, state, seen[number])  # type: ignore[operator]
                flow = group.flow if self.config.flows else None
                drawn, cost, difference = _draw_posterior(flow, posterior, prior, noise[number])  # type: ignore[arg-type]
            z.append(drawn)
            priors.append(prior)
            kl.append(cost)
            ratio = ratio + difference
            state = group.mix(torch.cat([state, drawn], 1))  # type: ignore[operator]
        return Pass(self.head(state), z, priors, kl, ratio)

    # ---- what is asked of it

    def forward(
        self, x: Float[Tensor, "n c h w"], noise: Noise
    ) -> tuple[Float[Tensor, " n"], Float[Tensor, "n channels"]]:
        """-ln p(x | z) of each image, and its KL in each channel of each group; nats."""
        found = self.decode(noise, self.encode(x))
        kl = torch.cat([part.sum((2, 3)) for part in found.kl], 1)
        return -log_likelihood(self.config, found.output, x), kl

    @torch.no_grad()
    def sample(
        self, n: int, temperature: Temperature = 1.0, generator: Generator | None = None
    ) -> Float[Tensor, "n c h w"]:
        """Images from the priors: the mean of the pixels in [0, 1]. Temperature 0: one image."""
        noise = self.noise(n, generator)
        return mean_image(self.config, self.decode(noise, temperature=temperature).output)

    def noise(self, n: int, generator: Generator | None = None) -> list[Tensor]:
        """Unit normal draws for `decode`. Raises ValueError for less than one image."""
        if n < 1:
            raise ValueError(f"n is {n}, but must be at least 1")
        sides = (self.config.sides[scale] for scale in self.config.scale_of)
        device = self.top.device
        return [
            torch.randn(n, self.config.latent, side, side, generator=generator).to(device)
            for side in sides
        ]

    def _check(self, x: Tensor) -> None:
        side, channels = self.config.side, self.config.channels
        if x.ndim != 4 or x.shape[1:] != (channels, side, side):
            raise ValueError(
                f"x has shape {tuple(x.shape)}, but must be [n, {channels}, {side}, {side}]"
            )


def temperatures(temperature: Temperature, scales: int) -> tuple[float, ...]:
    """One for each scale. Raises ValueError for another count, negative or infinite ones."""
    single = isinstance(temperature, int | float)
    found = tuple(map(float, [temperature] * scales if single else temperature))  # type: ignore
    if len(found) != scales:
        raise ValueError(f"temperature has {len(found)} values, but must have one or {scales}")
    if not all(math.isfinite(value) and value >= 0 for value in found):
        raise ValueError(f"temperature is {temperature}, but must be finite and at least 0")
    return found


def _draw_posterior(
    flow: nn.Module | None, posterior: Gaussian, prior: Gaussian, eps: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """z, its KL (closed form; with a flow the draw's own estimate), and ln p(z) - ln q(z | x)."""
    start = posterior.draw(eps)
    z = flow(start) if flow else start
    difference = prior.log_density(z) - posterior.log_density(start)
    kl = -difference if flow else gaussian_kl(posterior, prior)
    return z, kl, difference.flatten(1).sum(1)


def _stem(config: NVAEConfig) -> nn.Sequential:
    """From the image to the finest features: strided convolutions, or the paper's cells."""
    last, halvings = config.widths[-1], config.halvings
    if config.stem_cells == 0:
        first = [nn.Conv2d(config.channels, last, 3, stride=2 if halvings else 1, padding=1)]
        return nn.Sequential(*first, *(Down(last, last) for _ in range(halvings - 1)))
    parts: list[nn.Module] = [nn.Conv2d(config.channels, last >> halvings, 3, padding=1)]
    for left in range(halvings, 0, -1):
        width = last >> left
        parts += [encoder_cell(width) for _ in range(config.stem_cells - 1)]
        parts += [Down(width, 2 * width)]
    return nn.Sequential(*parts)


def _head(config: NVAEConfig) -> nn.Sequential:
    """From the finest state to the output: sub-pixel convolutions, or the paper's cells."""
    width, out = config.widths[-1], output_channels(config)
    parts: list[nn.Module] = []
    for _ in range(config.halvings):
        if config.stem_cells:
            cells = range(config.stem_cells - 1)
            parts += [Up(width, width // 2)]
            parts += [decoder_cell(config.cell, width // 2, 3) for _ in cells]
            width //= 2
        else:
            fine = max(16, width // 2)
            parts += [norm(width), nn.SiLU(), nn.Conv2d(width, 4 * fine, 3, padding=1)]
            parts += [nn.PixelShuffle(2)]
            width = fine
    return nn.Sequential(*parts, norm(width), nn.SiLU(), nn.Conv2d(width, out, 3, padding=1))


@torch.no_grad()
def _draw(model: NVAE, generator: Generator) -> None:
    """Fill what was made empty; the posteriors start at the priors: KL near 0, nothing to tell."""
    draw_weights(model, generator)
    model.top.copy_(torch.randn(model.top.shape, generator=generator))
    for group in model.groups:
        group.posterior.weight.mul_(0.1)  # type: ignore[operator, union-attr]
        if group.prior is not None:
            group.prior[1].weight.mul_(model.config.start)  # type: ignore[index, union-attr]


@torch.no_grad()
def draw_weights(model: nn.Module, generator: Generator) -> None:
    """LeCun normal weights, zero biases, fresh statistics."""
    for part in model.modules():
        if isinstance(part, nn.Conv2d | nn.Linear):
            fan_in = part.weight[0].numel()
            part.weight.copy_(torch.randn(part.weight.shape, generator=generator) / fan_in**0.5)
            if part.bias is not None:
                part.bias.zero_()
        elif isinstance(part, nn.BatchNorm2d):
            part.reset_running_stats()
            part.reset_parameters()
        elif isinstance(part, Flow):
            part.reset()
