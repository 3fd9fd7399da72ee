"""Classes of unequal size."""

from __future__ import annotations

import torch

from data.images.source import ImageSet, ImageSource
from data.images.subset import labels_of, per_class
from runs.errors import ConfigError


class LongTailed(ImageSource):
    """Another source whose training classes shrink geometrically: class c of C keeps n_0 ratio^(c / (C - 1)) images.

    Parameters
    ----------
    source
        The balanced whole; the test images stay as they are.
    ratio
        Size of the last class over that of the first, on (0, 1].
    seed
        Of the choice.

    Raises
    ------
    ConfigError
        ``ratio`` is outside its range.
    """

    def __init__(self, source: ImageSource, ratio: float, seed: int = 0) -> None:
        if not 0 < ratio <= 1:
            raise ConfigError(f"ratio is {ratio}; the last class over the first is above 0, at most 1")
        self.source, self.ratio, self.seed = source, ratio, seed

    def train(self) -> ImageSet:
        """The long-tailed images; n_0 is the size of the smallest class, so that every class has its share."""
        images = self.source.train()
        labels, classes = labels_of(images, "long_tailed"), len(images.classes)
        most = int(torch.bincount(labels, minlength=classes).min())
        counts = [max(1, round(most * self.ratio ** (c / max(classes - 1, 1)))) for c in range(classes)]
        return images.take(per_class(labels, counts, self.seed))

    def test(self) -> ImageSet:
        """The balanced test images."""
        return self.source.test()
