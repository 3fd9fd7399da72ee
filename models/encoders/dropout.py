"""Dropout whose masks do not depend on how many ranks share a batch."""

from __future__ import annotations

import torch
import torch.distributed
from torch import Tensor, nn


class SharedDropout(nn.Module):
    """Dropout that is the same whether one process holds a batch or several hold equal parts of it.

    Every rank draws the mask of the whole batch and keeps its own rows, so ranks whose random states are equal and whose
    parts lie in order of rank draw what one process would. Without ``torch.distributed`` this is ``torch.nn.Dropout``.

    Parameters
    ----------
    probability
        Share of entries set to zero; the others grow by 1 / (1 - probability).
    """

    def __init__(self, probability: float) -> None:
        super().__init__()
        if not 0 <= probability < 1:
            raise ValueError(f"dropout is {probability}; give a number in [0, 1)")
        self.probability = probability

    def forward(self, x: Tensor) -> Tensor:
        """``x`` (batch, ...) with entries dropped, in training only."""
        if not self.training or self.probability == 0:
            return x
        ranks, rank = 1, 0
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            ranks, rank = torch.distributed.get_world_size(), torch.distributed.get_rank()
        keep = 1 - self.probability
        mask = torch.empty(ranks * len(x), *x.shape[1:], dtype=x.dtype, device=x.device).bernoulli_(keep)
        return x * mask[rank * len(x) : (rank + 1) * len(x)] / keep

    def extra_repr(self) -> str:
        return f"probability={self.probability}"
