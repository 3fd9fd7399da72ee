"""Instance files as a stranger brings them: whole ones with their answers, and broken ones with their cause."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path

import numpy as np

INFEASIBLE, UNBOUNDED = "infeasible", "unbounded"


def mps(
    rows: str, columns: str, rhs: str = "", bounds: str = "", ranges: str = "", sense: str = "MIN", end: str = "ENDATA"
) -> str:
    """MPS text of sections given as statements between semicolons; a column with a star is an integer."""
    lines = ["NAME foreign", f"OBJSENSE {sense}", "ROWS", *_statements(rows), "COLUMNS"]
    inside = False
    for statement in _statements(columns):
        integer = statement.startswith(" *")
        if integer != inside:
            lines.append(f" m 'MARKER' '{'INTORG' if integer else 'INTEND'}'")
            inside = integer
        lines.append(statement.replace("*", "", 1))
    lines += [" m 'MARKER' 'INTEND'"] if inside else []
    lines += ["RHS", *(f" rhs{text}" for text in _statements(rhs))]
    lines += ["RANGES", *(f" rng{text}" for text in _statements(ranges))] if ranges else []
    lines += ["BOUNDS", *(f" {kind} bnd {rest}" for kind, rest in (t.split(maxsplit=1) for t in _statements(bounds)))]
    return "\n".join([*lines, end]) + "\n"


def _statements(text: str) -> list[str]:
    return [f" {part.strip()}" for part in text.split(";") if part.strip()]


def knapsack(values: Sequence[int], weights: Sequence[int], capacity: int, upper: int | None = None) -> str:
    """Maximise value within a capacity; binary, or general integers up to ``upper``."""
    columns = "; ".join(f"*x{j} obj {v}; *x{j} cap {w}" for j, (v, w) in enumerate(zip(values, weights, strict=True)))
    bounds = "" if upper is None else "; ".join(f"UP x{j} {upper}" for j in range(len(values)))
    return mps("N obj; L cap", columns, f"cap {capacity}", bounds, sense="MAX")


BINARY = knapsack([10, 13, 7, 8, 12], [3, 4, 2, 3, 4], 9)

WHOLE: dict[str, tuple[str, float | str]] = {
    "binary_knapsack.mps": (BINARY, 30.0),
    "integer_knapsack.mps": (knapsack([7, 5, 3], [4, 3, 2], 11, upper=5), 19.0),  # 2 of 4, 1 of 3: 14 + 5
    "pure_lp.mps": (
        mps("N obj; G r1; G r2", "x obj 1; x r1 1; x r2 2; y obj 2; y r1 1", "r1 4; r2 2"),
        4.0,
    ),
    "equality_knapsack.mps": (
        mps("N obj; E eq", "*a obj 1; *a eq 6; *b obj 1; *b eq 10; *c obj 1; *c eq 15", "eq 31", "UP a 9; UP b 9; UP c 9"),
        3.0,  # 6 + 10 + 15
    ),
    "free_variables.mps": (
        mps("N obj; G r1; G r2", "x obj 1; x r1 1; x r2 1; *b obj 3; *b r2 5", "r1 -7; r2 -2", "FR x"),
        -4.0,  # x = -7 with b = 1, or x = -2 with b = 0
    ),
    "empty_objective.mps": (mps("N obj; G r", "*a r 1; *b r 1", "r 1"), 0.0),
    "one_variable.mps": (mps("N obj", "*x obj -3"), -3.0),
    "zero_rows.mps": (mps("N obj", "*x obj -3; *y obj 2; z obj 1", bounds="LO z 2.5"), -0.5),
    "all_fixed.mps": (mps("N obj; L r", "*x obj 5; *x r 1; *y obj 1; *y r 1", "r 3", "FX x 1; FX y 0"), 5.0),
    "offset.mps": (mps("N obj; G r", "*x obj 2; *x r 1; *y obj 3; *y r 1", "obj -10; r 1"), 12.0),
    "ranges.mps": (
        mps("N obj; L l; G g; E e", "*x obj 1; *x l 1; *x e 1; *y obj 1; *y g 1", "l 8; g 1; e 6", "UP x 9; UP y 9",
            "l 5; g 2; e -2"),
        5.0,  # l: 3 <= x <= 8, e: 4 <= x <= 6, g: 1 <= y <= 3
    ),
    "negative_bounds.mps": (mps("N obj; G r", "*x obj 1; *x r 1", "r -5.5", "LO x -9; UP x -2"), -5.0),
    "crlf.mps": (BINARY.replace("\n", "\r\n"), 30.0),
    "infeasible.mps": (mps("N obj; G r; L s", "*x obj 1; *x r 2; *x s 2; *y r 2; *y s 2", "r 1; s 1"), INFEASIBLE),
    "unbounded.mps": (mps("N obj; G r", "*x obj -1; *x r 1; *b obj 1; *b r 1", "r 1", "PL x"), UNBOUNDED),
    "unbounded_lp.mps": (mps("N obj; G r", "x obj -1; x r 1"), UNBOUNDED),
    "nasty.mps": (
        mps("N obj; L r; G s", "*a obj 1e-7; *a r 1e7; *b obj 1e7; *b s 1e-7; *b r 1; x obj 1e-3; x s 1e-4",
            "r 2e7; s 1e-3", "UP a 1; UP b 1; UP x 100"),
        0.01,  # b = 0, 1e-4 x = 1e-3
    ),
    "file.lp": ("Maximize\n obj: 3 x + 2 y\nSubject To\n c: x + y <= 4\nBounds\n x <= 3\nGeneral\n x y\nEnd\n", 11.0),
}  # fmt: skip
"""Text and optimum (or what is the matter) of readable files."""

BROKEN: dict[str, tuple[str, str]] = {
    "truncated.mps": (BINARY[: len(BINARY) // 2], "ENDATA"),
    "no_endata.mps": (BINARY.replace("ENDATA\n", ""), "ENDATA"),
    "nan.mps": (BINARY.replace("cap 4", "cap nan", 1), "nan"),
    "overflow.mps": (BINARY.replace("cap 4", "cap 1e999", 1), "1e999"),
    "duplicate_entry.mps": (BINARY.replace("x1 cap 4", "x1 cap 4\n x1 cap 4", 1), "cap"),
    "duplicate_row.mps": (BINARY.replace(" L cap", " L cap\n L cap", 1), "cap"),
    "undeclared_row.mps": (BINARY.replace("x1 cap 4", "x1 cup 4", 1), "cup"),
    "negative_up.mps": (mps("N obj; G r", "*x obj 1; *x r 1", "r -5", "UP x -2"), "negative"),
    "crossed_bounds.mps": (mps("N obj; G r", "x obj 1; x r 1", "r 1", "LO x 3; UP x 2"), "x"),
    "empty.mps": ("", "empty"),
    "binary_noise.mps": ("\x00\x01\x02 noise", "expected a section"),
    "sos.mps": (BINARY.replace("ENDATA", "SOS\n S1 SOS s\n x0 1\nENDATA"), "SOS"),
    "no_end.lp": ("Maximize\n obj: 3 x\nSubject To\n c: x <= 4\n", "End"),
}
"""Text of files that no one should solve, and a word of the message."""


def write(folder: Path, files: dict[str, tuple[str, float | str]]) -> None:
    """Put the files into the folder, made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, (text, _) in files.items():
        (folder / name).write_bytes(text.encode())


