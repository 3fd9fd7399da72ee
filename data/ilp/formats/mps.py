"""A strict reader of MPS files, fixed and free format, plain and gz (docs/papers/lb_relax.md#2.7).

Solvers accept silently what this reader refuses (nan, undeclared names, repeated entries), and then solve different
problems. Conventions, shared by HiGHS 1.16 and SCIP 10:

- the first N row is the objective, further ones are ignored; a right-hand side of the objective is minus the offset;
- an integer column (between INTORG and INTEND) without bounds is binary; any bound opens its other side;
- RANGES R: L row [b - |R|, b], G row [b, b + |R|], E row [b, b + R] for R >= 0 and [b - |R|, b] for R < 0;
- bounds and right-hand sides of magnitude 1e20 or more, or Inf, are infinite;
- OBJSENSE on its own line or with the sense beside it;
- a field that begins with ``$`` where a row, a column or a second pair might stand, and names none, begins a comment;
- data lines may begin in column 1 (free format), and MARKER, INTORG and INTEND may lack their quotes;
- a column that only BOUNDS names (OR-Tools writes columns without entries so) is read, with a warning.

Refused as ambiguous: a negative upper bound without a lower one (0 or -inf, readers differ), a second set of right-hand
sides, ranges or bounds, a set of bounds with the name of a column, a column with that of a section, a value given twice.
Unsupported: semicontinuous bounds, SOS, quadratic parts, indicators, and names with blanks.
"""

from __future__ import annotations

import math
import operator
from array import array
from collections.abc import Container
from decimal import Context, Decimal
from pathlib import Path
from typing import NoReturn

import numpy as np
import scipy.sparse as sp

from data.ilp.formats.suffixes import stem
from data.ilp.formats.text import SIZE_LIMIT, checked, line_blocks, open_infinite, refuse
from data.ilp.problem import ILP
from runs.errors import InvalidProblem

EXACT = Context(prec=50)
"""Sides of ranged rows are computed in decimals and rounded once, so that a writer can hit every float."""

_SECTIONS = (b"NAME", b"OBJSENSE", b"ROWS", b"COLUMNS", b"RHS", b"RANGES", b"BOUNDS", b"ENDATA")
_SENSES = {b"MIN": False, b"MINIMIZE": False, b"MINIMISE": False, b"MAX": True, b"MAXIMIZE": True, b"MAXIMISE": True}
_NEEDS = {b"COLUMNS": b"ROWS", b"RHS": b"COLUMNS", b"RANGES": b"COLUMNS", b"BOUNDS": b"COLUMNS"}
_UNSUPPORTED = (
    b"SOS", b"SOS1", b"SOS2", b"SETS", b"QUADOBJ", b"QMATRIX", b"QSECTION", b"QCMATRIX", b"CSECTION", b"INDICATORS",
    b"GENCONS", b"PWLOBJ", b"LAZYCONS", b"USERCUTS", b"OBJNAME", b"OBJECT", b"REFROW", b"BRANCH",
)  # fmt: skip
_VALUELESS = (b"FR", b"MI", b"PL", b"BV")
_VALUED = (b"UP", b"LO", b"FX", b"LI", b"UI")
_BARE_MARKERS = ((b"MARKER", b"INTORG"), (b"MARKER", b"INTEND"))
_COMMENTS_FROM = {b"ROWS": 2, b"COLUMNS": 1, b"RHS": 1, b"RANGES": 1, b"BOUNDS": 2}
"""Index of the first field of a section's lines that may begin a comment; before it ``$`` is part of a name."""


def read_mps(path: Path | str, limit: int = SIZE_LIMIT) -> ILP:
    """Read an MPS file; the instance is named after the file.

    Parameters
    ----------
    limit
        Most bytes of text, after decompression.

    Raises
    ------
    InvalidProblem
        The file breaks the format or uses an unsupported part; names file, line, field and expectation.
    """
    reader = _Reader(Path(path))
    for block in line_blocks(reader.path, limit):
        reader.take(block)
        if reader.section == b"ENDATA":  # what follows is no part of the format; MIPLIB files have notes there
            break
    return checked(reader.path, reader.problem(), reader.only_bounded)


