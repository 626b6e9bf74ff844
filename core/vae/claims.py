"""The claims of post 7725 (G1 to G18) as experiments.

What needs a trained model is read off those that ship (seed 0 of the training, ten characters in
fourteen fonts and weights); G2 trains its own.

Source: https://kexue.fm/archives/7725
"""

import math
from functools import lru_cache

import numpy as np
import torch
from scipy.stats import kstest, spearmanr
from torch import Tensor

from core.claims import Claim, Cost, Evidence, Verdict, graded, held
from core.images import nearest, sharpness
from core.vae import data
from core.vae.codes import gap_codes
from core.vae.exact import median_decoder, optimal_decoder
from core.vae.factors import factor_values, probes, rotation_excess
from core.vae.gaussians import (
    UNIFORM_EXCESS,
    gaussian_kl,
    log_normal,
    reparameterize,
    uniform_kl,
)
from core.vae.linear import best_mean_square, direction_loss, linear_vae_direction
from core.vae.measures import mutual_information_gap
from core.vae.models import measures, model
from core.vae.networks import AutoEncoder, VAEConfig
from core.vae.shapes import (
    covered_by_chance,
    covered_share,
    participation_ratio,
    sample_codes,
)
from core.vae.training import SHIPPED, restored, train
from core.vae.world import pictures

CHANCE = 1e-4  # a result less probable than this is none
DRAWS = 256


def equivalent(seed: int) -> Evidence:
    """G1: if reconstruction is good, the code stands for the image.

    Linear probes for character, font, weight and ink: from the images, from what an 8-dimensional
    autoencoder decodes of their codes, and from the codes. FAILS if every probe is worse by more
    than 0.05 from decoded images than from images; HOLDS if none is, from these or from the codes;
    else CONDITIONAL.
    """
    images, net = data.load("characters"), model(SHIPPED["ae-8"])
    with torch.no_grad():
        codes = net.encode(images.pixels)
        table = probes(images, codes).set_index("factor")
        table["decoded"] = probes(images, net.decode(codes)).set_index("factor")["codes"]
    lost = table["pixels"] - table["decoded"]
    readable = bool((table["pixels"] - table["codes"] <= 0.05).all())
    details = {f"{kind}_{name}": float(table[kind][name]) for name in table.index for kind in table}
    details["error"] = measures(SHIPPED["ae-8"]).error
    verdict = graded(bool((lost <= 0.05).any()), bool((lost <= 0.05).all()) and readable)
    return Evidence(verdict, float(lost.max()), 0.0, 0.05, details=details)


def shape_by_encoder(seed: int) -> Evidence:
    """G2: other encoders give codes of other shapes; the shape shows the quality.

    Four autoencoders and four VAEs of the digits, trained from four starts. HOLDS if the spread
    over the starts of the code's size (log of its root mean square) is at least three times as
    large for the autoencoder, FAILS if it is not larger, CONDITIONAL between.
    """
    spread = {}
    details: dict[str, float] = {}
    for family in ("point", "diagonal"):
        sizes, ratios = zip(*(_shape(family, 4 * seed + k) for k in range(4)), strict=True)
        spread[family] = float(np.std(np.log(sizes), ddof=1))
        details |= {f"size_{family}": float(np.mean(sizes)), f"spread_{family}": spread[family]}
        details |= {f"dimensions_{family}": float(np.mean(ratios))}
    ratio = spread["point"] / spread["diagonal"]
    return Evidence(graded(ratio > 1, ratio >= 3), ratio, 3.0, None, details=details)


def redundant_line(seed: int) -> Evidence:
    """G3: codes on a line have redundant dimensions.

    HOLDS if the participation ratio of the line is below 1.05 and that of the disc above 1.9. The
    details have the ring: a curve with one degree of freedom, which this meter takes for two.
    """
    ratios = {
        shape: participation_ratio(sample_codes(shape, 2000, seed))
        for shape in ("line", "ring", "disc", "irregular")
    }
    holds = ratios["line"] < 1.05 and ratios["disc"] > 1.9
    return Evidence(held(holds), ratios["line"], 1.0, 0.05, details=ratios)


