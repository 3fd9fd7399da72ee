"""A first-in, first-out queue of embeddings: of moco_v2, nnclr, mean_shift, ressl, swav (docs/papers/ssl.md#2.6)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from models.precision import full_precision
from models.ssl.parts.state.gather import gather
from runs.errors import ConfigError


class FeatureQueue(nn.Module):
    """The last ``size`` embeddings of all processes, on the unit sphere; random directions where none came yet.

    It is the same on every process and part of the checkpoint. Push after the backward pass (``Recipe.after_step``): a
    loss that took ``features`` needs them unchanged for its gradient.

    Parameters
    ----------
    size
        Number of embeddings, a multiple of the rows pushed at once by all processes together.
    width
        D.

    Raises
    ------
    ConfigError
        ``size`` or ``width`` is below 1.
    """

    features: Tensor
    pushed: Tensor

    def __init__(self, size: int, width: int) -> None:
        super().__init__()
        if size < 1 or width < 1:
            raise ConfigError(f"a queue of size {size} and width {width} holds nothing; both must be at least 1")
        directions = torch.randn(size, width, generator=torch.Generator().manual_seed(0))
        self.register_buffer("features", functional.normalize(directions))
        self.register_buffer("pushed", torch.zeros((), dtype=torch.long))

    @property
    def full(self) -> bool:
        """Whether every random direction has been replaced."""
        return bool(self.pushed >= len(self.features))

    @torch.no_grad()
    def push(self, z: Float[Tensor, "rows width"]) -> None:
        """Replace the oldest embeddings by ``z`` of all processes, normalised. Collective.

        Raises
        ------
        ConfigError
            The size is no multiple of the rows, or the widths differ.
        """
        size, width = self.features.shape
        if z.shape[1] != width:
            raise ConfigError(f"embeddings of width {z.shape[1]} do not fit a queue of width {width}")
        rows = gather(functional.normalize(z.to(self.features.dtype)))
        if len(rows) == 0 or size % len(rows):
            raise ConfigError(f"the queue's size {size} is no multiple of the {len(rows)} rows of a batch; make it one")
        slots = (self.pushed + torch.arange(len(rows), device=rows.device)) % size
        self.features.index_copy_(0, slots, rows)
        self.pushed += len(rows)

    @torch.no_grad()
    @full_precision
    def nearest(self, z: Float[Tensor, "rows width"], k: int = 1) -> Float[Tensor, "rows k width"]:
        """The ``k`` embeddings of largest cosine to each row, nearest first.

        Raises
        ------
        ConfigError
            ``k`` is not between 1 and the queue's size.
        """
        if not 1 <= k <= len(self.features):
            raise ConfigError(f"k is {k}; a queue of {len(self.features)} has between 1 and that many neighbours")
        similarity = z.to(self.features.dtype) @ self.features.T
        return self.features[similarity.topk(k, 1).indices]
