"""Any integer program as a linear oracle: as enumeration, with ties broken alike, and clear about limits."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
import scipy.sparse as sp

from data.ilp.problem import ILP
from runs.errors import ConfigError, InvalidProblem, SolverFailure
from solvers.differentiable.enumeration import Enumeration
from solvers.differentiable.polytope import polytope
from solvers.milp.linear_oracle import MilpOracle


def program(seed: int, n: int = 8, rows: int = 4) -> ILP:
    rng = np.random.default_rng(seed)
    weights = rng.integers(0, 5, (rows, n)) * 1.0
    return ILP.build(rng.normal(size=n), weights, weights.sum(axis=1) * 0.3, weights.sum(axis=1) * 0.6, 0, 1, True)


@pytest.mark.parametrize("seed", range(3))
def test_it_costs_as_little_as_any_point_and_enumeration_agrees(seed: int) -> None:
    problem = program(seed)
    costs = np.random.default_rng(seed).normal(size=(5, 8)) * 10.0 ** np.array([[-9], [-4], [0], [4], [9]])
    found, exact = MilpOracle().solve(costs, problem)
    expected = Enumeration().solve(costs, problem).x
    assert exact.all() and all(problem.is_feasible(x) for x in found)
    np.testing.assert_array_equal(found, expected)


def test_a_batch_is_the_same_as_its_costs_one_by_one_in_any_order_also_where_costs_tie() -> None:
    problem, oracle = program(0), MilpOracle()
    costs = np.random.default_rng(0).integers(-1, 2, (6, 8)) * 1.0
    together = oracle.solve(costs, problem).x
    backwards = [oracle.solve(row[None], problem).x[0] for row in costs[::-1]][::-1]
    np.testing.assert_array_equal(together, backwards)


def test_every_feasible_point_is_reached_by_costs_of_one_less_twice_itself() -> None:
    problem = program(1, n=6)
    points = Enumeration().points(problem)
    assert 1 < len(points) < 64
    np.testing.assert_array_equal(MilpOracle().solve(1 - 2 * points, problem).x, points)


def test_general_integers_and_continuous_variables_are_taken_as_they_are() -> None:
    problem = ILP.build([0, 0], [[1, 2]], 3.5, np.inf, 0, [10, 10], [True, False])
    x = MilpOracle().solve(np.array([[1.0, 10.0], [10.0, 1.0]]), problem).x
    np.testing.assert_allclose(x, np.array([[4.0, 0.0], [0.0, 1.75]]))


def test_at_a_limit_the_best_that_was_found_is_no_longer_exact() -> None:
    rng = np.random.default_rng(0)
    weights = rng.integers(1, 100, (6, 60)) * 1.0
    problem = ILP.build(np.zeros(60), weights, -np.inf, weights.sum(axis=1) / 3, 0, 1, True)
    found, exact = MilpOracle(nodes=1).solve(-rng.uniform(1, 2, (1, 60)), problem)
    assert problem.is_feasible(found[0]) and not exact[0]


def test_an_empty_feasible_set_and_costs_without_bound_are_refused() -> None:
    empty = ILP.build([0, 0], [[1, 1]], 3, 3, 0, 1, True, name="full")
    for oracle in (MilpOracle(), Enumeration()):
        with pytest.raises(InvalidProblem, match="full: no point is feasible"):
            oracle.check(empty)
    with pytest.raises(InvalidProblem, match="costs fall without bound"):
        MilpOracle().solve(np.array([[-1.0]]), ILP.build([0], [[1]], 0, np.inf, 0, np.inf, True))
    with pytest.raises(InvalidProblem, match="all binary, are enumerated"):
        Enumeration().check(ILP.build([0], [[1]], 0, np.inf, 0, 5, True))
    with pytest.raises(InvalidProblem, match="the rows and bounds of a str are not known"):
        polytope("routes")


def test_a_limit_before_the_first_point_and_an_unknown_option_are_named() -> None:
    hard = ILP.build(np.zeros(40), np.arange(1, 41)[None] * 7.0 + 3, 3001, 3001, 0, 1, True, name="sums")
    with pytest.raises(SolverFailure, match="sums: HiGHS found no feasible point within its limit"):
        MilpOracle(settings={"mip_max_nodes": 0, "mip_heuristic_effort": 0.0, "presolve": "off"}).solve(
            np.ones((1, 40)), hard
        )
    with pytest.raises(ConfigError, match="HiGHS refuses the setting mip_max_node"):
        MilpOracle(settings={"mip_max_node": 1}).check(hard)


def test_a_model_ends_with_its_program() -> None:
    oracle, problem = MilpOracle(), ILP.build([0], sp.csr_matrix([[1.0]]), 0, 1, 0, 1, True)
    oracle.check(problem)
    died = weakref.ref(problem)
    del problem
    gc.collect()
    assert died() is None and not len(oracle._models)
