"""The geometry of variational autoencoders: points, ellipses, gaps (post 7725).

Source: https://kexue.fm/archives/7725, eq. (1)-(5).
"""

from core.images import nearest, sharpness
from core.vae.blur import Blur, BlurConfig, blur_between, overlap
from core.vae.bounds import elbo, importance_weighted_bound, training_loss
from core.vae.claims import CLAIMS
from core.vae.codes import Codes, CodesConfig, code_areas, codes, gap_codes, union_excess
from core.vae.compare import COMPARED, CompareConfig, Compared, compare
from core.vae.disentanglement import dci, importances, mutual_information_gap
from core.vae.exact import (
    ellipse_weights,
    expected_reconstruction,
    gauss_hermite,
    median_decoder,
    optimal_decoder,
)
from core.vae.factors import Factors, FactorsConfig, factors, rotation_excess
from core.vae.gaussians import (
    UNIFORM_EXCESS,
    full_kl,
    gaussian_kl,
    log_normal,
    reparameterize,
    simple_penalty,
    uniform_kl,
)
from core.vae.linear import best_mean_square, direction_loss, linear_vae_direction
from core.vae.measures import (
    active_units,
    aggregate_kl,
    aggregate_posterior,
    covered,
    information,
    second_moment,
    total_correlation,
    upright,
    upright_excess,
)
from core.vae.models import Measures, measured, measures, model, squared_error
from core.vae.networks import VAE, AutoEncoder, Posterior, VAEConfig, build
from core.vae.penalty import Penalty, PenaltyConfig, penalty
from core.vae.probes import accuracy, explained_variance
from core.vae.scale import Scale, ScaleConfig, scale
from core.vae.shapes import (
    Shapes,
    ShapesConfig,
    covered_by_chance,
    covered_share,
    participation_ratio,
    sample_codes,
    shapes,
)
from core.vae.training import SHIPPED, TASKS, TRAINING, restored, train
from core.vae.walk import Walk, WalkConfig, decoder_weights, walk
from core.vae.world import (
    World,
    WorldConfig,
    arranged,
    format_ellipses,
    parse_ellipses,
    pictures,
    world,
    world_data,
)

__all__ = [
    "CLAIMS",
    "COMPARED",
    "SHIPPED",
    "TASKS",
    "TRAINING",
    "UNIFORM_EXCESS",
    "VAE",
    "AutoEncoder",
    "Blur",
    "BlurConfig",
    "Codes",
    "CodesConfig",
    "CompareConfig",
    "Compared",
    "Factors",
    "FactorsConfig",
    "Measures",
    "Penalty",
    "PenaltyConfig",
    "Posterior",
    "Scale",
    "ScaleConfig",
    "Shapes",
    "ShapesConfig",
    "VAEConfig",
    "Walk",
    "WalkConfig",
    "World",
    "WorldConfig",
    "accuracy",
    "active_units",
    "aggregate_kl",
    "aggregate_posterior",
    "arranged",
    "best_mean_square",
    "blur_between",
    "build",
    "code_areas",
    "codes",
    "compare",
    "covered",
    "covered_by_chance",
    "covered_share",
    "dci",
    "decoder_weights",
    "direction_loss",
    "elbo",
    "ellipse_weights",
    "expected_reconstruction",
    "explained_variance",
    "factors",
    "format_ellipses",
    "full_kl",
    "gap_codes",
    "gauss_hermite",
    "gaussian_kl",
    "importance_weighted_bound",
    "importances",
    "information",
    "linear_vae_direction",
    "log_normal",
    "measured",
    "measures",
    "median_decoder",
    "model",
    "mutual_information_gap",
    "nearest",
    "optimal_decoder",
    "overlap",
    "parse_ellipses",
    "participation_ratio",
    "penalty",
    "pictures",
    "reparameterize",
    "restored",
    "rotation_excess",
    "sample_codes",
    "scale",
    "second_moment",
    "shapes",
    "sharpness",
    "simple_penalty",
    "squared_error",
    "total_correlation",
    "train",
    "training_loss",
    "uniform_kl",
    "union_excess",
    "upright",
    "upright_excess",
    "walk",
    "world",
    "world_data",
]
