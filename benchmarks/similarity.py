"""Measure distances and searches against peers: `python -m benchmarks.similarity`.

Peers run in the same process and in turn with ours. All times are processor time of one thread (set
OMP_NUM_THREADS=1), since another process on the machine is nobody's fault here. The texts of the
searches are real: sentences from the docstrings of the installed packages.
"""

import random
import re
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np

from benchmarks.dashboard import measure_parts
from benchmarks.figures import Figure, Target
from benchmarks.server import ROOT
from core.encoders import encoder
from core.similarity import Corpus, transport, wasserstein_linprog, wmd, wrd

RESULTS = ROOT / "benchmarks" / "results" / "similarity.json"
WIDTH = 384
TOKENS = (5, 10, 20, 50, 200)
LINPROG_UP_TO = 50  # tokens; beyond, a pair takes a third of a second
IN_A_ROW = 50  # pairs for a solver until the next one's turn; the first few find cold caches
QUERIES = 30
K = 10
SIZES = (10_000, 100_000)
SENTENCE = re.compile(r"[A-Z][A-Za-z ,;:'’()\-0-9/]{12,220}[.!?]")

MEMORY = """
import resource, sys
from benchmarks.similarity import corpus, queries
found = corpus(100_000)
for metric in ("wrd", "wmd"):
    for x in queries()[:3]:
        found.search(x, 10, metric=metric)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000)
"""


def pairs() -> list[Figure]:
    """A pair of texts of n tokens each: ours, and ours as a share of each peer's time."""
    figures = []
    for count in TOKENS:
        times = _interleaved(_solvers(count), rounds=20 if count < 200 else 3)
        figures += [Figure(f"{name}, {count} tokens", "µs", found) for name, found in times.items()]
        goals = {"plain ot.emd2": 1 / 3, "gensim wmdistance": 1 / 8} if count == 10 else {}
        for name, found in times.items():
            if name != "ours":
                shares = [ours / peer for ours, peer in zip(times["ours"], found, strict=True)]
                goal = Target("median", goals[name]) if name in goals else None
                figures.append(Figure(f"ours / {name}, {count} tokens", "", shares, goal))
    return figures


def searches() -> list[Figure]:
    """A query for the ten nearest, static vectors: its time, and the share that is solved."""
    figures = []
    for size, limit in zip(SIZES, (40, 350), strict=True):
        for metric in ("wrd", "wmd"):
            figures += _search(size, metric, limit)
    return figures


def memory() -> list[Figure]:
    """The peak of a process that embeds 100 000 sentences and searches them by both distances."""
    ended = subprocess.run(
        [sys.executable, "-c", MEMORY], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True
    )
    peak = float(ended.stdout.split()[-1])
    name = "peak memory, 100 000 sentences, encoder included"
    return [Figure(name, "MB", [peak], Target("max", 2000))]


def half() -> list[Figure]:
    """What half precision of contextual vectors does to distances, relative to single."""
    texts, model = sentences()[:300], encoder()
    single, rounded = (
        Corpus.from_texts(texts, model, precision=precision) for precision in ("single", "half")
    )
    moved, kept = [], []
    for text in sentences()[-10:]:
        x = model.encode(text).vectors
        exact = np.array([wrd(x, single.vectors(i)) for i in range(len(texts))])
        near = np.array([wrd(x, rounded.vectors(i)) for i in range(len(texts))])
        moved += (1e6 * np.abs(near / exact - 1)).tolist()
        both = (corpus.search(x, K).indices.tolist() for corpus in (single, rounded))
        kept.append(float(len(set.intersection(*map(set, both)))))
    return [
        Figure("change of WRD by half precision", "millionths", moved, Target("max", 1000)),
        Figure("of the ten nearest, also nearest in half precision", "", kept),
    ]


PARTS: dict[str, Callable[[], list[Figure]]] = {
    "pairs": pairs,
    "searches": searches,
    "memory": memory,
    "half": half,
}


