"""Mixup, CutMix and label smoothing, batched: every image has its own share and its own box."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from runs.errors import ConfigError


@dataclass(frozen=True)
class Mixing:
    """Mixes each image with the one at the mirrored place of its batch, by mixup or CutMix with equal odds.

    Parameters
    ----------
    mixup
        a of the share lambda ~ Beta(a, a) that an image keeps of its colours; 0: no mixup.
    cutmix
        a of the share lambda ~ Beta(a, a) that an image keeps of its area; 0: no CutMix.
    smoothing
        Probability that targets spread evenly over all classes.

    Raises
    ------
    ConfigError
        ``mixup`` or ``cutmix`` is negative, or ``smoothing`` outside [0, 1).

    References
    ----------
    Zhang et al., mixup (2018); Yun et al., CutMix (2019), section 3.
    """

    mixup: float = 0.8
    cutmix: float = 1.0
    smoothing: float = 0.1

    def __post_init__(self) -> None:
        for field in ("mixup", "cutmix"):
            if not getattr(self, field) >= 0:
                raise ConfigError(f"mixing.{field} is {getattr(self, field)}; give a number of at least 0")
        if not 0 <= self.smoothing < 1:
            raise ConfigError(f"mixing.smoothing is {self.smoothing}; give a probability in [0, 1)")

    def __call__(
        self,
        images: Float[Tensor, "batch channels height width"],
        labels: Int[Tensor, " batch"],
        classes: int,
        rng: np.random.Generator,
    ) -> tuple[Float[Tensor, "batch channels height width"], Float[Tensor, "batch classes"]]:
        """Mixed images and the probabilities of the classes that they should have."""
        targets = functional.one_hot(labels.long(), classes).to(images.dtype)
        targets = targets * (1 - self.smoothing) + self.smoothing / classes
        if self.mixup == self.cutmix == 0:
            return images, targets
        kept = self._kept(images, rng)
        share = kept.mean((1, 2, 3))[:, None]
        return kept * images + (1 - kept) * images.flip(0), share * targets + (1 - share) * targets.flip(0)

    def _kept(self, images: Tensor, rng: np.random.Generator) -> Float[Tensor, "batch 1 height width"]:
        """How much of each pixel is the image's own."""
        batch, _, height, width = images.shape
        cut = rng.random(batch) < (0.0 if self.cutmix == 0 else 1.0 if self.mixup == 0 else 0.5)
        share = np.where(cut, _beta(self.cutmix, batch, rng), _beta(self.mixup, batch, rng))
        colours = np.broadcast_to(share[:, None, None, None], (batch, 1, height, width))
        boxes = _outside_box(share, height, width, rng)
        kept = np.where(cut[:, None, None, None], boxes, colours)
        return torch.from_numpy(kept).to(images.device, images.dtype)


def _beta(alpha: float, batch: int, rng: np.random.Generator) -> np.ndarray:
    return rng.beta(alpha, alpha, batch) if alpha > 0 else np.ones(batch)


def _outside_box(share: np.ndarray, height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """(batch, 1, height, width): 0 in a box of the area 1 - share around a uniform centre, cut off at the edges, else 1."""
    covered = []
    for size in (height, width):
        side = np.floor(size * np.sqrt(1 - share)).astype(int)
        centre = rng.integers(size, size=len(share))
        low, high = np.clip(centre - side // 2, 0, size), np.clip(centre - side // 2 + side, 0, size)
        place = np.arange(size)
        covered.append((place >= low[:, None]) & (place < high[:, None]))
    rows, columns = covered
    return 1.0 - (rows[:, None, :, None] & columns[:, None, None, :])
