"""The claims A1 to A15 of post 7546 as experiments.

The post's headings count as sections: 1 attention, 2 examples, 3 related work (3.4 autoregressive),
4 summary.

Source: https://kexue.fm/archives/7546
"""

import math
import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from core.attention.causality import leak, moved, pooled
from core.attention.counting import exponent, largest_tensor, multiplications
from core.attention.features import FEATURE_MAPS
from core.attention.forms import bracketed, quadratic
from core.attention.linear import linear_attention
from core.attention.lowrank import (
    efficient_attention,
    efficient_matrix,
    linformer_attention,
    random_projection,
)
from core.attention.matrices import distances, entropies
from core.attention.matrix import attention_matrix, denominators
from core.attention.recall import ENOUGH, RECALL, RecallConfig, accuracy
from core.attention.shipped import PROJECTIONS
from core.attention.softmax import softmax_weights
from core.attention.sparse import blocked_window, masked_window, recall_of_largest, same_bucket
from core.claims import Claim, Cost, Evidence, Verdict, graded, held
from core.runs import trained

ROUNDED = 1e-12  # a float64 difference up to which two forms are one
SIZES = (64, 128, 256, 512, 1024)
SCALES = {"small": 0.1, "usual": 0.5, "large": 1.0}  # standard deviation of the entries of q, k
LEAST_TEXT = 10_000_000  # characters that a masked language model is trained on, at the very least
TEXT = Path(__file__).parents[2] / "pretrained" / "encoder" / "sentences.txt"


def softmax_makes_it_quadratic(seed: int) -> Evidence:
    """A1: softmax is what makes attention cost n²; without it the brackets move and it costs n.

    HOLDS if multiplications, counted, grow as n² with softmax and without it from the left, and as
    n from the right; the details have from where on the right is cheaper, and times of this run.
    """
    forms = {"softmax": _written, "left": _from_left, "right": _from_right}
    counts = {
        name: [multiplications(partial(form, *_tokens(seed, n, 64))) for n in SIZES]
        for name, form in forms.items()
    }
    slopes = {f"exponent_{name}": exponent(SIZES, found) for name, found in counts.items()}
    off = max(abs(slopes[f"exponent_{name}"] - n) for name, n in _ORDERS.items())
    at_64 = counts["left"][0] / counts["right"][0]
    details = {**slopes, "left_over_right_at_64": at_64}
    details |= {f"time_exponent_{name}": _time_exponent(form, seed) for name, form in forms.items()}
    verdict = held(off < 0.02)
    return Evidence(verdict, slopes["exponent_right"], 1.0, 0.02, details=details)


def brackets_move(seed: int) -> Evidence:
    """A2: (phi(q) phi(k)^T) v and phi(q) (phi(k)^T v) are the same.

    HOLDS if in float64 outputs of the two differ by rounding alone, for every feature map.
    """
    q, k, v = _tokens(seed, 300, 16)
    gaps = {}
    for name, phi in FEATURE_MAPS.items():
        fq, fk = phi.query(q), phi.key(k)
        left, right = quadratic(fq, fk, v, causal=False)[0], bracketed(fq, fk, v)[0]
        gaps[f"gap_{name}"] = float((left - right).abs().max() / left.abs().max())
    worst = max(gaps.values())
    verdict = held(worst < ROUNDED)
    return Evidence(verdict, worst, 0.0, ROUNDED, details=gaps)


def bare_products_are_signed(seed: int) -> Evidence:
    """A3: q·k itself may be negative, so its rows are no distribution.

    HOLDS if a tenth of the weights or more are negative and an output leaves the range of the
    values, which no mean of them can; the control, elu + 1, must do neither.
    """
    q, k, v = _tokens(seed, 256, 16)
    bare, control = denominators(q, k, "identity"), denominators(q, k, "elu")
    out = attention_matrix(q, k, "identity") @ v
    reach = float(out.abs().max() / v.abs().max())
    bad = bare.share_negative > 0.1 and reach > 1
    good = control.share_negative == 0 and control.amplification < 1 + 1e-9
    details = {
        "output_over_largest_value": reach,
        "amplification": bare.amplification,
        "smallest_sum": bare.smallest,
        "share_of_rows_not_positive": bare.share_not_positive,
        "share_negative_elu": control.share_negative,
    }
    verdict = held(bad and good)
    return Evidence(verdict, bare.share_negative, 0.5, 0.05, details=details)


