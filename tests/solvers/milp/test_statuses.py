"""Every answer that a back end can give has a meaning here, or is a failure that names it; none is an empty hand."""

from __future__ import annotations

import re
from types import SimpleNamespace

import numpy as np
import pytest

from data.ilp.problem import ILP
from runs.errors import SolverFailure
from solvers.base import BrokenOff, Budget, Status
from solvers.milp import cpsat, highs_model, mathopt, scip
from solvers.milp.cpsat import CpSat
from solvers.milp.highs import Highs
from solvers.milp.lp import PersistentLP
from solvers.milp.scip import Scip

highspy = pytest.importorskip("highspy")
pyscipopt = pytest.importorskip("pyscipopt")
pytest.importorskip("ortools")

FAILS = "fails"
LIMIT = Status.NO_SOLUTION

HIGHS = {
    "kNotset": FAILS, "kLoadError": FAILS, "kModelError": FAILS, "kPresolveError": FAILS, "kSolveError": FAILS,
    "kPostsolveError": FAILS, "kMemoryLimit": FAILS, "kUnknown": FAILS, "kUnboundedOrInfeasible": FAILS,
    "kModelEmpty": Status.OPTIMAL, "kOptimal": Status.OPTIMAL, "kInfeasible": Status.INFEASIBLE,
    "kUnbounded": Status.UNBOUNDED, "kObjectiveBound": LIMIT, "kObjectiveTarget": LIMIT, "kTimeLimit": LIMIT,
    "kIterationLimit": LIMIT, "kSolutionLimit": LIMIT, "kInterrupt": Status.INTERRUPTED,
    "kHighsInterrupt": Status.INTERRUPTED,
}  # fmt: skip
SCIP = {
    "unknown": FAILS, "memlimit": FAILS, "inforunbd": FAILS,
    "optimal": Status.OPTIMAL, "infeasible": Status.INFEASIBLE, "unbounded": Status.UNBOUNDED,
    "nodelimit": LIMIT, "totalnodelimit": LIMIT, "stallnodelimit": LIMIT, "timelimit": LIMIT, "gaplimit": LIMIT,
    "primallimit": LIMIT, "duallimit": LIMIT, "sollimit": LIMIT, "bestsollimit": LIMIT, "restartlimit": LIMIT,
    "userinterrupt": LIMIT,
}  # fmt: skip
CP_SAT = {
    "UNKNOWN": LIMIT, "FEASIBLE": LIMIT, "OPTIMAL": Status.OPTIMAL, "INFEASIBLE": Status.INFEASIBLE,
    "MODEL_INVALID": FAILS,
}  # fmt: skip
MATHOPT = {
    "OPTIMAL": Status.OPTIMAL, "INFEASIBLE": Status.INFEASIBLE, "UNBOUNDED": Status.UNBOUNDED, "FEASIBLE": LIMIT,
    "NO_SOLUTION_FOUND": LIMIT, "INFEASIBLE_OR_UNBOUNDED": FAILS, "IMPRECISE": FAILS, "NUMERICAL_ERROR": FAILS,
    "OTHER_ERROR": FAILS,
}  # fmt: skip


def members(name):
    if name == "highs":
        return {member.name: member for member in highspy.HighsModelStatus.__members__.values()}
    if name == "scip":
        kinds = [key for key in vars(pyscipopt.scip.PY_SCIP_STATUS) if not key.startswith("_")]
        return {kind.lower(): kind.lower() for kind in kinds}
    if name == "cp_sat":
        from ortools.sat import cp_model_pb2

        return {key: key for key in cp_model_pb2.CpSolverStatus.keys()}  # noqa: SIM118 - a protobuf enum
    from ortools.math_opt.python import mathopt as peer

    return {reason.name: reason.name for reason in peer.TerminationReason}


TABLES = {
    "highs": (HIGHS, highs_model.meaning, SimpleNamespace(name="kNew")),
    "scip": (SCIP, scip.meaning, "new"),
    "cp_sat": (CP_SAT, cpsat.meaning, "NEW"),
    "mathopt": (MATHOPT, mathopt.meaning, "NEW"),
}


@pytest.mark.parametrize("name", list(TABLES))
def test_every_member_of_the_enumeration_has_its_meaning_or_is_a_failure_that_names_it(name):
    table, meaning, unknown = TABLES[name]
    found = members(name)
    assert set(found) == set(table)
    for key, member in found.items():
        if table[key] == FAILS:
            with pytest.raises(SolverFailure, match=key):
                meaning(member)
        else:
            assert meaning(member) == table[key], key
    with pytest.raises(SolverFailure, match=getattr(unknown, "name", unknown)):
        meaning(unknown)


