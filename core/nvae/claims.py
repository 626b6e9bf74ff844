"""The claims of post 7574 (N1 to N17) as experiments.

What needs a trained model is read off the one of characters that ships, what needs several off
the ablations on small digits. What this scale can't decide is open, and its rule says what would
decide it.

Source: https://kexue.fm/archives/7574
"""

import copy
import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor

from core.claims import Claim, Cost, Evidence, Verdict, graded, held
from core.nvae import data
from core.nvae.ablation import AblationConfig, difference, runs
from core.nvae.batchnorm import readjust_batchnorm
from core.nvae.budget import builds
from core.nvae.config import NVAEConfig
from core.nvae.memory import saved_bytes
from core.nvae.models import model, scale_names
from core.nvae.network import NVAE
from core.nvae.posteriors import gap
from core.nvae.presets import SHIPPED
from core.nvae.samples import SamplesConfig, held_out_gaps, samples
from core.nvae.scales import ScalesConfig, kl_by_group, redrawn
from core.nvae.statistics import StatisticsConfig, statistics
from core.nvae.toys import chain, coded, diagonal, independent, kl, mixture, target

DRAWS = 4000
NAME = "glyphs"
UNITS = {"elbo": "nats", "gradient": "", "response": "nats"}


def factorized_posterior(seed: int) -> Evidence:
    """N1: with factorized Gaussians KL(p || q) can't reach 0, and so pictures blur.

    The least gap of the ELBO over upright Gaussians, two latents: for a decoder that gives one
    picture to a whole ring of latents, and for a linear one. FAILS if there is no gap on the ring;
    HOLDS if there is one for both; CONDITIONAL if only on the ring.
    """
    ring, linear = gap("ring"), gap("linear")
    verdict = graded(ring > 0.05, linear > 0.05)
    return Evidence(verdict, ring, 0.0, 0.05, "nats", {"linear": linear})


def gan_faults(seed: int) -> Evidence:
    """N2: a VAE with a GAN's loss gets sharper and takes over the GAN's faults. OPEN."""
    return _open(0.0)


def discrete_codes(seed: int) -> Evidence:
    """N3: discrete codes with an autoregressive prior fit any discrete distribution.

    Two codes of 81 values each. HOLDS if the chain's cross-entropy is the entropy to 1e-9 and
    independent codes miss it by more than 0.05 nats.
    """
    joint = target("moons", 0.12, seed)
    found, apart = kl(joint, coded(joint)), kl(joint, independent(joint))
    return Evidence(
        held(found < 1e-9 and apart > 0.05), found, 0.0, 1e-9, "nats", {"independent": apart}
    )


def depth_of_groups(seed: int) -> Evidence:
    """N4: more groups strengthen prior and posterior, decoding stays parallel.

    Digits, one scale, 512 latents in one, two or four groups. HOLDS if four groups have a lower
    -ELBO on held-out images than one, FAILS if a higher; a difference within its interval is OPEN.
    """
    return _compared("groups-4", "groups-1", "elbo", ("seconds", "active_share", "sharpness"))


def kl_by_groups(seed: int) -> Evidence:
    """N5: the KL is a sum over groups, eq. (3).

    An untrained NVAE on digits: the sum of the groups' closed KLs against ln q(z | x) - ln p(z) of
    whole draws. HOLDS if the means differ by less than 4 standard errors, FAILS if not.
    """
    config = NVAEConfig(seed=seed, posterior="absolute")
    net, generator = NVAE(config).eval(), torch.Generator().manual_seed(seed)
    x = data.held_out("digits", 1).expand(DRAWS, -1, -1, -1)
    with torch.no_grad():
        found = net.decode(net.noise(DRAWS, generator), net.encode(x))
    closed = sum(part.flatten(1).sum(1) for part in found.kl)
    assert isinstance(closed, Tensor)
    difference = closed + found.log_ratio
    error = float(difference.std()) / DRAWS**0.5
    mean = float(difference.mean())
    holds = abs(mean) < 4 * error
    details = {"closed": float(closed.mean()), "standard_error": error}
    return Evidence(held(holds), float(-found.log_ratio.mean()), details["closed"], 4 * error,
                    "nats", details)  # fmt: skip


def relative_posterior(seed: int) -> Evidence:
    """N6: the relative posterior trains more stably.

    Digits, relative less absolute: the largest gradient norm of a training's second half. HOLDS if
    it is lower, FAILS if higher; a difference within its interval is OPEN.
    """
    return _compared("base", "absolute", "gradient", ("elbo", "failed", "active_share"))


def shared_trunk(seed: int) -> Evidence:
    """N7: sharing the top-down trunk saves parameters and generalizes. OPEN; the saving is counted.

    Measured is the share of the weights that both ways down use.
    """
    net = NVAE(SHIPPED[NAME], device="meta")
    trunk = re.compile(r"groups\.\d+\.(cells|mix)|ups|head|top")
    counts = {name: weight.numel() for name, weight in net.named_parameters()}
    shared = sum(count for name, count in counts.items() if trunk.match(name))
    share = shared / sum(counts.values())
    return _open(share, {"shared": share})


