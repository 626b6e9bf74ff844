"""NVAE: a deep hierarchical variational autoencoder, trained, sampled, taken apart (post 7574).

Source: https://kexue.fm/archives/7574, eq. (1)-(6).
"""

from core.nvae.ablation import (
    ABLATION,
    MEASURES,
    VARIANTS,
    AblationConfig,
    Parts,
    PartsConfig,
    parts,
)
from core.nvae.batchnorm import put_back, readjust_batchnorm, running_statistics
from core.nvae.budget import Budget, BudgetConfig, budget, counted, parameters
from core.nvae.cells import Cell, SqueezeExcite, decoder_cell, encoder_cell
from core.nvae.claims import CLAIMS
from core.nvae.compare import (
    LIKELIHOOD,
    CompareConfig,
    Compared,
    LikelihoodConfig,
    Likelihoods,
    compare,
    likelihoods,
)
from core.nvae.config import PAPER, NVAEConfig, PlainConfig, latent_size, parse_groups
from core.nvae.drawing import (
    BYTES,
    Unreadable,
    decode_picture,
    encode_picture,
    read_image,
    typed,
)
from core.nvae.flows import Flow, autoregressive_mask
from core.nvae.gaussians import Gaussian, gaussian_kl, residual_gaussian_kl, soft_clamp
from core.nvae.likelihood import Interval, interval, negative_elbo, negative_log_likelihood
from core.nvae.models import (
    MODELS,
    SCALES,
    Absent,
    have_data,
    have_model,
    images_at_hand,
    model,
    plain,
)
from core.nvae.network import NVAE, Group, Pass, temperatures
from core.nvae.outputs import bits_per_dimension, mean_image, mixture_log_mass
from core.nvae.own import Own, OwnConfig, arc, own
from core.nvae.plain import PlainVAE
from core.nvae.presets import BESIDE, PRESETS, SHIPPED
from core.nvae.relative import Relative, RelativeConfig, estimate, quadrature_kl, relative
from core.nvae.samples import Samples, SamplesConfig, samples, samples_alone
from core.nvae.scales import (
    Scales,
    ScalesConfig,
    along_training,
    group_table,
    kl_by_group,
    scales,
)
from core.nvae.schedule import balance, importance, kl_coefficient, rate
from core.nvae.spectral import SpectralPenalty
from core.nvae.statistics import Statistics, StatisticsConfig, statistics
from core.nvae.toys import Toys, ToysConfig, chain, diagonal, full, kl, mixture, target, toys
from core.nvae.training import PLAIN, TRAINING, Training, restored

TASKS = {"model": TRAINING, "plain": PLAIN, "likelihood": LIKELIHOOD, "ablation": ABLATION}

__all__ = [
    "ABLATION",
    "BESIDE",
    "BYTES",
    "CLAIMS",
    "LIKELIHOOD",
    "MEASURES",
    "MODELS",
    "NVAE",
    "PAPER",
    "PLAIN",
    "PRESETS",
    "SCALES",
    "SHIPPED",
    "TASKS",
    "TRAINING",
    "VARIANTS",
    "AblationConfig",
    "Absent",
    "Budget",
    "BudgetConfig",
    "Cell",
    "CompareConfig",
    "Compared",
    "Flow",
    "Gaussian",
    "Group",
    "Interval",
    "LikelihoodConfig",
    "Likelihoods",
    "NVAEConfig",
    "Own",
    "OwnConfig",
    "Parts",
    "PartsConfig",
    "Pass",
    "PlainConfig",
    "PlainVAE",
    "Relative",
    "RelativeConfig",
    "Samples",
    "SamplesConfig",
    "Scales",
    "ScalesConfig",
    "SpectralPenalty",
    "SqueezeExcite",
    "Statistics",
    "StatisticsConfig",
    "Toys",
    "ToysConfig",
    "Training",
    "Unreadable",
    "along_training",
    "arc",
    "autoregressive_mask",
    "balance",
    "bits_per_dimension",
    "budget",
    "chain",
    "compare",
    "counted",
    "decode_picture",
    "decoder_cell",
    "diagonal",
    "encode_picture",
    "encoder_cell",
    "estimate",
    "full",
    "gaussian_kl",
    "group_table",
    "have_data",
    "have_model",
    "images_at_hand",
    "importance",
    "interval",
    "kl",
    "kl_by_group",
    "kl_coefficient",
    "latent_size",
    "likelihoods",
    "mean_image",
    "mixture",
    "mixture_log_mass",
    "model",
    "negative_elbo",
    "negative_log_likelihood",
    "own",
    "parameters",
    "parse_groups",
    "parts",
    "plain",
    "put_back",
    "quadrature_kl",
    "rate",
    "read_image",
    "readjust_batchnorm",
    "relative",
    "residual_gaussian_kl",
    "restored",
    "running_statistics",
    "samples",
    "samples_alone",
    "scales",
    "soft_clamp",
    "statistics",
    "target",
    "temperatures",
    "toys",
    "typed",
]
