"""Embedding tables as arrays: how large each is, and how a batch looks its rows up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from runs.errors import InvalidProblem

BINS = 17
"""Rows by how often a batch looks them up: once, 2, 3 to 4, 5 to 8, ..., 16,385 to 32,768 times, and above."""
BIN_ENDS = np.append(2.0 ** np.arange(BINS - 1), np.inf)
"""The last count that belongs to each bin."""


@dataclass(frozen=True, eq=False)
class EmbeddingTables:
    """Some embedding tables, without their dimension, which a task draws (docs/papers/neuroshard.md#2.1).

    Parameters
    ----------
    names
        One each, all different.
    rows
        (tables,) at least 1.
    pooling_factor
        (tables,) mean lookups per sample.
    unique_bins
        (tables, 17) rows that a batch looks up, by how often it does.
    lookup_bins
        (tables, 17) lookups of these rows.
    hot_row
        (tables,) lookups of the row that a batch looks up most.
    batch
        Samples in a batch.
    """

    names: tuple[str, ...]
    rows: Int[np.ndarray, " tables"]
    pooling_factor: Float[np.ndarray, " tables"]
    unique_bins: Float[np.ndarray, "tables 17"]
    lookup_bins: Float[np.ndarray, "tables 17"]
    hot_row: Float[np.ndarray, " tables"]
    batch: int

    def __len__(self) -> int:
        return len(self.names)

    @property
    def reuse_bins(self) -> Float[np.ndarray, "tables 17"]:
        """The share of each bin among the rows that a batch looks up; zeros where it looks up none."""
        total = self.unique_bins.sum(1, keepdims=True)
        return np.divide(self.unique_bins, total, out=np.zeros_like(self.unique_bins), where=total > 0)

    def take(self, indices: Sequence[int] | Int[np.ndarray, " chosen"]) -> EmbeddingTables:
        """The tables at ``indices``, in that order; one that is taken twice gets names of its own, ``name#2``."""
        chosen = np.asarray(indices, dtype=np.int64)
        seen: dict[str, int] = {}
        names = []
        for index in chosen:
            name = self.names[index]
            seen[name] = seen.get(name, 0) + 1
            names.append(name if seen[name] == 1 else f"{name}#{seen[name]}")
        return EmbeddingTables(
            tuple(names),
            self.rows[chosen],
            self.pooling_factor[chosen],
            self.unique_bins[chosen],
            self.lookup_bins[chosen],
            self.hot_row[chosen],
            self.batch,
        )

    def validate(self) -> None:
        """Check names, shapes and ranges.

        Raises
        ------
        InvalidProblem
            Names the table and the field.
        """
        count = len(self.names)
        if not count:
            raise InvalidProblem("there is no embedding table; expected at least one")
        if self.batch < 1:
            raise InvalidProblem(f"batch is {self.batch}; expected at least 1 sample")
        for field, shape in (
            ("rows", (count,)),
            ("pooling_factor", (count,)),
            ("unique_bins", (count, BINS)),
            ("lookup_bins", (count, BINS)),
            ("hot_row", (count,)),
        ):
            if getattr(self, field).shape != shape:
                raise InvalidProblem(f"{field} has shape {getattr(self, field).shape}; expected {shape}")
        if len(set(self.names)) < count:
            double = next(name for position, name in enumerate(self.names) if name in self.names[:position])
            raise InvalidProblem(f"two tables are called '{double}'; expected names that differ")
        self._refuse(self.rows < 1, "rows", self.rows, "at least 1")
        for field in ("pooling_factor", "hot_row"):
            values = getattr(self, field)
            self._refuse(~(np.isfinite(values) & (values >= 0)), field, values, "a number that is not negative")
        for field in ("unique_bins", "lookup_bins"):
            values = getattr(self, field)
            wrong = ~(np.isfinite(values) & (values >= 0)).all(1)
            self._refuse(wrong, field, values.min(1), "numbers that are not negative")

    def _refuse(self, wrong: np.ndarray, field: str, values: np.ndarray, expected: str) -> None:
        if wrong.any():
            i = int(np.argmax(wrong))
            raise InvalidProblem(f"table '{self.names[i]}': {field} is {values[i]:.12g}; expected {expected}")
