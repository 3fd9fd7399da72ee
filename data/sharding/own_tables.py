"""Embedding tables of one's own: a CSV file, a line each (docs/sharding.md)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from data.csv_cells import Cells, cells_of, number_of
from data.sharding.problem import ANYWHERE
from data.sharding.table_law import LookupLaw
from data.sharding.tables import BIN_ENDS, BINS, EmbeddingTables
from runs.errors import InvalidProblem, nearest
from runs.text import printable

REQUIRED = ("name", "rows", "dim", "pooling_factor")
BIN_NAMES = tuple(f"bin_{i}" for i in range(BINS))
OPTIONAL = ("bytes", "device", "max_pieces", "never_split", *BIN_NAMES)
TYPICAL_COUNTS = np.array([1.0, 2.0, *(0.75 * BIN_ENDS[2:-1] + 0.5), 1.5 * BIN_ENDS[-2]])
"""Lookups of a row in each bin: the middle of its counts, and half as many again as the last bound above it."""
UNLIMITED = np.iinfo(np.int64).max
YES = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


@dataclass(frozen=True, eq=False)
class OwnTables:
    """Tables to be placed, and the rules of each.

    Parameters
    ----------
    tables
        What is known of their lookups, else what is typical of such tables.
    dims
        (tables,) columns.
    bytes_per_weight
        (tables,).
    pinned
        (tables,) the device that holds all of a table, or -1.
    most_pieces
        (tables,) 1 for a table that is never split.
    notes
        What was assumed, in sentences.
    """

    tables: EmbeddingTables
    dims: Int[np.ndarray, " tables"]
    bytes_per_weight: Int[np.ndarray, " tables"]
    pinned: Int[np.ndarray, " tables"]
    most_pieces: Int[np.ndarray, " tables"]
    notes: tuple[str, ...] = field(default=())


def read_tables(path: Path | str, batch: int = 65_536) -> OwnTables:
    """The tables of a file.

    Columns are ``name, rows, dim, pooling_factor``, and where they are known ``bytes`` of a weight (4), ``device`` that
    must hold the table, ``max_pieces``, ``never_split``, and ``bin_0`` to ``bin_16``: the shares of its distinct rows that a
    batch looks up once, twice, 3 to 4 times and so on. An empty cell is no value.

    Parameters
    ----------
    path
        CSV.
    batch
        Samples of a batch.

    Raises
    ------
    ConfigError
        The file cannot be read.
    InvalidProblem
        A column is missing or unknown, or a value is none: names file, line and column.
    """
    file = Path(path).expanduser()
    cells = cells_of(file)
    where = printable(str(file))
    known = (*REQUIRED, *OPTIONAL)
    for name in cells:
        if name not in known:
            raise InvalidProblem(f"{where} has the column '{printable(name)}'{nearest(name, known)}; leave others out")
    if missing := [name for name in REQUIRED if name not in cells]:
        raise InvalidProblem(f"{where} has no column '{missing[0]}'; it needs {', '.join(REQUIRED)}")
    column = _Columns(where, cells)
    names = column.names()
    rows, dims = column.whole("rows", least=1), column.whole("dim", least=1)
    pooling = column.numbers("pooling_factor", lambda value: value >= 0, "a number that is not negative")
    if wrong := [i for i in range(len(dims)) if dims[i] % 4]:
        raise column.bad(
            "dim", wrong[0], "a positive multiple of 4; give a table the next one, and say so to your model"
        )
    most = column.whole("max_pieces", least=1, default=UNLIMITED)
    most = np.where(column.flags("never_split"), 1, most)
    tables, notes = _looked_up(column, names, rows, pooling, batch)
    return OwnTables(
        tables,
        dims,
        column.whole("bytes", least=1, default=4),
        column.whole("device", least=0, default=ANYWHERE),
        most,
        notes,
    )


def _looked_up(
    column: _Columns, names: tuple[str, ...], rows: np.ndarray, pooling: np.ndarray, batch: int
) -> tuple[EmbeddingTables, tuple[str, ...]]:
    """Lookups by bins as they are given, or as they are typical."""
    typical = LookupLaw.of_sizes(rows, pooling, batch).tables(names, batch)
    given = [name for name in BIN_NAMES if name in column.cells]
    if not given:
        return typical, ("no bins are given, so lookups are spread over rows as is typical of such tables",)
    if len(given) < BINS:
        absent = next(name for name in BIN_NAMES if name not in given)
        raise InvalidProblem(
            f"{column.where} has {len(given)} of the columns bin_0 to bin_16 and no {absent}; give all or none"
        )
    shares = np.stack(
        [column.numbers(name, lambda value: 0 <= value <= 1, "a share between 0 and 1", 0.0) for name in BIN_NAMES],
        axis=1,
    )
    totals = shares.sum(1)
    wrong = ~(np.isclose(totals, 1, atol=1e-3) | (totals == 0))
    if wrong.any():
        i = int(np.argmax(wrong))
        raise InvalidProblem(
            f"{column.where}, line {i + 2}: table '{printable(names[i])}' has bins that sum to {totals[i]:.6g}; expected 1, "
            "or 0 where they are not known"
        )
    unique, lookups, hot = counts_of_shares(shares, rows, pooling, batch)
    without = totals == 0
    tables = EmbeddingTables(
        names,
        rows,
        pooling,
        np.where(without[:, None], typical.unique_bins, unique),
        np.where(without[:, None], typical.lookup_bins, lookups),
        np.where(without, typical.hot_row, hot),
        batch,
    )
    notes = (
        (f"{without.sum()} of {len(rows)} tables have no bins; their lookups are spread as is typical",)
        if without.any()
        else ()
    )
    return tables, notes


def counts_of_shares(
    shares: Float[np.ndarray, "tables 17"], rows: np.ndarray, pooling: np.ndarray, batch: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distinct rows and lookups by bin, (tables, 17) each, and lookups of the hottest row, (tables,), from shares of rows.

    A row of a bin counts as :data:`TYPICAL_COUNTS` lookups, scaled so that a table has all of its own.
    """
    total = batch * pooling
    weights = shares * TYPICAL_COUNTS
    mean = weights.sum(1)
    found = np.minimum(np.divide(total, mean, out=np.zeros_like(total), where=mean > 0), rows)
    lookups = np.divide(weights, mean[:, None], out=np.zeros_like(weights), where=mean[:, None] > 0) * total[:, None]
    highest = np.where(shares > 0, np.arange(BINS), -1).max(1)
    hot = np.where(highest >= 0, np.minimum(TYPICAL_COUNTS[np.maximum(highest, 0)], total), 0.0)
    return shares * found[:, None], lookups, hot


