"""Spectra of feature matrices, and how many directions a spectrum uses."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from runs.errors import ConfigError

CHUNK = 16384
"""Rows that are converted to float64 at a time."""


def require_finite(features: Tensor, where: str) -> None:
    """Refuse features that a diverged encoder makes.

    Raises
    ------
    ConfigError
        An entry is NaN or infinite: names ``where`` and how many images have one.
    """
    if features.ndim != 2 or len(features) < 2:
        raise ConfigError(
            f"{where} has the shape {tuple(features.shape)}; give (images, dimension) with at least 2 images"
        )
    bad = ~torch.isfinite(features).all(1)
    if bool(bad.any()):
        raise ConfigError(
            f"{where}: {int(bad.sum())} of {len(features)} images have NaN or infinite features "
            f"(first: {int(bad.int().argmax())}); the encoder diverged: take an earlier checkpoint, lower the learning "
            "rate, or keep features in float32"
        )


def singular_values(z: Float[Tensor, "images dimension"]) -> Float[Tensor, " values"]:
    """The min(N, D) singular values of Z, largest first, in float64.

    They are roots of the eigenvalues of the smaller Gram matrix, summed in chunks: exact down to about 1e-8 of the largest.
    """
    return _eigenvalues(_gram(z)).sqrt()


def covariance_eigenvalues(h: Float[Tensor, "images dimension"]) -> Float[Tensor, " dimension"]:
    """Eigenvalues of the centred covariance (divided by N - 1), largest first, in float64."""
    mean = h.double().mean(0)
    covariance = sum((chunk.double() - mean).T @ (chunk.double() - mean) for chunk in h.split(CHUNK))
    assert isinstance(covariance, Tensor)
    return _eigenvalues(covariance / (len(h) - 1))


def effective_rank(spectrum: Float[Tensor, " values"], epsilon: float = 1e-7) -> float:
    """exp(-sum p ln p) with p_k = s_k / sum s + epsilon (docs/papers/ssl.md#(19)).

    1 for one direction, K for K equal ones.

    A spectrum of zeros has rank 0.
    """
    total = spectrum.sum()
    if not total > 0:
        return 0.0
    p = spectrum / total + epsilon
    return float(torch.exp(-(p * p.log()).sum()))


def _gram(z: Tensor) -> Tensor:
    if len(z) <= z.shape[1]:
        return z.double() @ z.double().T
    gram = sum(chunk.double().T @ chunk.double() for chunk in z.split(CHUNK))
    assert isinstance(gram, Tensor)
    return gram


def _eigenvalues(symmetric: Tensor) -> Tensor:
    return torch.linalg.eigvalsh(symmetric).flip(0).clamp(min=0)