def multiple_scales(seed: int) -> Evidence:
    """N8: several scales are effective: the coarse hold layout, the fine texture.

    What changes when one scale is drawn anew: the part of the change that is left after
    averaging over a quarter of the side each way. HOLDS if it falls from the coarsest to finest,
    FAILS if not; OPEN if a scale tells less than 1 nat, so that there is nothing to compare.
    """
    config = ScalesConfig(model=NAME, temperature=0.7, seed=seed % 100)
    names = scale_names(SHIPPED[NAME])
    layout = [_layout(redrawn(config, [at])) for at in range(len(names))]
    told = kl_by_group(NAME).groupby("scale")["kl"].sum()
    details = {f"layout_{name}": value for name, value in zip(names, layout, strict=True)}
    details |= {f"kl_{name}": float(told[name]) for name in names}
    verdict = (
        Verdict.OPEN
        if bool((told < 1).any())
        else held(all(upper > lower for upper, lower in pairwise(layout)))
    )
    return Evidence(verdict, layout[0] / layout[-1], 1.0, None, "", details)


def running_statistics_hurt(seed: int) -> Evidence:
    """N9: running statistics hurt at low temperature; statistics of samples mend it.

    Mean squared distance of samples at 0.5 to the nearest training image, over that of held-out
    images. HOLDS if re-adjustment lowers it by 5 % or more, FAILS if it raises it by as much,
    CONDITIONAL between: no difference that matters.
    """
    before, after = (_distance(seed, passes) for passes in (0, 8))
    yard = float(held_out_gaps(NAME).mean())
    ratio = after / before
    moved = statistics(StatisticsConfig(model=NAME, passes="8", seed=seed % 100)).moved
    details = {"running": before / yard, "readjusted": after / yard, "moved": moved}
    verdict = Verdict.FAILS if ratio > 1.05 else graded(True, ratio < 0.95)
    return Evidence(verdict, ratio, 1.0, 0.05, "", details)


def scale_penalty(seed: int) -> Evidence:
    """N10: a penalty on the scales of batch normalization stabilizes.

    Digits, with it less without: the largest gradient norm of a training's second half. HOLDS if
    it is lower, FAILS if higher; a difference within its interval is OPEN.
    """
    return _compared("base", "no-gamma", "gradient", ("elbo", "failed", "largest_kl"))


def spectral_penalty(seed: int) -> Evidence:
    """N11: the KL is unbounded; the spectral penalty tames it. The first half is exact.

    Digits, weight 0.1 less weight 0: how far an image's KL moves when one pixel is flipped. HOLDS
    if less, FAILS if more; a difference within its interval is OPEN.
    """
    return _compared("strong-spectral", "no-spectral", "response", ("elbo", "largest_kl", "failed"))


def flows_in_groups(seed: int) -> Evidence:
    """N12: flows inside groups help a little and cost a lot.

    Digits, one pair of flows in each group less none: -ELBO. HOLDS if it is lower and training
    takes a tenth more processor time or more, CONDITIONAL if it is lower at less cost, FAILS if
    higher; a difference within its interval is OPEN.
    """
    found = _compared("flows", "base", "elbo", ("seconds", "gradient"))
    if found.verdict is Verdict.HOLDS and found.details["seconds"] < 0.1:
        return replace(found, verdict=Verdict.CONDITIONAL)
    return found


def recomputation(seed: int) -> Evidence:
    """N13: computing activations again saves memory (18 % in the paper) at almost no time.

    Bytes that autograd keeps for one step of the model of characters, with whole cells computed
    again and without. HOLDS if at least 18 % are saved by at most a tenth more multiplications,
    CONDITIONAL if they are saved by more, FAILS if less is saved.
    """
    plain, again = (saved_bytes(SHIPPED[NAME], checkpointing) for checkpointing in (False, True))
    saved = 1 - again.bytes / plain.bytes
    more = again.convolutions / plain.convolutions - 1
    return Evidence(
        graded(saved >= 0.18, more <= 0.1), 100 * saved, 18.0, None, "%",
        {"more_convolutions": more, "megabytes": plain.bytes / 1e6},
    )  # fmt: skip


def not_memory(seed: int) -> Evidence:
    """N14: samples are no copies: the nearest training images differ.

    Mean squared distance of samples at temperature 1 to the nearest training image, over that of
    held-out images, which it never saw. HOLDS if at least 0.8, FAILS below 0.2,
    CONDITIONAL between.
    """
    found = samples(SamplesConfig(model=NAME, temperature=1.0, seed=seed % 100))
    gaps = found.gaps[found.gaps["kind"] == "sample"]["gap"]
    yard = held_out_gaps(NAME)
    details = {"sample": float(gaps.mean()), "held_out": float(yard.mean())}
    return Evidence(graded(found.ratio >= 0.2, found.ratio >= 0.8), found.ratio, 1.0, 0.2, "",
                    details)  # fmt: skip


