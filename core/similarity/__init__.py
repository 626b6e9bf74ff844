"""Text similarity by optimal transport: EMD, WMD, WRD and their bounds (post 7388).

Source: https://kexue.fm/archives/7388, eq. (1)-(8).
"""

from core.encoders import TokenEncoder, TokenVectors, encoder
from core.similarity.bounds import Bounds, BoundsConfig, bounds, code_wmd
from core.similarity.claims import CLAIMS
from core.similarity.costs import COSTS, angle, cosine, position
from core.similarity.distances import rwmd, wcd, wmd, wmd_bounds, wrd, wrd_bounds, wrd_similarity
from core.similarity.entropy import Entropic, EntropyConfig, debiased, entropy, regularized
from core.similarity.failures import (
    Order,
    OrderConfig,
    Triangle,
    TriangleConfig,
    broken_triangles,
    order,
    triangle,
)
from core.similarity.importance import Importance, ImportanceConfig, importance
from core.similarity.pair import Plan, PlanConfig, own_masses, plan, readings
from core.similarity.reading import EXAMPLES, BadText, Layer, Reading, mean_vector, read
from core.similarity.reference import (
    corrected_word_mover_distance,
    post_word_mover_distance,
    post_word_rotator_distance,
    wasserstein_linprog,
)
from core.similarity.sinkhorn import sinkhorn
from core.similarity.transport import Transport, transport
from core.similarity.words import MASSES, frequencies, masses, stop_words

__all__ = [
    "CLAIMS",
    "COSTS",
    "EXAMPLES",
    "MASSES",
    "BadText",
    "Bounds",
    "BoundsConfig",
    "Entropic",
    "EntropyConfig",
    "Importance",
    "ImportanceConfig",
    "Layer",
    "Order",
    "OrderConfig",
    "Plan",
    "PlanConfig",
    "Reading",
    "TokenEncoder",
    "TokenVectors",
    "Transport",
    "Triangle",
    "TriangleConfig",
    "angle",
    "bounds",
    "broken_triangles",
    "code_wmd",
    "corrected_word_mover_distance",
    "cosine",
    "debiased",
    "encoder",
    "entropy",
    "frequencies",
    "importance",
    "masses",
    "mean_vector",
    "order",
    "own_masses",
    "plan",
    "position",
    "post_word_mover_distance",
    "post_word_rotator_distance",
    "read",
    "readings",
    "regularized",
    "rwmd",
    "sinkhorn",
    "stop_words",
    "transport",
    "triangle",
    "wasserstein_linprog",
    "wcd",
    "wmd",
    "wmd_bounds",
    "wrd",
    "wrd_bounds",
    "wrd_similarity",
]
