"""Problem instances as a LightningDataModule: one problem per step, spread over ranks without repetition."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
import torch.distributed
from pytorch_lightning.overrides.distributed import UnrepeatedDistributedSampler
from torch.utils.data import DataLoader, Dataset, DistributedSampler, Sampler

from data.loading import the_only


class ProblemData(pl.LightningDataModule):
    """Datasets of problems; a batch is one item ``(index, problem)`` itself, on the host.

    Subclasses fill :attr:`test_problems`, and :attr:`train_problems` and :attr:`validation_problems` where something is
    learned, in ``setup``. Under ``torch.distributed`` each test and validation item is seen by exactly one rank (the
    trainer needs ``use_distributed_sampler=False``), and a rank for which none is left sees one batch that is None;
    training items are shuffled and padded, as gradients need it. The test order is never shuffled.
    """

    train_problems: Dataset[Any] | None = None
    validation_problems: Dataset[Any] | None = None
    test_problems: Dataset[Any] | None = None

    def problem_optimum(self, name: str) -> float | None:
        """The optimum of the test problem ``name`` in its own sense; None where none is known."""
        return None

    def train_dataloader(self) -> DataLoader[Any] | list[Any]:
        """Shuffled training problems; none without a training set."""
        return _one_by_one(self.train_problems, train=True)

    def val_dataloader(self) -> DataLoader[Any] | list[Any]:
        """Validation problems in order; none without a validation set."""
        return _one_by_one(self.validation_problems)

    def test_dataloader(self) -> DataLoader[Any] | list[Any]:
        """Test problems in order."""
        return _one_by_one(self.test_problems)

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        """Leave problems where they are: solvers read numpy, and Lightning cannot take frozen dataclasses apart."""
        return batch


class OneProblem(Dataset[tuple[int, Any]]):
    """A data set of a single problem, its item ``(0, problem)``."""

    def __init__(self, problem: Any) -> None:
        self.problem = problem

    def __len__(self) -> int:
        return 1

    def __getitem__(self, position: int) -> tuple[int, Any]:
        if position:
            raise IndexError(position)
        return 0, self.problem


def _one_by_one(problems: Dataset[Any] | None, train: bool = False) -> DataLoader[Any] | list[Any]:
    if problems is None:
        return []
    sampler: Sampler[Any] | None = None
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        kind = DistributedSampler if train else UnrepeatedDistributedSampler
        ranks, rank = torch.distributed.get_world_size(), torch.distributed.get_rank()
        if not train and rank >= len(problems):  # type: ignore[arg-type]
            # a rank without any step would miss the collectives of the others
            return DataLoader([None], batch_size=1, collate_fn=the_only)  # type: ignore[arg-type]
        sampler = kind(problems, num_replicas=ranks, rank=rank, shuffle=train)
    shuffle = train and sampler is None
    return DataLoader(problems, batch_size=1, shuffle=shuffle, sampler=sampler, num_workers=0, collate_fn=the_only)
