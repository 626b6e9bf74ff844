"""Lanczos against dense eigenvalues and against the moments that it promises."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from core.lanczos import krylov, spectral_measure


def symmetric(n: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """A matrix with a spread spectrum, and a start."""
    generator = torch.Generator().manual_seed(seed)
    matrix = torch.randn(n, n, generator=generator, dtype=torch.float64)
    return matrix + matrix.T, torch.randn(n, generator=generator, dtype=torch.float64)


@given(n=st.integers(1, 30), seed=st.integers(0, 50))
def test_all_steps_find_all_eigenvalues(n: int, seed: int) -> None:
    matrix, start = symmetric(n, seed)
    places, weights = spectral_measure(matrix.__matmul__, start, n)
    torch.testing.assert_close(places, torch.linalg.eigvalsh(matrix), rtol=1e-8, atol=1e-8)
    assert float(weights.sum()) == pytest.approx(1)


@given(steps=st.integers(1, 6), seed=st.integers(0, 50))
def test_a_few_steps_give_the_first_moments_exactly(steps: int, seed: int) -> None:
    matrix, start = symmetric(40, seed)
    places, weights = spectral_measure(matrix.__matmul__, start, steps)
    vector = start / start.norm()
    for degree in range(2 * steps):
        moment = vector @ torch.linalg.matrix_power(matrix, degree) @ vector
        scale = float(places.abs().max()) ** degree
        assert float(weights @ places**degree - moment) / scale == pytest.approx(0, abs=1e-9)


def test_the_ends_of_the_spectrum_come_first_and_without_ghosts() -> None:
    spectrum = torch.cat([torch.linspace(0, 1, 197), torch.tensor([3.0, 5.0, 9.0])]).double()
    places, _ = spectral_measure(lambda v: spectrum * v, torch.ones(200).double(), 60)
    assert places[-3:].tolist() == pytest.approx([3, 5, 9], rel=1e-10)
    assert int((places > 2).sum()) == 3


def test_an_exhausted_space_ends_the_steps() -> None:
    spectrum = torch.tensor([2.0] * 5 + [7.0] * 5)
    *_, last = krylov(lambda v: spectrum * v, torch.ones(10))
    assert (len(last.diagonal), len(last.beside), last.length) == (2, 1, 0.0)
    places, weights = spectral_measure(lambda v: 4 * v, torch.ones(6), 5)
    assert places.tolist() == pytest.approx([4])
    assert weights.tolist() == [1]
    nothing, _ = spectral_measure(torch.zeros_like, torch.ones(6), 5)
    assert nothing.tolist() == [0.0]
