"""The claims of post 7725 that need trained models.

Models learn 120 images of ten characters. Claims are judged for trainings from each of STARTS;
the first of them ships, the others are trained where the check runs. G2 trains its own.

Source: https://kexue.fm/archives/7725
"""

import math
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache, wraps

import numpy as np
import pandas as pd
import torch
from scipy.stats import f as f_ratio
from scipy.stats import ortho_group, spearmanr
from torch import Tensor

from core.claims import Evidence, Verdict, graded, held
from core.images import nearest
from core.vae import data
from core.vae.codes import gap_codes
from core.vae.disentanglement import dci, importances, mutual_information_gap
from core.vae.factors import factor_values, misread, probe_targets, rotation_excess
from core.vae.models import measures, model
from core.vae.networks import AutoEncoder, VAEConfig
from core.vae.probes import neighbors, predicted
from core.vae.shapes import participation_ratio
from core.vae.training import SHIPPED, restored, train

STARTS = (0, 1, 2)  # seeds of the training
ENCODERS = 10  # of a kind, from so many starts, where it is their spread that counts
CHANCE = 1e-4  # a result less probable than this is none
GOOD = 0.1  # share of the variance that a good reconstruction may miss
MUCH = 0.1  # of accuracy or R^2: what is lost of a reading beyond that is much
DRAWS = 256
TURNS = 100  # random rotations that a score is compared with


def from_every_start(one: Callable[[int, int], Evidence]) -> Callable[[int], Evidence]:
    """A check of models from one start, made for each of STARTS.

    The verdict is the one that they agree on, else CONDITIONAL; numbers are means over the starts,
    "least" and "largest" those of what was measured.
    """

    @wraps(one)
    def check(seed: int) -> Evidence:
        found = [one(seed, start) for start in STARTS]
        verdicts = {row.verdict for row in found}
        measured = [row.measured for row in found]
        means = pd.DataFrame([row.details for row in found]).mean()
        details = {str(name): float(value) for name, value in means.items()}
        references = [row.reference for row in found if row.reference is not None]
        return replace(
            found[0],
            verdict=found[0].verdict if len(verdicts) == 1 else Verdict.CONDITIONAL,
            measured=float(np.mean(measured)),
            reference=float(np.mean(references)) if references else None,
            details=details | {"least": min(measured), "largest": max(measured)},
        )

    return check


@from_every_start
def equivalent(seed: int, start: int) -> Evidence:
    """G1: if reconstruction is good, the code is equivalent to the image.

    Good: an 8-dimensional autoencoder misses at most a tenth of the variance of its 120 images;
    otherwise OPEN. Equivalent: character, font, weight and ink are read off the codes as well as
    off the images, each by the better of two readers, a linear probe and the five nearest
    neighbors. HOLDS if every factor is, within noise: two standard errors of the difference, image
    by image. FAILS if one is read worse by a tenth of accuracy or R^2, and by noise beyond that.
    CONDITIONAL between. What is read off decoded codes has no say: where the reconstruction is
    good it is as good, whatever the codes are like.
    """
    images, config = data.load("characters"), _from("ae-8", start)
    net = model(config)
    with torch.no_grad():
        codes = net.encode(images.pixels)
        inputs = {"pixels": images.pixels, "codes": codes, "decoded": net.decode(codes)}
    errors = {kind: _misread(images, x) for kind, x in inputs.items()}
    lost = [errors["codes"][name] - error for name, error in errors["pixels"].items()]
    surely = max(float(loss.mean()) - 2 * _standard_error(loss) for loss in lost)
    missed = measures(config).error / float(images.pixels.var(0, correction=0).sum())
    details = {
        f"{kind}_{name}": 1 - float(error.mean())
        for kind, row in errors.items()
        for name, error in row.items()
    }
    details |= {"surely": surely, "error": missed}
    verdict = graded(surely <= MUCH, surely <= 0) if missed <= GOOD else Verdict.OPEN
    most = max(float(loss.mean()) for loss in lost)
    return Evidence(verdict, most, 0.0, MUCH, details=details)