def empty_ring(seed: int) -> Evidence:
    """G4: codes on a ring have no true sample in the middle.

    Five pictures on a ring of radius 2, half axis 0.4, the exact decoder. HOLDS if the density in
    the middle is below 1 % of that on a center, and what the middle decodes to is more than ten
    times as far from every picture as what the centers decode to.
    """
    x = pictures()
    turn = 2 * math.pi * torch.arange(len(x)) / len(x)
    means, stds = 2 * torch.stack([turn.cos(), turn.sin()], 1), torch.full((len(x), 2), 0.4)
    middle = optimal_decoder(torch.zeros(1, 2), means, stds, x)
    at_centers = optimal_decoder(means, means, stds, x)
    far = float(nearest(middle.flatten(1), x.flatten(1))[0])
    near = float(nearest(at_centers.flatten(1), x.flatten(1))[0].mean())
    density = _mixture(torch.zeros(1, 2), means, stds) / _mixture(means[:1], means, stds)
    details = {"density": float(density), "gap_centers": near}
    return Evidence(held(float(density) < 0.01 and far > 10 * near), far, near, None, "", details)


def gaps_generalize(seed: int) -> Evidence:
    """G5: in a regular code space the gaps hold unknown true samples.

    Codes far from every image's, decoded; their squared distance to the nearest of all images
    over the model's error on images it was not trained on. HOLDS if the VAE's ratio is below 1.5
    and the autoencoder's larger; CONDITIONAL if only the second; else FAILS.
    """
    found = {name: _gap_error(name, seed) for name in ("vae", "ae")}
    ratios = {name: gap / measures(SHIPPED[name]).held_out for name, gap in found.items()}
    details = {f"gap_{name}": value for name, value in found.items()}
    details |= {f"held_out_{name}": measures(SHIPPED[name]).held_out for name in found}
    details["ratio_ae"] = ratios["ae"]
    verdict = graded(ratios["vae"] < ratios["ae"], ratios["vae"] < 1.5)
    return Evidence(verdict, ratios["vae"], 1.0, 0.5, details=details)


def points_cover_nothing(seed: int) -> Evidence:
    """G6: any number of points covers no area; ellipses do.

    HOLDS if n = 10 to 1000 codes cover nothing at radius 0, and at r = 0.1, 0.2, 0.4 a hundred
    cover within 0.05 what 1 - exp(-n r^2/R^2) expects, averaged over ten draws.
    """
    none = [covered_share(sample_codes("disc", n, seed), 0.0) for n in (10, 100, 1000)]
    radii = (0.1, 0.2, 0.4)
    shares = {
        r: float(
            np.mean([covered_share(sample_codes("disc", 100, seed + k), r) for k in range(10)])
        )
        for r in radii
    }
    off = max(abs(shares[r] - float(covered_by_chance(100, r))) for r in radii)
    details = {f"covered_{r}": shares[r] for r in radii} | {"points": max(none)}
    return Evidence(held(max(none) == 0 and off < 0.05), off, 0.0, 0.05, details=details)


def box_is_troublesome(seed: int) -> Evidence:
    """G7: a uniform box instead of an ellipse makes the KL more troublesome.

    FAILS if KL(box || N) - KL(ellipse || N) is the same everywhere to 1e-10 and both have the same
    gradients: then a box costs a constant and nothing else.
    """
    generator = _generator(seed)
    mean = torch.randn(50, 1, generator=generator, dtype=torch.float64).requires_grad_()
    std = torch.exp(torch.randn(50, 1, generator=generator, dtype=torch.float64)).requires_grad_()
    box, ellipse = uniform_kl(mean, std), gaussian_kl(mean, 2 * std.log())
    excess = (box - ellipse).detach()
    slopes = [
        torch.autograd.grad(part.sum(), (mean, std), retain_graph=True) for part in (box, ellipse)
    ]
    apart = max(float((one - other).abs().max()) for one, other in zip(*slopes, strict=True))
    varies = float((excess - UNIFORM_EXCESS).abs().max())
    verdict = Verdict.FAILS if varies < 1e-10 and apart < 1e-10 else Verdict.HOLDS
    details = {"varies": varies, "gradients_apart": apart}
    return Evidence(verdict, float(excess.mean()), UNIFORM_EXCESS, 1e-10, "nats", details)


