"""A table of numbers with a class per row."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from runs.errors import ConfigError, InvalidProblem, nearest, require

BUNDLED = ("breast_cancer", "digits", "wine")
"""Tables that come with scikit-learn, so that no file is needed."""


@dataclass(frozen=True, eq=False)
class Table:
    """Rows in a fixed order.

    Parameters
    ----------
    rows
        (rows, features).
    labels
        (rows,) indices into ``classes``.
    classes
        Their names.
    name
        Of the table.
    """

    rows: Float[Tensor, "rows features"]
    labels: Int[Tensor, " rows"]
    classes: tuple[str, ...]
    name: str

    def validate(self) -> Table:
        """The table itself.

        Raises
        ------
        InvalidProblem
            It has no rows or no features, a value is not finite, or a label names no class.
        """
        if self.rows.dim() != 2 or 0 in self.rows.shape:
            raise InvalidProblem(
                f"{self.name}: the table has the shape {tuple(self.rows.shape)}; (rows, features) needed"
            )
        if not self.rows.isfinite().all():
            row = int((~self.rows.isfinite()).any(1).nonzero()[0])
            raise InvalidProblem(f"{self.name}: row {row} has a value that is not finite; fill gaps before")
        if self.labels.shape != self.rows.shape[:1]:
            raise InvalidProblem(
                f"{self.name}: {len(self.labels)} labels for {len(self.rows)} rows; one each is needed"
            )
        low, high = (int(label) for label in self.labels.aminmax())
        if low < 0 or high >= len(self.classes):
            raise InvalidProblem(
                f"{self.name}: labels from {low} to {high}; there are {len(self.classes)} classes, from 0"
            )
        return self

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.rows)

    def take(self, indices: Int[Tensor, " chosen"]) -> Table:
        """Some rows, in the order of ``indices``."""
        return replace(self, rows=self.rows[indices], labels=self.labels[indices])

    def filled(self, values: Float[Tensor, " features"]) -> Table:
        """The same with ``values`` where a feature is NaN."""
        return replace(self, rows=torch.where(self.rows.isnan(), values, self.rows))

    @property
    def identity(self) -> str:
        """Hash of the content: what is computed from a table may be kept under it."""
        digest = hashlib.sha256(repr((tuple(self.rows.shape), self.classes)).encode())
        for part in (self.rows, self.labels):
            digest.update(part.contiguous().numpy().tobytes())
        return digest.hexdigest()


def bundled(name: str) -> Table:
    """A table that comes with scikit-learn.

    Raises
    ------
    ConfigError
        There is none of this name.
    MissingDependency
        scikit-learn is not installed.
    """
    if name not in BUNDLED:
        raise ConfigError(f"data.table is '{name}'{nearest(name, BUNDLED)}")
    found = getattr(require("sklearn.datasets", "tabular"), f"load_{name}")()
    rows, labels = torch.from_numpy(found.data).float(), torch.from_numpy(found.target).long()
    return Table(rows, labels, tuple(str(each) for each in found.target_names), name).validate()
