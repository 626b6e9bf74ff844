"""The claims of post 7388 (W1 to W12) as experiments.

The post's headings count as sections: 1 Earth Mover's Distance, 2 Word Mover's Distance, 3 Word
Rotator's Distance, 4 closing remarks. Checks about real words use the embedded encoder; those
about mathematics draw their vectors.

Source: https://kexue.fm/archives/7388
"""

import time
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.stats import spearmanr

from core.claims import Claim, Cost, Evidence, Verdict, graded, held
from core.encoders import EMBEDDED, encoder
from core.similarity.bounds import code_wmd
from core.similarity.costs import COSTS
from core.similarity.distances import rwmd, wcd, wmd, wrd, wrd_bounds
from core.similarity.importance import correlation, cuts, words_of
from core.similarity.judged import draws, judged_pairs
from core.similarity.pair import cosine
from core.similarity.reading import Layer, mean_vector
from core.similarity.reference import wasserstein_linprog
from core.similarity.translations import WORDS
from core.similarity.transport import transport
from core.similarity.words import stop_words

EXACT = 1e-9  # what rounding and a linear program may differ by
RESAMPLES = 1000

Pair = tuple[np.ndarray, np.ndarray]


def finer_and_slower(seed: int) -> Evidence:
    """W1: comparing sequences of vectors is finer than comparing one vector each, and slower.

    On the judged pairs, with contextual and with static vectors: Spearman's correlation with the
    grades, of the better of WMD and WRD minus that of the cosine of the mean vectors. HOLDS if
    the 95 % interval of the gain lies above 0 for both (a bootstrap over the groups of pairs that
    share a sentence), CONDITIONAL for one, FAILS for none, or if it is not slower.
    """
    found = {kind: _judged(kind == "contextual") for kind in ("contextual", "static")}
    gains = {kind: _gain(pairs, grades, seed) for kind, (pairs, grades) in found.items()}
    pairs = found["contextual"][0]
    slower = _seconds(lambda: [wrd(x, y) for x, y in pairs]) / _seconds(
        lambda: [cosine(x.mean(axis=0), y.mean(axis=0)) for x, y in pairs]
    )
    finer = sum(gain["low"] > 0 for gain in gains.values()) if slower > 1 else 0
    verdict = (Verdict.FAILS, Verdict.CONDITIONAL, Verdict.HOLDS)[finer]
    details = {f"{name}_{kind}": v for kind, gain in gains.items() for name, v in gain.items()}
    least = min(gain["gain"] for gain in gains.values())
    return Evidence(verdict, least, 0.0, None, details={**details, "times_slower": slower})


def a_linear_program(seed: int) -> Evidence:
    """W2: this transport is a linear program.

    HOLDS if over 100 random instances the network simplex, the linear program and, for equal
    masses, the best assignment agree to 1e-9.
    """
    generator, gaps, assignments = np.random.default_rng(seed), [], []
    for _ in range(100):
        (m, n), square = generator.integers(1, 9, 2), generator.random((6, 6))
        p, q, cost = generator.random(m), generator.random(n), generator.random((m, n))
        p, q = p / p.sum(), q / q.sum()
        gaps.append(abs(transport(p, q, cost).value - wasserstein_linprog(p, q, cost)))
        uniform = np.full(6, 1 / 6)
        best = square[linear_sum_assignment(square)].mean()
        assignments.append(abs(transport(uniform, uniform, square).value - best))
    worst = max(*gaps, *assignments)
    verdict = held(worst < EXACT)
    details = {"gap_program": max(gaps), "gap_assignment": max(assignments)}
    return Evidence(verdict, worst, 0.0, EXACT, details=details)