def shape_by_encoder(seed: int) -> Evidence:
    """G2: other encoders give codes of other shapes; the shape shows the quality.

    Ten autoencoders and ten VAEs of the digits, each from a start of its own. HOLDS if the spread
    over the starts of the code's size (log of its root mean square) is at least three times as
    large for the autoencoder, FAILS if it is not larger than chance makes it (F test, 5 %),
    CONDITIONAL between.
    """
    spread = {}
    details: dict[str, float] = {}
    for family in ("point", "diagonal"):
        sizes, ratios = zip(
            *(_shape(family, ENCODERS * seed + k) for k in range(ENCODERS)), strict=True
        )
        spread[family] = float(np.std(np.log(sizes), ddof=1))
        details |= {f"size_{family}": float(np.mean(sizes)), f"spread_{family}": spread[family]}
        details |= {f"dimensions_{family}": float(np.mean(ratios))}
    ratio = spread["point"] / spread["diagonal"]
    chance = float(f_ratio.sf(ratio**2, ENCODERS - 1, ENCODERS - 1))
    details["by_chance"] = chance
    return Evidence(graded(chance < 0.05, ratio >= 3), ratio, 3.0, None, details=details)


@from_every_start
def gaps_generalize(seed: int, start: int) -> Evidence:
    """G5: in a regular code space the gaps hold unknown true samples.

    Codes far from every image's, decoded; their squared distance to the nearest of all images,
    those included that training left out. HOLDS if the VAE's is below that of the mean image,
    which is what a decoder paints that knows nothing, and below the autoencoder's; CONDITIONAL if
    only the second; else FAILS.
    """
    models = {name: _from(name, start) for name in ("vae", "ae")}
    gaps = {name: _gap_error(config, seed) for name, config in models.items()}
    mean_image = _mean_image_gap(data.everything("characters"))
    details = {"gap_ae": gaps["ae"]}
    details |= {f"error_{name}": measures(config).error for name, config in models.items()}
    details |= {f"held_out_{name}": measures(config).held_out for name, config in models.items()}
    verdict = graded(gaps["vae"] < gaps["ae"], gaps["vae"] < mean_image)
    return Evidence(verdict, gaps["vae"], mean_image, None, details=details)


@from_every_start
def ellipse_reconstructs(seed: int, start: int) -> Evidence:
    """G8: every point of the ellipse should reconstruct its image.

    Squared error at a random point of the outline over that in the center. HOLDS if below 1.5 for
    the VAE and higher for the autoencoder under noise of the same size relative to its codes;
    CONDITIONAL if only the second; else FAILS.
    """
    sizes = (0.0, 1.0, 2.0)
    found = {(name, t): _error_at(name, t, seed, start) for name in ("vae", "ae") for t in sizes}
    ratios = {name: found[name, 1.0] / found[name, 0.0] for name in ("vae", "ae")}
    details = {f"error_{name}_{t:g}": value for (name, t), value in found.items()}
    details["ratio_ae"] = ratios["ae"]
    verdict = graded(ratios["vae"] < ratios["ae"], ratios["vae"] < 1.5)
    return Evidence(verdict, ratios["vae"], 1.0, 0.5, details=details)


@from_every_start
def width_is_reach(seed: int, start: int) -> Evidence:
    """G10: sigma(x) is the range to which x can generalize.

    Spearman correlation, over the images, of the mean half axis with the distance to the nearest
    other code. HOLDS if above 0.2 and not by chance for the 2-D and the 8-D VAE; CONDITIONAL for
    one of them; else FAILS.
    """
    found = {name: _width_and_room(_from(name, start)) for name in ("vae", "vae-8")}
    right = [value > 0.2 and chance < CHANCE for value, chance in found.values()]
    details = {f"correlation_{name}": value for name, (value, _) in found.items()}
    return Evidence(graded(any(right), all(right)), found["vae"][0], None, None, details=details)


@from_every_start
def ellipses_alone(seed: int, start: int) -> Evidence:
    """G11: ellipses alone do not make the code space regular.

    The VAE trained without a penalty: HOLDS if its half axes, relative to the size of its codes,
    are below a fifth of the VAE's, and the union of its ellipses is farther from N(0, I).
    """
    free, bound = measures(_from("none", start)), measures(_from("vae", start))
    widths = {name: _relative_width(_from(name, start)) for name in ("none", "vae")}
    details = {
        "width_vae": widths["vae"],
        "aggregate_none": free.aggregate_kl,
        "aggregate_vae": bound.aggregate_kl,
        "moment_none": free.second_moment,
        "error_none": free.error,
        "error_ae": measures(_from("ae", start)).error,
    }
    holds = widths["none"] < widths["vae"] / 5 and free.aggregate_kl > bound.aggregate_kl
    return Evidence(held(holds), widths["none"], widths["vae"], None, details=details)