def ellipse_reconstructs(seed: int) -> Evidence:
    """G8: every point of the ellipse should reconstruct its image.

    Squared error at a random point of the outline over that in the center. HOLDS if below 1.5 for
    the VAE and higher for the autoencoder under noise of the same size relative to its codes;
    CONDITIONAL if only the second; else FAILS.
    """
    found = {(name, t): _error_at(name, t, seed) for name in ("vae", "ae") for t in (0.0, 1.0, 2.0)}
    ratios = {name: found[name, 1.0] / found[name, 0.0] for name in ("vae", "ae")}
    details = {f"error_{name}_{t:g}": value for (name, t), value in found.items()}
    details["ratio_ae"] = ratios["ae"]
    verdict = graded(ratios["vae"] < ratios["ae"], ratios["vae"] < 1.5)
    return Evidence(verdict, ratios["vae"], 1.0, 0.5, details=details)


def reparameterization(seed: int) -> Evidence:
    """G9: to sample an ellipse is to sample the unit circle, scale and shift.

    HOLDS if 20 000 draws pass a Kolmogorov-Smirnov test, and the gradient of E z^2 through the
    draw is right and varies at least ten times less than that of the score function.
    """
    mean, std, count = 1.5, 0.4, 20_000
    eps = torch.randn(count, 1, generator=_generator(seed), dtype=torch.float64)
    z = reparameterize(torch.full_like(eps, mean), torch.full_like(eps, std), eps)[:, 0].numpy()
    chance = float(kstest(z, "norm", (mean, std)).pvalue)
    through, score = 2 * z, z**2 * (z - mean) / std**2  # both have the mean 2 mean
    off = abs(float(through.mean()) - 2 * mean) / (through.std() / math.sqrt(count))
    ratio = float(score.var() / through.var())
    details = {"chance": chance, "standard_errors": float(off)}
    holds = chance > CHANCE and off < 4.5 and ratio > 10
    return Evidence(held(holds), ratio, 10.0, details=details)


def width_is_reach(seed: int) -> Evidence:
    """G10: sigma(x) is the range to which x can generalize.

    Spearman correlation, over the images, of the mean half axis with the distance to the nearest
    other code. HOLDS if above 0.2 and not by chance for the 2-D and the 8-D VAE; CONDITIONAL for
    one of them; else FAILS.
    """
    found = {name: _width_and_room(name) for name in ("vae", "vae-8")}
    right = [value > 0.2 and chance < CHANCE for value, chance in found.values()]
    details = {f"correlation_{name}": value for name, (value, _) in found.items()}
    return Evidence(graded(any(right), all(right)), found["vae"][0], None, None, details=details)


def ellipses_alone(seed: int) -> Evidence:
    """G11: ellipses alone do not make the code space regular.

    The VAE trained without a penalty: HOLDS if its half axes, relative to the size of its codes,
    are below a fifth of the VAE's, and the union of its ellipses is farther from N(0, I).
    """
    free, bound = measures(SHIPPED["none"]), measures(SHIPPED["vae"])
    widths = {name: _relative_width(name) for name in ("none", "vae")}
    details = {
        "width_vae": widths["vae"],
        "aggregate_none": free.aggregate_kl,
        "aggregate_vae": bound.aggregate_kl,
        "moment_none": free.second_moment,
        "error_none": free.error,
        "error_ae": measures(SHIPPED["ae"]).error,
    }
    holds = widths["none"] < widths["vae"] / 5 and free.aggregate_kl > bound.aggregate_kl
    return Evidence(held(holds), widths["none"], widths["vae"], None, details=details)


def simple_is_close(seed: int) -> Evidence:
    """G12: with the simple penalty, eq. (3), the model is already close to the standard VAE.

    In a linear direction of variance 4 the loss is minimized over sigma >= 1e-3. FAILS if with
    eq. (3) the best sigma is the least one allowed and the code's second moment falls below 0.1,
    while with eq. (4) the moment is 1; CONDITIONAL if it is between 0.1 and 0.9; else HOLDS.
    """
    std = np.geomspace(1e-3, 3, 4001)
    moments = {}
    for name in ("kl", "simple"):
        square = best_mean_square(4.0, std, name)
        best = int(direction_loss(4.0, square, std, name).argmin())
        moments[name] = float(square[best] + std[best] ** 2)
        moments[f"std_{name}"] = float(std[best])
    trained = {name: measures(SHIPPED[name]) for name in ("simple", "vae")}
    details = {
        "moment_kl": moments["kl"],
        "std_kl": moments["std_kl"],
        "std_kl_exact": linear_vae_direction(4.0)["posterior_variance"] ** 0.5,
        "std_simple": moments["std_simple"],
        "trained_moment_simple": trained["simple"].second_moment,
        "trained_moment_vae": trained["vae"].second_moment,
        "trained_std_simple": trained["simple"].std,
        "trained_std_vae": trained["vae"].std,
        "sample_gap_simple": trained["simple"].sample_gap,
        "sample_gap_vae": trained["vae"].sample_gap,
    }
    apart = abs(moments["simple"] - moments["kl"])
    return Evidence(graded(apart < 0.9, apart < 0.1), moments["simple"], 1.0, 0.1, details=details)