class _Columns:
    """Texts of a file as numbers, with the place of each for messages."""

    def __init__(self, where: str, cells: Cells) -> None:
        self.where, self.cells = where, cells
        self.count = len(next(iter(cells.values())))

    def names(self) -> tuple[str, ...]:
        names = self.cells["name"].tolist()
        if "" in names:
            raise self.bad("name", names.index(""), "a name")
        for i, name in enumerate(names):
            if (first := names.index(name)) < i:
                raise InvalidProblem(
                    f"{self.where}, lines {first + 2} and {i + 2}: two tables are called '{printable(name)}'; give each its "
                    "own name"
                )
        return tuple(names)

    def numbers(
        self, name: str, right: Callable[[float], bool], expected: str, default: float | None = None
    ) -> Float[np.ndarray, " tables"]:
        if name not in self.cells and default is not None:
            return np.full(self.count, default)
        found = np.empty(self.count)
        for i, text in enumerate(self.cells[name].tolist()):
            value = default if text == "" and default is not None else number_of(text)
            if value is None or not (right(value) or value == default):
                raise self.bad(name, i, expected)
            found[i] = value
        return found

    def whole(self, name: str, least: int, default: int | None = None) -> Int[np.ndarray, " tables"]:
        if name not in self.cells and default is not None:
            return np.full(self.count, default, np.int64)
        found = np.empty(self.count, np.int64)
        for i, text in enumerate(self.cells[name].tolist()):
            value = number_of(text)
            if text == "" and default is not None:
                found[i] = default
            elif value is None or value != round(value) or not least <= value < 2**53:
                raise self.bad(name, i, f"a whole number, at least {least}")
            else:
                found[i] = int(value)
        return found

    def flags(self, name: str) -> np.ndarray:
        if name not in self.cells:
            return np.zeros(self.count, bool)
        found = np.zeros(self.count, bool)
        for i, text in enumerate(self.cells[name].tolist()):
            if text and text.lower() not in YES:
                raise self.bad(name, i, "true or false")
            found[i] = bool(text) and YES[text.lower()]
        return found

    def bad(self, name: str, row: int, expected: str) -> InvalidProblem:
        text = printable(self.cells[name].tolist()[row])
        table = printable(self.cells["name"].tolist()[row])
        return InvalidProblem(f"{self.where}, line {row + 2}: table '{table}' has {name} '{text}'; expected {expected}")
