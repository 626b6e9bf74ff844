"""Text similarity by optimal transport: EMD, WMD, WRD and their bounds (post 7388).

Source: https://kexue.fm/archives/7388, eq. (1)-(8).
"""

from core.encoders import TokenEncoder, TokenVectors, encoder
from core.similarity.bounds import Bounds, BoundsConfig, bounds, code_wmd
from core.similarity.claims import CLAIMS
from core.similarity.corpus import Corpus
from core.similarity.costs import COSTS, angle, cosine, position
from core.similarity.distances import rwmd, wcd, wmd, wmd_bounds, wrd, wrd_bounds, wrd_similarity
from core.similarity.embedding import AT_ONCE, CORPUS, CorpusConfig, Embedded, embedded
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
from core.similarity.judged import JUDGED, Judged, JudgedConfig, ScoresConfig, judged, judged_pairs
from core.similarity.lines import BYTES, ENCODINGS, LINES, Lines, Unreadable, read_lines
from core.similarity.measures import MEASURES
from core.similarity.nearest import CHECKED, Nearest, SearchConfig, nearest
from core.similarity.pair import (
    Plan,
    PlanConfig,
    edited_masses,
    own_masses,
    plan,
    readings,
)
from core.similarity.reading import EXAMPLES, BadText, Layer, Reading, Source, mean_vector, read
from core.similarity.reference import (
    corrected_word_mover_distance,
    post_word_mover_distance,
    post_word_rotator_distance,
    wasserstein_linprog,
)
from core.similarity.search import SearchResult
from core.similarity.sinkhorn import sinkhorn
from core.similarity.texts import Gone, is_here, keep
from core.similarity.transport import Transport, transport
from core.similarity.words import MASSES, frequencies, masses, stop_words

TASKS = {"corpus": CORPUS, "judged": JUDGED}

__all__ = [
    "AT_ONCE",
    "BYTES",
    "CHECKED",
    "CLAIMS",
    "CORPUS",
    "COSTS",
    "ENCODINGS",
    "EXAMPLES",
    "JUDGED",
    "LINES",
    "MASSES",
    "MEASURES",
    "TASKS",
    "BadText",
    "Bounds",
    "BoundsConfig",
    "Corpus",
    "CorpusConfig",
    "Embedded",
    "Entropic",
    "EntropyConfig",
    "Gone",
    "Importance",
    "ImportanceConfig",
    "Judged",
    "JudgedConfig",
    "Layer",
    "Lines",
    "Nearest",
    "Order",
    "OrderConfig",
    "Plan",
    "PlanConfig",
    "Reading",
    "ScoresConfig",
    "SearchConfig",
    "SearchResult",
    "Source",
    "TokenEncoder",
    "TokenVectors",
    "Transport",
    "Triangle",
    "TriangleConfig",
    "Unreadable",
    "angle",
    "bounds",
    "broken_triangles",
    "code_wmd",
    "corrected_word_mover_distance",
    "cosine",
    "debiased",
    "edited_masses",
    "embedded",
    "encoder",
    "entropy",
    "frequencies",
    "importance",
    "is_here",
    "judged",
    "judged_pairs",
    "keep",
    "masses",
    "mean_vector",
    "nearest",
    "order",
    "own_masses",
    "plan",
    "position",
    "post_word_mover_distance",
    "post_word_rotator_distance",
    "read",
    "read_lines",
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