@from_every_start
def union_is_the_circle(seed: int, start: int) -> Evidence:
    """G13: it is the union of the ellipses that becomes a unit circle, not each of them.

    FAILS if at beta = 1 the KL of the union is more than a fifth of the mean KL of an ellipse.
    HOLDS if at beta = 20 both are below 1 nat, too, while the squared error is more than twice
    that at beta = 1; else CONDITIONAL.
    """
    found = {name: measures(_from(name, start)) for name in ("vae", "beta-4", "beta-20")}
    details: dict[str, float] = {}
    for name, row in found.items():
        details |= {f"kl_{name}": row.kl, f"aggregate_{name}": row.aggregate_kl}
        details |= {f"moment_{name}": row.second_moment, f"error_{name}": row.error}
    one, many = found["vae"], found["beta-20"]
    dies = max(many.kl, many.aggregate_kl) < 1 and many.error > 2 * one.error
    share = one.aggregate_kl / one.kl
    return Evidence(graded(share < 0.2, dies), share, 0.0, 0.2, details=details)


@from_every_start
def samples_are_real(seed: int, start: int) -> Evidence:
    """G14: a draw from N(0, I), decoded, is a real sample.

    Squared distance of decoded draws to the nearest training image. HOLDS if the VAE's is below
    that of the mean image, which is what a decoder paints that knows nothing, and below the
    autoencoder's; CONDITIONAL if only the second; else FAILS.
    """
    found = {name: _sample_gap(_from(name, start), seed) for name in ("vae", "ae")}
    mean_image = _mean_image_gap(data.load("characters"))
    details = {
        "sample_gap_ae": found["ae"],
        "error_vae": measures(_from("vae", start)).error,
        "between_images": _between_images(),
    }
    verdict = graded(found["vae"] < found["ae"], found["vae"] < mean_image)
    return Evidence(verdict, found["vae"], mean_image, None, details=details)


@from_every_start
def disentangled(seed: int, start: int) -> Evidence:
    """G15: noise and compactness disentangle the components to some degree.

    The mean of MIG and of DCI's disentanglement and completeness, of 8-dimensional codes. FAILS if
    the VAE's is not above the autoencoder's; HOLDS if it is also above that of 95 of 100 random
    rotations of the VAE's own codes, so that the axes have a part in it; else CONDITIONAL.
    """
    images = data.load("characters")
    with torch.no_grad():
        posteriors = {name: model(_from(name, start)).posterior(images.pixels)
                      for name in ("vae-8", "ae-8")}  # fmt: skip
    order = posteriors["vae-8"].mean.var(0).argsort(descending=True)
    own, other = (_entangled(posterior.mean, images) for posterior in posteriors.values())
    turned = _entangled_turned(posteriors["vae-8"].mean, images, seed)
    beaten = float(np.mean([own["mean"] > score for score in turned]))
    details = {f"{score}_vae": own[score] for score in own if score != "mean"}
    details |= {f"{score}_ae": other[score] for score in other if score != "mean"}
    details |= {
        "beaten": beaten,
        "rotation": rotation_excess(posteriors["vae-8"].std[:, order], 45),
    }
    more = own["mean"] - other["mean"]
    return Evidence(graded(more > 0, beaten >= 0.95), more, 0.0, None, details=details)


@from_every_start
def linear_arithmetic(seed: int, start: int) -> Evidence:
    """G16: codes get some property of linear arithmetic.

    Half way between the codes of two images, decoded: squared distance to the nearest image. HOLDS
    if the VAE's is below the autoencoder's and below that of the cross-faded pixels; CONDITIONAL
    if only one of these; else FAILS.
    """
    found = {name: _half_way(_from(name, start), seed) for name in ("vae", "ae", "vae-8", "ae-8")}
    faded = found["vae"][1]
    details = {f"half_way_{name}": value for name, (value, _) in found.items()}
    details["half_way_faded"] = faded
    value = found["vae"][0]
    better = [value < found["ae"][0], value < faded]
    return Evidence(graded(any(better), all(better)), value, faded, None, details=details)


# ---- what the checks share