def union_is_the_circle(seed: int) -> Evidence:
    """G13: it is the union of the ellipses that becomes a unit circle, not each of them.

    FAILS if at beta = 1 the KL of the union is more than a fifth of the mean KL of an ellipse.
    HOLDS if at beta = 20 both are below 1 nat, too, while the squared error is more than twice
    that at beta = 1; else CONDITIONAL.
    """
    found = {name: measures(SHIPPED[name]) for name in ("vae", "beta-4", "beta-20")}
    details: dict[str, float] = {}
    for name, row in found.items():
        details |= {f"kl_{name}": row.kl, f"aggregate_{name}": row.aggregate_kl}
        details |= {f"moment_{name}": row.second_moment, f"error_{name}": row.error}
    one, many = found["vae"], found["beta-20"]
    dies = max(many.kl, many.aggregate_kl) < 1 and many.error > 2 * one.error
    share = one.aggregate_kl / one.kl
    return Evidence(graded(share < 0.2, dies), share, 0.0, 0.2, details=details)


def samples_are_real(seed: int) -> Evidence:
    """G14: a draw from N(0, I), decoded, is a real sample.

    Squared distance of decoded draws to the nearest training image. HOLDS if the VAE's is at most
    its error on images left out of training; CONDITIONAL if it is only below the autoencoder's;
    else FAILS.
    """
    found = {name: _sample_gap(name, seed) for name in ("vae", "beta-4", "ae")}
    held_out = measures(SHIPPED["vae"]).held_out
    details = {f"sample_gap_{name}": value for name, value in found.items()}
    details["held_out_vae"] = held_out
    details["between_images"] = _between_images()
    verdict = graded(found["vae"] < found["ae"], found["vae"] <= held_out)
    return Evidence(verdict, found["vae"], held_out, None, details=details)


def disentangled(seed: int) -> Evidence:
    """G15: noise and compactness disentangle the components to some degree.

    Mutual information gap of the 8-dimensional codes. HOLDS if the VAE's exceeds the autoencoder's
    by 0.05 or more and turning its two widest axes by 45 degrees costs at least 0.1 nats;
    CONDITIONAL if it is larger by 0.02; else FAILS.
    """
    images = data.load("characters")
    known = factor_values(images)
    gaps, stds = {}, torch.ones(1, 8)
    for name in ("vae-8", "ae-8"):
        with torch.no_grad():
            posterior = model(SHIPPED[name]).posterior(images.pixels)
        order = posterior.mean.var(0).argsort(descending=True)
        gaps[name] = mutual_information_gap(posterior.mean[:, order], known)
        stds = posterior.std[:, order] if name == "vae-8" else stds
    excess = rotation_excess(stds, 45)
    more = gaps["vae-8"] - gaps["ae-8"]
    details = {"gap_vae": gaps["vae-8"], "gap_ae": gaps["ae-8"], "rotation": excess}
    verdict = graded(more >= 0.02, more >= 0.05 and excess >= 0.1)
    return Evidence(verdict, more, 0.0, None, details=details)


def linear_arithmetic(seed: int) -> Evidence:
    """G16: codes get some property of linear arithmetic.

    Half way between the codes of two images, decoded: squared distance to the nearest image. HOLDS
    if the VAE's is below the autoencoder's and below that of the cross-faded pixels; CONDITIONAL
    if only one of these; else FAILS.
    """
    found = {name: _half_way(name, seed) for name in ("vae", "ae", "vae-8", "ae-8")}
    faded = found["vae"][1]
    details = {f"half_way_{name}": value for name, (value, _) in found.items()}
    details["half_way_faded"] = faded
    value = found["vae"][0]
    better = [value < found["ae"][0], value < faded]
    return Evidence(graded(any(better), all(better)), value, faded, None, details=details)


