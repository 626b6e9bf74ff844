"""What decides an NVAE and its training, and the paper's own builds.

Source: https://kexue.fm/archives/7574; the settings are those of the authors' code
(https://github.com/NVlabs/NVAE). Scales and groups are counted from the top: the coarsest first.
"""

from dataclasses import dataclass
from typing import Annotated

from core.knobs import Choice, Config, Range, Text

IMAGES = {  # of each data set: side and channels
    "glyphs": (32, 1),
    "digits": (8, 1),
    "mnist": (28, 1),
    "fashion-mnist": (28, 1),
    "mnist-padded": (32, 1),
    "cifar-10": (32, 3),
    "imagenet-32": (32, 3),
    "celeba-64": (64, 3),
    "celeba-hq": (256, 3),
    "ffhq": (256, 3),
}
HERE = ("glyphs", "digits", "mnist", "fashion-mnist")  # what core.datasets can load
CELLS = ("dense", "depthwise")
POSTERIORS = ("residual", "absolute")
OUTPUTS = ("bernoulli", "mixture")
PRECISIONS = ("float32", "bfloat16")
GROUPS_AT_MOST = 64  # of a scale
SMALLEST = 4  # pixels: the side from which on a plain VAE halves no more


@dataclass(frozen=True)
class ImagesConfig(Config):
    """What every model here has: its images, the meaning of its last layer, its training."""

    data: Annotated[str, Choice(*IMAGES)] = "digits"
    output: Annotated[str, Choice(*OUTPUTS)] = "bernoulli"
    warmup: Annotated[float, Range(0.0, 1.0)] = 0.3  # share of the steps in which the KL comes in
    spectral: Annotated[float, Range(0.0, 10.0)] = 1e-2  # weight of the sum of spectral norms
    gamma: Annotated[float, Range(0.0, 10.0)] = 1e-2  # and of the sum of max |gamma|
    precision: Annotated[str, Choice(*PRECISIONS)] = "float32"
    steps: Annotated[int, Range(10, 1_000_000)] = 1000
    batch_size: Annotated[int, Range(2, 1024)] = 64
    lr: Annotated[float, Range(1e-5, 0.1)] = 8e-3
    rise: Annotated[float, Range(0.0, 1.0)] = 0.0  # share of the steps in which lr comes in
    seed: Annotated[int, Range(0, 99)] = 0

    @property
    def side(self) -> int:
        """Of an image, in pixels."""
        return IMAGES[self.data][0]

    @property
    def channels(self) -> int:
        """Of an image: 1 gray, 3 color."""
        return IMAGES[self.data][1]

    @property
    def dimensions(self) -> int:
        """Numbers of an image."""
        return self.channels * self.side**2


