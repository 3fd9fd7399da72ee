"""Batches of synthetic sequences for many seeds at once."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytorch_lightning as pl
import torch
from jaxtyping import Int
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from data.loading import one_by_one
from data.text.synthetic import CoOccurrence
from runs.errors import at_least


class SequenceBatch(NamedTuple):
    """One training batch of every seed.

    Parameters
    ----------
    classes
        (R, batch) the class n of each sequence.
    tokens
        (R, batch, T - 1) the tokens before the query.
    """

    classes: Int[Tensor, "R batch"]
    tokens: Int[Tensor, "R batch context"]


class SyntheticSequences(pl.LightningDataModule):
    """Training batches drawn from a co-occurrence table; the test set is the table itself.

    Replica i of a run has the seed ``seed * replicas + i``, so that runs of different seeds share none. A batch depends on
    the seed of its replica and on its step alone: not on the other replicas, nor on what was drawn before.

    Parameters
    ----------
    name
        Name of the data set.
    distribution
        What co-occurs with what.
    length
        T, the length of a sequence with its query.
    batch_size
        Sequences per step and seed.
    steps
        Batches of an epoch.
    seed
        Seed of the run.
    replicas
        Seeds drawn side by side.

    Raises
    ------
    ConfigError
        A size is too small: names the setting.
    """

    name: str  # Lightning's own attribute, here never None

    def __init__(
        self,
        name: str,
        distribution: CoOccurrence,
        length: int = 128,
        batch_size: int = 128,
        steps: int = 100,
        seed: int = 0,
        replicas: int = 1,
    ) -> None:
        super().__init__()
        at_least("data.", length=(length, 2), batch_size=(batch_size, 1), steps=(steps, 1), seed=(seed, 0))
        at_least("data.", replicas=(replicas, 1))
        self.name = name
        self.distribution = distribution
        self.batches = _Batches(distribution, length, batch_size, steps, replica_seeds(seed, replicas))

    def train_dataloader(self) -> DataLoader[Any]:
        """The batches of all steps in order."""
        return one_by_one(self.batches)

    def test_dataloader(self) -> DataLoader[Any]:
        """One item, for the one co-occurrence table."""
        return DataLoader([0], batch_size=None, generator=torch.Generator())  # type: ignore[arg-type]


def replica_seeds(seed: int, replicas: int) -> list[int]:
    """The seeds of the replicas of one run."""
    return [seed * replicas + i for i in range(replicas)]


class _Batches(Dataset[SequenceBatch]):
    def __init__(self, distribution: CoOccurrence, length: int, batch_size: int, steps: int, seeds: list[int]) -> None:
        self.distribution, self.length, self.batch_size = distribution, length, batch_size
        self.steps, self.seeds = steps, seeds

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, step: int) -> SequenceBatch:
        drawn = [self.distribution.sample(self.batch_size, self.length, _generator(s, step)) for s in self.seeds]
        classes, tokens = zip(*drawn, strict=True)
        return SequenceBatch(torch.stack(classes), torch.stack(tokens))


def _generator(seed: int, step: int) -> torch.Generator:
    (word,) = np.random.SeedSequence([seed, step]).generate_state(1)
    return torch.Generator().manual_seed(int(word))
