"""A design and the light in it."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from data.photonics.problem import PhotonicProblem
from runs.figures import literal, png, sheet


def design_figure(problem: PhotonicProblem, x: Float[np.ndarray, " variables"]) -> bytes:
    """A PNG: the device with its design, solid dark, and at each wavelength the strength of the field with its outline."""
    solid = problem.background > (problem.void + problem.solid) / 2
    solid[problem.box.window] = x.reshape(problem.box.shape) > 0.5
    count = len(problem.wavelengths)
    figure = sheet(3.2 * (1 + count), 3.4)
    axes = figure.subplots(1, 1 + count, squeeze=False)[0]
    extent = [0, solid.shape[0] * problem.grid.cell * 1e6, 0, solid.shape[1] * problem.grid.cell * 1e6]
    axes[0].imshow(solid.T, origin="lower", cmap="Greys", extent=extent, interpolation="nearest")
    axes[0].set_title("design", fontsize=9)
    axes[0].set_xlabel("um")
    for number, shown in enumerate(axes[1:]):
        strength = np.abs(problem.field(x, number))
        shown.imshow(strength.T, origin="lower", cmap="magma", extent=extent, vmax=np.quantile(strength, 0.998))
        shown.contour(
            solid.T.astype(float), levels=[0.5], colors="white", linewidths=0.4, origin="lower", extent=extent
        )
        shown.set_title(literal(f"|E| at {problem.wavelengths[number] * 1e9:.6g} nm"), fontsize=9)
        shown.set_xlabel("um")
    return png(figure)
