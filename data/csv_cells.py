"""A CSV file with names in its first line, as texts by column."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from runs.errors import ConfigError, InvalidProblem
from runs.text import printable

Cells = dict[str, np.ndarray]
SEPARATORS = ",;\t|"
DECIMAL_COMMA = re.compile(r"^([-+]?\d+),(\d+)$")
"""A number of a file whose separator is not the comma."""


def cells_of(file: Path, setting: str = "data.path") -> Cells:
    """The texts of every column by its name; line breaks within cells and empty lines aside, row i stands in line i + 2.

    Parameters
    ----------
    file
        UTF-8, separated by comma, semicolon, tab or bar.
    setting
        What names the file, for messages.

    Raises
    ------
    ConfigError
        It cannot be read.
    InvalidProblem
        It is no such table: names line or column.
    """
    name = printable(str(file))
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            head = stream.readline()
            stream.seek(0)
            separator = max(SEPARATORS, key=head.count)
            lines = _lines(csv.reader(stream, delimiter=separator, strict=True), name)
            names, rows = next(lines, []), list(lines)
    except OSError as error:
        raise ConfigError(f"{setting}: {name} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise InvalidProblem(f"{name} is not UTF-8 ({error.reason}); convert it, say with iconv") from error
    if any(number_of(cell) is not None for cell in names):
        raise InvalidProblem(
            f"{name}, line 1 has numbers: {', '.join(names[:5])}; the first line must name the columns"
        )
    if doubled := [each for each in dict.fromkeys(names) if names.count(each) > 1]:
        raise InvalidProblem(f"{name}, line 1 names the column '{printable(doubled[0])}' twice; give each its own name")
    if not rows:
        raise InvalidProblem(f"{name} has no row below the names of its columns")
    columns = {key: np.array(column) for key, column in zip(names, zip(*rows, strict=True), strict=True)}
    if separator == ",":
        return columns
    return {key: np.array([DECIMAL_COMMA.sub(r"\1.\2", cell) for cell in cells]) for key, cells in columns.items()}


def _lines(reader: Any, name: str) -> Iterator[list[str]]:
    """Stripped cells of each line that is not empty, as many as in the first."""
    width = 0
    try:
        for cells in reader:
            width = width or len(cells)
            if len(cells) not in (0, width):
                raise InvalidProblem(
                    f"{name}, line {reader.line_num} has {len(cells)} cells, and the first line {width}"
                )
            if cells:
                yield [cell.strip() for cell in cells]
    except csv.Error as error:
        raise InvalidProblem(f"{name}, line {reader.line_num}: {error}") from error


def number_of(cell: str) -> float | None:
    """A finite number with a decimal point; None for anything else."""
    try:
        value = float(cell) if "_" not in cell else math.nan
    except ValueError:
        return None
    return value if math.isfinite(value) else None
