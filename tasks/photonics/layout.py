"""A device as a GDSII layout: what is solid, as polygons (docs/photonics.md)."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from jaxtyping import Float

from data.photonics.problem import PhotonicProblem
from runs.errors import require

UNIT, PRECISION = 1e-6, 1e-9
"""m, of coordinates and of what they are rounded to."""


def to_gds(problem: PhotonicProblem, x: Float[np.ndarray, " variables"], layer: int = 1, datatype: int = 0) -> bytes:
    """The solid of a whole device with a design in it, in micrometres, cells of one run merged into polygons.

    Raises
    ------
    MissingDependency
        gdstk is absent.
    """
    gdstk = require("gdstk", "photonics")
    solid = problem.background > (problem.void + problem.solid) / 2
    solid[problem.box.window] = x.reshape(problem.box.shape) > 0.5
    side = problem.grid.cell / UNIT
    stripes = []
    for column, line in enumerate(solid):
        edges = np.flatnonzero(np.diff(np.concatenate([[0], line.astype(np.int8), [0]])))
        for low, high in edges.reshape(-1, 2).tolist():
            stripes.append(gdstk.rectangle((column * side, low * side), ((column + 1) * side, high * side)))
    cell = gdstk.Cell("DEVICE")
    cell.add(*gdstk.boolean(stripes, [], "or", precision=PRECISION / UNIT, layer=layer, datatype=datatype))
    library = gdstk.Library(unit=UNIT, precision=PRECISION)
    library.add(cell)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "device.gds"
        library.write_gds(str(path))
        return path.read_bytes()