@lru_cache(maxsize=1)
def sentences() -> list[str]:
    """English sentences of the installed packages' docstrings, each once, in a fixed shuffle."""
    found: dict[str, None] = {}
    for place in sorted(Path(sysconfig.get_path("purelib")).rglob("*.py")):
        text = place.read_text(encoding="utf-8", errors="ignore")
        for doc in re.findall(r'"""(.*?)"""', text, re.DOTALL):
            for paragraph in doc.split("\n\n"):
                for sentence in re.split(r"(?<=[.!?])\s+", " ".join(paragraph.split())):
                    if SENTENCE.fullmatch(sentence):
                        found[sentence] = None
    ordered = sorted(found)
    random.Random(0).shuffle(ordered)
    return ordered


def corpus(size: int) -> Corpus:
    """That many sentences as static vectors."""
    model = encoder()
    numbers = [ids for ids in model.numbered(sentences()[:size]) if len(ids)]
    rows, ids = np.unique(np.concatenate(numbers), return_inverse=True)
    starts = np.cumsum([0, *(len(number) for number in numbers)])
    return Corpus(model.static(rows), ids.astype(np.int32), starts)


@lru_cache(maxsize=1)
def queries() -> list[np.ndarray]:
    """Sentences that are in no corpus, as static vectors."""
    model = encoder()
    numbers = model.numbered(sentences()[-4 * QUERIES :])
    return [model.static(ids) for ids in numbers if len(ids) >= 5][:QUERIES]


def _search(size: int, metric: str, limit: float) -> list[Figure]:
    found = corpus(min(size, len(sentences()) - 4 * QUERIES))
    name = f"{metric.upper()}, {len(found)}"
    found.search(queries()[0], K, metric=metric)
    times, solved, unlike = [], [], 0.0
    for number, x in enumerate(queries()):
        started = time.process_time()
        result = found.search(x, K, metric=metric)
        times.append(1000 * (time.process_time() - started))
        solved.append(100 * result.solved / len(found))
        if number < 3:
            slow = found.search(x, K, metric=metric, prune=False)
            unlike += slow.indices.tolist() != result.indices.tolist()
    return [
        Figure(
            f"query over {name} sentences, processor time", "ms", times, Target("median", limit)
        ),
        Figure(f"solved of {name} sentences", "%", solved),
        Figure(f"queries unlike brute force, {name} sentences", "", [unlike], Target("max", 0)),
    ]


def _solvers(count: int) -> dict[str, Callable[[], object]]:
    """The same pair for everybody; the peers' set-up is not measured."""
    import ot
    from gensim.models import KeyedVectors
    from scipy.spatial.distance import cdist

    generator = np.random.default_rng(count)
    x, y = generator.standard_normal((2, count, WIDTH))
    words = [f"w{number}" for number in range(2 * count)]
    vectors = KeyedVectors(WIDTH)
    vectors.add_vectors(words, np.concatenate([x, y]))
    masses = np.full(count, 1 / count)
    solvers: dict[str, Callable[[], object]] = {
        "ours": lambda: wmd(x, y),
        "plain ot.emd2": lambda: ot.emd2(ot.unif(count), ot.unif(count), cdist(x, y)),
        "gensim wmdistance": lambda: vectors.wmdistance(words[:count], words[count:], norm=False),
        "Sinkhorn, ε = 0.05": lambda: transport(
            masses, masses, cdist(x, y) / 20, method="sinkhorn", regularization=0.05
        ),
    }
    if count <= LINPROG_UP_TO:
        solvers["scipy linprog"] = lambda: wasserstein_linprog(masses, masses, cdist(x, y))
    return solvers


def _interleaved(solvers: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Microseconds a pair, a few pairs of each in turn, again and again; not the first round."""
    times: dict[str, list[float]] = {name: [] for name in solvers}
    for _ in range(rounds + 1):
        for name, solve in solvers.items():
            started = time.process_time()
            for _ in range(IN_A_ROW):
                solve()
            times[name].append(1e6 * (time.process_time() - started) / IN_A_ROW)
    return {name: found[1:] for name, found in times.items()}


if __name__ == "__main__":
    measure_parts(PARTS, RESULTS, __doc__)