def any_lengths(seed: int) -> Evidence:
    """W3: WMD compares texts of different lengths.

    HOLDS if for every pair of lengths up to 12 the plan has its masses, and a text is at distance
    0 from itself written twice over.
    """
    generator, missing, doubled = np.random.default_rng(seed), [], []
    for m in range(1, 13):
        for n in range(1, 13):
            x, y = generator.standard_normal((m, 8)), generator.standard_normal((n, 8))
            plan = transport(np.full(m, 1 / m), np.full(n, 1 / n), COSTS["euclidean"](x, y)).plan
            missing += [abs(plan.sum(axis=1) - 1 / m).max(), abs(plan.sum(axis=0) - 1 / n).max()]
        doubled.append(wmd(x, np.vstack([x, x])))
    worst = float(max(*missing, *doubled))
    verdict = held(worst < EXACT)
    return Evidence(verdict, worst, 0.0, EXACT, details={"doubled": float(max(doubled))})


def an_edit_distance(seed: int) -> Evidence:
    """W4: WMD is the shortest path from one sentence to the other, a smooth edit distance.

    Over 200 random edits of a text: HOLDS if WMD is above 0 wherever the edit distance is;
    CONDITIONAL if that is so for replaced words, but a new order costs nothing; FAILS otherwise.
    """
    generator, ordered, replaced = np.random.default_rng(seed), [], []
    for _ in range(200):
        x = generator.standard_normal((6, 16))
        swapped, edited = x.copy(), x.copy()
        swapped[[0, 3]] = x[[3, 0]]
        edited[generator.integers(6)] = generator.standard_normal(16)
        ordered.append(wmd(x, swapped))
        replaced.append(wmd(x, edited))
    weak, strong = min(replaced) > EXACT, min(ordered) > EXACT
    details = {"least_replaced": min(replaced), "edits_of_order": 2.0}
    return Evidence(graded(weak, strong), float(max(ordered)), 0.0, EXACT, details=details)


def stop_words_out(seed: int) -> Evidence:
    """W5: in practice stop words are removed.

    On the judged pairs, static vectors: FAILS if removing them lowers Spearman's correlation of
    WMD with the grades; HOLDS if it does not, and every sentence and its denial stay apart;
    CONDITIONAL if some of those become equal.
    """
    with_them, grades = _judged(False)
    without, _ = _judged(False, stop=False)
    scores = {
        name: _spearman(np.array([-wmd(x, y) for x, y in pairs]), grades)
        for name, pairs in (("with", with_them), ("without", without))
    }
    denied = [
        wmd(*pair) for pair, kind in zip(without, _kinds(), strict=True) if kind == "negation"
    ]
    lost = float(np.mean(np.array(denied) < EXACT))
    details = {"with": scores["with"], "without": scores["without"], "denials_lost": lost}
    gain = scores["without"] - scores["with"]
    return Evidence(graded(gain >= 0, lost == 0), gain, 0.0, None, details=details)


def centroid_bound(seed: int) -> Evidence:
    """W6: the distance of the centroids is at most WMD.

    HOLDS if it is so for 300 random pairs of eq. 3 (to rounding). The details have the other
    bound, the larger of two one-sided ones, and the post's code, whose mean over the dimensions
    breaks the bound.
    """
    pairs = _random_pairs(seed, 300)
    exact = np.array([wmd(x, y) for x, y in pairs])
    centroid = np.array([wcd(x, y) for x, y in pairs])
    relaxed = np.array([rwmd(x, y) for x, y in pairs])
    code = np.array([code_wmd(x, y) for x, y in pairs])
    broken = float((centroid > exact + EXACT).sum())
    details = {
        "ratio_centroid": float((centroid / exact).mean()),
        "ratio_relaxed": float((relaxed / exact).mean()),
        "relaxed_below": float((relaxed < centroid).sum()),
        "code_broken": float((centroid > code + EXACT).sum()),
    }
    return Evidence(held(broken == 0), broken, 0.0, None, details=details)


