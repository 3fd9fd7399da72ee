"""The views that a recipe sees of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from data.images.views.view import View
from runs.errors import ConfigError


@dataclass(frozen=True)
class Views:
    """Views of a batch.

    Parameters
    ----------
    views
        Each (batch, 3, height, width), normalised; those of full size first.
    labels
        (batch,) classes, or None where the data has none.
    indices
        (batch,) of the images in the training set.
    global_views
        How many of the views are of full size.
    support
        A view of labelled images beside the batch, and their classes.
    """

    views: tuple[Float[Tensor, "batch 3 height width"], ...]
    labels: Int[Tensor, " batch"] | None
    indices: Int[Tensor, " batch"]
    global_views: int
    support: tuple[Float[Tensor, "support 3 height width"], Int[Tensor, " support"]] | None = None


class ViewSet:
    """All views of a recipe, in order; each has a number, by which its random numbers are drawn.

    Parameters
    ----------
    **kinds
        Kinds of views under names of your choice; those of full size (``size`` None) come first.

    Raises
    ------
    ConfigError
        There is none of full size, or one follows a smaller one: names it.
    """

    def __init__(self, **kinds: View) -> None:
        self.views = [view for view in kinds.values() for _ in range(view.count)]
        self.global_views = sum(view.size is None for view in self.views)
        if not self.global_views:
            raise ConfigError("views: there is none of full size; give at least one view whose size is null")
        local = ""
        for name, view in kinds.items():
            if view.size is None and local:
                raise ConfigError(
                    f"views.{name} is of full size and follows views.{local}, which is not; put it before"
                )
            local = name if view.size is not None else ""

    def __call__(
        self,
        images: UInt8[Tensor, "batch 3 height width"],
        samples: Int[Tensor, " batch"],
        seed: int,
        epoch: int,
        size: int,
        mean: Sequence[float],
        std: Sequence[float],
        sizes: Int[Tensor, "batch 2"] | None = None,
    ) -> tuple[Float[Tensor, "batch 3 view_size view_size"], ...]:
        """The views, normalised by the channels' ``mean`` and ``std``; for the other arguments see :class:`View`."""
        if sizes is None:
            sizes = samples.new_tensor(images.shape[2:]).expand(len(images), 2)
        return tuple(
            normalize(view(images, sizes, samples, seed, epoch, number, size), mean, std)
            for number, view in enumerate(self.views)
        )


def normalize(
    images: Float[Tensor, "batch 3 height width"], mean: Sequence[float], std: Sequence[float]
) -> Float[Tensor, "batch 3 height width"]:
    """(x - mean) / std by channel, in place."""
    shift, scale = (
        torch.tensor(values, device=images.device, dtype=images.dtype)[:, None, None] for values in (mean, std)
    )
    return images.sub_(shift).div_(scale)