def overlap_blurs(seed: int) -> Evidence:
    """G17: where ellipses overlap, pictures blur; the loss, too, has its part in it.

    Between two ellipses, where the first has 60 % of the weight, under both losses. FAILS if the
    best decoder under squared error keeps more than 80 % of the picture's gradient energy. HOLDS
    if the absolute error loses as much; else CONDITIONAL.
    """
    x = pictures()[:2]
    means, stds = torch.tensor([[-0.5, 0.0], [0.5, 0.0]]), torch.full((2, 2), 0.5)
    at = torch.tensor([[-0.25 * math.log(0.6 / 0.4), 0.0]])
    kept = {
        name: float(sharpness(rule(at, means, stds, x)) / sharpness(x[0]))
        for name, rule in (("l2", optimal_decoder), ("l1", median_decoder))
    }
    apart = float(sharpness(optimal_decoder(20 * means[:1], 20 * means, stds, x)) / sharpness(x[0]))
    details = {"kept_l1": kept["l1"], "kept_apart": apart}
    verdict = graded(kept["l2"] < 0.8, kept["l1"] < 0.8)
    return Evidence(verdict, kept["l2"], 1.0, 0.2, details=details)


def superposed_gaussians(seed: int) -> Evidence:
    """G18: a VAE is infinitely many Gaussians on top of each other.

    p(x) of a one-dimensional decoder by quadrature, against the mean of K Gaussians at drawn codes.
    HOLDS if the largest gap falls at least like K^-0.3 from 10 to 10 000 and is below 5 % of the
    peak at the end.
    """
    z = torch.linspace(-8, 8, 4001, dtype=torch.float64)[:, None]
    x = torch.linspace(-5, 5, 201, dtype=torch.float64)
    prior = log_normal(z, torch.zeros_like(z), torch.ones_like(z)).exp() * (z[1, 0] - z[0, 0])
    exact = (_component(x, z) * prior[:, None]).sum(0)
    generator = _generator(seed)
    gaps = {}
    for count in (10, 100, 1000, 10_000):
        code = torch.randn(count, 1, generator=generator, dtype=torch.float64)
        gaps[count] = float((_component(x, code).mean(0) - exact).abs().max() / exact.max())
    slope = math.log(gaps[10_000] / gaps[10]) / math.log(1000)
    details = {f"gap_{count}": gap for count, gap in gaps.items()} | {"slope": slope}
    holds = slope < -0.3 and gaps[10_000] < 0.05
    return Evidence(held(holds), gaps[10_000], 0.0, 0.05, details=details)


# ---- what the checks share


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@lru_cache(maxsize=16)
def _trained(family: str, seed: int) -> AutoEncoder:
    """A small model of the digits, trained here and now."""
    config = VAEConfig(data="digits", family=family, variance=0.05, steps=800, seed=seed)
    *_, last = train(config)
    return restored(config, last.weights())


def _shape(family: str, seed: int) -> tuple[float, float]:
    """Root mean square and participation ratio of a trained model's codes."""
    codes = _trained(family, seed).encode(data.load("digits").pixels)
    return float(codes.square().mean().sqrt()), participation_ratio(codes)


def _mixture(z: Tensor, means: Tensor, stds: Tensor) -> Tensor:
    return log_normal(z[:, None], means, stds).exp().mean(1)


@torch.no_grad()
def _gap_error(name: str, seed: int) -> float:
    config = SHIPPED[name]
    z = gap_codes(model(config), config, 32, _generator(seed))
    every = data.everything(config.data).pixels
    return float(nearest(model(config).decode(z), every)[0].mean())


def _relative_width(name: str) -> float:
    """Mean half axis over the standard deviation of the centers."""
    posterior = model(SHIPPED[name]).posterior(data.load(SHIPPED[name].data).pixels)
    return float(posterior.std.mean() / posterior.mean.std(0).mean())


@torch.no_grad()
def _error_at(name: str, t: float, seed: int) -> float:
    """Squared error at t times the outline; the autoencoder gets the VAE's relative width."""
    images = data.load("characters").pixels
    posterior = model(SHIPPED[name]).posterior(images)
    turn = torch.randn(posterior.mean.shape, generator=_generator(seed))
    turn = turn / turn.norm(dim=1, keepdim=True)
    width = posterior.std
    if name == "ae":
        width = _relative_width("vae") * posterior.mean.std(0)
    decoded = model(SHIPPED[name]).decode(posterior.mean + t * width * turn)
    return float((images - decoded).square().sum(1).mean())


