"""Spectra of the features: a cliff is dimensional collapse."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float
from torch import Tensor

from runs.errors import InvalidProblem
from runs.figures import COLOURS, png, sheet
from tasks.images.pictures.picture import Picture
from tasks.images.protocols.features import FeatureParts
from tasks.images.representation.spectrum import covariance_eigenvalues


def spectra_figure(spectra: Mapping[str, Float[Tensor, " values"]]) -> bytes:
    """PNG of eigenvalues of the covariance over their number, both logarithmic, each over its largest.

    What is below 1e-12 of the largest is not shown.

    Parameters
    ----------
    spectra
        Eigenvalues by name, largest first.
    """
    figure = sheet(4.8, 3.4)
    axes = figure.subplots()
    for (name, spectrum), colour in zip(spectra.items(), COLOURS, strict=False):
        values = (spectrum / spectrum[0].clamp(min=1e-300)).double().cpu().numpy()
        values = np.where(values > 1e-12, values, np.nan)
        axes.plot(np.arange(1, len(values) + 1), values, label=name, color=colour, linewidth=1.6)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("k")
    axes.set_ylabel("eigenvalue k over the first")
    axes.legend(fontsize=8)
    axes.grid(alpha=0.3)
    return png(figure)


@final
@dataclass(frozen=True)
class Spectra(Picture):
    """Spectra of h and, with a projector, of z, of the clean training images.

    Parameters
    ----------
    images
        At most so many, the first.
    """

    images: int = 25_600

    def draw(self, parts: FeatureParts, metrics: Mapping[str, float]) -> bytes:
        """PNG of the eigenvalues of the centred covariances.

        Raises
        ------
        InvalidProblem
            All images have the same features.
        """
        features = {"h": parts.train.h, "z": parts.train.z}
        spectra = {n: covariance_eigenvalues(f[: self.images]) for n, f in features.items() if f is not None}
        if flat := [name for name, values in spectra.items() if not values[0] > 0]:
            raise InvalidProblem(f"features {' and '.join(flat)} are the same for all images, and have no spectrum")
        return spectra_figure(spectra)
