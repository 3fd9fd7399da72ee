"""Foreign text files: bounded reading, errors that say where, and the last checks before a problem is believed."""

from __future__ import annotations

import gzip
import logging
import zlib
from collections.abc import Iterator, Mapping
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


def open_infinite(values: np.ndarray) -> np.ndarray:
    """Limits (k,) with those of magnitude 1e20 or more made infinite, as both formats mean them."""
    return np.where(np.abs(values) >= INFINITE, np.copysign(np.inf, values), values)


def checked(path: Path, problem: ILP, unused: Mapping[bytes, int]) -> ILP:
    """The validated problem, with notes that are warnings, too: bounds of integers are rounded inwards, and what is unused.

    Parameters
    ----------
    unused
        Line of each variable that only a bound or a type names; writers leave such, and misspellers.

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
    lb = np.where(problem.integer, np.ceil(problem.lb - INTEGRALITY), problem.lb) + 0.0  # + 0.0 makes -0.0 plain
    ub = np.where(problem.integer, np.floor(problem.ub + INTEGRALITY), problem.ub) + 0.0
    notes = [*_unused(unused), *_rounded(problem, lb, ub)]
    for note in notes:
        _MESSAGES.warning("%s: %s", path, note)
    return replace(problem, lb=lb, ub=ub, notes=tuple(notes))


def _unused(lines: Mapping[bytes, int]) -> Iterator[str]:
    for name, line in [*lines.items()][:1]:
        yield (
            f"line {line}: variable '{one_line(name.decode())}'{_and_others(len(lines))} has a bound or a type but stands "
            "in no row and not in the objective; it is kept, and a misspelt name would look the same"
        )


def _rounded(problem: ILP, lb: np.ndarray, ub: np.ndarray) -> Iterator[str]:
    moved = np.flatnonzero((lb != problem.lb) | (ub != problem.ub))
    for j in moved[:1].tolist():
        yield (
            f"the bounds [{problem.lb[j]:.12g}, {problem.ub[j]:.12g}] of {problem.describe_variable(j)}"
            f"{_and_others(len(moved))} are no integers, though it is integer; read as [{lb[j]:.12g}, {ub[j]:.12g}]"
        )


def _and_others(count: int) -> str:
    return f" and {count - 1} others" if count > 1 else ""
