"""What other programs write is read as the problem that they wrote: 50 random problems through each installed writer.

GLPK and Gurobi are not installed; their files are written here after the manner that their manuals and files show.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from data.ilp.formats.files import read
from data.ilp.problem import ILP

INF = np.inf
PROBLEMS = 50


def drawn(seed: int) -> ILP:
    """Every kind of row, bound and column, empty rows and columns too; numbers that six digits hold."""
    rng = np.random.default_rng(seed)
    n, m = int(rng.integers(1, 8)), int(rng.integers(0, 7))
    A = rng.integers(-9, 10, (m, n)) * rng.choice([1.0, 0.5, 1e-3], (m, n)) * (rng.random((m, n)) < 0.5)
    side = rng.integers(-20, 21, m) * 0.5
    kind = rng.integers(0, 5, m)
    empty = ~A.any(axis=1)
    side[empty] = np.where(kind[empty] == 0, 1.0, 0.0)
    lo = np.select([kind == 0, kind == 1, kind == 2, kind == 3], [-INF, side, side, side], -INF)
    hi = np.select([kind == 0, kind == 1, kind == 2, kind == 3], [side, INF, side, side + 2.5], INF)
    integer = rng.random(n) < 0.6
    low = rng.choice([0.0, 0.0, 0.0, -INF, -3.0, 1.0], n)
    high = np.where(rng.random(n) < 0.6, np.where(np.isinf(low), 2.0, low) + rng.integers(0, 6, n), INF)
    high = np.where(integer | ~np.isfinite(high), high, high + 0.25)
    costs = np.where(rng.random(n) < 0.7, rng.integers(-9, 10, n) * 0.25, 0.0)
    costs[0] = costs[0] or 1.0
    return ILP.build(
        costs, A, lo, hi, low, high, integer,
        maximize=bool(rng.integers(2)),
        offset=float(rng.choice([0.0, 7.0, -2.5])),
        var_names=[f"x{j}" for j in range(n)],
        row_names=[f"r{i}" for i in range(m)],
    )  # fmt: skip


def same(theirs: ILP, problem: ILP, seed: int) -> None:
    """Bounds and types by name, and objective and feasibility at random points; writers may lose columns without entries.

    Columns that a writer adds are the constant 1, or (GLPK's) the activity of a row.
    """
    rng = np.random.default_rng([seed, 1])
    ours = {name: j for j, name in enumerate(problem.var_names)}
    used = (problem.c != 0) | (np.diff(problem.A_csc.indptr) > 0)
    assert {problem.var_names[j] for j in np.flatnonzero(used)} <= set(theirs.var_names)
    for column, name in enumerate(theirs.var_names):
        if name in ours and used[ours[name]]:
            j = ours[name]
            expected = (problem.lb[j], problem.ub[j], problem.integer[j])
            assert (theirs.lb[column], theirs.ub[column], theirs.integer[column]) == expected, name
    sense = -1 if theirs.maximize != problem.maximize else 1
    for _ in range(40):
        x = np.where(np.isfinite(problem.lb), problem.lb, -5) + rng.integers(0, 5, problem.n) * used
        x = np.floor(np.minimum(x, problem.ub))
        x += (rng.random(problem.n) < 0.1) * used * 0.5
        values = dict(zip(problem.var_names, x, strict=True)) | {"Constant": 1.0, "~r_0": 1.0}
        values |= {f"~r_{name}": value for name, value in zip(problem.row_names, problem.A @ x, strict=True)}
        moved = np.array([values[name] for name in theirs.var_names])
        assert sense * theirs.objective(moved) == pytest.approx(problem.objective(x), abs=1e-9)
        assert theirs.is_feasible(moved) == problem.is_feasible(x), (x, theirs.worst_violation(moved))


def highs_writes(problem: ILP, path: Path) -> None:
    pytest.importorskip("highspy")
    import highspy

    from solvers.milp.highs_model import pass_model, quiet_highs

    highs = quiet_highs()
    pass_model(highspy, highs, problem.to_min())
    if problem.maximize:
        highs.changeObjectiveSense(highspy.ObjSense.kMaximize)
        highs.changeColsCost(problem.n, np.arange(problem.n, dtype=np.int32), problem.c)
        highs.changeObjectiveOffset(problem.offset)
    for j, name in enumerate(problem.var_names):
        highs.passColName(j, name)
    for i, name in enumerate(problem.row_names):
        highs.passRowName(i, name)
    assert highs.writeModel(str(path)) != highspy.HighsStatus.kError


def scip_writes(problem: ILP, path: Path) -> None:
    pyscipopt = pytest.importorskip("pyscipopt")
    model = pyscipopt.Model()
    model.hideOutput()
    limits = lambda a, b: (a if a > -INF else None, b if b < INF else None)  # noqa: E731
    variables = []
    for j, name in enumerate(problem.var_names):
        lb, ub = limits(problem.lb[j], problem.ub[j])
        kind = "B" if problem.binary[j] and (lb, ub) == (0, 1) else "I" if problem.integer[j] else "C"
        variables.append(model.addVar(name, vtype=kind, lb=lb, ub=ub))
    costs = zip(problem.c, variables, strict=True)
    sense = "maximize" if problem.maximize else "minimize"
    model.setObjective(pyscipopt.quicksum(c * v for c, v in costs) + problem.offset, sense)
    for i, name in enumerate(problem.row_names):
        row = problem.A.getrow(i)
        lo, hi = limits(problem.row_lo[i], problem.row_hi[i])
        if row.nnz and (lo is not None or hi is not None):
            terms = pyscipopt.quicksum(a * variables[j] for a, j in zip(row.data, row.indices, strict=True))
            model.addCons(pyscipopt.scip.ExprCons(terms, lhs=lo, rhs=hi), name=name)
    model.writeProblem(str(path), verbose=False)


def ortools_writes(problem: ILP, path: Path) -> None:
    pytest.importorskip("ortools")
    from ortools.linear_solver import pywraplp

    solver = pywraplp.Solver("written", pywraplp.Solver.SCIP_MIXED_INTEGER_PROGRAMMING)
    limit = lambda value: float(np.clip(value, -solver.infinity(), solver.infinity()))  # noqa: E731
    variables = [
        solver.Var(limit(problem.lb[j]), limit(problem.ub[j]), bool(problem.integer[j]), name)
        for j, name in enumerate(problem.var_names)
    ]
    for j, variable in enumerate(variables):
        solver.Objective().SetCoefficient(variable, float(problem.c[j]))
    solver.Objective().SetOffset(problem.offset)
    solver.Objective().SetOptimizationDirection(problem.maximize)
    for i, name in enumerate(problem.row_names):
        constraint = solver.Constraint(limit(problem.row_lo[i]), limit(problem.row_hi[i]), name)
        row = problem.A.getrow(i)
        for a, j in zip(row.data, row.indices, strict=True):
            constraint.SetCoefficient(variables[j], float(a))
    lp = path.suffix == ".lp"
    path.write_text(solver.ExportModelAsLpFormat(False) if lp else solver.ExportModelAsMpsFormat(False, False))


def glpk_writes(problem: ILP, path: Path) -> None:
    path.write_text("\n".join(glpk_lp(problem) if path.suffix == ".lp" else glpk_mps(problem)) + "\n")


def gurobi_writes(problem: ILP, path: Path) -> None:
    path.write_text("\n".join(gurobi_lp(problem) if path.suffix == ".lp" else gurobi_mps(problem)) + "\n")


def glpk_mps(problem: ILP) -> Iterator[str]:
    """``glp_write_mps`` in free format: two pairs a line, ``$`` comments; a maximisation is negated."""
    problem = problem.to_min()
    yield from ("* Problem:    drawn", "* Class:      MIP", "*", "NAME drawn", "ROWS", " N R0000000")
    kinds = [row_kind(problem, i) for i in range(problem.m)]
    yield from (f" {kind} {name}" for (kind, _, _), name in zip(kinds, problem.row_names, strict=True))
    yield "COLUMNS"
    inside, markers = False, 0
    for j, name in enumerate(problem.var_names):
        if inside != problem.integer[j]:
            inside, markers = not inside, markers + 1
            yield f" M{markers:07d} 'MARKER' '{'INTORG' if inside else 'INTEND'}'"
        pairs = [("R0000000", problem.c[j])] if problem.c[j] else []
        column = problem.A_csc.getcol(j)
        pairs += [(problem.row_names[i], a) for a, i in zip(column.data, column.indices, strict=True)]
        if not pairs:
            yield f" {name} {problem.row_names[0] if problem.m else 'R0000000'} 0 $ empty column"
        yield from (
            f" {name} {' '.join(f'{row} {a:.12g}' for row, a in pairs[k : k + 2])}" for k in range(0, len(pairs), 2)
        )
    if inside:
        yield f" M{markers + 1:07d} 'MARKER' 'INTEND'"
    yield "RHS"
    if problem.offset:
        yield f" RHS1 R0000000 {-problem.offset:.12g}"
    yield from (f" RHS1 {name} {rhs:.12g}" for (_, rhs, _), name in zip(kinds, problem.row_names, strict=True) if rhs)
    yield "RANGES"
    yield from (
        f" RNG1 {name} {width:.12g}" for (_, _, width), name in zip(kinds, problem.row_names, strict=True) if width
    )
    yield "BOUNDS"
    for j, name in enumerate(problem.var_names):
        lb, ub = problem.lb[j], problem.ub[j]
        if lb == ub:
            yield f" FX BND1 {name} {lb:.12g}"
        elif np.isinf(lb) and np.isinf(ub):
            yield f" FR BND1 {name}"
        else:
            if np.isinf(lb):
                yield f" MI BND1 {name}"
            elif lb:
                yield f" LO BND1 {name} {lb:.12g}"
            if np.isfinite(ub):
                yield f" UP BND1 {name} {ub:.12g}"
            elif problem.integer[j] and not lb:
                yield f" PL BND1 {name}"
    yield "ENDATA"


def row_kind(problem: ILP, i: int) -> tuple[str, float, float]:
    """Type, right-hand side and range of a row; a free one is of type N."""
    lo, hi = problem.row_lo[i], problem.row_hi[i]
    if lo == hi:
        return "E", lo, 0.0
    if np.isinf(lo):
        return ("N", 0.0, 0.0) if np.isinf(hi) else ("L", hi, 0.0)
    return "G", lo, 0.0 if np.isinf(hi) else hi - lo


def terms(values: np.ndarray, names: list[str]) -> str:
    return " ".join(f"{'-' if a < 0 else '+'} {abs(a):.12g} {name}" for a, name in zip(values, names, strict=True))


def glpk_lp(problem: ILP) -> Iterator[str]:
    """``glp_write_lp``: ranges through variables ``~r_<row>``, the constant through ``~r_0``, empty rows as 0 x."""
    yield from ("\\* Problem: drawn *\\", "", "Maximize" if problem.maximize else "Minimize")
    constant = f" {'-' if problem.offset < 0 else '+'} {abs(problem.offset):.12g} ~r_0" if problem.offset else ""
    used = np.flatnonzero(problem.c)
    first = terms(problem.c[used], [problem.var_names[j] for j in used]) or f"0 {problem.var_names[0]}"
    yield from (f" obj: {first}{constant}", "", "Subject To")
    ranged = []
    for i, name in enumerate(problem.row_names):
        kind, rhs, width = row_kind(problem, i)
        row = problem.A.getrow(i)
        left = terms(row.data, [problem.var_names[j] for j in row.indices]) or f"0 {problem.var_names[0]}"
        if kind == "N":
            continue
        if width:
            ranged.append((name, rhs, rhs + width))
            left = left if row.nnz else f"+ {left}"
            yield f" {name}: - ~r_{name} {left} = -0"
        else:
            yield f" {name}: {left} {({'L': '<=', 'G': '>=', 'E': '='})[kind]} {rhs:.12g}"
    yield from ("", "Bounds")
    if problem.offset:
        yield " ~r_0 = 1"
    yield from (f" {lo:.12g} <= ~r_{name} <= {hi:.12g}" for name, lo, hi in ranged)
    for j, name in enumerate(problem.var_names):
        lb, ub = problem.lb[j], problem.ub[j]
        if np.isinf(lb) and np.isinf(ub):
            yield f" {name} free"
        elif lb == ub:
            yield f" {name} = {lb:.12g}"
        elif np.isinf(lb):
            yield f" -Inf <= {name} <= {ub:.12g}"
        elif np.isinf(ub):
            yield f" {name} >= {lb:.12g}"
        else:
            yield f" {lb:.12g} <= {name} <= {ub:.12g}"
    yield "Generals"
    yield from (f" {problem.var_names[j]}" for j in np.flatnonzero(problem.integer))
    yield "End"


def gurobi_lp(problem: ILP) -> Iterator[str]:
    """Names with brackets, the constant as a number, ranges by two-sided rows, names of binaries under Binaries."""
    names = [bracketed(name) for name in problem.var_names]
    yield from ("\\ Model drawn", "\\ LP format - for model browsing. Use MPS format to capture full model detail.")
    yield "Maximize" if problem.maximize else "Minimize"
    constant = f" {'-' if problem.offset < 0 else '+'} {abs(problem.offset):.12g} Constant" if problem.offset else ""
    yield f"  {terms(problem.c, names).removeprefix('+ ')}{constant}"
    yield "Subject To"
    for i, name in enumerate(problem.row_names):
        kind, rhs, width = row_kind(problem, i)
        row = problem.A.getrow(i)
        left = terms(row.data, [names[j] for j in row.indices]).removeprefix("+ ") or f"0 {names[0]}"
        sign = {"L": "<=", "G": ">=", "E": "="}.get(kind, "<=")
        side = "inf" if kind == "N" else f"{rhs:.12g}"
        yield (
            f" {bracketed(name)}: {rhs:.12g} <= {left} <= {rhs + width:.12g}"
            if width
            else (f" {bracketed(name)}: {left}\n   {sign} {side}")
        )
    yield "Bounds"
    if problem.offset:
        yield " Constant = 1"
    binary = problem.binary & (problem.lb == 0) & (problem.ub == 1)
    for j, name in enumerate(names):
        lb, ub = problem.lb[j], problem.ub[j]
        if binary[j]:
            continue
        if np.isinf(lb) and np.isinf(ub):
            yield f" {name} free"
        elif lb == ub:
            yield f" {name} = {lb:.12g}"
        elif np.isinf(lb):
            yield f" -infinity <= {name} <= {ub:.12g}"
        elif lb or np.isfinite(ub):
            yield f" {lb:.12g} <= {name} <= {ub:.12g}" if np.isfinite(ub) else f" {name} >= {lb:.12g}"
    for header, mask in (("Binaries", binary), ("Generals", problem.integer & ~binary)):
        if mask.any():
            yield from (header, " " + " ".join(names[j] for j in np.flatnonzero(mask)))
    yield "End"


def gurobi_mps(problem: ILP) -> Iterator[str]:
    """OBJSENSE on its own line, integers in markers with all bounds, one pair a line."""
    yield from ("NAME drawn", "* Max problem is converted into Min one" if problem.maximize else "*", "ROWS", " N  OBJ")
    sense = -1 if problem.maximize else 1
    kinds = [row_kind(problem, i) for i in range(problem.m)]
    yield from (f" {kind}  {bracketed(name)}" for (kind, _, _), name in zip(kinds, problem.row_names, strict=True))
    yield "COLUMNS"
    edges = [0, *(np.flatnonzero(np.diff(problem.integer)) + 1).tolist(), problem.n]
    for begin, end in pairwise(edges):
        if problem.integer[begin]:
            yield "    MARKER    'MARKER'                 'INTORG'"
        for j in range(begin, end):
            yield f"    {bracketed(problem.var_names[j])}  OBJ  {sense * problem.c[j] + 0.0:.12g}"
            column = problem.A_csc.getcol(j)
            for a, i in zip(column.data, column.indices, strict=True):
                yield f"    {bracketed(problem.var_names[j])}  {bracketed(problem.row_names[i])}  {a:.12g}"
        if problem.integer[begin]:
            yield "    MARKER    'MARKER'                 'INTEND'"
    yield "RHS"
    if problem.offset:
        yield f"    RHS1      OBJ  {-sense * problem.offset:.12g}"
    for (_, rhs, width), name in zip(kinds, problem.row_names, strict=True):
        if rhs + width:
            yield f"    RHS1      {bracketed(name)}  {rhs:.12g}"
    yield "RANGES"
    for (_, _, width), name in zip(kinds, problem.row_names, strict=True):
        if width:
            yield f"    RANGE     {bracketed(name)}  {width:.12g}"
    yield "BOUNDS"
    for j, name in enumerate(problem.var_names):
        lb, ub = problem.lb[j], problem.ub[j]
        if np.isinf(lb) and np.isinf(ub):
            yield f" FR BND1      {bracketed(name)}"
            continue
        if np.isinf(lb):
            yield f" MI BND1      {bracketed(name)}"
        elif lb:
            yield f" LO BND1      {bracketed(name)}  {lb:.12g}"
        yield f" UP BND1      {bracketed(name)}  {'1e30' if np.isinf(ub) else f'{ub:.12g}'}"
    yield "ENDATA"


def bracketed(name: str) -> str:
    return f"{name[0]}[{name[1:]},a-b]"


WRITERS: dict[str, Callable[[ILP, Path], None]] = {
    "highs": highs_writes,
    "scip": scip_writes,
    "ortools": ortools_writes,
    "glpk": glpk_writes,
    "gurobi": gurobi_writes,
}


@pytest.mark.parametrize("suffix", ["mps", "lp"])
@pytest.mark.parametrize("writer", list(WRITERS))
def test_what_a_writer_writes_is_the_problem_that_it_wrote(writer, suffix, tmp_path):
    for seed in range(PROBLEMS):
        problem = drawn(seed)
        if (writer, suffix) == (
            "ortools",
            "lp",
        ):  # it writes (-inf, 3] as "x <= 3", which every reader takes for [0, 3]
            problem = replace(problem, lb=np.where(np.isinf(problem.lb) & np.isfinite(problem.ub), -9, problem.lb))
        path = tmp_path / f"{writer}{seed}.{suffix}"
        WRITERS[writer](problem, path)
        if writer == "gurobi":
            problem = replace(problem, var_names=tuple(bracketed(name) for name in problem.var_names))
        same(read(path), problem, seed)
