"""A back end that was stopped starts from the best it had, with the rest of its budget."""

from __future__ import annotations

import numpy as np
import pytest

from data.ilp.problem import ILP
from runs import interrupt
from runs.errors import InvalidProblem
from runs.record.checkpoint import FileCheckpoint
from solvers.base import BrokenOff, Budget, Status
from solvers.milp.cpsat import CpSat
from solvers.milp.highs import Highs
from solvers.milp.incumbent import Incumbent
from solvers.milp.process import ChildProcess
from solvers.milp.scip import Scip

SOLVERS = {"scip": Scip(), "highs": Highs(), "cp_sat": CpSat(), "child": ChildProcess(Highs())}


def market_split() -> ILP:
    """Nobody proves anything here in a minute, and all find something at once."""
    rng = np.random.default_rng(0)
    A = rng.integers(1, 1000, (5, 60)).astype(float)
    half = A.sum(1) // 2
    rows = np.hstack([A, np.eye(5), -np.eye(5)])
    return ILP.build([0] * 60 + [1] * 10, rows, half, half, 0, [1] * 60 + [100000] * 10, True)


@pytest.mark.parametrize("name", list(SOLVERS))
def test_a_stopped_solve_goes_on_from_its_best_with_what_is_left_of_its_budget(name, tmp_path):
    problem, path = market_split(), tmp_path / "state.npz"

    def stop(seconds, x, objective):
        interrupt._requested.set()

    try:
        first = SOLVERS[name].solve(
            problem, budget=Budget(30), rng=np.random.default_rng(0), on_incumbent=stop, checkpoint=FileCheckpoint(path)
        )
    finally:
        interrupt.clear()
    assert first.status == Status.INTERRUPTED and first.feasible
    saved = FileCheckpoint(path).load()
    assert np.array_equal(saved["x"], first.assignment) and 0 < saved["seconds"] < 30

    spent = float(saved["seconds"])
    second = SOLVERS[name].solve(
        problem, budget=Budget(spent + 2), rng=np.random.default_rng(1), checkpoint=FileCheckpoint(path)
    )
    assert second.status == Status.FEASIBLE and second.objective <= first.objective
    rows = len(saved["trace/seconds"])
    assert second.trace.seconds[:rows] == saved["trace/seconds"].tolist()
    assert second.trace.objective[:rows] == saved["trace/objective"].tolist()
    assert all(seconds >= spent for seconds in second.trace.seconds[rows:])


@pytest.mark.parametrize("name", list(SOLVERS))
def test_a_spent_budget_is_not_granted_again(name, tmp_path):
    problem = market_split()
    incumbent = Incumbent(problem, Budget(30), checkpoint=FileCheckpoint(tmp_path / "s.npz"))
    incumbent.meter.catch_up(30)
    incumbent.keep(now=True)
    answer = SOLVERS[name].solve(
        problem, budget=Budget(30), rng=np.random.default_rng(0), checkpoint=FileCheckpoint(tmp_path / "s.npz")
    )
    assert (answer.status, answer.assignment) == (Status.NO_SOLUTION, None)


@pytest.mark.parametrize("name", ["scip", "highs", "child"])
def test_nodes_of_both_calls_are_counted_together(name, tmp_path):
    problem, nodes = market_split(), []
    for limit in (40, 100):
        checkpoint = FileCheckpoint(tmp_path / f"{name}.npz", every=0)
        answer = SOLVERS[name].solve(
            problem, budget=Budget(60, limit), rng=np.random.default_rng(0), checkpoint=checkpoint
        )
        incumbent = Incumbent(problem, Budget(60, limit), answer.assignment, checkpoint=None)
        incumbent.meter.evaluations = answer.trace.evaluations[-1]
        incumbent._checkpoint = checkpoint
        incumbent.keep(now=True)
        nodes.append(answer.trace.evaluations[-1])
    assert 40 <= nodes[0] < 60 and 100 <= nodes[1] < 140


def test_the_best_is_kept_where_the_back_end_breaks_down(tmp_path):
    problem, checkpoint = market_split(), FileCheckpoint(tmp_path / "s.npz")
    incumbent = Incumbent(problem, Budget(30), checkpoint=checkpoint)
    x = np.concatenate([np.zeros(60), problem.row_lo, np.zeros(5)])
    incumbent.offer(x)
    with pytest.raises(BrokenOff, match="no luck"):
        incumbent.broken_off("no luck")
    assert np.array_equal(checkpoint.load()["x"], x)


def test_the_state_of_another_problem_is_refused(tmp_path):
    checkpoint = FileCheckpoint(tmp_path / "s.npz")
    Incumbent(market_split(), Budget(30), checkpoint=checkpoint).keep(now=True)
    other = ILP.build([1.0], [[1.0]], 0, 1, 0, 1, True)
    with pytest.raises(InvalidProblem, match="another problem"):
        Highs().solve(other, budget=Budget(3), rng=np.random.default_rng(0), checkpoint=checkpoint)