def pruning(seed: int) -> Evidence:
    """W7: the bound saves solves when similar sentences are searched for.

    Ten queries for the 5 nearest of 120 random texts. HOLDS if the bound finds the same texts as
    all distances do, with at most half of the solves; CONDITIONAL if it saves fewer; FAILS if it
    finds others.
    """
    generator = np.random.default_rng(seed)
    themes = 2 * generator.standard_normal((12, 16))
    corpus = [
        themes[i % 12] + generator.standard_normal((generator.integers(3, 9), 16))
        for i in range(120)
    ]
    queries = [themes[i] + generator.standard_normal((5, 16)) for i in range(10)]
    bounds: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
        "centroid": wcd,
        "both": lambda x, y: max(wcd(x, y), rwmd(x, y)),
    }
    exact = [
        np.argsort([wmd(query, text) for text in corpus], kind="stable")[:5] for query in queries
    ]
    solved, same = {}, True
    for name, bound in bounds.items():
        found = [_nearest(query, corpus, 5, bound) for query in queries]
        solved[f"solved_{name}"] = sum(count for _, count in found) / (120 * len(queries))
        same &= all(set(e) == set(f) for e, (f, _) in zip(exact, found, strict=True))
    share = solved["solved_centroid"]
    return Evidence(graded(same, share <= 0.5), share, 1.0, None, details=solved)


def cosine_over_euclid(seed: int) -> Evidence:
    """W8: for word vectors the cosine is the better measure than the Euclidean distance.

    Sixty words each of Chinese and English, static vectors: how often the nearest word of the
    other language is the translation. HOLDS if the cosine's share is higher, with the 95 %
    bootstrap interval of the gain above 0; CONDITIONAL if the interval has 0; FAILS if not higher.
    """
    vectors = _translations()
    hits = {name: _hits(COSTS[name](*vectors)) for name in ("cosine", "euclidean")}
    gains = hits["cosine"].astype(float) - hits["euclidean"]
    drawn = np.random.default_rng(seed).integers(0, len(gains), (RESAMPLES, len(gains)))
    low, high = np.quantile(gains[drawn].mean(axis=1), [0.025, 0.975])
    details = {
        "share_cosine": float(hits["cosine"].mean()),
        "share_euclidean": float(hits["euclidean"].mean()),
        "gain_low": float(low),
        "gain_high": float(high),
    }
    gain = float(gains.mean())
    return Evidence(graded(gain > 0, bool(low > 0)), gain, 0.0, None, details=details)


def scale(seed: int) -> Evidence:
    """W9: WMD has no upper limit; WRD has, and does not see the scale.

    HOLDS if vectors three times as long make WMD three times as large, and scaling either text by
    itself leaves WRD as it is and within [0, 2].
    """
    pairs = _random_pairs(seed, 100)
    tripled = [wmd(3 * x, 3 * y) / wmd(x, y) for x, y in pairs]
    moved = [abs(wrd(5 * x, 0.1 * y) - wrd(x, y)) for x, y in pairs]
    values = [wrd(x, y) for x, y in pairs]
    worst = max(abs(np.array(tripled) - 3))
    inside = max(values) <= 2 and min(values) >= 0
    details = {"wrd_moved": max(moved), "wrd_largest": max(values)}
    exact = worst < EXACT and max(moved) < EXACT and inside
    return Evidence(held(bool(exact)), float(np.mean(tripled)), 3.0, EXACT, details=details)


def norms_lost(seed: int) -> Evidence:
    """W10: bringing all vectors to length 1 before WMD loses what their lengths say; WRD does not.

    One word of each of 100 random texts is made ten times as long. HOLDS if the WMD of unit
    vectors never moves, and WRD always does.
    """
    units, rotated = [], []
    for x, y in _random_pairs(seed, 100, least=2):
        longer = x.copy()
        longer[0] *= 10
        units.append(abs(wmd(_unit(longer), _unit(y)) - wmd(_unit(x), _unit(y))))
        rotated.append(abs(wrd(longer, y) - wrd(x, y)))
    exact = max(units) < EXACT and min(rotated) > EXACT
    details = {"wrd_moved_mean": float(np.mean(rotated)), "wrd_moved_least": min(rotated)}
    return Evidence(held(exact), max(units), 0.0, EXACT, details=details)


