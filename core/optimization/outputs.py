"""Two small models whose quality is measured by what they output, not by their probabilities.

A classifier of the 8 x 8 digits, held to its accuracy, or (is it an 8?) to F1, on clear pixels and
on noisy ones; and a decoder of short strings that removes repeats, AABBBC -> ABC, held to the edit
distance. All parameters are one vector theta, so that several models run at once: thetas [n, p]
give outputs [n, ...].

Source: https://kexue.fm/archives/7521, eq. (16)-(19). Data: scikit-learn's digits; drawn strings.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import lru_cache

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Generator, Tensor

from core import datasets

RARE = 8  # the digit to be found
NOISE = 2.0  # standard deviations of a pixel: an 8 is then seldom the more probable answer
COPIES = 4  # of the held-out images, each with noise of its own
LETTERS, LENGTH, END = 4, 6, 4  # END is also what is given before the first letter
BATCH = 32


@dataclass(frozen=True)
class Batch:
    """Inputs and what they should give."""

    x: Float[Tensor, "b inputs"]
    y: Tensor  # labels [b], or strings [b, length + 1] that end with END


class Model(ABC):
    """What a training of any kind asks of a model and its metric. Losses lie in [0, 1]."""

    one_pass = False  # does one forward give the probabilities of all outputs, however many drawn?
    shapes: tuple[tuple[int, int], ...]  # rows, columns of each matrix; its last row is the bias

    @property
    def size(self) -> int:
        """How many parameters."""
        return sum(rows * columns for rows, columns in self.shapes)

    def initial(self, generator: Generator) -> Float[Tensor, " p"]:
        """Weights of variance 1/fan-in, biases 0."""
        parts = []
        for rows, columns in self.shapes:
            weight = torch.randn(rows, columns, generator=generator) / math.sqrt(rows - 1)
            weight[-1] = 0
            parts.append(weight.flatten())
        return torch.cat(parts)

    def matrices(self, thetas: Float[Tensor, "n p"]) -> list[Float[Tensor, "n rows columns"]]:
        """The vector cut into its matrices."""
        cuts = thetas.split([rows * columns for rows, columns in self.shapes], dim=1)
        return [cut.unflatten(1, shape) for cut, shape in zip(cuts, self.shapes, strict=True)]

    @abstractmethod
    def batch(self, generator: Generator) -> Batch:
        """Examples to learn from."""

    @abstractmethod
    def test(self) -> Batch:
        """Examples that no training sees."""

    @abstractmethod
    def cross_entropy(self, theta: Float[Tensor, " p"], data: Batch) -> Float[Tensor, ""]:
        """The differentiable loss, nats per label or letter."""

    @abstractmethod
    def metric_loss(self, thetas: Float[Tensor, "n p"], data: Batch) -> Float[Tensor, " n"]:
        """The true loss of the most probable outputs: piecewise constant in theta."""

    @abstractmethod
    def sampled(
        self, theta: Float[Tensor, " p"], data: Batch, count: int, generator: Generator
    ) -> tuple[Float[Tensor, "count k"], Float[Tensor, "count k"]]:
        """Log probabilities of drawn outputs and their true losses; k separate decisions."""


class Classifier(Model):
    """64 pixels, 16 hidden units, 10 digits; the loss is the share of wrong labels."""

    one_pass = True
    classes = 10
    shapes = ((65, 16), (17, 10))

    def batch(self, generator: Generator) -> Batch:
        x, y = self._data("train")
        chosen = torch.randint(len(x), (BATCH * 2,), generator=generator)
        return Batch(x[chosen], y[chosen])

    def test(self) -> Batch:
        return Batch(*self._data("test"))

    def logits(self, thetas: Float[Tensor, "n p"], x: Tensor) -> Float[Tensor, "n b classes"]:
        first, second = self.matrices(thetas)
        return _affine(torch.tanh(_affine(x.expand(len(thetas), -1, -1), first)), second)

    def cross_entropy(self, theta: Float[Tensor, " p"], data: Batch) -> Float[Tensor, ""]:
        return F.cross_entropy(self.logits(theta[None], data.x)[0], data.y)

    def metric_loss(self, thetas: Float[Tensor, "n p"], data: Batch) -> Float[Tensor, " n"]:
        with torch.no_grad():
            return self.scored(self.logits(thetas, data.x).argmax(-1), data.y).mean(-1)

    def sampled(
        self, theta: Float[Tensor, " p"], data: Batch, count: int, generator: Generator
    ) -> tuple[Float[Tensor, "count k"], Float[Tensor, "count k"]]:
        log_p = self.logits(theta[None], data.x)[0].log_softmax(-1)
        drawn = torch.multinomial(log_p.detach().exp(), count, True, generator=generator).T
        chosen = log_p.expand(count, -1, -1).gather(2, drawn[..., None])[..., 0]
        return self.decisions(chosen), self.scored(drawn, data.y)

    def scored(self, labels: Int[Tensor, "n b"], y: Int[Tensor, " b"]) -> Float[Tensor, "n k"]:
        """1 where a label is wrong."""
        return (labels != y).float()

    def decisions(self, log_p: Float[Tensor, "n b"]) -> Float[Tensor, "n k"]:
        """Every image is a decision of its own."""
        return log_p

    def _data(self, split: str) -> tuple[Tensor, Tensor]:
        return digits(split)


class Finder(Classifier):
    """Is it an 8? The loss is 1 - F1 of a whole batch, a single decision."""

    classes = 2
    shapes = ((65, 16), (17, 2))

    def scored(self, labels: Int[Tensor, "n b"], y: Int[Tensor, " b"]) -> Float[Tensor, "n k"]:
        hits = (labels * y).sum(-1, keepdim=True)
        return 1 - 2 * hits / (labels.sum(-1, keepdim=True) + y.sum()).clamp(min=1)

    def decisions(self, log_p: Float[Tensor, "n b"]) -> Float[Tensor, "n k"]:
        return log_p.sum(-1, keepdim=True)

    def _data(self, split: str) -> tuple[Tensor, Tensor]:
        x, y = digits(split)
        return x, (y == RARE).long()


class Faint(Finder):
    """Is it an 8, under noise? Where no answer is sure, likelihood does not serve F1.

    The decision is made at a probability of 1/2, but F1 is best at half its own best value
    (Lipton, Elkan & Narayanaswamy 2014, arXiv:1402.1892): who fits the probabilities finds no 8.
    """

    def batch(self, generator: Generator) -> Batch:
        return _noisy(super().batch(generator), generator)

    def test(self) -> Batch:
        clear = super().test()
        copies = Batch(clear.x.repeat(COPIES, 1), clear.y.repeat(COPIES))
        return _noisy(copies, torch.Generator().manual_seed(1_000_003))


class Decoder(Model):
    """A GRU of 32 units that spells a string, started from all letters of its input at once."""

    hidden = 32
    shapes = (
        (LENGTH * LETTERS + 1, 32), (32 + LETTERS + 2, 64), (32 + LETTERS + 2, 32),
        (33, LETTERS + 1),
    )  # fmt: skip

    def batch(self, generator: Generator) -> Batch:
        return strings(BATCH, generator)

    def test(self) -> Batch:
        return strings(256, torch.Generator().manual_seed(1_000_003))

    def cross_entropy(self, theta: Float[Tensor, " p"], data: Batch) -> Float[Tensor, ""]:
        log_p = self._spell(theta[None], data.x, forced=data.y[None])[1][0]
        ended = (data.y == END).cumsum(-1) - (data.y == END).long()
        return -(log_p * (ended == 0)).sum() / (ended == 0).sum()

    def metric_loss(self, thetas: Float[Tensor, "n p"], data: Batch) -> Float[Tensor, " n"]:
        with torch.no_grad():
            spelled, _ = self._spell(thetas, data.x)
        return edit_loss(spelled, data.y).mean(-1)

    def sampled(
        self, theta: Float[Tensor, " p"], data: Batch, count: int, generator: Generator
    ) -> tuple[Float[Tensor, "count k"], Float[Tensor, "count k"]]:
        spelled, log_p = self._spell(theta.expand(count, -1), data.x, generator=generator)
        ended = (spelled == END).cumsum(-1) - (spelled == END).long()
        return (log_p * (ended == 0)).sum(-1), edit_loss(spelled, data.y)

    def _spell(
        self,
        thetas: Float[Tensor, "n p"],
        x: Tensor,
        *,
        forced: Tensor | None = None,
        generator: Generator | None = None,
    ) -> tuple[Int[Tensor, "n b length"], Float[Tensor, "n b length"]]:
        """Letters and their log probabilities: as `forced`, drawn, or the most probable ones."""
        read, gates, proposal, write = self.matrices(thetas)
        state = torch.tanh(_affine(x.expand(len(thetas), -1, -1), read))
        letter = torch.full(state.shape[:2], END)
        letters, logs = [], []
        for place in range(LENGTH + 1):
            given = F.one_hot(letter, LETTERS + 1).to(state.dtype)
            update, reset = _affine(torch.cat([state, given], -1), gates).sigmoid().chunk(2, -1)
            new = torch.tanh(_affine(torch.cat([reset * state, given], -1), proposal))
            state = update * state + (1 - update) * new
            log_p = _affine(state, write).log_softmax(-1)
            if forced is not None:
                letter = forced[..., place]
            elif generator is not None:
                flat = log_p.detach().exp().flatten(0, 1)
                letter = torch.multinomial(flat, 1, generator=generator).view(log_p.shape[:2])
            else:
                letter = log_p.argmax(-1)
            letters.append(letter)
            logs.append(log_p.gather(-1, letter[..., None])[..., 0])
        return torch.stack(letters, -1), torch.stack(logs, -1)


def strings(count: int, generator: Generator) -> Batch:
    """Six letters with runs, one-hot, and what is left when every run is one letter."""
    letters = torch.randint(LETTERS, (count, LENGTH), generator=generator)
    repeat = torch.rand(count, LENGTH, generator=generator) < 0.4
    for place in range(1, LENGTH):
        letters[:, place] = torch.where(repeat[:, place], letters[:, place - 1], letters[:, place])
    new = torch.cat([torch.ones(count, 1, dtype=torch.bool), letters.diff(dim=1) != 0], dim=1)
    order = (~new).long().argsort(dim=1, stable=True)
    kept = torch.where(new.gather(1, order), letters.gather(1, order), END)
    target = torch.cat([kept, torch.full((count, 1), END)], dim=1)
    return Batch(F.one_hot(letters, LETTERS).flatten(1).float(), target)


def edit_loss(spelled: Int[Tensor, "*n b t"], target: Int[Tensor, "b t"]) -> Float[Tensor, "*n b"]:
    """Levenshtein distance of strings up to their END over the length of the target, at most 1."""
    longest = spelled.shape[-1]
    row = torch.arange(longest + 1.0).expand(*spelled.shape[:-1], -1)
    rows = [row]
    for place in range(longest):
        cells = [torch.full_like(row[..., 0], place + 1.0)]
        differs = (spelled[..., place, None] != target).float()
        for at in range(longest):
            cell = torch.minimum(row[..., at] + differs[..., at], row[..., at + 1] + 1)
            cells.append(torch.minimum(cell, cells[-1] + 1))
        row = torch.stack(cells, -1)
        rows.append(row)
    table = torch.stack(rows, -2)
    ends, goals = _length(spelled), _length(target).expand(spelled.shape[:-1])
    across = table.gather(-2, ends[..., None, None].expand(*ends.shape, 1, longest + 1))[..., 0, :]
    distance = across.gather(-1, goals[..., None])[..., 0]
    return (distance / goals.clamp(min=1)).clamp(max=1.0)


@lru_cache
def digits(split: str) -> tuple[Tensor, Tensor]:
    """Pixels [n, 64] of mean about 0, labels [n]."""
    found = datasets.load("digits", split)
    return (found.images.flatten(1) - 0.3) / 0.37, found.labels


def _noisy(data: Batch, generator: Generator) -> Batch:
    return Batch(data.x + NOISE * torch.randn(data.x.shape, generator=generator), data.y)


def _length(string: Tensor) -> Tensor:
    """How many letters before the first END."""
    return (string == END).cumsum(-1).eq(0).sum(-1)


def _affine(x: Float[Tensor, "n b i"], weight: Float[Tensor, "n i+1 o"]) -> Float[Tensor, "n b o"]:
    return torch.baddbmm(weight[:, -1:], x, weight[:, :-1])


MODELS: dict[str, Model] = {
    "accuracy": Classifier(), "f1": Finder(), "faint": Faint(), "edit": Decoder()
}  # fmt: skip
