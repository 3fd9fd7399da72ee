"""Labelled images that a training step sees beside its batch (PAWS)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from data.images.subset import per_class
from runs.errors import ConfigError


class Support:
    """Equally many images of each class, drawn anew for each step among those whose labels are taken as known.

    Parameters
    ----------
    per_class
        Images of each class in a step, of all processes together.
    labelled_per_class
        Images of each class whose labels are known; None for all.
    seed
        Of the choice of those.

    Raises
    ------
    ConfigError
        A number is not positive, or a step wants more images than are labelled.
    """

    def __init__(self, per_class: int, labelled_per_class: int | None = None, seed: int = 0) -> None:
        if per_class < 1 or (labelled_per_class is not None and labelled_per_class < per_class):
            raise ConfigError(
                f"data.support.per_class is {per_class} and labelled_per_class {labelled_per_class}; give a step at least "
                "one image of each class, and no more than are labelled"
            )
        self.per_class, self.labelled_per_class, self.seed = per_class, labelled_per_class, seed

    def labelled(self, labels: Int[Tensor, " images"]) -> list[Int[Tensor, " members"]]:
        """Indices, class by class, of the images whose labels are known.

        Raises
        ------
        ConfigError
            A class has fewer images.
        """
        sizes = torch.bincount(labels).tolist()
        wanted = sizes if self.labelled_per_class is None else [self.labelled_per_class] * len(sizes)
        least = min(wanted)
        for name, value, there in (("labelled_per_class", least, min(sizes)), ("per_class", self.per_class, least)):
            if there < value:
                raise ConfigError(f"data.support.{name} is {value}, and a class has {there} images; lower it")
        chosen = per_class(labels, wanted, self.seed)
        return [chosen[labels[chosen] == label] for label in range(len(sizes))]

    def draw(
        self, by_class: Sequence[Int[Tensor, " members"]], seed: int, step: int, ranks: int = 1, rank: int = 0
    ) -> Int[Tensor, " chosen"]:
        """This process's part of a step's support; the parts of all ranks, one after the other, are that of one process.

        Parameters
        ----------
        by_class
            What :meth:`labelled` gives.

        Raises
        ------
        ConfigError
            The ranks cannot share it equally.
        """
        if len(by_class) * self.per_class % ranks:
            raise ConfigError(
                f"data.support has {len(by_class) * self.per_class} images, which {ranks} processes cannot share equally; "
                f"give a per_class that is a multiple of {ranks}"
            )
        rng = np.random.default_rng([seed, step])
        drawn = [members[rng.choice(len(members), self.per_class, replace=False)] for members in by_class]
        return torch.cat(drawn).chunk(ranks)[rank]
