r"""A strict reader of LP files (CPLEX's format), plain and gz (docs/papers/lb_relax.md#2.7).

::

    \ a comment
    Maximize
     profit: 3 x + 2 y + 0.5 z + 7
    Subject To
     cap: 2 x + y <= 3
     both: -1 <= x - z <= 4
    Bounds
     z <= 4
    Binaries
     x
    Generals
     y
    End

Conventions, shared by HiGHS 1.16 and SCIP 10: headers begin their line, in any case and also short (st, bin, gen); repeated
terms of the objective are added up; the last of several bounds of a side counts; bounds and sides of magnitude 1e20 or more
are infinite; what no bound is given to lies in [0, inf), general integers too.

Refused as ambiguous: bounds of a variable under Binaries that leave [0, 1] (SCIP and CBC read [0, 1], HiGHS and GLPK the
bounds), a repeated variable in a row, a constant in a row, two rows of one name. Unsupported: semicontinuous variables, SOS,
quadratic parts, indicators. A variable that only Bounds or Generals name is read, as writers leave it, with a warning.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import numpy as np
import scipy.sparse as sp

from data.ilp.formats.lp_tokens import INFINITY, Word, words
from data.ilp.formats.suffixes import stem
from data.ilp.formats.text import SIZE_LIMIT, checked, line_blocks, open_infinite, refuse
from data.ilp.problem import ILP
from runs.errors import InvalidProblem

_END = Word("end of file", b"", 0)
_FLIPPED = {"<": ">", ">": "<", "=": "="}

Term = tuple[int | None, float, Word]
"""Column (None for a constant), coefficient and where it stands."""


def read_lp(path: Path | str, limit: int = SIZE_LIMIT) -> ILP:
    """Read an LP file, plain or gz; the instance is named after the file.

    Parameters
    ----------
    limit
        Most bytes of text, after decompression.

    Raises
    ------
    InvalidProblem
        The file breaks the format, is ambiguous or uses an unsupported part; names file, line and expectation.
    """
    path = Path(path)
    parsed = _Parser(path, words(path, line_blocks(path, limit))).parsed()
    unused = [*zip(parsed.columns, parsed.first_line, strict=True)][parsed.used :]
    return checked(path, _problem(path, parsed), dict(unused))


@dataclass
class _Parsed:
    """What stands in the file; rows and columns are numbered as they appear."""

    maximize: bool = False
    offset: float = 0.0
    columns: dict[bytes, int] = field(default_factory=dict)
    costs: dict[int, float] = field(default_factory=dict)  # by column
    row_names: list[bytes | None] = field(default_factory=list)
    sides: list[tuple[float, float]] = field(default_factory=list)  # of each row
    entry_rows: array[int] = field(default_factory=lambda: array("q"))
    entry_columns: array[int] = field(default_factory=lambda: array("q"))
    entries: array[float] = field(default_factory=lambda: array("d"))
    used: int = 0  # columns that the objective or a row names; they come first
    first_line: list[int] = field(default_factory=list)  # of each column
    lower: dict[int, float] = field(default_factory=dict)  # by column
    upper: dict[int, float] = field(default_factory=dict)
    bound_line: dict[int, int] = field(default_factory=dict)
    binary: dict[int, int] = field(default_factory=dict)  # line by column
    general: dict[int, int] = field(default_factory=dict)


class _Parser:
    """One pass over the words, with two of them known ahead."""

    def __init__(self, path: Path, all_words: Iterator[Word]) -> None:
        self.path = path
        self.words = all_words
        self.next, self.after = next(all_words, _END), next(all_words, _END)
        self.line = 0  # of the word taken last
        self.row_lines: dict[bytes, int] = {}
        self.found = _Parsed()

    def parsed(self) -> _Parsed:
        """Take the whole file."""
        found = self.found
        if self.next.kind == _END.kind:
            raise InvalidProblem(f"{self.path} is empty; expected an LP file")
        sense = self._take()
        if (sense.kind, sense.text) not in (("section", b"minimize"), ("section", b"maximize")):
            self._refuse("first word", sense, "Minimize or Maximize; is it an LP file of CPLEX's kind?")
        found.maximize = sense.text == b"maximize"
        self._objective()
        if self.next.text == b"rows" and self.next.kind == "section":
            self._section(self._row)
        found.used = len(found.columns)
        lists = {b"bounds": self._bound, b"binary": self._binary, b"general": self._general}
        while self.next.text in lists and self.next.kind == "section":
            self._section(lists[self.next.text])
        end = self._take()
        if end.text != b"end":
            self._refuse(
                "section", end, "Bounds, Binaries, Generals or End; the objective and the rows come once, first"
            )
        if self.next.kind != _END.kind:
            self._refuse("word", self.next, "nothing after End")
        return found

    def _section(self, statement: Callable[[], None]) -> None:
        self._take()
        while self.next.kind != "section":
            statement()

    def _take(self) -> Word:
        word = self.next
        if word.kind == _END.kind:
            raise InvalidProblem(f"{self.path} ends without 'End'; is it truncated, or no LP file?")
        self.line = word.line
        self.next, self.after = self.after, next(self.words, _END)
        return word

    def _expect(self, kind: str, where: str, expected: str) -> Word:
        if self.next.kind not in (kind, _END.kind):
            self._refuse(where, self.next, expected)
        return self._take()

    def _refuse(self, where: str, found: Word, expected: str) -> NoReturn:
        refuse(self.path, found.line, where, found.text, expected)

    def _objective(self) -> None:
        self._label()
        for column, value, _ in self._terms("objective"):
            if column is None:
                self.found.offset += value
            else:
                self.found.costs[column] = self.found.costs.get(column, 0.0) + value
        if self.next.kind not in ("section", _END.kind):
            self._refuse("objective", self.next, "a sign and a term, or the next section's header, first on its line")

    def _row(self) -> None:
        first, label = self.next, self._label()
        where = f"row '{label.text.decode()}'" if label else "row without a name"
        if label is None and self.found.sides and first.line == self.line:
            self._refuse("right-hand side", first, "one number, and then a row with a name or on a line of its own")
        if label and label.text in self.row_lines:
            line = self.row_lines[label.text]
            self._refuse("row", label, f"a name not used by another row; line {line} has it")
        if label:
            self.row_lines[label.text] = label.line
        terms = self._terms(where)
        if len(terms) == 1 and terms[0][0] is None:  # -1 <= x + y <= 4
            sides = [(_FLIPPED[self._comparison(where)], terms[0][1])]
            if (
                self.next.kind == "number" and self.after.line > self.next.line
            ):  # HiGHS takes 1 <= 4 for a row by itself
                self._refuse(where, self.next, "the first term of a range on one line")
            terms = self._terms(where)
            sides.append(self._side(where))
        else:
            sides = [self._side(where)]
        self.found.row_names.append(label.text if label else None)
        self.found.sides.append(self._interval(sides, where, first))
        self._entries(terms, where)

    def _label(self) -> Word | None:
        """The name before a colon, if there is one."""
        if self.next.kind != "name" or self.after.kind != "colon":
            return None
        name = self._take()
        self._take()
        return name

    def _terms(self, where: str) -> list[Term]:
        terms: list[Term] = []
        while self.next.kind in ("sign", "number", "name"):
            first = self.next
            if terms and first.kind != "sign":
                self._refuse(where, first, "a sign between two terms")
            sign = self._sign()
            value = self._number(where) if self.next.kind == "number" else None
            times = value is not None and self.next.kind == "times"
            if times:
                self._take()
            if self.next.kind == "name":
                terms.append((self._column(), sign * (1.0 if value is None else value), first))
            elif value is None or times:
                self._refuse(where, self._take(), "a number or a variable")
            else:
                terms.append((None, sign * value, first))
        return terms

    def _sign(self) -> float:
        sign = 1.0
        while self.next.kind == "sign":
            sign = -sign if self._take().text == b"-" else sign
        return sign

    def _number(self, where: str) -> float:
        value = float(self.next.text)
        if math.isinf(value):
            self._refuse(where, self.next, "a finite number")
        self._take()
        return value

    def _column(self) -> int:
        name, columns = self._take(), self.found.columns
        if name.text not in columns:
            self.found.first_line.append(name.line)
        return columns.setdefault(name.text, len(columns))

    def _entries(self, terms: list[Term], where: str) -> None:
        found, seen = self.found, set[int]()
        for column, value, word in terms:
            if column is None:
                self._refuse(where, word, "no constant among the terms; it belongs to the right of the comparison")
            if column in seen:
                name = list(found.columns)[column]
                refuse(self.path, word.line, where, name, "a variable once in a row; this one occurs more than once")
            seen.add(column)
            found.entry_rows.append(len(found.sides) - 1)
            found.entry_columns.append(column)
            found.entries.append(value)

    def _comparison(self, where: str) -> str:
        text = self._expect("compare", where, "a sign and a term, or <=, >= or =").text
        return "<" if b"<" in text else ">" if b">" in text else "="

    def _side(self, where: str) -> tuple[str, float]:
        return self._comparison(where), self._limit(where)

    def _limit(self, where: str) -> float:
        """A number, or a signed inf."""
        sign = self._sign()
        if self.next.kind == "reserved" and self.next.text in INFINITY:
            self._take()
            return sign * math.inf
        if self.next.kind not in ("number", _END.kind):
            self._refuse(where, self.next, "a number; variables stand to the left of the comparison")
        return sign * float(self._take().text)

    def _interval(self, sides: list[tuple[str, float]], where: str, first: Word) -> tuple[float, float]:
        """Lower and upper limit, of the two sides of a range or of the only one."""
        limits = dict(sides)
        if len(sides) == 2 and set(limits) != {"<", ">"}:
            self._refuse(where, first, "a range with a lower and an upper limit")
        if "=" in limits:
            return limits["="], limits["="]
        return limits.get(">", -math.inf), limits.get("<", math.inf)

    def _bound(self) -> None:
        first = self.next
        if first.kind == "name":
            column = self._column()
            if self.next == Word("reserved", b"free", self.next.line):
                self._take()
                sides = [(">", -math.inf), ("<", math.inf)]
            else:
                sides = [self._side("bound")]
        else:
            value = self._limit("bound")
            sides = [(_FLIPPED[self._comparison("bound")], value)]
            if self.next.kind != "name":
                self._refuse("bound", self._take(), "a variable")
            column = self._column()
            if self.next.kind == "compare":
                sides.append(self._side("bound"))
        lower, upper = self._interval(sides, "bound", first)
        given = {direction for direction, _ in sides}
        if given & {">", "="}:
            self.found.lower[column] = lower
        if given & {"<", "="}:
            self.found.upper[column] = upper
        self.found.bound_line[column] = first.line

    def _binary(self) -> None:
        self._listed("Binaries", self.found.binary)

    def _general(self) -> None:
        self._listed("Generals", self.found.general)

    def _listed(self, section: str, lines: dict[int, int]) -> None:
        if self.next.kind not in ("name", _END.kind):
            self._refuse(section, self.next, "names of variables")
        line = self.next.line
        lines[self._column()] = line


def _problem(path: Path, found: _Parsed) -> ILP:
    names = [name.decode() for name in found.columns]
    if not names:
        raise InvalidProblem(f"{path} declares no variable; expected at least one")
    n, m = len(names), len(found.sides)
    lb, ub = np.zeros(n), np.full(n, np.inf)
    ub[list(found.binary)] = 1.0
    for given, side in ((found.lower, lb), (found.upper, ub)):
        side[list(given)] = list(given.values())
    for column, line in found.binary.items():
        if lb[column] < 0 or ub[column] > 1:
            bounds = f"[{lb[column]:.12g}, {ub[column]:.12g}]"
            refuse(
                path, found.bound_line[column], f"bounds of '{names[column]}'", bounds,
                f"[0, 1] for a variable under Binaries (line {line}): SCIP and CBC read [0, 1], HiGHS and GLPK {bounds}; "
                "list it under Generals, or drop the bound",
            )  # fmt: skip
    costs = np.zeros(n)
    costs[list(found.costs)] = list(found.costs.values())
    integer = np.zeros(n, bool)
    integer[[*found.binary, *found.general]] = True
    values, rows, columns = np.array(found.entries), np.array(found.entry_rows), np.array(found.entry_columns)
    sides = np.array(found.sides, np.float64).reshape(m, 2)
    return ILP.build(
        costs,
        sp.coo_matrix((values, (rows, columns)), shape=(m, n)),
        open_infinite(sides[:, 0]),
        open_infinite(sides[:, 1]),
        open_infinite(lb),
        open_infinite(ub),
        integer,
        maximize=found.maximize,
        offset=found.offset,
        var_names=names,
        row_names=_row_names(found.row_names),
        name=stem(path),
    )


def _row_names(names: list[bytes | None]) -> list[str]:
    """The names, and for rows without one ``row<number>``, which no other has."""
    taken = {name.decode() for name in names if name is not None}
    complete = []
    for number, name in enumerate(names, 1):
        own = f"row{number}" if name is None else name.decode()
        while name is None and own in taken:
            own += "_"
        complete.append(own)
    return complete