class _Reader:
    """The state of one pass over the lines."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.number = 0
        self.section = b""
        self.seen_sections: set[bytes] = set()
        self.maximize = False
        self.rows: dict[bytes, int] = {}
        self.kinds: list[bytes] = []  # of each row
        self.columns: dict[bytes, int] = {}
        self.column = b""
        self.integer = bytearray()  # of each column
        self.in_integers = False
        self.last_column = np.empty(0, np.int64)  # of each row: the latest column with an entry in it
        self.entry_rows, self.entry_columns, self.entries = array("q"), array("q"), array("d")
        self.set_names: dict[bytes, bytes] = {}  # of RHS, RANGES, BOUNDS
        self.rhs: dict[int, float] = {}  # by row
        self.ranges: dict[int, str] = {}  # as written: the far side is rounded only once
        self.lower: dict[int, float] = {}  # by column
        self.upper: dict[int, float] = {}
        self.upper_line: dict[int, int] = {}
        self.only_bounded: dict[bytes, int] = {}  # line of each column that COLUMNS lacks
        self.handlers = {
            b"OBJSENSE": self._sense, b"ROWS": self._row, b"COLUMNS": self._entry,
            b"RHS": self._side, b"RANGES": self._side, b"BOUNDS": self._bound,
        }  # fmt: skip

    def take(self, block: bytes) -> None:
        """Take some whole lines."""
        if self.section == b"COLUMNS" and self._take_entries(block):
            self.number += block.count(b"\n") + 1
            return
        for line in block.split(b"\n"):
            self.number += 1
            self._take_line(line)
            if self.section == b"ENDATA":
                return

    def _take_line(self, line: bytes) -> None:
        fields = line.split()
        if not fields or line[:1] == b"*":
            return
        if line[:1] in b" \t" or self._is_data(fields):
            handler = self.handlers.get(self.section)
            if handler is None:
                self._refuse("field 1", fields[0], "a section header in column 1 (ROWS, COLUMNS, ...)")
            handler(self._without_comment(fields) if b"$" in line else fields)
        else:
            self._header(fields)

    def _is_data(self, fields: list[bytes]) -> bool:
        """Whether a line that begins in column 1 is one of the section, as free format allows, and no header."""
        if self.section == b"OBJSENSE":
            return fields[0].upper() in _SENSES
        return self.section in self.handlers and len(fields) > 1 and fields[0] not in (*_SECTIONS, *_UNSUPPORTED)

    def _without_comment(self, fields: list[bytes]) -> list[bytes]:
        for k in range(_COMMENTS_FROM.get(self.section, len(fields)), len(fields)):
            if fields[k].startswith(b"$") and fields[k] not in self.rows and fields[k] not in self.columns:
                return fields[:k]
        return fields

    def _refuse(self, field: str, found: bytes, expected: str) -> NoReturn:
        where = f"section {self.section.decode(errors='replace')}, {field}" if self.section else field
        refuse(self.path, self.number, where, found, expected)

    def _header(self, fields: list[bytes]) -> None:
        keyword = fields[0]
        self._leave_section()
        self.section = b""
        if keyword in _UNSUPPORTED:
            self._refuse("field 1", keyword, "a linear problem; this section is unsupported")
        if keyword not in _SECTIONS:
            self._refuse(
                "field 1", keyword,
                "a section (NAME, OBJSENSE, ROWS, COLUMNS, RHS, RANGES, BOUNDS, ENDATA) or a data line that begins "
                "with a blank",
            )  # fmt: skip
        if keyword in self.seen_sections:
            self._refuse("field 1", keyword, "each section once")
        if keyword in _NEEDS and _NEEDS[keyword] not in self.seen_sections:
            self._refuse("field 1", keyword, f"section {_NEEDS[keyword].decode()} before it")
        if len(fields) > 1 and keyword not in (b"NAME", b"OBJSENSE"):
            self._refuse("field 2", fields[1], f"nothing after {keyword.decode()}")
        self.seen_sections.add(keyword)
        self.section = keyword
        if keyword == b"COLUMNS":
            self.last_column = np.full(len(self.rows), -1)
        if keyword == b"OBJSENSE" and len(fields) > 1:
            self._sense(fields[1:])

    def _leave_section(self) -> None:
        if self.section == b"COLUMNS" and self.in_integers:
            self._refuse("field 1", b"", "an INTEND marker for the open INTORG")
        if self.section == b"ROWS" and b"N" not in self.kinds:
            self._refuse("field 1", b"", "an N row, the objective, among the rows")

    def _sense(self, fields: list[bytes]) -> None:
        if len(fields) != 1 or fields[0].upper() not in _SENSES:
            self._refuse("field 1", b" ".join(fields), "MIN or MAX")
        self.maximize = _SENSES[fields[0].upper()]

    def _row(self, fields: list[bytes]) -> None:
        if len(fields) != 2:
            self._refuse("fields", b" ".join(fields), "a type and a name without blanks")
        kind, name = fields
        if kind not in (b"N", b"L", b"G", b"E"):
            self._refuse("field 1 (type)", kind, "N, L, G or E")
        if name in self.rows:
            self._refuse("field 2 (row)", name, "a name not used by another row")
        self.rows[name] = len(self.kinds)
        self.kinds.append(kind)

    def _take_entries(self, block: bytes) -> bool:
        """Take a block of nothing but entry lines at once; if anything is odd change nothing and return False."""
        newlines = block.count(b"\n")
        if block[:1] not in b" \t" or block.count(b"\n ") + block.count(b"\n\t") < newlines or b"'MARKER'" in block:
            return False
        fields = [line.split() for line in block.split(b"\n")]
        if not {len(line) for line in fields} <= {3, 5}:
            return False
        pairs = [(f[0], f[k], f[k + 1]) for f in fields for k in range(1, len(f), 2)]
        names, row_names, texts = zip(*pairs, strict=True)
        try:
            rows = np.array(list(map(self.rows.__getitem__, row_names)))
            values = np.array(list(map(float, texts)))
        except (KeyError, ValueError):
            return False
        fresh = np.fromiter(map(operator.ne, names, (self.column, *names[:-1])), np.bool_, len(names))
        starts = [names[i] for i in np.flatnonzero(fresh)]
        columns = len(self.integer) - 1 + np.cumsum(fresh)
        places = np.sort(columns * len(self.rows) + rows)
        if (
            not np.isfinite(values).all()
            or b"_" in b"".join(texts)
            or len(set(starts)) < len(starts)
            or not self.columns.keys().isdisjoint(starts)
            or (self.last_column[rows] == columns).any()
            or (places[1:] == places[:-1]).any()
        ):
            return False
        for name in starts:
            self._new_column(name)
        self.last_column[rows[columns == columns[-1]]] = columns[-1]
        self.entry_rows.frombytes(rows.tobytes())
        self.entry_columns.frombytes(columns.tobytes())
        self.entries.frombytes(values.tobytes())
        return True

    def _entry(self, fields: list[bytes]) -> None:
        if len(fields) == 3 and (fields[1] == b"'MARKER'" or (fields[1], fields[2].strip(b"'")) in _BARE_MARKERS):
            self._refuse_section(fields[0])
            self._marker(fields[2].strip(b"'"))
            return
        if len(fields) != 3 and len(fields) != 5:
            self._refuse(
                "fields", b" ".join(fields), "a column and one or two pairs of row and value, no blanks in names"
            )
        if fields[0] != self.column:
            self._new_column(fields[0])
        column = len(self.integer) - 1
        for k in range(1, len(fields), 2):
            row = self._row_index(fields, k)
            if self.last_column[row] == column:
                self._refuse(f"field {k + 1} (row)", fields[k], "one entry of this column in the row, this is a second")
            self.last_column[row] = column
            self.entry_rows.append(row)
            self.entry_columns.append(column)
            self.entries.append(self._number(fields, k + 1))

    def _marker(self, kind: bytes) -> None:
        if kind not in (b"INTORG", b"INTEND"):
            self._refuse("field 3 (marker)", kind, "'INTORG' or 'INTEND'; other markers are unsupported")
        if self.in_integers == (kind == b"INTORG"):
            self._refuse("field 3 (marker)", kind, "INTORG and INTEND in turn")
        self.in_integers = not self.in_integers
        self.column = b""

    def _new_column(self, name: bytes) -> None:
        if name in self.columns:
            self._refuse("field 1 (column)", name, "all entries of a column together; it appeared before")
        self._refuse_section(name)
        self.columns[name] = len(self.integer)
        self.integer.append(self.in_integers)
        self.column = name

    def _refuse_section(self, name: bytes) -> None:
        if name in _SECTIONS:
            self._refuse("field 1 (column)", name, "a column with no section's name; HiGHS takes it for the section")

    def _side(self, fields: list[bytes]) -> None:
        """A line of RHS or RANGES; the name of the set may be missing."""
        values: Container[int] = self.rhs if self.section == b"RHS" else self.ranges
        if not 2 <= len(fields) <= 5:
            self._refuse(
                "fields", b" ".join(fields), "a set name and one or two pairs of row and value, no blanks in names"
            )
        named = len(fields) % 2
        self._one_set(fields[0] if named else b"")
        for k in range(named, len(fields), 2):
            row = self._row_index(fields, k)
            if row in values:
                self._refuse(f"field {k + 1} (row)", fields[k], "one value for the row, this is a second")
            if values is self.ranges and self.kinds[row] == b"N":
                self._refuse(f"field {k + 1} (row)", fields[k], "an L, G or E row; an objective has no range")
            value = self._number(fields, k + 1, infinite=values is self.rhs)
            if values is self.rhs:
                self.rhs[row] = value
            else:
                self.ranges[row] = fields[k + 1].decode()

    def _bound(self, fields: list[bytes]) -> None:
        kind = fields[0]
        if kind not in _VALUED and kind not in _VALUELESS:
            supported = ", ".join(name.decode() for name in _VALUED + _VALUELESS)
            self._refuse("field 1 (type)", kind, f"one of {supported} (semicontinuous bounds are unsupported)")
        valued = kind in _VALUED
        place = self._bound_column(fields, valued)
        if fields[place] not in self.columns:
            self.only_bounded.setdefault(fields[place], self.number)
            self._new_column(fields[place])
        self._one_set(fields[1] if place == 2 else b"")
        if place == 2 and fields[1] in self.columns:
            self._refuse(
                "field 2 (set)", fields[1], "a name of the set that no column has; HiGHS takes it for the column"
            )
        column = self.columns[fields[place]]
        value = self._number(fields, place + 1, infinite=True) if valued else 0.0
        if kind in (b"LO", b"LI", b"FX", b"MI", b"FR", b"BV"):
            lower = value if valued else (0.0 if kind == b"BV" else -math.inf)
            self._bound_once(self.lower, column, lower, fields[place], "lower")
        if kind in (b"UP", b"UI", b"FX", b"PL", b"FR", b"BV"):
            upper = value if valued else (1.0 if kind == b"BV" else math.inf)
            self._bound_once(self.upper, column, upper, fields[place], "upper")
            self.upper_line[column] = self.number
        if kind in (b"LI", b"UI", b"BV"):
            self.integer[column] = True

    def _bound_column(self, fields: list[bytes], valued: bool) -> int:
        """Position of the column name: 2 after the name of the set, 1 without one; a needless value is let pass."""
        without_set, with_set = 2 + valued, 3 + valued
        if not without_set <= len(fields) <= max(with_set, 4):
            value = ", value" if valued else ""
            self._refuse("fields", b" ".join(fields), f"type, set name, column{value}; no blanks in names")
        return 1 if len(fields) == without_set else 2

    def _bound_once(self, bounds: dict[int, float], column: int, value: float, name: bytes, side: str) -> None:
        if column in bounds:
            self._refuse("column", name, f"one {side} bound for the column, this is a second")
        bounds[column] = value

    def _one_set(self, name: bytes) -> None:
        first = self.set_names.setdefault(self.section, name)
        if name != first:
            self._refuse("field of the set name", name, f"'{first.decode()}' as before; several sets are unsupported")

    def _row_index(self, fields: list[bytes], k: int) -> int:
        row = self.rows.get(fields[k])
        if row is None:
            self._refuse(f"field {k + 1} (row)", fields[k], "a row declared in ROWS")
        return row

    def _number(self, fields: list[bytes], k: int, infinite: bool = False) -> float:
        try:
            value = float(fields[k])
        except ValueError:
            value = math.nan
        if math.isnan(value) or b"_" in fields[k] or (math.isinf(value) and not infinite):
            self._refuse(f"field {k + 1} (value)", fields[k], "a number" if infinite else "a finite number")
        return value

    def problem(self) -> ILP:
        """The problem, once all lines are in."""
        if self.section != b"ENDATA":
            self.section = b""
            raise InvalidProblem(f"{self.path} ends at line {self.number} without ENDATA; is it truncated?")
        if b"COLUMNS" not in self.seen_sections or not self.columns:
            raise InvalidProblem(f"{self.path} declares no column; expected at least one in section COLUMNS")
        kinds = np.array(self.kinds)
        constraint = kinds != b"N"
        objective = self.kinds.index(b"N")
        rows, columns = np.frombuffer(self.entry_rows, np.int64), np.frombuffer(self.entry_columns, np.int64)
        values = np.frombuffer(self.entries, np.float64)
        n, m = len(self.columns), int(constraint.sum())
        costs = np.zeros(n)
        in_objective = rows == objective
        costs[columns[in_objective]] = values[in_objective]
        inside = constraint[rows]
        place = np.cumsum(constraint) - 1
        matrix = sp.coo_matrix((values[inside], (place[rows[inside]], columns[inside])), shape=(m, n))
        row_lo, row_hi = self._sides(kinds)
        lb, ub = self._bounds()
        return ILP.build(
            costs, matrix, row_lo[constraint], row_hi[constraint], lb, ub, np.frombuffer(self.integer, np.bool_),
            maximize=self.maximize,
            offset=0.0 - self.rhs.get(objective, 0.0),
            var_names=[name.decode() for name in self.columns],
            row_names=[name.decode() for name, row in self.rows.items() if constraint[row]],
            name=stem(self.path),
        )  # fmt: skip

    def _sides(self, kinds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        rhs = np.zeros(len(kinds))
        rhs[list(self.rhs)] = list(self.rhs.values())
        lower = np.where(kinds == b"L", -np.inf, rhs)
        upper = np.where(kinds == b"G", np.inf, rhs)
        for row, text in self.ranges.items():
            width = Decimal(text)
            below = kinds[row] == b"L" or (kinds[row] == b"E" and width < 0)
            lower[row] = EXACT.subtract(Decimal(rhs[row]), abs(width)) if below else rhs[row]
            upper[row] = rhs[row] if below else EXACT.add(Decimal(rhs[row]), abs(width))
        return open_infinite(lower), open_infinite(upper)

    def _bounds(self) -> tuple[np.ndarray, np.ndarray]:
        for column, value in self.upper.items():
            if value < 0 and column not in self.lower:
                self.number, self.section = self.upper_line[column], b"BOUNDS"
                self._refuse(
                    "value", f"{value:.12g}".encode(), "a lower bound (LO or MI) beside a negative upper bound"
                )
        lb, ub = np.zeros(len(self.columns)), np.full(len(self.columns), np.inf)
        binary = np.frombuffer(self.integer, np.bool_).copy()
        for bounds, side in ((self.lower, lb), (self.upper, ub)):
            given = list(bounds)
            side[given] = list(bounds.values())
            binary[given] = False
        ub[binary] = 1.0
        return open_infinite(lb), open_infinite(ub)