def _from(name: str, start: int) -> VAEConfig:
    """A model that ships, trained from another start."""
    return replace(SHIPPED[name], seed=start)


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _misread(images: data.Images, x: Tensor) -> dict[str, Tensor]:
    """Every factor's errors, image by image, by the better of the two readers."""
    targets = probe_targets(images)
    both = torch.cat(list(targets.values()), dim=1)
    guesses = [predicted(x, both, _generator(0)), neighbors(x, both)]
    readers = [misread(guess, targets) for guess in guesses]
    return {name: min((reader[name] for reader in readers), key=torch.mean) for name in targets}


def _standard_error(differences: Tensor) -> float:
    """Of their mean."""
    return float(differences.std()) / math.sqrt(len(differences))


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


@torch.no_grad()
def _gap_error(config: VAEConfig, seed: int) -> float:
    z = gap_codes(model(config), config, 32, _generator(seed))
    every = data.everything(config.data).pixels
    return float(nearest(model(config).decode(z), every)[0].mean())


def _relative_width(config: VAEConfig) -> float:
    """Mean half axis over the standard deviation of the centers."""
    posterior = model(config).posterior(data.load(config.data).pixels)
    return float(posterior.std.mean() / posterior.mean.std(0).mean())


@torch.no_grad()
def _error_at(name: str, t: float, seed: int, start: int) -> float:
    """Squared error at t times the outline; the autoencoder gets the VAE's relative width."""
    images, net = data.load("characters").pixels, model(_from(name, start))
    posterior = net.posterior(images)
    turn = torch.randn(posterior.mean.shape, generator=_generator(seed))
    turn = turn / turn.norm(dim=1, keepdim=True)
    width = posterior.std
    if name == "ae":
        width = _relative_width(_from("vae", start)) * posterior.mean.std(0)
    decoded = net.decode(posterior.mean + t * width * turn)
    return float((images - decoded).square().sum(1).mean())


def _width_and_room(config: VAEConfig) -> tuple[float, float]:
    posterior = model(config).posterior(data.load(config.data).pixels)
    apart = torch.cdist(posterior.mean, posterior.mean).fill_diagonal_(math.inf)
    found = spearmanr(posterior.std.mean(1).numpy(), apart.amin(1).numpy())
    return float(found.statistic), float(found.pvalue)


@torch.no_grad()
def _sample_gap(config: VAEConfig, seed: int) -> float:
    z = torch.randn(DRAWS, config.latent, generator=_generator(seed))
    images = data.load(config.data).pixels
    return float(nearest(model(config).decode(z), images)[0].mean())


def _mean_image_gap(images: data.Images) -> float:
    """Squared distance of the mean of all images to the nearest of them."""
    return float(nearest(images.pixels.mean(0, keepdim=True), images.pixels)[0])


def _between_images() -> float:
    """Squared distance of an image to the nearest other one, mean."""
    images = data.load("characters").pixels
    apart = torch.cdist(images, images).fill_diagonal_(math.inf)
    return float(apart.amin(1).square().mean())


def _entangled(codes: Tensor, images: data.Images) -> dict[str, float]:
    """MIG, the two scores of DCI, and the mean of the three."""
    pure, complete = dci(importances(codes, probe_targets(images)))
    gap = mutual_information_gap(codes, factor_values(images))
    mean = (gap + pure + complete) / 3
    return {"mig": gap, "disentanglement": pure, "completeness": complete, "mean": mean}


def _entangled_turned(codes: Tensor, images: data.Images, seed: int) -> list[float]:
    """The mean score of codes under random rotations."""
    turns = ortho_group.rvs(codes.shape[1], TURNS, random_state=np.random.default_rng(seed))
    return [_entangled(codes @ torch.tensor(turn).float(), images)["mean"] for turn in turns]


@torch.no_grad()
def _half_way(config: VAEConfig, seed: int) -> tuple[float, float]:
    """Half way between two images' codes, and between their pixels, to the nearest image."""
    images = data.load(config.data).pixels
    first, second = torch.randint(len(images), (2, DRAWS), generator=_generator(seed))
    net = model(config)
    code = (net.encode(images[first]) + net.encode(images[second])) / 2
    faded = (images[first] + images[second]) / 2
    return (
        float(nearest(net.decode(code), images)[0].mean()),
        float(nearest(faded, images)[0].mean()),
    )