def sign_is_required(seed: int) -> Evidence:
    """A4: sim has to be nonnegative.

    On the recall task, against the best of elu, relu and exp: HOLDS if q·k without a softmax is 5
    points below, divided by its sums and divided by its root mean square; CONDITIONAL if only when
    divided by its sums; FAILS if neither.
    """
    names = ("elu", "relu", "exp", "identity", "identity-rms", "softmax")
    found = {name: _recalled(name, seed) for name in names}
    best = max(found[name] for name in ("elu", "relu", "exp"))
    worse = [found[name] < best - 0.05 for name in ("identity", "identity-rms")]
    details = {f"accuracy_{name.replace('-', '_')}": value for name, value in found.items()}
    verdict = Verdict.FAILS if not any(worse) else graded(worse[0], all(worse))
    return Evidence(verdict, found["identity-rms"], best, 0.05, details=details)


def two_softmaxes_sum_to_one(seed: int) -> Evidence:
    """A5: softmax over d of q times softmax over n of k is normalized by itself.

    HOLDS if every row sums to 1. The details have what ending the sums at j = i leaves, and how far
    it is from the kernels that it is said to be a special case of.
    """
    q, k, v = _tokens(seed, 256, 16)
    gap = float((efficient_matrix(q, k).sum(dim=-1) - 1).abs().max())
    out, query = efficient_attention(q, k, v), q.softmax(dim=-1)
    kernels = {"exp": k.exp(), "softmax": k.softmax(dim=-1)}
    apart = {
        f"apart_from_key_{name}": float((_normalized(query, key, v) - out).abs().max())
        for name, key in kernels.items()
    }
    cut = efficient_matrix(q, k, causal=True).sum(dim=-1)
    details = {
        **apart,
        "first_sum_when_cut": float(cut[0]),
        "largest_output": float(out.abs().max()),
    }
    return Evidence(held(gap < ROUNDED), gap, 0.0, ROUNDED, details=details)


def cosine_is_nearer(seed: int) -> Evidence:
    """A6: 1 + cos is nonnegative and nearer to softmax than the other two.

    By the total variation of rows, n = 256, d = 16: FAILS if a weight is negative or it is nearer
    at no scale; HOLDS if it is nearer at 0.1, 0.5 and 1; CONDITIONAL if at some of them.
    """
    found: dict[str, float] = {}
    nearer, least = [], math.inf
    for name, scale in SCALES.items():
        q, k, _ = _tokens(seed, 256, 16)
        softmax = softmax_weights(scale * q, scale * k)
        kinds = {kind: attention_matrix(scale * q, scale * k, kind) for kind in ("elu", "cosine")}
        kinds["two_softmaxes"] = efficient_matrix(scale * q, scale * k)
        kinds["uniform"] = torch.full_like(softmax, 1 / 256)
        by_kind = {kind: float(distances(one, softmax).mean()) for kind, one in kinds.items()}
        found |= {f"{kind}_{name}": value for kind, value in by_kind.items()}
        nearer.append(by_kind["cosine"] < min(by_kind["elu"], by_kind["two_softmaxes"]))
        least = min(least, float(kinds["cosine"].min()))
    verdict = graded(least >= 0 and any(nearer), all(nearer))
    return Evidence(verdict, found["cosine_usual"], found["elu_usual"], None, details=found)


def sparse_is_chosen_by_hand(seed: int) -> Evidence:
    """A7: sparse attention needs a region chosen by hand, and special code to save anything.

    Tokens have to be found a planted distance back: HOLDS if a window finds those within it and
    no others, and masking counts as many multiplications as no mask, while blocks count less than
    half; FAILS if either is not so.
    """
    window = 32
    near, far = (_found_back(seed, distance, window) for distance in (16, 128))
    whole = _found_back(seed, 128, 512)
    q, k, v = _tokens(seed, 512, 16)
    full = multiplications(lambda: softmax_weights(q, k, causal=True) @ v)
    masked = multiplications(lambda: masked_window(q, k, v, window))
    blocks = multiplications(lambda: blocked_window(q, k, v, window))
    chosen = near > 0.9 and whole > 0.9 and far < 0.2
    special = masked == full and blocks < full / 2
    details = {
        "found_within": near, "found_beyond": far, "found_without_window": whole,
        "masked_over_full": masked / full, "blocks_over_full": blocks / full,
    }  # fmt: skip
    return Evidence(held(chosen and special), masked / full, 1.0, 0.0, details=details)


