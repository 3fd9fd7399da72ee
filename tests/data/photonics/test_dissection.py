"""Nested dissection against dense elimination."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from data.photonics.dissection import Dissection, ring_of


def five_points(shape: tuple[int, int], rng: np.random.Generator) -> sp.csr_matrix:
    """A complex symmetric matrix that couples neighbours, each pair by a number of its own."""
    numbers = np.arange(shape[0] * shape[1]).reshape(shape)
    pairs = np.concatenate(
        [
            np.stack([numbers[:-1].reshape(-1), numbers[1:].reshape(-1)]),
            np.stack([numbers[:, :-1].reshape(-1), numbers[:, 1:].reshape(-1)]),
        ],
        axis=1,
    )
    values = rng.normal(size=pairs.shape[1]) + 1j * rng.normal(size=pairs.shape[1])
    upper = sp.coo_matrix((values, pairs), shape=(numbers.size, numbers.size))
    return (upper + upper.T + sp.identity(numbers.size)).tocsr()


def on_the_ring(kinds: int, shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Dense symmetric couplings of the outermost cells."""
    size = len(ring_of(shape))
    found = rng.normal(size=(kinds, size, size)) + 1j * rng.normal(size=(kinds, size, size))
    return (found + np.swapaxes(found, 1, 2)) / size


@pytest.mark.parametrize("leaf", [3, 4, 7])
@pytest.mark.parametrize("shape", [(1, 6), (2, 5), (3, 3), (4, 9), (9, 4), (12, 17), (13, 25)])
def test_solutions_are_those_of_dense_algebra(shape: tuple[int, int], leaf: int) -> None:
    rng = np.random.default_rng(0)
    cells, ring = shape[0] * shape[1], ring_of(shape)
    matrices, beside = [five_points(shape, rng) for _ in range(2)], on_the_ring(2, shape, rng)
    diagonals = rng.uniform(8, 9, size=(3, 2, cells)) + 1j * rng.normal(size=(3, 2, cells))
    dissection = Dissection(shape, matrices, beside, leaf)
    right = rng.normal(size=(3, 2, len(ring), 2)) + 0j
    found = dissection.solve(dissection.factorise(diagonals), right)
    for row in range(3):
        for kind in range(2):
            whole = matrices[kind].toarray() - np.diag(diagonals[row, kind])
            whole[np.ix_(ring, ring)] += beside[kind]
            wanted = np.zeros((cells, 2), complex)
            wanted[ring] = right[row, kind]
            assert found[row, kind] == pytest.approx(np.linalg.solve(whole, wanted), abs=1e-12)


@pytest.mark.parametrize("distance", [1e-4, 1e-6, 1e-9, 1e-13])
def test_a_box_that_resonates_costs_no_digits(distance: float) -> None:
    rng = np.random.default_rng(2)
    shape, matrix = (9, 9), five_points((9, 9), rng)
    dissection = Dissection(shape, [matrix], on_the_ring(1, shape, rng))
    box = dissection.levels[0].cells[0, 0]
    resonance = np.linalg.eigvals(matrix[box][:, box].toarray())[0]
    diagonal = np.full((1, 1, 81), resonance * (1 + distance))
    right = rng.normal(size=(1, 1, len(dissection.ring), 1)) + 0j
    whole = matrix.toarray() - np.diag(diagonal[0, 0])
    whole[np.ix_(dissection.ring, dissection.ring)] += dissection.beside[0]
    wanted = np.zeros(81, complex)
    wanted[dissection.ring] = right[0, 0, :, 0]
    found = dissection.solve(dissection.factorise(diagonal), right)[0, 0, :, 0]
    assert found == pytest.approx(np.linalg.solve(whole, wanted), abs=1e-9 * np.abs(found).max())


def test_many_at_a_time_are_the_same_as_one_by_one() -> None:
    rng = np.random.default_rng(1)
    shape, matrices = (11, 14), [five_points((11, 14), rng) for _ in range(2)]
    beside = on_the_ring(2, shape, rng)
    diagonals = rng.uniform(8, 9, size=(4, 2, 154)) + 0j
    both = Dissection(shape, matrices, beside)
    right = rng.normal(size=(4, 2, len(both.ring), 1)) + 0j
    together = both.solve(both.factorise(diagonals), right)
    single = Dissection(shape, matrices[1:], beside[1:])
    for row in range(4):
        alone = single.solve(single.factorise(diagonals[row : row + 1, 1:]), right[row : row + 1, 1:])
        assert (alone[0, 0] == together[row, 1]).all()
