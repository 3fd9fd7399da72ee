"""Problems to learn on, several a step, and others to choose by."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as lightning
import torch
from torch.utils.data import DataLoader, Dataset

from data.loading import RankShare, ResumableLoader, place
from data.modules import ProblemData
from runs.errors import at_least

Items = list[tuple[int, Any]]
"""Positions in their set, and problems."""


class ProblemBatches(lightning.LightningDataModule):
    """Batches of ``(position, problem)``, as lists on the host.

    Parameters
    ----------
    train
        Whose test problems are learned on.
    validation
        Whose test problems choose the weights that are kept; None: the last are.
    batch_size
        Problems a step, over all ranks.
    seed
        Of the order.
    name
        What reports call the data.

    Raises
    ------
    ConfigError
        A setting is out of its range.
    """

    name: str  # Lightning's own attribute, here never None

    def __init__(
        self,
        train: ProblemData,
        validation: ProblemData | None = None,
        batch_size: int = 10,
        seed: int = 0,
        name: str = "problems",
    ) -> None:
        super().__init__()
        at_least("data.", batch_size=(batch_size, 1), seed=(seed, 0))
        self.sources = {"train": train} | ({} if validation is None else {"validation": validation})
        self.batch_size, self.seed, self.name = batch_size, seed, name
        self._parts: dict[str, _Kept] = {}

    def setup(self, stage: str | None = None) -> None:
        """Read or draw the problems; each is made once."""
        for name, source in self.sources.items():
            if name not in self._parts:
                source.setup("fit")
                self._parts[name] = _Kept(source.test_problems)

    def part(self, name: str) -> Items:
        """All problems of ``train`` or ``validation``; of the latter none, if there is no such part."""
        part = self._parts.get(name)
        return [] if part is None else [part[position] for position in range(len(part))]

    def train_dataloader(self) -> DataLoader[Any]:
        """Shuffled batches; a resumed epoch goes on where it stopped."""
        ranks, rank = (1, 0) if self.trainer is None or self.trainer.world_size == 1 else place()
        order = RankShare(len(self._parts["train"]), self.seed, self.batch_size, ranks, rank)
        share = max(self.batch_size // ranks, 1)
        return ResumableLoader(self._parts["train"], share, self.seed, sampler=order, collate_fn=list)

    def val_dataloader(self) -> Any:
        """Validation problems in order, all on every rank; none without such a part."""
        if "validation" not in self._parts:
            return []
        own = torch.Generator()  # a loader without one draws from the global random state
        return DataLoader(self._parts["validation"], self.batch_size, collate_fn=list, generator=own)

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        """Leave problems where they are."""
        return batch


class _Kept(Dataset[tuple[int, Any]]):
    """Problems by position, each asked for once."""

    def __init__(self, problems: Any) -> None:
        self.problems = problems
        self._known: dict[int, Any] = {}

    def __len__(self) -> int:
        return len(self.problems)

    def __getitem__(self, position: int) -> tuple[int, Any]:
        if position not in self._known:
            self._known[position] = self.problems[position][1]
        return position, self._known[position]
