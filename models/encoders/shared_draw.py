"""Random numbers per row that do not depend on how many ranks share a batch."""

from __future__ import annotations

import torch
import torch.distributed
from jaxtyping import Float
from torch import Tensor


def deal() -> tuple[int, int]:
    """Ranks that share a batch, and this one's number; (1, 0) without ``torch.distributed``.

    Rows are dealt as the training loader deals items: item i of rank r is item ``i * ranks + r`` of the batch, also where
    several views of the items follow one another.
    """
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return torch.distributed.get_world_size(), torch.distributed.get_rank()
    return 1, 0


def shared_uniform(rows: int, *shape: int, device: torch.device | str = "cpu") -> Float[Tensor, "rows ..."]:
    """Uniform numbers in [0, 1) for this rank's ``rows``, from the global generator.

    Every rank draws those of the whole batch and keeps its own, so ranks of equal random state draw what one process would.
    """
    ranks, rank = deal()
    return torch.rand(rows * ranks, *shape, device=device)[rank::ranks]
