"""NVAE: a deep hierarchical variational autoencoder, trained, sampled, taken apart (post 7574).

Source: https://kexue.fm/archives/7574, eq. (1)-(6).
"""

from core.nvae.batchnorm import put_back, readjust_batchnorm, running_statistics
from core.nvae.budget import Budget, BudgetConfig, budget, counted, parameters
from core.nvae.cells import Cell, SqueezeExcite, decoder_cell, encoder_cell
from core.nvae.claims import CLAIMS
from core.nvae.config import PAPER, NVAEConfig, latent_size, parse_groups
from core.nvae.flows import Flow, autoregressive_mask
from core.nvae.gaussians import Gaussian, gaussian_kl, residual_gaussian_kl, soft_clamp
from core.nvae.likelihood import Interval, interval, negative_elbo, negative_log_likelihood
from core.nvae.models import MODELS, SCALES, Absent, have_model, model
from core.nvae.network import NVAE, Group, Pass, temperatures
from core.nvae.outputs import bits_per_dimension, mean_image, mixture_log_mass
from core.nvae.relative import Relative, RelativeConfig, estimate, quadrature_kl, relative
from core.nvae.samples import Samples, SamplesConfig, samples
from core.nvae.scales import Scales, ScalesConfig, group_table, kl_by_group, scales
from core.nvae.schedule import balance, importance, kl_coefficient
from core.nvae.spectral import SpectralPenalty
from core.nvae.statistics import Statistics, StatisticsConfig, statistics
from core.nvae.toys import Toys, ToysConfig, chain, diagonal, full, kl, mixture, target, toys
from core.nvae.training import SHIPPED, TASKS, TRAINING, Training, restored

__all__ = [
    "CLAIMS",
    "MODELS",
    "NVAE",
    "PAPER",
    "SCALES",
    "SHIPPED",
    "TASKS",
    "TRAINING",
    "Absent",
    "Budget",
    "BudgetConfig",
    "Cell",
    "Flow",
    "Gaussian",
    "Group",
    "Interval",
    "NVAEConfig",
    "Pass",
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
    "autoregressive_mask",
    "balance",
    "bits_per_dimension",
    "budget",
    "chain",
    "counted",
    "decoder_cell",
    "diagonal",
    "encoder_cell",
    "estimate",
    "full",
    "gaussian_kl",
    "group_table",
    "have_model",
    "importance",
    "interval",
    "kl",
    "kl_by_group",
    "kl_coefficient",
    "latent_size",
    "mean_image",
    "mixture",
    "mixture_log_mass",
    "model",
    "negative_elbo",
    "negative_log_likelihood",
    "parameters",
    "parse_groups",
    "put_back",
    "quadrature_kl",
    "readjust_batchnorm",
    "relative",
    "residual_gaussian_kl",
    "restored",
    "running_statistics",
    "samples",
    "scales",
    "soft_clamp",
    "statistics",
    "target",
    "temperatures",
    "toys",
]
