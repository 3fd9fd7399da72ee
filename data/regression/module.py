"""Stored samples as a LightningDataModule: some to learn from, some to choose by, some to judge by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pytorch_lightning as lightning
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from data.full_batches import FullBatches
from data.loading import ResumableLoader, as_it_is
from data.regression.samples import Samples, SampleSource
from data.regression.store import SampleStore
from runs.errors import ConfigError, at_least

TRAIN, VALIDATION, TEST = "train", "validation", "test"
_AT_ONCE = 4096
"""Samples that are judged together."""


class Batch(NamedTuple):
    """Samples as a network takes them: ``network(**inputs)``.

    Parameters
    ----------
    inputs
        (batch, ...) each, and what all samples share.
    targets
        (batch,) or (batch, outputs).
    places
        (batch,) in their part of the data.
    """

    inputs: dict[str, Tensor]
    targets: Float[Tensor, "batch ..."]
    places: Int[Tensor, " batch"]


class Part(Dataset[Batch]):
    """Samples that serve one purpose; gives whole batches for a list of indices.

    Parameters
    ----------
    samples
        All of them.
    source
        Where they come from.
    """

    def __init__(self, samples: Samples, source: SampleSource) -> None:
        self.shared = {name: _tensor(values) for name, values in source.shared().items()}
        self.inputs = {name: _tensor(values) for name, values in samples.inputs.items()}
        self.targets = _tensor(samples.targets)
        self.stratum, self.strata = source.stratum, source.strata(samples)

    def __len__(self) -> int:
        return len(self.targets)

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        places = torch.as_tensor(indices)
        inputs = {name: values[places] for name, values in self.inputs.items()}
        return Batch({**self.shared, **inputs}, self.targets[places], places)

    def whole(self) -> Batch:
        """All samples at once."""
        return Batch({**self.shared, **self.inputs}, self.targets, torch.arange(len(self)))


def _tensor(values: np.ndarray) -> Tensor:
    return torch.from_numpy(values.astype(np.int64 if values.dtype.kind in "iu" else np.float32))


class RegressionData(lightning.LightningDataModule):
    """Samples cut by chance into three parts, and further ones to judge by.

    A batch is shared out to the ranks, so that several processes take the same steps as one.

    Parameters
    ----------
    samples
        What is learned from.
    shares
        Of training, validation and test.
    batch_size
        Samples per step, over all ranks; the last, incomplete batch of an epoch is dropped.
    seed
        Of the order.
    split_seed
        Of the parts.
    test
        Judges in place of the third part, so that trainings on other samples are compared on the same.
    others
        Judge besides, by name.
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
        samples: SampleStore,
        shares: Sequence[float] = (0.8, 0.1, 0.1),
        batch_size: int = 512,
        seed: int = 0,
        split_seed: int = 0,
        test: SampleStore | None = None,
        others: Mapping[str, SampleStore] | None = None,
        name: str = "samples",
    ) -> None:
        super().__init__()
        if len(shares) != 3 or min(shares) <= 0 or abs(sum(shares) - 1) > 1e-9:
            raise ConfigError(f"data.shares is {list(shares)}; give three positive numbers with the sum 1")
        at_least("data.", batch_size=(batch_size, 1), seed=(seed, 0), split_seed=(split_seed, 0))
        self.samples, self.shares, self.batch_size = samples, tuple(shares), batch_size
        self.seed, self.split_seed, self.name = seed, split_seed, name
        self.further = ({} if test is None else {TEST: test}) | dict(others or {})
        self._parts: dict[str, Part] = {}

    @property
    def judges(self) -> list[str]:
        """Names of the parts that a trained network is judged by, ``test`` first."""
        return list(dict.fromkeys([TEST, *self.further]))

    def setup(self, stage: str | None = None) -> None:
        """Make the samples that are missing; those that only judge, when they are needed.

        Raises
        ------
        ConfigError
            A part is empty.
        """
        if TRAIN not in self._parts:
            self._cut(self.samples.samples())
        if stage in (None, TEST):
            for name in [name for name in self.judges if name not in self._parts]:
                self._parts[name] = Part(self.further[name].samples(), self.further[name].source)

    def part(self, name: str) -> Part:
        """Samples of one purpose: ``train``, ``validation``, ``test`` or one of the others."""
        return self._parts[name]

    def train_dataloader(self) -> DataLoader[Batch]:
        """Shuffled full batches; a resumed epoch goes on where it stopped.

        Raises
        ------
        ConfigError
            The ranks cannot share a batch equally, or the samples do not fill one.
        """
        ranks, rank = self._place()
        order = FullBatches(len(self.part(TRAIN)), self.seed, self.batch_size, ranks, rank)
        share = self.batch_size // ranks
        return ResumableLoader(self.part(TRAIN), share, self.seed, sampler=order, collate_fn=as_it_is)

    def val_dataloader(self) -> DataLoader[Batch]:
        """Validation samples in order, each seen by one rank."""
        return self._in_order(VALIDATION)

    def test_dataloader(self) -> list[DataLoader[Batch]]:
        """The same of every part that judges."""
        return [self._in_order(name) for name in self.judges]

    def _cut(self, samples: Samples) -> None:
        order = np.random.default_rng(self.split_seed).permutation(len(samples))
        ends = np.round(np.cumsum(self.shares) * len(samples)).astype(int)[:-1]
        for name, chosen in zip((TRAIN, VALIDATION, TEST), np.split(order, ends), strict=True):
            if not len(chosen):
                raise ConfigError(f"data.samples.count is {len(samples)}, which leaves none for {name}; raise it")
            if name not in self.further:
                self._parts[name] = Part(samples.take(chosen), self.samples.source)

    def _in_order(self, name: str) -> DataLoader[Batch]:
        ranks, rank = self._place()
        share = list(range(rank, len(self.part(name)), ranks))
        own = (
            torch.Generator()
        )  # a loader without one draws from the global random state that a resumed training restores
        return DataLoader(self.part(name), _AT_ONCE, sampler=share, collate_fn=as_it_is, generator=own)

    def _place(self) -> tuple[int, int]:
        """Processes of this training, which may be a part of a run that has more, and which one this is."""
        return (1, 0) if self.trainer is None else (self.trainer.world_size, self.trainer.global_rank)
