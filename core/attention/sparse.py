"""Two ways of leaving keys out: a window that somebody chose, and buckets that a hash chooses.

Sources: https://kexue.fm/archives/7546, section 4; windows as in Child et al. 2019
(arXiv:1904.10509); angular hashing as in Kitaev et al. 2020 (arXiv:2001.04451).
Axes: n tokens, d width of q and k, c width of v.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor


def masked_window(
    q: Float[Tensor, "n d"], k: Float[Tensor, "n d"], v: Float[Tensor, "n c"], window: int
) -> Float[Tensor, "n c"]:
    """Causal softmax over the last `window` keys, by masking the whole n x n matrix."""
    place = torch.arange(len(q))
    age = place.unsqueeze(-1) - place
    scores = (q @ k.mT).masked_fill((age < 0) | (age >= window), -torch.inf)
    return scores.softmax(dim=-1) @ v


def blocked_window(
    q: Float[Tensor, "n d"], k: Float[Tensor, "n d"], v: Float[Tensor, "n c"], window: int
) -> Float[Tensor, "n c"]:
    """The same from blocks of `window` queries, each beside its own and the block before.

    It computes 2 window numbers a query, not n. Raises ValueError unless `window` divides n.
    """
    if len(q) % window:
        raise ValueError(f"window is {window}, but must divide the {len(q)} tokens")
    blocks = (x.unflatten(0, (-1, window)) for x in (q, k, v))
    queries, keys, values = blocks
    keys, values = (torch.cat([_before(x), x], dim=1) for x in (keys, values))
    place, other = torch.arange(window).unsqueeze(-1), torch.arange(2 * window) - window
    out_of_reach = (other > place) | (other <= place - window)
    scores = (queries @ keys.mT).masked_fill(out_of_reach, -torch.inf)
    scores[0] = scores[0].masked_fill(other < 0, -torch.inf)  # nothing comes before the first
    return (scores.softmax(dim=-1) @ values).flatten(0, 1)


def hashed(
    x: Float[Tensor, "n d"], directions: Float[Tensor, "rounds d half"]
) -> Float[Tensor, "rounds n"]:
    """The bucket of each token in each round: which of the directions and their opposites is
    nearest."""
    turned = x @ directions
    return torch.cat([turned, -turned], dim=-1).argmax(dim=-1).to(x)


def same_bucket(
    q: Float[Tensor, "n d"], k: Float[Tensor, "m d"], directions: Float[Tensor, "rounds d half"]
) -> Bool[Tensor, "rounds n m"]:
    """Which keys each query may look at, after the first round, the first two, and so on."""
    query, key = (hashed(F.normalize(x, dim=-1), directions) for x in (q, k))
    met = query.unsqueeze(-1) == key.unsqueeze(-2)
    return met.cumsum(dim=0) > 0


def recall_of_largest(
    q: Float[Tensor, "n d"], k: Float[Tensor, "m d"], seen: Bool[Tensor, "*rounds n m"], count: int
) -> Float[Tensor, "*rounds"]:
    """The share of each query's `count` largest q·k that are among the keys it looks at."""
    largest = (q @ k.mT).topk(count, dim=-1).indices
    found = seen.gather(-1, largest.expand(*seen.shape[:-1], count))
    return found.to(q).mean(dim=(-2, -1))


def _before(blocks: Float[Tensor, "b w c"]) -> Float[Tensor, "b w c"]:
    return F.pad(blocks, (0, 0, 0, 0, 1, 0))[:-1]
