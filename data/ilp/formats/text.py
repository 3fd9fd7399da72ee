"""Foreign text files: bounded reading, errors that say where, and the last checks before a problem is believed."""

from __future__ import annotations

import gzip
import logging
import zlib
from collections.abc import Iterator
from dataclasses import replace
from io import BufferedReader
from pathlib import Path
from typing import NoReturn

import numpy as np

from data.ilp.problem import ILP, INFINITE, INTEGRALITY
from runs.errors import InvalidProblem
from runs.text import one_line

SIZE_LIMIT = 1 << 30
"""Most bytes of text a file may hold, after decompression: a small gz file can unpack to terabytes."""

_MESSAGES = logging.getLogger(__name__)
_MARK = b"\xef\xbb\xbf"  # what some editors put before UTF-8 text
_BLOCK = 1 << 18
_LONGEST_LINE = 1 << 20


def line_blocks(path: Path, limit: int = SIZE_LIMIT) -> Iterator[bytes]:
    """The text of a plain or gz file in blocks of whole lines, without the last line's end and a byte order mark.

    Raises
    ------
    InvalidProblem
        The file cannot be read, is a broken gz file, holds more than ``limit`` bytes or a line of more than a MiB, or is
        not UTF-8.
    """
    number = 0
    for block in _blocks(path, limit):
        block = block if number else block.removeprefix(_MARK)
        if not block.isascii():
            _check_utf8(path, number, block)
        number += block.count(b"\n") + 1
        yield block


def _blocks(path: Path, limit: int) -> Iterator[bytes]:
    size = 0
    rest = b""
    try:
        with _open(path) as stream:
            while block := stream.read(_BLOCK):
                size += len(block)
                if size > limit:
                    raise InvalidProblem(f"{path} holds more than {limit} bytes of text; expected a smaller file")
                head, newline, rest = (rest + block).rpartition(b"\n")
                if newline:
                    yield head
                if len(rest) > _LONGEST_LINE:
                    raise InvalidProblem(f"{path} has a line of more than {_LONGEST_LINE} bytes; expected a text file")
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InvalidProblem(f"{path} is a broken or truncated gz file ({error}); expected a whole one") from error
    except OSError as error:
        raise InvalidProblem(f"{path} cannot be read: {error.strerror or error}") from error
    if rest:
        yield rest


def _open(path: Path) -> gzip.GzipFile | BufferedReader:
    return gzip.open(path, "rb") if path.name.lower().endswith(".gz") else path.open("rb")


def _check_utf8(path: Path, number: int, block: bytes) -> None:
    for offset, line in enumerate(block.split(b"\n"), 1):
        try:
            line.decode()
        except UnicodeDecodeError as error:
            raise InvalidProblem(
                f"{path}, line {number + offset}: byte {line[error.start]:#04x} at position {error.start + 1}; "
                f"expected UTF-8 text"
            ) from error


def refuse(path: Path, line: int, field: str, found: bytes | str, expected: str) -> NoReturn:
    """Raise an :class:`InvalidProblem` that names file, line, field, what is there and what was expected."""
    text = found.decode(errors="backslashreplace") if isinstance(found, bytes) else found
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text[:61])
    text = text if len(text) <= 60 else text[:57] + "..."
    raise InvalidProblem(f"{path}, line {line}, {one_line(field)}: '{text}'; expected {one_line(expected)}")


def warn_of_unused(path: Path, lines: dict[bytes, int]) -> None:
    """Say in one line which variables (name: line) only a bound or a type names; writers leave such, misspellers too."""
    if not lines:
        return
    name, line = next(iter(lines.items()))
    others = f" and {len(lines) - 1} others" if len(lines) > 1 else ""
    _MESSAGES.warning(
        "%s, line %d: variable '%s'%s has a bound or a type but stands in no row and not in the objective; it is kept, "
        "and a misspelt name would look the same",
        path, line, one_line(name.decode()), others,
    )  # fmt: skip


def open_infinite(values: np.ndarray) -> np.ndarray:
    """Limits (k,) with those of magnitude 1e20 or more made infinite, as both formats mean them."""
    return np.where(np.abs(values) >= INFINITE, np.copysign(np.inf, values), values)


def checked(path: Path, problem: ILP) -> ILP:
    """The validated problem; bounds of integer variables are rounded inwards, with a warning where that moves them.

    Raises
    ------
    InvalidProblem
        The problem is invalid, or a row without entries has sides that exclude 0; names the file.
    """
    replace(problem, name=str(path)).validate()
    empty = np.diff(problem.A.indptr) == 0
    impossible = empty & ((problem.row_lo > 0) | (problem.row_hi < 0))
    if impossible.any():
        i = int(np.argmax(impossible))
        raise InvalidProblem(
            f"{path}: {problem.describe_row(i)} has no entries but must lie in "
            f"[{problem.row_lo[i]:.12g}, {problem.row_hi[i]:.12g}]; expected sides that admit 0"
        )
    return _with_whole_bounds(path, problem)


def _with_whole_bounds(path: Path, problem: ILP) -> ILP:
    lb = np.where(problem.integer, np.ceil(problem.lb - INTEGRALITY), problem.lb)
    ub = np.where(problem.integer, np.floor(problem.ub + INTEGRALITY), problem.ub)
    lb, ub = lb + 0.0, ub + 0.0  # makes -0.0 plain
    moved = np.flatnonzero((lb != problem.lb) | (ub != problem.ub))
    if not len(moved):
        return problem
    j = int(moved[0])
    others = f" and of {len(moved) - 1} others" if len(moved) > 1 else ""
    _MESSAGES.warning(
        "%s: the bounds [%.12g, %.12g] of %s%s are no integers, though it is integer; read as [%.12g, %.12g]",
        path, problem.lb[j], problem.ub[j], problem.describe_variable(j), others, lb[j], ub[j],
    )  # fmt: skip
    return replace(problem, lb=lb, ub=ub)
