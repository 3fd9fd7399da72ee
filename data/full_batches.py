"""Training where only full batches count, and a data set gives whole batches at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch.utils.data import Dataset

from data.loading import EpochShuffle, ResumableLoader, as_it_is, place
from runs.errors import ConfigError


class FullBatches(EpochShuffle):
    """One rank's items of the shuffle that all ranks know, cut to full batches.

    The ranks' n-th batches, one after the other, are the n-th batch of one process, so that what is drawn for a whole batch
    meets the same items. All ranks have equally many.

    Parameters
    ----------
    size, seed
        As for the shuffle.
    batch_size
        Of all ranks together.
    ranks, rank
        Number of processes, and which one this is.

    Raises
    ------
    ConfigError
        The ranks cannot share a batch equally, or there is no full one.
    """

    def __init__(self, size: int, seed: int, batch_size: int, ranks: int = 1, rank: int = 0) -> None:
        super().__init__(size, seed)
        if batch_size % ranks:
            raise ConfigError(
                f"data.batch_size is {batch_size}, which {ranks} processes cannot share equally; give a multiple of {ranks}"
            )
        if size < batch_size:
            raise ConfigError(f"data.batch_size is {batch_size}, and there are {size} samples to train on; lower it")
        self.batches = size // batch_size
        self.batch_size, self.ranks, self.rank = batch_size, ranks, rank

    def __iter__(self) -> Iterator[int]:
        order, share = list(super().__iter__()), self.batch_size // self.ranks
        starts = range(self.rank * share, self.batches * self.batch_size, self.batch_size)
        return iter([index for start in starts for index in order[start : start + share]])

    def __len__(self) -> int:
        return self.batches * self.batch_size // self.ranks


def full_batches(items: Dataset[Any], batch_size: int, seed: int, workers: int = 0) -> ResumableLoader:
    """Shuffled full batches, of equal size on all ranks.

    Parameters
    ----------
    items
        Gives a whole batch for a list of indices (``__getitems__``).
    batch_size
        Of all ranks together.
    seed
        Of the order.
    workers
        Processes that read.

    Raises
    ------
    ConfigError
        The ranks cannot share a batch equally, or the items do not fill one.
    """
    ranks, rank = place()
    order = FullBatches(len(items), seed, batch_size, ranks, rank)  # type: ignore[arg-type]
    share = batch_size // ranks
    return ResumableLoader(items, share, seed, sampler=order, collate_fn=as_it_is, num_workers=workers)
