"""Training batches whose position survives a restart."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import torch
import torch.distributed
from torch.utils.data import BatchSampler, DataLoader, Dataset, DistributedSampler, Sampler, SequentialSampler


def place() -> tuple[int, int]:
    """Number of processes that share the data, and this one's rank; (1, 0) without ``torch.distributed``."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return torch.distributed.get_world_size(), torch.distributed.get_rank()
    return 1, 0


class EpochShuffle(Sampler[int]):
    """A permutation per epoch that depends on seed and epoch alone, not on the global random state."""

    def __init__(self, size: int, seed: int) -> None:
        self.size = size
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning before each epoch."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
        return iter(torch.randperm(self.size, generator=generator).tolist())

    def __len__(self) -> int:
        return self.size


class RankShare(EpochShuffle):
    """One rank's items of the shuffle that all ranks know: together their n-th batches are the n-th batch of one process.

    Where the last batch has fewer items than there are ranks, those without one repeat its last.

    Parameters
    ----------
    size, seed
        As for the shuffle.
    batch_size
        Of all ranks together, a multiple of ``ranks``.
    ranks, rank
        Number of processes, and which one this is.
    """

    def __init__(self, size: int, seed: int, batch_size: int, ranks: int = 1, rank: int = 0) -> None:
        super().__init__(size, seed)
        self.ranks, self.rank = ranks, rank
        last = size % batch_size
        self.repeats = ranks - last if 0 < last < ranks else 0

    def __iter__(self) -> Iterator[int]:
        order = list(super().__iter__())
        return iter((order + [order[-1]] * self.repeats)[self.rank :: self.ranks])

    def __len__(self) -> int:
        return len(range(self.rank, self.size + self.repeats, self.ranks))


class _From(Sampler[list[int]]):
    """Batches of an inner sampler from a given position on."""

    def __init__(self, batches: BatchSampler) -> None:
        self.sampler = batches.sampler  # where Lightning looks for ``set_epoch``
        self.batches = batches
        self.start = 0

    def __iter__(self) -> Iterator[list[int]]:
        start, self.start = self.start, 0  # the epoch after the resumed one begins at its beginning
        yield from itertools.islice(self.batches, start, None)

    def __len__(self) -> int:
        return len(self.batches)


class ResumableLoader(DataLoader[Any]):
    """A training loader that Lightning stops and continues in the middle of an epoch (``state_dict``).

    It shuffles, unless it is given the order; under ``torch.distributed`` every rank takes its own part of the same order.

    Parameters
    ----------
    dataset, batch_size, drop_last
        As in ``torch.utils.data.DataLoader``.
    seed
        Determines the order of every epoch.
    sampler
        The items of this rank in another order, the same whenever an epoch begins anew.
    **options
        Further options of ``DataLoader`` (workers, collation).
    """

    def __init__(
        self,
        dataset: Dataset[Any],
        batch_size: int,
        seed: int,
        drop_last: bool = False,
        sampler: Sampler[int] | None = None,
        **options: Any,
    ) -> None:
        if sampler is None and torch.distributed.is_available() and torch.distributed.is_initialized():
            sampler = DistributedSampler(dataset, seed=seed, drop_last=drop_last)
        elif sampler is None:
            sampler = EpochShuffle(len(dataset), seed)  # type: ignore[arg-type]
        self._order = _From(BatchSampler(sampler, batch_size, drop_last))
        self._yielded = 0
        generator = torch.Generator().manual_seed(seed)
        super().__init__(dataset, batch_sampler=self._order, generator=generator, **options)

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        self._yielded = self._order.start
        for batch in super().__iter__():
            self._yielded += 1
            yield batch

    def state_dict(self) -> dict[str, int]:
        """Batches of this epoch handed out so far."""
        return {"batches": self._yielded % max(len(self), 1)}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Make the next epoch begin behind the batches that were seen."""
        self._order.start = state["batches"]


def one_by_one(items: Dataset[Any]) -> ResumableLoader:
    """Items in order, each as it is: whole batches that a data set draws or cuts itself."""
    return ResumableLoader(items, 1, seed=0, sampler=SequentialSampler(items), collate_fn=the_only)  # type: ignore[arg-type]


def whole_batches(items: Dataset[Any], batch_size: int, workers: int = 0) -> DataLoader[Any]:
    """Batches that ``items`` gives for a list of indices (``__getitems__``), in order, whole on every rank."""
    # a generator of its own: a loader without one draws from the global random state that a resumed training restores
    own = torch.Generator()
    return DataLoader(items, batch_size, collate_fn=as_it_is, generator=own, num_workers=workers)


def as_it_is(batch: Any) -> Any:
    """Collate what is a batch already."""
    return batch


def the_only(batch: list[Any]) -> Any:
    """Collate a batch of one item: the item itself."""
    (item,) = batch
    return item