def hashing_finds_the_largest(seed: int) -> Evidence:
    """A8: hashing finds the largest q·k approximately, in n log n.

    With shared queries and keys and 16 buckets: FAILS if it finds no more of the 8 largest than
    chance would among as many keys; HOLDS if one round finds 90 %; CONDITIONAL if it takes more.
    """
    generator = _generator(seed)
    x = torch.randn(512, 32, generator=generator, dtype=torch.float64)
    directions = torch.randn(16, 32, 8, generator=generator, dtype=torch.float64)
    k = F.normalize(x, dim=-1)
    seen = same_bucket(x, k, directions)
    found = recall_of_largest(x, k, seen & ~torch.eye(512, dtype=torch.bool), 9) * 9 / 8
    looked = seen.double().mean(dim=(-2, -1))
    details = {
        f"{what}_{rounds}": float(values[rounds - 1])
        for rounds in (1, 2, 4, 8, 16)
        for what, values in (("recall", found), ("looked_at", looked))
    }
    better = bool((found > 1.1 * looked).all()) and all(
        details[f"recall_{b}"] > details[f"recall_{a}"] for a, b in pairwise((1, 2, 4, 8, 16))
    )
    verdict = graded(better, float(found[0]) > 0.9)
    return Evidence(verdict, float(found[0]), 0.9, None, details=details)


def linformer_needs_more(seed: int) -> Evidence:
    """A9: Linformer is linear only if m may stay as n grows, which is to be doubted.

    The least m with which a trained layer recalls 90 % of n pairs, from 8 to 64 pairs: HOLDS if it
    grows at least half as fast as n; CONDITIONAL if it grows less; FAILS if it stays.
    """
    table = PROJECTIONS.load()
    right = table[(table["task"] == "recall") & (table["accuracy"] >= ENOUGH)]
    needed = right.groupby("pairs")["projections"].min()
    growth = float(needed.iloc[-1] / needed.iloc[0])
    longer = float(needed.index[-1] / needed.index[0])
    details = {f"m_for_{n}": float(m) for n, m in needed.items()}
    q, k, v = _tokens(seed, 256, 16)
    exact = softmax_weights(q, k) @ v
    for m in (8, 64, 256):
        e, f = (random_projection(m, 256, generator=_generator(i), dtype=q.dtype) for i in (1, 2))
        out = linformer_attention(q, k, v, e, f)
        details[f"error_random_{m}"] = float((out - exact).norm() / exact.norm())
    return Evidence(graded(growth > 1, growth >= longer / 2), growth, longer, details=details)


def linformer_is_not_causal(seed: int) -> Evidence:
    """A10: Linformer cannot be used to generate.

    HOLDS if a change of the last token moves the first output, which causal attention never does.
    """
    q, k, v = _tokens(seed, 64, 16)
    e, f = (random_projection(16, 64, generator=_generator(i), dtype=q.dtype) for i in (1, 2))
    by_token = _moved(partial(linformer_attention, e=e, f=f), q, k, v)
    control = leak(_moved(partial(linear_attention, causal=True), q, k, v), 63)
    details = {"largest_leak": leak(by_token, 63), "leak_linear": control}
    first = float(by_token[0])
    return Evidence(held(first > 1e-6 and control == 0), first, 0.0, 1e-6, details=details)