def _width_and_room(name: str) -> tuple[float, float]:
    posterior = model(SHIPPED[name]).posterior(data.load(SHIPPED[name].data).pixels)
    apart = torch.cdist(posterior.mean, posterior.mean).fill_diagonal_(math.inf)
    found = spearmanr(posterior.std.mean(1).numpy(), apart.amin(1).numpy())
    return float(found.statistic), float(found.pvalue)


@torch.no_grad()
def _sample_gap(name: str, seed: int) -> float:
    z = torch.randn(DRAWS, SHIPPED[name].latent, generator=_generator(seed))
    images = data.load(SHIPPED[name].data).pixels
    return float(nearest(model(SHIPPED[name]).decode(z), images)[0].mean())


def _between_images() -> float:
    """Squared distance of an image to the nearest other one, mean."""
    images = data.load("characters").pixels
    apart = torch.cdist(images, images).fill_diagonal_(math.inf)
    return float(apart.amin(1).square().mean())


@torch.no_grad()
def _half_way(name: str, seed: int) -> tuple[float, float]:
    """Half way between two images' codes, and between their pixels, to the nearest image."""
    images = data.load(SHIPPED[name].data).pixels
    first, second = torch.randint(len(images), (2, DRAWS), generator=_generator(seed))
    net = model(SHIPPED[name])
    code = (net.encode(images[first]) + net.encode(images[second])) / 2
    faded = (images[first] + images[second]) / 2
    return (
        float(nearest(net.decode(code), images)[0].mean()),
        float(nearest(faded, images)[0].mean()),
    )


def _component(x: Tensor, z: Tensor) -> Tensor:
    """N(x; D(z), 1/2) of a bent decoder, [codes, x]."""
    center = 2 * torch.tanh(2 * z) + 0.3 * z
    return torch.exp(-((x - center) ** 2)) / math.sqrt(math.pi)


CLAIMS: tuple[Claim, ...] = tuple(
    Claim(f"vae.{name}", source, cost, expects, check)
    for name, source, cost, expects, check in [
        ("G1", "§ autoencoder, eq. (1)", Cost.SECONDS, Verdict.CONDITIONAL, equivalent),
        ("G2", "§ code space", Cost.MINUTES, Verdict.CONDITIONAL, shape_by_encoder),
        ("G3", "§ code space", Cost.INSTANT, Verdict.HOLDS, redundant_line),
        ("G4", "§ code space", Cost.INSTANT, Verdict.HOLDS, empty_ring),
        ("G5", "§ code space", Cost.SECONDS, Verdict.HOLDS, gaps_generalize),
        ("G6", "§ from points to areas", Cost.SECONDS, Verdict.HOLDS, points_cover_nothing),
        ("G7", "§ from points to areas", Cost.INSTANT, Verdict.FAILS, box_is_troublesome),
        ("G8", "§ sampling, eq. (2)", Cost.SECONDS, Verdict.HOLDS, ellipse_reconstructs),
        ("G9", "§ sampling, eq. (2)", Cost.INSTANT, Verdict.HOLDS, reparameterization),
        ("G10", "§ sampling", Cost.SECONDS, Verdict.FAILS, width_is_reach),
        ("G11", "§ regularity", Cost.SECONDS, Verdict.HOLDS, ellipses_alone),
        ("G12", "§ regularity, eq. (3)", Cost.SECONDS, Verdict.FAILS, simple_is_close),
        ("G13", "comments", Cost.SECONDS, Verdict.FAILS, union_is_the_circle),
        ("G14", "§ regularity", Cost.SECONDS, Verdict.HOLDS, samples_are_real),
        ("G15", "§ regularity", Cost.SECONDS, Verdict.FAILS, disentangled),
        ("G16", "§ regularity", Cost.SECONDS, Verdict.HOLDS, linear_arithmetic),
        ("G17", "comments", Cost.SECONDS, Verdict.CONDITIONAL, overlap_blurs),
        ("G18", "comments", Cost.INSTANT, Verdict.HOLDS, superposed_gaussians),
    ]
)
