"""Nested dissection against dense elimination."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from data.photonics.dissection import Dissection


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


@pytest.mark.parametrize("leaf", [3, 4, 7])
@pytest.mark.parametrize("shape", [(1, 6), (2, 5), (3, 3), (4, 9), (9, 4), (12, 17), (13, 25)])
def test_what_is_left_on_the_ring_and_what_follows_inside_are_those_of_dense_algebra(
    shape: tuple[int, int], leaf: int
) -> None:
    rng = np.random.default_rng(0)
    cells = shape[0] * shape[1]
    matrices = [five_points(shape, rng) for _ in range(2)]
    diagonals = rng.uniform(8, 9, size=(3, 2, cells)) + 1j * rng.normal(size=(3, 2, cells))
    dissection = Dissection(shape, matrices, leaf)
    eliminated = dissection.eliminate(diagonals)
    ring, inside = dissection.ring, np.setdiff1d(np.arange(cells), dissection.ring)
    values = rng.normal(size=(3, 2, len(ring), 2))
    everywhere = dissection.everywhere(eliminated, values)
    assert (everywhere[:, :, ring] == values).all()
    for row in range(3):
        for kind in range(2):
            whole = matrices[kind].toarray() - np.diag(diagonals[row, kind])
            follow = -np.linalg.solve(whole[np.ix_(inside, inside)], whole[np.ix_(inside, ring)])
            assert eliminated.ring[row, kind] == pytest.approx(whole[np.ix_(ring, inside)] @ follow, abs=1e-12)
            assert everywhere[row, kind, inside] == pytest.approx(follow @ values[row, kind], abs=1e-12)


def test_many_at_a_time_are_the_same_as_one_by_one() -> None:
    rng = np.random.default_rng(1)
    matrices = [five_points((11, 14), rng) for _ in range(2)]
    diagonals = rng.uniform(8, 9, size=(4, 2, 154)) + 0j
    together = Dissection((11, 14), matrices).eliminate(diagonals).ring
    for row in range(4):
        alone = Dissection((11, 14), matrices[1:]).eliminate(diagonals[row : row + 1, 1:]).ring
        assert (alone[0, 0] == together[row, 1]).all()
