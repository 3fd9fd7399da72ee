"""LiDAR: the rank of what tells images apart from what tells their views apart, without labels."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from runs.errors import ConfigError
from tasks.images.representation.spectrum import effective_rank


def lidar(views: Float[Tensor, "images views dimension"], delta: float = 1e-4, epsilon: float = 1e-7) -> float:
    """Effective rank of (S_w + delta I)^-1/2 S_b (S_w + delta I)^-1/2.

    S_b is the covariance of the means of an image's views and S_w the mean covariance of the views about their mean, both
    divided by the number of terms.

    Parameters
    ----------
    views
        Features of the views of each image.
    delta
        Added to the diagonal of S_w.
    epsilon
        Added to the normalised eigenvalues, as in RankMe.

    Raises
    ------
    ConfigError
        Fewer than two images, or fewer than two views of each.

    References
    ----------
    Thilak et al., LiDAR (2023), section 4.
    """
    images, per_image, dimension = views.shape
    if images < 2 or per_image < 2:
        raise ConfigError(f"lidar has {images} images and {per_image} views of each; give at least 2 of both")
    means = views.mean(1, dtype=torch.float64)
    centred = means - means.mean(0)
    between = centred.T @ centred / images
    within = delta * torch.eye(dimension, dtype=torch.float64, device=views.device)
    for rows, mean in zip(views, means, strict=True):
        deviations = rows.double() - mean
        within += deviations.T @ deviations / (images * per_image)
    values, vectors = torch.linalg.eigh(within)
    whitening = vectors * values.rsqrt() @ vectors.T
    spectrum = torch.linalg.eigvalsh(whitening @ between @ whitening)
    return effective_rank(spectrum.flip(0).clamp(min=0), epsilon)
