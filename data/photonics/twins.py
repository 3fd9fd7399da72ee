"""What a design becomes where its edges are etched too much or too little (docs/papers/surco.md#2.3)."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float
from scipy import ndimage

from data.photonics.brush import notched_square
from data.photonics.problem import PhotonicProblem
from runs.errors import ConfigError

TWINS = ("as designed", "eroded", "dilated")


def twins(
    problem: PhotonicProblem, x: Float[np.ndarray, " variables"], shift: float
) -> Float[np.ndarray, "3 variables"]:
    """A design, and the same with all edges moved into solid and into void; only the design is moved.

    One call of :meth:`~data.photonics.problem.PhotonicProblem.scattering` solves all three.

    Parameters
    ----------
    x
        Pixels between 0 and 1, 1 for solid.
    shift
        m. Parts of a cell are the same part of the change that a whole cell makes.

    Raises
    ------
    ConfigError
        The shift is not above 0.
    """
    if not shift > 0:
        raise ConfigError(f"the shift of edges is {shift:g} m; it must be above 0")
    whole = (problem.background - problem.void) / (problem.solid - problem.void)
    whole[problem.box.window] = x.reshape(problem.box.shape)
    moved = [_moved(whole, move, shift / problem.grid.cell) for move in (ndimage.grey_erosion, ndimage.grey_dilation)]
    return np.stack([x, *(image[problem.box.window].reshape(-1) for image in moved)])


def _moved(image: Float[np.ndarray, "x y"], move: Any, cells: float) -> Float[np.ndarray, "x y"]:
    """Edges of an image moved by cells, the last part of one by interpolation."""
    while cells > 0:
        image = image + min(cells, 1.0) * (move(image, footprint=notched_square(3, 1)) - image)
        cells -= 1
    return image
