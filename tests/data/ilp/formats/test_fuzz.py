"""Thousands of damaged MPS and LP files: refused in one line, or read as HiGHS reads them; no traceback and no hang.

Where both read a file, the problems must be the same: a damaged file that is still a file means one thing.
"""

from __future__ import annotations

import gzip
import random
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from data.ilp.formats.files import read
from data.ilp.problem import ILP
from runs.errors import InvalidProblem
from runs.text import printable
from tests.data.ilp.formats.test_lp_file import highs_problem

highspy = pytest.importorskip("highspy")

MPS = """\
NAME  seed
OBJSENSE
    MAX
ROWS
 N  value
 L  cap
 G  dem
 E  bal
 G  rng
COLUMNS
    mark  'MARKER'  'INTORG'
    b1  value  5  cap  2
    b1  rng  1
    g1  value  3  cap  1.5
    g1  dem  -1
    mark  'MARKER'  'INTEND'
    f1  value  -0.5  bal  -1
    f1  rng  1
    n1  value  .25  cap  1e-1
    n1  dem  1  bal  1
RHS
    rhs  value  -7  cap  14.5
    rhs  dem  -3  rng  -2
RANGES
    ran  rng  6
BOUNDS
 BV bnd  b1
 UP bnd  g1  12
 LO bnd  f1  -5
 UP bnd  f1  8
 MI bnd  n1
 UP bnd  n1  3.25
ENDATA
"""
LP = """\
\\ a seed
Maximize
 value: 5 b1 + 3 g1 - 0.5 f1 + .25 n1 + 7
Subject To
 cap: 2 b1 + 1.5 g1 + 1e-1 n1 <= 14.5
 dem: - g1 + n1 >= -3
 bal: n1 - f1 = 0
 rng: b1 + f1 >= -2
Bounds
 g1 <= 12
 -5 <= f1 <= 8
 n1 <= 3.25
 n1 >= -inf
Binaries
 b1
Generals
 g1
End
"""
SEEDS = {"mps": MPS, "lp": LP}
NUMBERS = [
    "nan", "inf", "-inf", "1e400", "-1e400", "1e308", "1e20", "1e16", "0", "-0", "1e-400", "0x10", "1_0",
    "\N{ARABIC-INDIC DIGIT ONE}", "1e", ".", "--1",
]  # fmt: skip
WORDS = [
    "", "x" * 300, "RHS", "ENDATA", "End", "free", "'MARKER'", "$", "*", "\\", "[", "]", ":", "\x00", "\x1b[2J", "\ufeff",
    "é", "<=", "->", "^",
]  # fmt: skip
TOKEN = re.compile(r"\S+")


def flipped(text: bytes, rng: random.Random) -> bytes:
    changed = bytearray(text)
    for _ in range(rng.randint(1, 3)):
        changed[rng.randrange(len(changed))] = rng.choice((rng.randrange(256), *b" \n\t0-+.e<>=:"))
    return bytes(changed)


def in_lines(change: Callable[[list[bytes], random.Random], None]) -> Callable[[bytes, random.Random], bytes]:
    def mutate(text: bytes, rng: random.Random) -> bytes:
        lines = text.splitlines(keepends=True)
        change(lines, rng)
        return b"".join(lines)

    return mutate


def dropped(lines: list[bytes], rng: random.Random) -> None:
    del lines[rng.randrange(len(lines))]


def repeated(lines: list[bytes], rng: random.Random) -> None:
    lines.insert(rng.randrange(len(lines) + 1), rng.choice(lines))


def swapped(lines: list[bytes], rng: random.Random) -> None:
    i, j = rng.randrange(len(lines)), rng.randrange(len(lines))
    lines[i], lines[j] = lines[j], lines[i]


def with_word(choices: list[str]) -> Callable[[bytes, random.Random], bytes]:
    def mutate(text: bytes, rng: random.Random) -> bytes:
        old = rng.choice(list(TOKEN.finditer(text.decode(errors="replace"))))
        whole = text.decode(errors="replace")
        return (whole[: old.start()] + rng.choice([*choices, *TOKEN.findall(whole)]) + whole[old.end() :]).encode()

    return mutate