def knapsack(**change):
    arguments = {"c": [3.0, 2.0], "A": [[1.0, 1.0]], "row_hi": 1.0, "ub": 1.0, "integer": True, "maximize": True}
    return ILP.build(**(arguments | change))


def solve(solver, problem, **arguments):
    return solver.solve(problem, budget=Budget(20), rng=np.random.default_rng(0), **arguments)


@pytest.mark.parametrize(("solver", "status"), [(Highs(), "kUnknown"), (Scip(), "memlimit")], ids=["highs", "scip"])
def test_a_failure_keeps_what_was_found_before_it(solver, status, monkeypatch):
    if isinstance(solver, Highs):
        monkeypatch.setattr("solvers.milp.highs.meaning", lambda _: highs_model.meaning(SimpleNamespace(name=status)))
    else:
        monkeypatch.setattr("solvers.milp.scip.meaning", lambda _, meaning=scip.meaning: meaning(status))
    with pytest.raises(BrokenOff, match=f"{status}.*best so far, 3, is kept") as caught:
        solve(solver, knapsack())
    answer = caught.value.solution
    assert (answer.status, answer.objective, answer.assignment.tolist()) == (Status.FEASIBLE, 3.0, [1.0, 0.0])
    assert answer.trace.objective[-1] == 3.0


def test_an_error_of_the_run_of_highs_is_a_failure_with_its_status(monkeypatch):
    monkeypatch.setattr(highspy.Highs, "run", lambda self: highspy.HighsStatus.kError)
    with pytest.raises(SolverFailure, match=r"HiGHS failed; its status is kNotset"):
        solve(Highs(), knapsack())


@pytest.mark.parametrize("solver", [Highs(), Scip()], ids=["highs", "scip"])
def test_what_a_back_end_refuses_is_named_by_row_and_column(solver):
    with pytest.raises(Exception, match=re.escape("row 0, variable 1 is 1e+21; expected")):
        solve(solver, knapsack(A=[[1.0, 1e21]]))


def test_an_lp_of_which_highs_knows_nothing_is_a_failure(monkeypatch):
    lp = PersistentLP(knapsack().to_min())
    monkeypatch.setattr(lp, "_run", lambda *_, **__: None)
    with pytest.raises(SolverFailure, match="kNotset"):
        lp.solve("dual_simplex")


def drawn(seed):
    """Mixed problems of which many are unbounded, with points that back ends report at 1e20."""
    rng = np.random.default_rng(seed)
    n, m = int(rng.integers(2, 9)), int(rng.integers(1, 6))
    A = rng.integers(-6, 8, (m, n)) * (rng.random((m, n)) < 0.5)
    lo = np.where(rng.random(m) < 0.8, rng.integers(-4, 8, m), -np.inf)
    hi = np.where(rng.random(m) < 0.3, np.where(np.isfinite(lo), lo, 3), np.inf)
    lb = rng.choice([0.0, 0.0, -np.inf, -3.0], n)
    ub = np.where(rng.random(n) < 0.4, rng.integers(1, 7, n), np.inf)
    c = rng.integers(-5, 7, n) * 1e-3
    return ILP.build(c, A, lo, hi, lb, ub, rng.random(n) < 0.6, maximize=bool(rng.integers(2)), name=f"drawn {seed}")


def test_back_ends_agree_on_what_is_unbounded_infeasible_and_optimal():
    seen = set()
    for seed in range(120):
        problem = drawn(seed).validate()
        answers = [solve(solver, problem) for solver in (Scip(), Scip(presolve=False), Highs())]
        statuses = {str(answer.status) for answer in answers}
        assert len(statuses) == 1, (seed, statuses)
        seen |= statuses
        if statuses == {"optimal"}:
            assert np.ptp([answer.objective for answer in answers]) <= 1e-6, seed
        for answer in answers:
            assert answer.assignment is None or (np.abs(answer.assignment) < 1e20).all(), seed
    assert seen == {"optimal", "infeasible", "unbounded"}


def test_cp_sat_says_unbounded_by_the_relaxation():
    problem = ILP.build([1.0, 0.0], [[1.0, -1.0]], 0.0, np.inf, 0.0, np.inf, True, maximize=True)
    assert solve(CpSat(), problem).status == Status.UNBOUNDED