def linear_is_causal(seed: int) -> Evidence:
    """A11: the linear attentions of the post can be causal, by ending the sums at j = i.

    FAILS if for an elementwise kernel mask, running sum and recurrence differ or leak; HOLDS if the
    two softmaxes do not leak either; CONDITIONAL if they do.
    """
    q, k, v = _tokens(seed, 100, 16)
    details, tight = {}, True
    for kind in ("elu", "relu", "exp", "cosine"):
        run = partial(linear_attention, feature_map=kind, causal=True)
        masked = run(q, k, v, form="quadratic")
        forms = (run(q, k, v, form=form) for form in ("cumulative", "recurrent", "chunkwise"))
        details[f"gap_{kind}"] = max(float((one - masked).abs().max()) for one in forms)
        details[f"leak_{kind}"] = leak(_moved(run, q, k, v), 99)
        tight &= details[f"gap_{kind}"] < ROUNDED and details[f"leak_{kind}"] < ROUNDED
    cut = _moved(lambda q, k, v: efficient_matrix(q, k, causal=True) @ v, q, k, v)
    leaks = leak(cut, 99)
    details |= {"first_sum_two_softmaxes": float(efficient_matrix(q, k, causal=True)[0].sum())}
    verdict = graded(tight, leaks < ROUNDED)
    return Evidence(verdict, leaks, 0.0, ROUNDED, details={**details, "leak_two_softmaxes": leaks})


def two_implementations(seed: int) -> Evidence:
    """A12: the recurrence takes least memory; the running sum of n d² numbers is fastest.

    FAILS if the recurrence's largest tensor is not the smallest; HOLDS if the running sum takes
    least time, too; CONDITIONAL if it does not. n = 512, d = 64, 4 heads, float32, one thread's
    processor time.
    """
    q, k, v = (x.float() for x in _tokens(seed, 512, 64, heads=4))
    sizes, seconds = {}, {}
    for form in ("recurrent", "cumulative", "chunkwise"):
        run = partial(linear_attention, q, k, v, causal=True, form=form)
        made = largest_tensor(run) - q.numel()  # output and features are as large as that
        sizes[form], seconds[form] = max(made, 0), _seconds(run)
    details = {f"numbers_beyond_{form}": float(size) for form, size in sizes.items()}
    details |= {f"milliseconds_{form}": 1e3 * taken for form, taken in seconds.items()}
    details |= {"n_d_d": float(4 * 512 * 64 * 64), "state": float(4 * (64 * 64 + 64))}
    least = sizes["recurrent"] < sizes["cumulative"]
    verdict = graded(least, seconds["cumulative"] <= min(seconds.values()))
    over = seconds["cumulative"] / min(seconds.values())
    return Evidence(verdict, over, 1.0, None, "×", details)


def every_token_is_seen(seed: int) -> Evidence:
    """A13: linear attention keeps the attention of every token to every other.

    FAILS if a weight of elu + 1 is 0; HOLDS if its rows are as uneven as softmax's, their entropy
    within 0.1; CONDITIONAL if every token is reached, but nearly all alike.
    """
    q, k, _ = _tokens(seed, 256, 16)
    kinds = ("softmax", "elu", "exp", "cosine", "taylor2")
    matrices = {kind: attention_matrix(q, k, kind) for kind in kinds}
    even = {kind: float(entropies(matrix).mean()) for kind, matrix in matrices.items()}
    reached = bool((matrices["elu"] > 0).all())
    details = {f"entropy_{kind}": value for kind, value in even.items()}
    verdict = graded(reached, even["elu"] < even["softmax"] + 0.1)
    return Evidence(verdict, even["elu"], even["softmax"], 0.1, "of uniform", details)


def masked_models_look_near(seed: int) -> Evidence:
    """A14: a masked language model needs little distant context.

    OPEN: deciding it takes such a model, trained on 10^7 characters at least, with its context cut
    at several distances. What is measured is how many characters ship.
    """
    characters = len(TEXT.read_text(encoding="utf-8"))
    return Evidence(Verdict.OPEN, float(characters), float(LEAST_TEXT), None, "characters")


def pooling_sees_ahead(seed: int) -> Evidence:
    """A15: pooling shortens the sequence, too, but hinders generating.

    HOLDS if with masked windows a change of the last token still moves an earlier output.
    """
    q, k, v = _tokens(seed, 64, 16)
    by_token = _moved(pooled, q, k, v)
    control = leak(_moved(partial(linear_attention, causal=True), q, k, v), 63)
    found = leak(by_token, 63)
    details = {"outputs_moved": float((by_token[:63] > 0).sum()), "leak_linear": control}
    return Evidence(held(found > 1e-6 and control == 0), found, 0.0, 1e-6, details=details)


