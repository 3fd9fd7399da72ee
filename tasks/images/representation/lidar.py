"""LiDAR: the rank of what tells images apart from what tells their views apart, without labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor

from runs.errors import ConfigError
from tasks.images.protocols.features import FeatureParts
from tasks.images.protocols.images import CROP_AND_FLIP, ImageParts
from tasks.images.protocols.protocol import Protocol
from tasks.images.representation.spectrum import effective_rank, require_finite


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


@final
@dataclass(frozen=True)
class LiDAR(Protocol):
    """``lidar_h`` and, with a projector, ``lidar_z``, of random views of the first training images.

    Views are those of the recipe (the first kind of a batch), or crops and flips where it is not known.

    Parameters
    ----------
    images, views
        n images, q views of each (docs/papers/ssl.md#(20)); fewer images if the training part has fewer.
    seed
        Of the views.
    """

    images: int = 1000
    views: int = 50
    seed: int = 0
    supervised: ClassVar[bool] = False

    def __post_init__(self) -> None:
        for name in ("images", "views"):
            if getattr(self, name) < 2:
                raise ConfigError(f"lidar.{name} is {getattr(self, name)}; give at least 2")

    def evaluate(self, parts: FeatureParts) -> dict[str, float]:
        """Effective ranks, between 1 and the dimension."""
        images = parts.images_of("lidar")
        rows = torch.arange(min(self.images, len(images.train)))
        features = [self._views_of(images, chunk) for chunk in rows.split(max(images.batch_size // self.views, 1))]
        measured = {"lidar_h": self._measured([h for h, _ in features], "h")}
        if images.projector is not None:
            measured["lidar_z"] = self._measured([z for _, z in features if z is not None], "z")
        return measured

    @torch.no_grad()
    def _views_of(self, images: ImageParts, rows: Tensor) -> tuple[Tensor, Tensor | None]:
        """h and z of all views of some images, (images, views, dimension) each."""
        kinds = images.views or CROP_AND_FLIP
        batch = torch.cat([images.viewed(images.train, rows, kinds, self.seed, number) for number in range(self.views)])
        h = images.encoder(batch)
        z = None if images.projector is None else images.projector(h)
        return _by_image(h, len(rows)), None if z is None else _by_image(z, len(rows))

    def _measured(self, features: list[Tensor], name: str) -> float:
        views = torch.cat(features)
        require_finite(views.flatten(0, 1), f"lidar: {name}")
        return lidar(views)


def _by_image(features: Float[Tensor, "rows dimension"], images: int) -> Float[Tensor, "images views dimension"]:
    return features.unflatten(0, (-1, images)).transpose(0, 1).cpu()
