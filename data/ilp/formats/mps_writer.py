"""Writing free-format MPS that reads back as the same problem, bit for bit."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from decimal import Context, Decimal
from pathlib import Path

import numpy as np

from data.ilp.problem import ILP
from runs.errors import InvalidProblem
from runs.files import atomic_write

_WIDTH = Context(prec=25)
"""Digits of a range: the far side, the larger of the two, is then nearest to the right float."""


def write_mps(problem: ILP, path: Path | str) -> None:
    """Write ``problem`` atomically with 17 significant digits (ranges 25); gz when the name ends in ``.gz``.

    Variables and rows without names are called x0, x1, ... and r0, r1, ...

    Raises
    ------
    InvalidProblem
        The problem is invalid, or a name cannot be written (blank, empty).
    """
    path = Path(path)
    text = "\n".join(_lines(problem.validate())).encode() + b"\n"
    atomic_write(path, gzip.compress(text, mtime=0) if path.name.lower().endswith(".gz") else text)


def _lines(problem: ILP) -> Iterator[str]:
    columns = _names(problem, problem.var_names, problem.n, "x")
    rows = _names(problem, problem.row_names, problem.m, "r")
    objective = "objective"
    while objective in set(rows):
        objective += "_"
    sides = [_side(problem, i) for i in range(problem.m)]
    yield f"NAME {problem.name.split()[0] if problem.name.split() else 'ilp'}"
    yield from ("OBJSENSE", f"    {'MAX' if problem.maximize else 'MIN'}", "ROWS", f" N  {objective}")
    yield from (f" {kind}  {row}" for row, (kind, _, _) in zip(rows, sides, strict=True))
    yield "COLUMNS"
    yield from _column_lines(problem, columns, rows, objective)
    yield "RHS"
    if problem.offset:
        yield f"    rhs  {objective}  {-problem.offset:.17g}"
    yield from (f"    rhs  {row}  {rhs:.17g}" for row, (_, rhs, _) in zip(rows, sides, strict=True) if rhs)
    yield "RANGES"
    yield from (f"    rng  {row}  {width}" for row, (_, _, width) in zip(rows, sides, strict=True) if width)
    yield "BOUNDS"
    for j, column in enumerate(columns):
        yield from _bound_lines(problem, j, column)
    yield "ENDATA"


def _names(problem: ILP, names: tuple[str, ...], count: int, letter: str) -> list[str]:
    for name in names:
        if name.encode().split() != [name.encode()]:
            raise InvalidProblem(
                f"{problem.name}: the name '{name}' cannot be written to MPS; expected one without blanks"
            )
    return list(names) or [f"{letter}{k}" for k in range(count)]


def _side(problem: ILP, i: int) -> tuple[str, float, str]:
    """Type, right-hand side (the side nearer to 0) and range (empty: none) of row i."""
    lower, upper = float(problem.row_lo[i]), float(problem.row_hi[i])
    if lower == upper:
        return "E", upper, ""
    if np.isinf(lower):
        return "L", 1e30 if np.isinf(upper) else upper, ""
    if np.isinf(upper):
        return "G", lower, ""
    width = str(_WIDTH.subtract(Decimal(upper), Decimal(lower)))
    return ("G", lower, width) if abs(lower) < abs(upper) else ("L", upper, width)


def _column_lines(problem: ILP, columns: list[str], rows: list[str], objective: str) -> Iterator[str]:
    matrix = problem.A_csc
    indices, values = matrix.indices.tolist(), matrix.data.tolist()
    indptr, costs = matrix.indptr.tolist(), problem.c.tolist()
    inside = False
    for j, column in enumerate(columns):
        if inside != problem.integer[j]:
            inside = not inside
            yield f"    marker  'MARKER'  '{'INTORG' if inside else 'INTEND'}'"
        if costs[j] or indptr[j] == indptr[j + 1]:
            yield f"    {column}  {objective}  {costs[j]:.17g}"
        for k in range(indptr[j], indptr[j + 1]):
            yield f"    {column}  {rows[indices[k]]}  {values[k]:.17g}"
    if inside:
        yield "    marker  'MARKER'  'INTEND'"


def _bound_lines(problem: ILP, j: int, column: str) -> Iterator[str]:
    """Everything but the default [0, inf) of a continuous column is spelled out."""
    lower, upper = problem.lb[j], problem.ub[j]
    if lower == upper:
        yield f" FX bnd  {column}  {lower:.17g}"
        return
    if np.isinf(lower):
        yield f" MI bnd  {column}"
    elif lower:
        yield f" LO bnd  {column}  {lower:.17g}"
    if np.isfinite(upper):
        yield f" UP bnd  {column}  {upper:.17g}"
    elif problem.integer[j]:
        yield f" PL bnd  {column}"