@dataclass(frozen=True)
class NVAEConfig(ImagesConfig):
    """A model, its loss and its training. Losses are nats per image, summed over pixels."""

    groups: Annotated[str, Text(40)] = "1,2"  # of latents at each scale, the coarsest first
    latent: Annotated[int, Range(1, 64)] = 4  # channels of z in a group
    width: Annotated[int, Range(4, 256)] = 16  # channels at the finest scale of latents
    growth: Annotated[float, Range(1.0, 2.0)] = 1.5  # of the channels from a scale to the coarser
    cells: Annotated[int, Range(1, 4)] = 1  # of a group, each way
    cell: Annotated[str, Choice(*CELLS)] = "dense"  # of the decoder
    expansion: Annotated[int, Range(1, 8)] = 6  # of a depthwise cell
    halvings: Annotated[int, Range(0, 3)] = 0  # from the image to the finest scale of latents
    stem_cells: Annotated[int, Range(0, 4)] = 0  # of each halving; 0: one strided convolution
    posterior: Annotated[str, Choice(*POSTERIORS)] = "residual"
    start: Annotated[float, Range(0.0, 1.0)] = 1.0  # of the priors' first weights; 0: all N(0, 1)
    flows: Annotated[int, Range(0, 4)] = 0  # pairs of autoregressive cells in a group
    balance: bool = True  # the KL of the groups, while it comes in
    checkpointing: bool = False  # cells are computed again in the backward pass

    def __post_init__(self) -> None:
        super().__post_init__()
        finest = self.side >> self.halvings
        if self.side % 2**self.halvings or finest < 2 ** (len(self.groups_per_scale) - 1):
            raise ValueError(
                f"groups is {self.groups!r} with halvings {self.halvings}, but an image of side "
                f"{self.side} can't be halved that often"
            )

    @property
    def groups_per_scale(self) -> tuple[int, ...]:
        """How many groups of latents each scale has, the coarsest first."""
        return parse_groups(self.groups)

    @property
    def sides(self) -> tuple[int, ...]:
        """The side of the latents at each scale, the coarsest first; half of 7 is 4."""
        sides = [self.side >> self.halvings]
        while len(sides) < len(self.groups_per_scale):
            sides.append((sides[-1] + 1) // 2)
        return tuple(reversed(sides))

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of the features at each scale, the coarsest first; multiples of 4."""
        scales = len(self.groups_per_scale)
        grown = (self.width * self.growth ** (scales - 1 - scale) for scale in range(scales))
        return tuple(max(4, 4 * round(width / 4)) for width in grown)

    @property
    def scale_of(self) -> tuple[int, ...]:
        """The scale of every group, from the top."""
        counts = enumerate(self.groups_per_scale)
        return tuple(scale for scale, count in counts for _ in range(count))


@dataclass(frozen=True)
class PlainConfig(ImagesConfig):
    """A plain VAE: one vector of latents."""

    latent: Annotated[int, Range(1, 512)] = 16  # numbers of the vector
    width: Annotated[int, Range(4, 256)] = 16  # channels at half the side; below it twice as many

    @property
    def halved(self) -> tuple[int, ...]:
        """Sides of the pictures inside, the largest first: halved while they are even, above 4."""
        found = [self.side // 2]
        while found[-1] % 2 == 0 and found[-1] > SMALLEST:
            found.append(found[-1] // 2)
        return tuple(found)

    @property
    def scale_of(self) -> tuple[int, ...]:
        """One group, of one scale."""
        return (0,)


def parse_groups(text: str) -> tuple[int, ...]:
    """Counts of groups, "4,4,8" -> (4, 4, 8). Raises ValueError for anything else."""
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and 1 <= int(part) <= GROUPS_AT_MOST for part in parts):
        raise ValueError(
            f"groups is {text!r}, but must be counts from 1 to {GROUPS_AT_MOST}, the coarsest "
            "scale first, with commas between"
        )
    return tuple(int(part) for part in parts)


def latent_size(groups: tuple[int, ...], spatial: tuple[int, ...], channels: int) -> int:
    """Numbers of all latents: groups of a scale times its side squared times channels, summed.

    Eq. (6): (4, 4, 4, 8, 16) groups at sides (8, 16, 32, 64, 128) with 20 channels: 6 005 760.
    Raises ValueError if the scales do not match.
    """
    if len(groups) != len(spatial):
        raise ValueError(f"groups has {len(groups)} scales, but spatial has {len(spatial)}")
    return channels * sum(count * side**2 for count, side in zip(groups, spatial, strict=True))


def _paper(data: str, groups: str, width: int, halvings: int, **more: int | float) -> NVAEConfig:
    return NVAEConfig(
        data=data, groups=groups, latent=20, width=width, growth=2.0, cells=2, cell="depthwise",
        halvings=halvings, stem_cells=3, steps=100_000, lr=1e-2, **more,  # type: ignore[arg-type]
    )  # fmt: skip


# Build and count; none of them can be trained here. Channels double with every halving, also on
# the way to the finest latents, so `width` is the initial number of channels times 2 ** halvings.
PAPER = {
    "mnist-padded": _paper("mnist-padded", "5,10", 128, 2, batch_size=200),
    "cifar-10": _paper("cifar-10", "30", 256, 1, flows=1, batch_size=32),
    "imagenet-32": _paper("imagenet-32", "28", 256, 1, flows=1, batch_size=24),
    "celeba-64": _paper(
        "celeba-64", "5,10,20", 128, 1, flows=1, spectral=0.1, gamma=0.1, batch_size=16
    ),
    "celeba-hq": _paper("celeba-hq", "4,4,4,8,16", 60, 1, flows=2, batch_size=4),
    "ffhq": _paper("ffhq", "4,4,4,8,16", 60, 1, flows=2, spectral=0.1, gamma=0.1, batch_size=4),
}
