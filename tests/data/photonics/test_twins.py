"""Designs with moved edges."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from data.photonics.brush import notched_square
from data.photonics.twins import twins
from runs.errors import ConfigError
from tests.data.photonics.small import crossing, straight

CELL = 40e-9


def test_whole_cells_are_erosion_and_dilation_among_the_surroundings() -> None:
    problem = crossing((8, 14))
    x = straight(problem)
    same, eroded, dilated = twins(problem, x, CELL).reshape(3, *problem.box.shape)
    assert (same.reshape(-1) == x).all()
    assert eroded.sum(axis=1).tolist() == [8.0] * 8  # ten cells wide, and it ends nowhere: waveguides lead on
    assert dilated.sum(axis=1).tolist() == [12.0] * 8
    alone = np.zeros(problem.box.shape)
    alone[2:6, 4:9] = 1
    _, eroded, dilated = twins(problem, alone.reshape(-1), CELL).reshape(3, *problem.box.shape)
    cross = notched_square(3, 1)
    assert (eroded == ndimage.binary_erosion(alone, cross)).all()
    waveguide = slice(2, 12)  # of which dilation brings a cell in at either side
    expected = ndimage.binary_dilation(alone, cross)
    expected[[0, -1], waveguide] = True
    assert (dilated == expected).all()


def test_parts_of_a_cell_lie_in_between_and_two_cells_are_twice_one() -> None:
    problem = crossing((8, 16))
    x = straight(problem)
    half = twins(problem, x, CELL / 2)
    assert half == pytest.approx((twins(problem, x, CELL) + x) / 2)
    assert twins(problem, x, 2 * CELL)[1].sum() == 8 * 6
    with pytest.raises(ConfigError, match="shift of edges is 0 m"):
        twins(problem, x, 0.0)


def test_one_call_solves_a_design_and_its_twins() -> None:
    problem = crossing((8, 14))
    family = twins(problem, straight(problem), CELL / 4)
    s = problem.scattering(family)
    for design, one in zip(family, s, strict=True):
        assert problem.directly(design) == pytest.approx(one, abs=1e-10)
