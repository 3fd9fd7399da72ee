"""The order of training images where only full batches count."""

from __future__ import annotations

from collections.abc import Iterator

from data.loading import EpochShuffle
from runs.errors import ConfigError


class FullBatches(EpochShuffle):
    """One rank's images of the shuffle that all ranks know, cut to full batches.

    The ranks' n-th batches, one after the other, are the n-th batch of one process, so that what is drawn for a whole batch
    meets the same images. All ranks have equally many.

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
            raise ConfigError(f"data.batch_size is {batch_size}, and there are {size} images to train on; lower it")
        self.batches = size // batch_size
        self.batch_size, self.ranks, self.rank = batch_size, ranks, rank

    def __iter__(self) -> Iterator[int]:
        order, share = list(super().__iter__()), self.batch_size // self.ranks
        starts = range(self.rank * share, self.batches * self.batch_size, self.batch_size)
        return iter([index for start in starts for index in order[start : start + share]])

    def __len__(self) -> int:
        return self.batches * self.batch_size // self.ranks
