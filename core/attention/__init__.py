"""Attention without a softmax: what is gained, and what is lost (post 7546).

Source: https://kexue.fm/archives/7546, eq. (1)-(10).
"""

from core.attention.claims import CLAIMS
from core.attention.fading import delta_attention, fading_attention
from core.attention.features import (
    FEATURE_MAPS,
    FeatureMap,
    cosine,
    favor,
    feature_map,
    random_directions,
    taylor2,
)
from core.attention.forms import bracketed, chunked, cumulative, quadratic, recurrent
from core.attention.linear import FORMS, linear_attention
from core.attention.lowrank import (
    causal_efficient_attention,
    efficient_attention,
    efficient_matrix,
    linformer_attention,
    linformer_matrix,
    random_projection,
)
from core.attention.matrix import Denominators, attention_matrix, denominators
from core.attention.normalization import UnsafeDenominator
from core.attention.pointwise import elu
from core.attention.softmax import softmax_attention, softmax_weights
from core.attention.speed import (
    SPEED,
    AssociativityConfig,
    Speed,
    SpeedConfig,
)
from core.attention.state import State, recurrent_state, recurrent_step

__all__ = [
    "CLAIMS",
    "FEATURE_MAPS",
    "FORMS",
    "SPEED",
    "AssociativityConfig",
    "Denominators",
    "FeatureMap",
    "Speed",
    "SpeedConfig",
    "State",
    "UnsafeDenominator",
    "attention_matrix",
    "bracketed",
    "causal_efficient_attention",
    "chunked",
    "cosine",
    "cumulative",
    "delta_attention",
    "denominators",
    "efficient_attention",
    "efficient_matrix",
    "elu",
    "fading_attention",
    "favor",
    "feature_map",
    "linear_attention",
    "linformer_attention",
    "linformer_matrix",
    "quadratic",
    "random_directions",
    "random_projection",
    "recurrent",
    "recurrent_state",
    "recurrent_step",
    "softmax_attention",
    "softmax_weights",
    "taylor2",
]
