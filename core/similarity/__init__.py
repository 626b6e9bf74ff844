"""Text similarity by optimal transport: EMD, WMD, WRD and their bounds (post 7388).

Source: https://kexue.fm/archives/7388, eq. (1)-(8).
"""

from core.encoders import TokenEncoder, TokenVectors, encoder
from core.similarity.corpus import Corpus
from core.similarity.distances import (
    rwmd,
    wcd,
    wmd,
    wmd_bounds,
    wrd,
    wrd_bounds,
    wrd_similarity,
)
from core.similarity.reference import (
    corrected_word_mover_distance,
    post_word_mover_distance,
    post_word_rotator_distance,
    wasserstein_linprog,
)
from core.similarity.search import SearchResult
from core.similarity.sinkhorn import sinkhorn
from core.similarity.transport import Transport, transport

__all__ = [
    "Corpus",
    "SearchResult",
    "TokenEncoder",
    "TokenVectors",
    "Transport",
    "corrected_word_mover_distance",
    "encoder",
    "post_word_mover_distance",
    "post_word_rotator_distance",
    "rwmd",
    "sinkhorn",
    "transport",
    "wasserstein_linprog",
    "wcd",
    "wmd",
    "wmd_bounds",
    "wrd",
    "wrd_bounds",
    "wrd_similarity",
]