def norm_is_importance(seed: int) -> Evidence:
    """W11: the norm of a word's vector says how important the word is.

    Importance measured by rarity: Spearman's correlation of norm and −log frequency, for Chinese
    and English, in the word embedding (among 700 frequent words, and among all) and after the last
    layer. HOLDS if all six are above 0.2, CONDITIONAL if some are, FAILS if none is.
    """
    found = {
        f"{vectors}_{language}": correlation(words_of(language, vectors))
        for vectors in ("static", "contextual")
        for language in ("en", "zh")
    }
    for language in ("en", "zh"):
        found[f"static_{language}_all"] = float(cuts(language)["correlation"].iloc[-1])
    high = [value > 0.2 for value in found.values()]
    return Evidence(graded(any(high), all(high)), min(found.values()), 0.2, None, details=found)


def rotator_bound(seed: int) -> Evidence:
    """W12: half the squared distance of the normalized sums is at most WRD.

    HOLDS if it is so for 300 random pairs (to rounding), and equal for single words. The details
    have the bound without its ½, and the upper bound 1 − a·b.
    """
    pairs = _random_pairs(seed, 300)
    exact = np.array([wrd(x, y) for x, y in pairs])
    low, high = np.array([wrd_bounds(x, y) for x, y in pairs]).T
    singles = [(x[:1], y[:1]) for x, y in pairs[:50]]
    equal = max(abs(wrd(x, y) - wrd_bounds(x, y)[0]) for x, y in singles)
    broken = float((low > exact + EXACT).sum())
    details = {
        "ratio_lower": float((low / exact).mean()),
        "ratio_upper": float((exact / high).mean()),
        "upper_broken": float((exact > high + EXACT).sum()),
        "without_half_broken": float((2 * low > exact + EXACT).sum()),
        "single_words": equal,
    }
    return Evidence(held(broken == 0 and equal < EXACT), broken, 0.0, None, details=details)


# ---- what the checks share


def _random_pairs(seed: int, count: int, least: int = 1) -> list[Pair]:
    """Texts of up to 9 words in 16 dimensions, around a topic of their own."""
    generator, found = np.random.default_rng(seed), []
    for _ in range(count):
        m, n = generator.integers(least, 10, 2)
        topics = generator.random() * generator.standard_normal((2, 1, 16))
        x, y = generator.standard_normal((m, 16)), generator.standard_normal((n, 16))
        found.append((x + topics[0], y + topics[1]))
    return found


def _unit(x: np.ndarray) -> np.ndarray:
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def _nearest(
    query: np.ndarray, corpus: list[np.ndarray], k: int, bound: Callable[..., float]
) -> tuple[list[int], int]:
    """The k nearest texts, in the order of a lower bound until it exceeds the k-th; and solves."""
    limits = [bound(query, text) for text in corpus]
    best: list[tuple[float, int]] = []
    for solved, at in enumerate(np.argsort(limits, kind="stable")):
        if len(best) == k and limits[at] > best[-1][0]:
            return [i for _, i in best], solved
        best = sorted([*best, (wmd(query, corpus[at]), int(at))])[:k]
    return [i for _, i in best], len(corpus)


def _gain(pairs: list[Pair], grades: np.ndarray, seed: int) -> dict[str, float]:
    """Spearman's correlation with the grades: of each measure, and the gain with its interval."""
    means = np.array([cosine(x.mean(axis=0), y.mean(axis=0)) for x, y in pairs])
    scores = {
        "wmd": -np.array([wmd(x, y) for x, y in pairs]),
        "wrd": -np.array([wrd(x, y) for x, y in pairs]),
    }
    rank = {name: _spearman(score, grades) for name, score in scores.items()}
    best = scores[max(rank, key=lambda name: rank[name])]
    drawn = draws(_groups(), RESAMPLES, seed)
    gains = [
        _spearman(best[row], grades[row]) - _spearman(means[row], grades[row]) for row in drawn
    ]
    low, high = np.quantile(gains, [0.025, 0.975])
    mean = _spearman(means, grades)
    return {**rank, "mean": mean, "gain": max(rank.values()) - mean, "low": float(low),
            "high": float(high)}  # fmt: skip


