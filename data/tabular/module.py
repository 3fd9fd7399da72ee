"""Tables as a LightningDataModule, in the places where self-supervised training expects images."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytorch_lightning as pl
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from data.full_batches import full_batches
from data.images.subset import per_class
from data.images.views.view_set import Views
from data.loading import whole_batches
from data.tabular import csv_file
from data.tabular.masking import FeatureMasking
from data.tabular.table import Table, bundled
from runs.errors import ConfigError, nearest

Batch = tuple[Tensor, Tensor, Tensor]
"""Standardised rows (B, features), labels (B,), positions (B,)."""


class StoredRows(NamedTuple):
    """A training batch before any view is drawn: rows, labels, and positions in the training part."""

    rows: Float[Tensor, "batch features"]
    labels: Int[Tensor, " batch"]
    indices: Int[Tensor, " batch"]


class TableData(pl.LightningDataModule):
    """A table of scikit-learn or of your own, cut by class into three parts and standardised by the first.

    What is missing in a row becomes the mean of the training part.

    Parameters
    ----------
    name
        Of the data in reports.
    table
        Which one of scikit-learn's; None for a file.
    features, labels
        Its numbers of features and of classes, which networks are made for.
    masking
        The views that a training step sees.
    batch_size
        Rows per training step, over all ranks; the last, incomplete batch of an epoch is dropped.
    seed
        Of the order and of the views.
    validation_fraction, test_fraction
        Parts of each class that are held out.
    split_seed
        Of what is held out; not the run's.
    path, target
        The file, and its column of classes; see :func:`data.tabular.csv_file.read`.

    Attributes
    ----------
    size
        The number of features.
    views
        None: a row has no size to crop to.

    Raises
    ------
    ConfigError
        A setting is out of range or does not fit the table.
    """

    name: str  # Lightning's own attribute, here never None
    views = None

    def __init__(
        self,
        name: str,
        table: str | None,
        features: int,
        labels: int,
        masking: FeatureMasking,
        batch_size: int,
        seed: int,
        validation_fraction: float = 0.2,
        test_fraction: float = 0.25,
        split_seed: int = 0,
        path: str | None = None,
        target: str | None = None,
    ) -> None:
        super().__init__()
        if batch_size < 2:
            raise ConfigError(f"data.batch_size is {batch_size}; it must be at least 2")
        for setting, value in (("validation_fraction", validation_fraction), ("test_fraction", test_fraction)):
            if not 0 < value < 1:
                raise ConfigError(f"data.{setting} is {value}; give a number between 0 and 1")
        if validation_fraction + test_fraction >= 1:
            raise ConfigError("data.validation_fraction and data.test_fraction leave nothing to train on; lower them")
        self.name, self.size, self.masking, self.batch_size, self.seed = name, features, masking, batch_size, seed
        if (table is None) == (path is None):
            raise ConfigError(
                f"data.table is {table} and data.path {path}; give one: data.path=FILE.csv data.target=COLUMN"
            )
        whole = bundled(table) if table is not None else csv_file.read(str(path), target)
        for setting, value, true in (
            ("features", features, whole.rows.shape[1]),
            ("labels", labels, len(whole.classes)),
        ):
            if value != true:
                raise ConfigError(f"data.{setting} is {value}, and table '{whole.name}' has {true}; give that number")
        self.classes = whole.classes
        parts = _parts(whole, validation_fraction, test_fraction, split_seed)
        if empty := [part for part, rows in parts.items() if not len(rows)]:
            raise ConfigError(
                f"{whole.name} has too few rows of each class for a part {empty[0]}; give more rows or other fractions"
            )
        mean = parts["train"].rows.nanmean(0).nan_to_num()
        self.sets = {part: rows.filled(mean).validate() for part, rows in parts.items()}
        scale = self.sets["train"].rows.std(0)
        self.mean = tuple(mean.tolist())
        self.std = tuple(torch.where(scale > 0, scale, 1.0).tolist())

    def train_dataloader(self) -> DataLoader[StoredRows]:
        """Shuffled batches of :class:`StoredRows`, of equal size on all ranks.

        Raises
        ------
        ConfigError
            The ranks cannot share a batch equally, or the rows do not fill one.
        """
        return full_batches(self._standardised("train"), self.batch_size, self.seed)

    def test_dataloader(self) -> list[int]:
        """One step: what is evaluated, the task takes from :meth:`clean_loader`."""
        return [0]

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        """Draw the views of a training batch; leave anything else alone."""
        if not isinstance(batch, StoredRows):
            return batch
        assert self.trainer is not None
        views = self.masking(batch.rows, batch.indices, self.seed, self.trainer.current_epoch)
        return Views(views, batch.labels, batch.indices, len(views))

    def clean(self, split: str) -> Table:
        """The rows of a split as they are: ``train``, ``validation`` or ``test``.

        Raises
        ------
        ConfigError
            There is no such split.
        """
        if split not in self.sets:
            raise ConfigError(f"split '{split}' is unknown{nearest(split, tuple(self.sets))}")
        return self.sets[split]

    def clean_loader(self, split: str, batch_size: int) -> DataLoader[Batch]:
        """Standardised rows, labels and positions of a split, in order."""
        return whole_batches(self._standardised(split), batch_size)

    def _standardised(self, split: str) -> _Rows:
        table = self.clean(split)
        return _Rows((table.rows - torch.tensor(self.mean)) / torch.tensor(self.std), table.labels)


class _Rows(Dataset[StoredRows]):
    """Whole batches at once."""

    def __init__(self, rows: Tensor, labels: Tensor) -> None:
        self.rows, self.labels = rows, labels

    def __len__(self) -> int:
        return len(self.rows)

    def __getitems__(self, indices: list[int]) -> StoredRows:
        chosen = torch.tensor(indices)
        return StoredRows(self.rows[chosen], self.labels[chosen], chosen)


def _parts(table: Table, validation: float, test: float, seed: int) -> dict[str, Table]:
    """Training, validation and test rows, each with the classes' shares of the whole."""
    sizes = torch.bincount(table.labels, minlength=len(table.classes)).tolist()
    held = per_class(table.labels, [round((validation + test) * size) for size in sizes], seed)
    inner = [round(test * size) for size in sizes]
    tested = held[per_class(table.labels[held], inner, seed + 1)]
    rest = torch.ones(len(table), dtype=torch.bool)
    rest[held] = False
    chosen = torch.zeros(len(table), dtype=torch.bool)
    chosen[held] = True
    chosen[tested] = False
    indices = {"train": rest.nonzero()[:, 0], "validation": chosen.nonzero()[:, 0], "test": tested}
    return {name: table.take(rows) for name, rows in indices.items()}