# ---- what the checks share

_ORDERS = {"softmax": 2, "left": 2, "right": 1}


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _tokens(seed: int, n: int, width: int, heads: int | None = None) -> Tensor:
    """q, k, v of N(0, 1), stacked."""
    shape = (n, width) if heads is None else (heads, n, width)
    return torch.randn(3, *shape, generator=_generator(seed), dtype=torch.float64)


def _written(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return softmax_weights(q, k) @ v


def _from_left(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return (q @ k.mT) @ v


def _from_right(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return q @ (k.mT @ v)


def _time_exponent(form: Callable[[Tensor, Tensor, Tensor], Tensor], seed: int) -> float:
    sizes = (256, 512, 1024)
    return exponent(sizes, [_seconds(partial(form, *_tokens(seed, n, 64))) for n in sizes])


def _seconds(run: Callable[[], object]) -> float:
    """The least processor time of three runs."""
    times = []
    for _ in range(3):
        started = time.process_time()
        run()
        times.append(time.process_time() - started)
    return max(min(times), 1e-9)


def _recalled(attention: str, seed: int) -> float:
    config = RecallConfig(attention=attention, seed=seed)
    return accuracy(trained(RECALL, config).tensors, config)


def _normalized(query: Tensor, key: Tensor, v: Tensor) -> Tensor:
    numerator, sums = bracketed(query, key, v)
    return numerator / sums


def _found_back(seed: int, distance: int, window: int) -> float:
    """The share of tokens whose window holds the token it is looking for, `distance` back."""
    places = torch.eye(512, dtype=torch.float64)
    values = torch.randn(512, 8, generator=_generator(seed), dtype=torch.float64)
    out = masked_window(40 * places.roll(-distance, dims=1), places, values, window)
    aimed = values.roll(distance, dims=0)
    return float(((out - aimed).norm(dim=-1) < 1e-3)[distance:].double().mean())


def _moved(form: Callable[..., Tensor], q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """How far each output moves when the last token does."""
    before = torch.stack([q, k, v])
    after = before.clone()
    after[:, -1] += 1
    return moved(form, before, after)


CLAIMS: tuple[Claim, ...] = tuple(
    Claim(f"attention.{name}", source, cost, expects, check)
    for name, source, cost, expects, check in [
        ("A1", "§1, eq. (1)", Cost.SECONDS, Verdict.HOLDS, softmax_makes_it_quadratic),
        ("A2", "§1", Cost.INSTANT, Verdict.HOLDS, brackets_move),
        ("A3", "§1, eq. (3)", Cost.INSTANT, Verdict.HOLDS, bare_products_are_signed),
        ("A4", "§1, eq. (3)", Cost.SECONDS, Verdict.CONDITIONAL, sign_is_required),
        ("A5", "§2, eq. (5)", Cost.INSTANT, Verdict.HOLDS, two_softmaxes_sum_to_one),
        ("A6", "§2, eq. (6)–(7)", Cost.INSTANT, Verdict.CONDITIONAL, cosine_is_nearer),
        ("A7", "§3", Cost.SECONDS, Verdict.HOLDS, sparse_is_chosen_by_hand),
        ("A8", "§3", Cost.SECONDS, Verdict.CONDITIONAL, hashing_finds_the_largest),
        ("A9", "§3, eq. (8)", Cost.SECONDS, Verdict.HOLDS, linformer_needs_more),
        ("A10", "§3, eq. (8)", Cost.INSTANT, Verdict.HOLDS, linformer_is_not_causal),
        ("A11", "§3, eq. (9)–(10)", Cost.SECONDS, Verdict.CONDITIONAL, linear_is_causal),
        ("A12", "§3, eq. (9)–(10)", Cost.SECONDS, Verdict.CONDITIONAL, two_implementations),
        ("A13", "§3–4", Cost.INSTANT, Verdict.CONDITIONAL, every_token_is_seen),
        ("A14", "§3", Cost.INSTANT, Verdict.OPEN, masked_models_look_near),
        ("A15", "§3", Cost.INSTANT, Verdict.HOLDS, pooling_sees_ahead),
    ]
)
