"""A table of one's own: a CSV file with names in its first line, and a column of classes."""

from __future__ import annotations

import functools
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from data.csv_cells import cells_of, number_of
from data.tabular.table import Table
from runs.errors import ConfigError, InvalidProblem, nearest
from runs.text import printable

_log = logging.getLogger(__name__)
MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "?", "-"})
"""Cells without a value, whatever the case."""
MOST_KINDS = 50
"""Different texts of a column that become features of their own; a column with more is a name or a sentence."""
MOST_CLASSES = 1000


class Column(NamedTuple):
    """Features made of a column, (rows, features) with NaN for what is missing, and what they are in a word."""

    name: str
    features: np.ndarray
    kind: str


def read(path: str, target: str | None) -> Table:
    """The rows that have a class; numbers as they are, a feature per kind of text, NaN for what is missing.

    A column that is empty or the same in all rows, or texts of too many kinds, is left out by name.

    Parameters
    ----------
    path
        UTF-8, separated by comma, semicolon, tab or bar; the first line names the columns.
    target
        The column of classes.

    Raises
    ------
    ConfigError
        The file is missing, or has no such column: names those there are.
    InvalidProblem
        The file is no such table: names line, row or column.
    """
    file = Path(path).expanduser()
    cells = cells_of(file)
    if target is None or target not in cells:
        near = nearest(target or "", [printable(name) for name in cells])
        raise ConfigError(f"data.target is {target or 'null'}, and {printable(str(file))} has no such column{near}")
    known = ~_missing(cells[target])
    classes, labels = _classes(cells[target][known], target)
    columns = [_column(name, texts[known]) for name, texts in cells.items() if name != target]
    used = [column for column in columns if column.features.size]
    if not used:
        raise InvalidProblem(f"{printable(str(file))} has no column that varies, besides {printable(target)}")
    _say(file, len(known), int(known.sum()), columns)
    rows = torch.from_numpy(np.concatenate([column.features for column in used], 1)).float()
    return Table(rows, torch.from_numpy(labels), classes, printable(file.stem))


def features(path: str | None, target: str | None) -> int:
    """Number of features, for the configuration of networks; 0 where the table cannot be read, as whoever reads it says."""
    return _sizes(path, target)[0]


def labels(path: str | None, target: str | None) -> int:
    """Number of classes; 0 as for :func:`features`."""
    return _sizes(path, target)[1]


def _sizes(path: str | None, target: str | None) -> tuple[int, int]:
    try:
        state = Path(str(path)).expanduser().stat()
        return _sizes_of(str(path), target, state.st_size, state.st_mtime_ns)
    except (OSError, ConfigError, InvalidProblem):
        return 0, 0


@functools.lru_cache(maxsize=8)
def _sizes_of(path: str, target: str | None, size: int, changed: int) -> tuple[int, int]:
    table = read(path, target)
    return table.rows.shape[1], len(table.classes)


def _missing(cells: np.ndarray) -> np.ndarray:
    return np.isin(np.char.lower(cells), list(MISSING))


def _classes(cells: np.ndarray, target: str) -> tuple[tuple[str, ...], np.ndarray]:
    """Names, numbers in their order, and the label of each cell."""
    names = sorted(set(cells.tolist()), key=lambda cell: (number_of(cell) is None, number_of(cell) or 0.0, cell))
    if len(names) < 2:
        raise InvalidProblem(
            f"column {printable(target)} has {len(names)} classes; give data.target a column with two or more"
        )
    if len(names) > min(MOST_CLASSES, len(cells) // 2):
        raise InvalidProblem(
            f"column {printable(target)} has {len(names)} different values in {len(cells)} rows, too many to be classes; "
            "give data.target another column, or round its values"
        )
    place = {name: label for label, name in enumerate(names)}
    return tuple(printable(name) for name in names), np.array([place[cell] for cell in cells.tolist()])


def _column(name: str, texts: np.ndarray) -> Column:
    missing = _missing(texts)
    kinds = sorted(set(texts[~missing].tolist()))
    nothing = np.empty((len(texts), 0))
    if len(kinds) < 2:
        return Column(name, nothing, "empty" if not kinds else "constant")
    numbers = {kind: number_of(kind) for kind in kinds}
    if None not in numbers.values():
        values = np.array(
            [np.nan if gap else numbers[text] for text, gap in zip(texts.tolist(), missing, strict=True)], dtype=float
        )
        return Column(name, values[:, None], "numbers")
    if len(kinds) > MOST_KINDS:
        return Column(name, nothing, f"texts of {len(kinds)} kinds")
    one_hot = (texts[:, None] == np.array(kinds)[None]).astype(float)
    one_hot[missing] = np.nan
    return Column(name, one_hot, f"{len(kinds)} kinds")


def _say(file: Path, rows: int, known: int, columns: Sequence[Column]) -> None:
    gaps = sum(bool(np.isnan(column.features).any()) for column in columns)
    _log.info(
        "table %s: %d rows%s; %d columns of numbers%s%s%s",
        printable(str(file)),
        known,
        f", and {rows - known} without a class, left out" if known < rows else "",
        sum(column.kind == "numbers" for column in columns),
        "".join(
            f"; {printable(c.name)} has {c.kind}, a feature each"
            for c in columns
            if c.kind.endswith("kinds") and c.features.size
        ),
        f"; missing values of {gaps} columns become the mean" if gaps else "",
        "".join(f"; {printable(c.name)} is left out ({c.kind})" for c in columns if not c.features.size),
    )