def _spearman(scores: np.ndarray, grades: np.ndarray) -> float:
    return float(spearmanr(scores, grades).statistic)


def _seconds(run: Callable[[], object]) -> float:
    best = float("inf")
    for _ in range(3):
        started = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - started)
    return best


@lru_cache(maxsize=4)
def _judged(contextual: bool, stop: bool = True) -> tuple[list[Pair], np.ndarray]:
    """The judged pairs as centred vectors, and their grades."""
    pairs = judged_pairs()
    texts = [text for pair in pairs for text in (pair.first, pair.second)]
    layer = Layer(contextual)
    mean = mean_vector(layer=layer)
    read = encoder(EMBEDDED).encode_many(texts, contextual=contextual)
    vectors = []
    for one in read:
        kept = np.ones(len(one.tokens), dtype=bool) if stop else ~stop_words(one.tokens)
        vectors.append((one.vectors[kept] - mean).astype(np.float64))
    grades = np.array([float(pair.grade) for pair in pairs])
    return list(zip(vectors[::2], vectors[1::2], strict=True)), grades


def _groups() -> list[str]:
    return [pair.group for pair in judged_pairs()]


def _kinds() -> list[str]:
    return [pair.kind for pair in judged_pairs()]


@lru_cache(maxsize=1)
def _translations() -> Pair:
    model = encoder(EMBEDDED)
    sides = [model.encode_many([pair[side] for pair in WORDS], contextual=False) for side in (0, 1)]
    first, second = (
        np.array([word.vectors.mean(axis=0) for word in side], dtype=np.float64) for side in sides
    )
    return first, second


def _hits(cost: np.ndarray) -> np.ndarray:
    """Whether the nearest word is the translation, from either language."""
    right = np.arange(len(cost))
    return np.concatenate([cost.argmin(axis=1) == right, cost.argmin(axis=0) == right])


_HOLDS, _CONDITIONAL, _FAILS = Verdict.HOLDS, Verdict.CONDITIONAL, Verdict.FAILS

CLAIMS = (
    Claim("similarity.W1", "§1, introduction", Cost.MINUTES, _FAILS, finer_and_slower),
    Claim("similarity.W2", "§1, eq. (2)", Cost.SECONDS, _HOLDS, a_linear_program),
    Claim("similarity.W3", "§2, eq. (3)", Cost.SECONDS, _HOLDS, any_lengths),
    Claim("similarity.W4", "§2", Cost.SECONDS, _CONDITIONAL, an_edit_distance),
    Claim("similarity.W5", "§2", Cost.MINUTES, _CONDITIONAL, stop_words_out),
    Claim("similarity.W6", "§2, eq. (4)", Cost.SECONDS, _HOLDS, centroid_bound),
    Claim("similarity.W7", "§2, eq. (4)", Cost.SECONDS, _HOLDS, pruning),
    Claim("similarity.W8", "§3", Cost.MINUTES, _HOLDS, cosine_over_euclid),
    Claim("similarity.W9", "§3", Cost.SECONDS, _HOLDS, scale),
    Claim("similarity.W10", "§3", Cost.SECONDS, _HOLDS, norms_lost),
    Claim("similarity.W11", "§3, eq. (5)", Cost.SECONDS, _CONDITIONAL, norm_is_importance),
    Claim("similarity.W12", "§3, eq. (8)", Cost.SECONDS, _HOLDS, rotator_bound),
)
