"""Reflections that are never multiplied out against those that are, and against the uniform law."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest
from torch import Tensor

from core.orthogonal import Reflections, reflections

SIZES = st.integers(1, 9)


def drawn(m: int, n: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(m, n, generator=generator, dtype=torch.float64)


def dense(found: Reflections) -> Tensor:
    return found @ torch.eye(found.shape[1], dtype=found.vectors.dtype)


def by_hand(rows: Tensor) -> Tensor:
    """The mirrors as matrices, one after the other; at least as many columns as rows."""
    product, signs = torch.eye(rows.shape[1]).to(rows), []
    for k, row in enumerate(rows):
        normal = torch.cat([torch.zeros(k), row[k:]])
        signs.append(-1.0 if row[k] >= 0 else 1.0)
        normal[k] -= signs[-1] * normal.norm()
        product = product - 2 * torch.outer(product @ normal, normal) / (normal @ normal)
    return torch.tensor(signs)[:, None] * product.T[: len(rows)]


@settings(max_examples=60)
@given(m=SIZES, n=SIZES, seed=st.integers(0, 99))
def test_products_are_those_with_the_mirrors_written_out(m: int, n: int, seed: int) -> None:
    matrix = drawn(m, n, seed)
    found = reflections(matrix)
    expected = by_hand(matrix) if m <= n else by_hand(matrix.T).T
    assert found.shape == (m, n)
    torch.testing.assert_close(dense(found), expected)
    torch.testing.assert_close(dense(found.T), expected.T)
    x = drawn(1, n, seed + 1)[0]
    torch.testing.assert_close(found @ x, expected @ x)


@settings(max_examples=60)
@given(m=SIZES, n=SIZES, seed=st.integers(0, 99), empty=st.integers(0, 8))
def test_they_are_orthonormal_whatever_is_reflected(m: int, n: int, seed: int, empty: int) -> None:
    matrix = drawn(m, n, seed)
    matrix[empty % m] = 0
    weight = dense(reflections(matrix))
    gram = weight @ weight.T if m <= n else weight.T @ weight
    torch.testing.assert_close(gram, torch.eye(min(m, n), dtype=torch.float64), atol=1e-12, rtol=0)


def test_normal_ones_prefer_no_direction() -> None:
    many = torch.stack([dense(reflections(drawn(3, 3, seed))) for seed in range(2000)])
    traces = many.diagonal(dim1=1, dim2=2).sum(1)
    assert abs(float(traces.mean())) < 4.5 / math.sqrt(2000)  # E tr = 0, E tr^2 = 1 if uniform
    assert float(traces.square().mean()) == pytest.approx(1, abs=4.5 * math.sqrt(2 / 2000))
    for entry in many.flatten(1).T:  # in space a coordinate of a random unit vector is uniform
        assert kstest(entry.numpy(), "uniform", args=(-1, 2)).pvalue > 1e-4
