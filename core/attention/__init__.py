"""Attention without a softmax: what is gained, and what is lost (post 7546).

Source: https://kexue.fm/archives/7546, eq. (1)-(10).
"""

from core.attention.capacity import Capacity, CapacityConfig, capacity
from core.attention.causality import Causality, CausalityConfig, causality, pooled
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
from core.attention.heads import CHINESE, ENGLISH, LONGEST, Heads, HeadsConfig, NoWord, heads
from core.attention.learning import (
    Learning,
    LearningConfig,
    Transformers,
    TransformersConfig,
    learning,
    transformers,
)
from core.attention.linear import FORMS, linear_attention
from core.attention.lowrank import (
    causal_efficient_attention,
    efficient_attention,
    efficient_matrix,
    linformer_attention,
    linformer_matrix,
    random_projection,
)
from core.attention.matrices import (
    Matrices,
    MatricesConfig,
    distances,
    entropies,
    evenness,
    matrices,
    rank,
    scaled,
    weights,
)
from core.attention.matrix import Denominators, attention_matrix, denominators
from core.attention.memory import write_delta, write_sum
from core.attention.normalization import UnsafeDenominator
from core.attention.pointwise import elu
from core.attention.projection import (
    FIT,
    FitConfig,
    Projection,
    ProjectionConfig,
    cut_errors,
    fit,
    projection,
)
from core.attention.recall import RECALL, RecallConfig, accuracy, train
from core.attention.recurrence import (
    Drift,
    DriftConfig,
    Recurrence,
    RecurrenceConfig,
    drift,
    recurrence,
)
from core.attention.scales import Scales, ScalesConfig, scales, taylor
from core.attention.shipped import SHIPPED, TRANSFORMERS
from core.attention.softmax import softmax_attention, softmax_weights
from core.attention.speed import (
    SPEED,
    AssociativityConfig,
    Speed,
    SpeedConfig,
    associativity,
)
from core.attention.state import State, recurrent_state, recurrent_step
from core.attention.transformer import TRANSFORMER, TransformerConfig

TASKS = {"recall": RECALL, "transformer": TRANSFORMER, "projection": FIT, "speed": SPEED}

__all__ = [
    "CHINESE",
    "CLAIMS",
    "ENGLISH",
    "FEATURE_MAPS",
    "FIT",
    "FORMS",
    "LONGEST",
    "RECALL",
    "SHIPPED",
    "SPEED",
    "TASKS",
    "TRANSFORMER",
    "TRANSFORMERS",
    "AssociativityConfig",
    "Capacity",
    "CapacityConfig",
    "Causality",
    "CausalityConfig",
    "Denominators",
    "Drift",
    "DriftConfig",
    "FeatureMap",
    "FitConfig",
    "Heads",
    "HeadsConfig",
    "Learning",
    "LearningConfig",
    "Matrices",
    "MatricesConfig",
    "NoWord",
    "Projection",
    "ProjectionConfig",
    "RecallConfig",
    "Recurrence",
    "RecurrenceConfig",
    "Scales",
    "ScalesConfig",
    "Speed",
    "SpeedConfig",
    "State",
    "TransformerConfig",
    "Transformers",
    "TransformersConfig",
    "UnsafeDenominator",
    "accuracy",
    "associativity",
    "attention_matrix",
    "bracketed",
    "capacity",
    "causal_efficient_attention",
    "causality",
    "chunked",
    "cosine",
    "cumulative",
    "cut_errors",
    "delta_attention",
    "denominators",
    "distances",
    "drift",
    "efficient_attention",
    "efficient_matrix",
    "elu",
    "entropies",
    "evenness",
    "fading_attention",
    "favor",
    "feature_map",
    "fit",
    "heads",
    "learning",
    "linear_attention",
    "linformer_attention",
    "linformer_matrix",
    "matrices",
    "pooled",
    "projection",
    "quadratic",
    "random_directions",
    "random_projection",
    "rank",
    "recurrence",
    "recurrent",
    "recurrent_state",
    "recurrent_step",
    "scaled",
    "scales",
    "softmax_attention",
    "softmax_weights",
    "taylor",
    "taylor2",
    "train",
    "transformers",
    "weights",
    "write_delta",
    "write_sum",
]