def chains_of_gaussians(seed: int) -> Evidence:
    """N15: chains of Gaussians fit complex continuous distributions.

    The best chain of two coordinates on moons, exactly, and upright Gaussians with one more latent
    cut into 32. HOLDS if the chain's gap is below 0.02 nats; CONDITIONAL if only with the latent;
    FAILS if not even so.
    """
    density = target("moons", 0.12, seed)
    own, more = kl(density, chain(density)), kl(density, mixture(density, 32, seed))
    details = {"diagonal": kl(density, diagonal(density)), "extra": more}
    return Evidence(graded(more < 0.02, own < 0.02), own, 0.0, 0.02, "nats", details)


def many_latents(seed: int) -> Evidence:
    """N16: pictures are sharp because there are many latents in levels. OPEN; they are counted."""
    table = kl_by_group(NAME)
    share = float(table["active"].sum() / table["of"].sum())
    return _open(share, {"active_channels": share, "told": float(table["kl"].sum())})


def cost(seed: int) -> Evidence:
    """N17: it costs more than StyleGAN at equal resolution. OPEN; the FFHQ build is counted."""
    rows = builds().set_index("build")["parameters"].astype(float)
    return _open(float(rows["ffhq"]), {"parameters": float(rows["ffhq"])})


def _compared(variant: str, other: str, measure: str, more: Sequence[str]) -> Evidence:
    """A measure that is to be low, `variant` less `other` over the seeds; others beside it.

    The difference of seconds is told as a share of the other's.
    """
    found, without = difference(variant, other, measure), runs(AblationConfig(variant=other))
    details = {name: difference(variant, other, name).mean for name in more}
    details["other"] = float(without[measure].mean())
    if "seconds" in details:
        details["seconds"] /= float(without["seconds"].mean())
    verdict = Verdict.OPEN if abs(found.mean) <= found.error else held(found.mean < 0)
    return Evidence(verdict, found.mean, 0.0, found.error, UNITS[measure], details)


def _layout(images: Tensor) -> float:
    """Of the change from the first picture to the others: the share that averaging leaves."""
    change = images[1:] - images[:1]
    return float(
        F.avg_pool2d(change, change.shape[-1] // 4).square().mean() / change.square().mean()
    )


def _distance(seed: int, passes: int) -> float:
    """Mean squared distance of samples at 0.5 to the nearest training image."""
    net = copy.deepcopy(model(NAME))
    if passes:
        readjust_batchnorm(net, passes=passes, temperature=0.5, generator=_generator(seed + 1))
    drawn = net.sample(32, 0.5, _generator(seed))
    return float(data.known(NAME, "train").images.nearest(drawn)[0].mean())


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _open(measured: float, details: dict[str, float] | None = None) -> Evidence:
    return Evidence(Verdict.OPEN, measured, details=details or {})


CLAIMS: tuple[Claim, ...] = tuple(
    Claim(f"nvae.{name}", source, cost, expects, check)
    for name, source, cost, expects, check in [
        ("N1", "§ VAE, eq. (1)", Cost.SECONDS, Verdict.CONDITIONAL, factorized_posterior),
        ("N2", "§ VAE", Cost.INSTANT, Verdict.OPEN, gan_faults),
        ("N3", "§ VAE", Cost.INSTANT, Verdict.HOLDS, discrete_codes),
        ("N4", "§ autoregressive, eq. (2)", Cost.INSTANT, Verdict.OPEN, depth_of_groups),
        ("N5", "§ autoregressive, eq. (3)", Cost.SECONDS, Verdict.HOLDS, kl_by_groups),
        ("N6", "§ autoregressive, eq. (4)", Cost.INSTANT, Verdict.HOLDS, relative_posterior),
        ("N7", "§ multi-scale", Cost.INSTANT, Verdict.OPEN, shared_trunk),
        ("N8", "§ multi-scale", Cost.SECONDS, Verdict.HOLDS, multiple_scales),
        ("N9", "§ techniques", Cost.SECONDS, Verdict.FAILS, running_statistics_hurt),
        ("N10", "§ techniques", Cost.INSTANT, Verdict.OPEN, scale_penalty),
        ("N11", "§ techniques", Cost.INSTANT, Verdict.HOLDS, spectral_penalty),
        ("N12", "§ techniques", Cost.INSTANT, Verdict.FAILS, flows_in_groups),
        ("N13", "§ techniques", Cost.SECONDS, Verdict.CONDITIONAL, recomputation),
        ("N14", "§ more pictures", Cost.SECONDS, Verdict.HOLDS, not_memory),
        ("N15", "§ gains", Cost.SECONDS, Verdict.CONDITIONAL, chains_of_gaussians),
        ("N16", "§ gains, eq. (6)", Cost.SECONDS, Verdict.OPEN, many_latents),
        ("N17", "§ gains", Cost.INSTANT, Verdict.OPEN, cost),
    ]
)
