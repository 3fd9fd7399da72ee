"""Random numbers per row that do not depend on how many ranks share a batch."""

from __future__ import annotations

import torch
import torch.distributed
from jaxtyping import Float, Shaped
from torch import Tensor


def deal() -> tuple[int, int]:
    """Ranks that share a batch, and this one's number; (1, 0) without ``torch.distributed``.

    Images are dealt as the training loader deals them: the parts of the ranks, one after the other, are the batch.
    """
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return torch.distributed.get_world_size(), torch.distributed.get_rank()
    return 1, 0


def own_rows(whole: Shaped[Tensor, "all_rows ..."], views: int = 1) -> Shaped[Tensor, "rows ..."]:
    """This rank's rows of the whole batch's, where ``views`` of the images follow one another."""
    ranks, rank = deal()
    return whole.unflatten(0, (views, ranks, -1))[:, rank].flatten(0, 1)


def shared_uniform(
    rows: int, *shape: int, views: int = 1, device: torch.device | str = "cpu"
) -> Float[Tensor, "rows ..."]:
    """Uniform numbers in [0, 1) for this rank's ``rows``, from the global generator.

    Every rank draws those of the whole batch and keeps its own, so ranks of equal random state draw what one process would.

    Parameters
    ----------
    rows
        Of this rank: images, or as many for each of several views.
    shape
        Of the numbers of a row.
    views
        How many views of the images follow one another in the rows.
    """
    ranks, _ = deal()
    return own_rows(torch.rand(rows * ranks, *shape, device=device), views)