def cut(text: bytes, rng: random.Random) -> bytes:
    begin = rng.randrange(len(text))
    return text[:begin] + text[begin + rng.randint(1, 40) :]


MUTATIONS = [
    flipped, in_lines(dropped), in_lines(repeated), in_lines(swapped), with_word(NUMBERS), with_word(WORDS), cut,
]  # fmt: skip


def mutant(seed: int, suffix: str) -> tuple[bytes, str]:
    """The text of a damaged file, and the suffix it is packed by."""
    rng = random.Random(seed)
    text = SEEDS[suffix].encode()
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        text = rng.choice(MUTATIONS)(text, rng) or b"\n"
    return text, rng.choice((suffix, suffix, suffix, f"{suffix}.gz"))


def written(folder: Path, seed: int, suffix: str) -> tuple[Path, Path]:
    """The damaged file, perhaps packed and torn, and its text beside it."""
    text, kind = mutant(seed, suffix)
    plain = folder / f"plain.{suffix}"
    plain.write_bytes(text)
    if kind == suffix:
        return plain, plain
    packed = gzip.compress(text, mtime=0)
    rng = random.Random(seed)
    path = folder / f"packed.{kind}"
    torn = rng.random() < 0.3
    path.write_bytes(packed[: rng.randrange(len(packed))] if torn else packed)
    return path, plain


def ours(path: Path) -> ILP | None:
    try:
        return read(path).validate()
    except InvalidProblem as error:
        message = str(error)
        assert message.startswith(str(path)) and message == printable(message) and "\n" not in message, message
        return None


def theirs(path: Path) -> ILP | None:
    try:
        return highs_problem(path)
    except (AssertionError, InvalidProblem):
        return None


def content(problem: ILP) -> dict[str, object]:
    """What a problem says, by name; not in which order, nor free rows, columns without a role and what HiGHS takes for 0."""
    names, rows = problem.var_names, {}
    for i in range(problem.m):
        row = problem.A.getrow(i)
        entries = tuple(
            sorted((names[j], float(a)) for j, a in zip(row.indices, row.data, strict=True) if abs(a) > 1e-9)
        )
        sides = (float(problem.row_lo[i]), float(problem.row_hi[i]))
        if entries and sides != (-np.inf, np.inf):
            rows[entries, sides] = rows.get((entries, sides), 0) + 1
    used = (problem.c != 0) | (abs(problem.A_csc) > 1e-9).sum(axis=0).A1.astype(bool)
    whole = problem.integer
    lb, ub = (
        np.where(whole, np.ceil(problem.lb - 1e-6), problem.lb),
        np.where(whole, np.floor(problem.ub + 1e-6), problem.ub),
    )
    columns = {
        names[j]: (float(problem.c[j]), float(lb[j]) + 0.0, float(ub[j]) + 0.0, bool(whole[j]))
        for j in np.flatnonzero(used)
    }
    return {"rows": rows, "columns": columns, "maximize": problem.maximize, "offset": problem.offset}


def check(folder: Path, seed: int, suffix: str) -> str:
    path, plain = written(folder, seed, suffix)
    problem = ours(path)
    if problem is None:
        return "refused"
    reference = theirs(plain)
    if reference is None:
        return "read by us alone"
    assert content(problem) == content(reference), (seed, suffix)
    return "the same"


@pytest.mark.parametrize("suffix", ["mps", "lp"])
def test_a_sample_of_damaged_files_is_refused_or_means_the_same_to_highs(suffix: str, tmp_path: Path) -> None:
    outcomes = [check(tmp_path, seed, suffix) for seed in range(500)]
    assert outcomes.count("refused") > 100 and outcomes.count("the same") > 50


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("suffix", ["mps", "lp"])
def test_thousands_of_damaged_files_are_refused_or_mean_the_same_to_highs(suffix: str, tmp_path: Path) -> None:
    for seed in range(500, 6500):
        check(tmp_path, seed, suffix)
