"""SCIP's root rows: the constraints and cuts that no integer solution breaks."""

import itertools

import numpy as np
import pytest

from data.ilp.generators.ca import CombinatorialAuction
from data.ilp.problem import ILP
from runs.errors import ConfigError, InvalidProblem
from solvers.base import Budget
from solvers.milp.highs import Highs
from solvers.milp.lp import LPUnfinished
from solvers.milp.root_features import root_features
from solvers.milp.root_lp import solve_root_lp
from solvers.milp.root_rows import root_rows

pytest.importorskip("pyscipopt")


@pytest.fixture(scope="module")
def auction():
    return CombinatorialAuction(60, 120)(np.random.default_rng(1), "auction").to_min()


def test_cuts_tighten_the_relaxation_and_keep_the_optimum(auction):
    rows = root_rows(auction, 20)
    assert (rows.origin == 3).any() and (rows.origin == 2).any()
    best = Highs().solve(auction, budget=Budget(seconds=20), rng=np.random.default_rng(0))
    assert best.status == "optimal" and rows.of(auction).is_feasible(best.assignment)
    before, after = (solve_root_lp(problem).objective for problem in (auction, rows.of(auction)))
    assert before + 1e-6 < after <= best.objective + 1e-6


@pytest.mark.parametrize("seed", range(4))
def test_no_integer_solution_breaks_a_root_row(seed):
    rng = np.random.default_rng(seed)
    A = rng.integers(1, 9, (4, 8)).astype(float)
    high = A.sum(axis=1) / 2 + 0.25
    low = np.where([True, False, False, True], 3.0, -np.inf)
    problem = ILP.build(-rng.integers(3, 20, 8).astype(float), A, low, high, ub=1, integer=True).validate()
    rows = root_rows(problem, 20)
    cut = rows.of(problem).validate()
    assert len(rows.origin) == cut.m
    for choice in itertools.product((0.0, 1.0), repeat=8):
        x = np.array(choice)
        assert cut.is_feasible(x, 1e-6) or not problem.is_feasible(x)


def test_features_of_lp_rows_have_a_node_for_each_cut(auction):
    plain, cut = (root_features(auction, 20, rows=rows) for rows in ("constraints", "lp"))
    assert plain.variables.shape == cut.variables.shape == (auction.n, 95)
    assert set(plain.rows[:, 3]) == {2} and 3 in cut.rows[:, 3]
    assert len(cut.rows) > len(plain.rows)


def test_bad_input_is_refused(auction):
    with pytest.raises(ConfigError, match=r"rows is 'cuts'; choose 'constraints' or 'lp'"):
        root_features(auction, rows="cuts")
    with pytest.raises(InvalidProblem, match="infeasible"):
        root_rows(ILP.build([1.0, 1], [[2, 2]], 1, 1, ub=1, integer=True))
    with pytest.raises(InvalidProblem, match="to_min"):
        root_rows(ILP.build([1.0], [[1]], row_hi=1, ub=1, integer=True, maximize=True))
    with pytest.raises(LPUnfinished, match="timelimit"):
        root_rows(auction, 0.0)


def test_a_problem_that_scip_settles_at_the_root_keeps_its_constraints():
    easy = ILP.build([-1.0, -1], [[1, 1]], row_hi=1, ub=1, integer=True)
    rows = root_rows(easy, 20)
    assert rows.of(easy).A.toarray().tolist() == [[1, 1]] and rows.origin.tolist() == [2]