def write_all(folder: Path) -> None:
    """Whole and broken ones, compressed ones of both kinds, and one that is no text."""
    write(folder, WHOLE)
    write(folder, BROKEN)
    (folder / "zipped.mps.gz").write_bytes(gzip.compress(BINARY.encode()))
    (folder / "cut.mps.gz").write_bytes(gzip.compress(BINARY.encode())[:-20])
    (folder / "not_utf8.mps").write_bytes(BINARY.encode() + b"* \xff\xfe\n")


def write_big(path: Path, megabytes: int, seed: int = 0) -> None:
    """A set cover in MPS of about that size."""
    rng = np.random.default_rng(seed)
    rows, per_column = 20_000, 20
    with path.open("w") as file:
        file.write("NAME big\nROWS\n N obj\n" + "".join(f" G row_number_{i}\n" for i in range(rows)) + "COLUMNS\n")
        file.write(" m 'MARKER' 'INTORG'\n")
        j = 0
        while file.tell() < megabytes * 1e6:
            lines = [f" variable_number_{j} obj {rng.integers(1, 101)}\n"]
            first = [j] if j < rows else []
            entries = dict.fromkeys([*first, *rng.integers(0, rows, per_column).tolist()])
            lines += [f" variable_number_{j} row_number_{i} 1\n" for i in entries]
            file.write("".join(lines))
            j += 1
        file.write(" m 'MARKER' 'INTEND'\nRHS\n" + "".join(f" rhs row_number_{i} 1\n" for i in range(rows)))
        file.write("ENDATA\n")
        assert j >= rows
