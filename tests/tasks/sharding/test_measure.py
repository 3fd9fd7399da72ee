"""What is measured of a plan, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from data.sharding.oracles.analytical import gpu11
from data.sharding.plan import Plan
from data.sharding.problem import GIB, ShardingProblem
from data.sharding.table_law import law_tables
from runs.anytime import Trace
from solvers.base import Solution, Status
from tasks.sharding.measure import measure


def solution(problem: ShardingProblem, plan: Plan, **log: np.ndarray) -> Solution:
    array = plan.array()
    feasible = problem.is_feasible(array)
    return Solution(array, problem.objective(array), feasible, Status.FEASIBLE, Trace(), log)


@pytest.fixture
def problem() -> ShardingProblem:
    tables = law_tables(3, seed=5)
    return ShardingProblem("task", tables, np.array([64, 32, 32]), np.full(2, 100 * GIB), gpu11())


def test_parts_of_the_slowest_device_add_up_to_the_cost(problem: ShardingProblem) -> None:
    found = measure(problem, solution(problem, Plan((0,), (0, 0, 1, 1))))
    assert found["cost"] == pytest.approx(found["compute"] + found["backward"] + found["forward"], rel=1e-12)
    assert found["splits"] == 1


def test_imbalance_is_the_largest_over_the_mean(problem: ShardingProblem) -> None:
    found = measure(problem, solution(problem, Plan((), (0, 0, 1))))
    assert found["dim_imbalance"] == pytest.approx(96 / 64)
    sizes = problem.column_bytes * problem.dims
    assert found["memory_imbalance"] == pytest.approx(max(sizes[0] + sizes[1], sizes[2]) / (sizes.sum() / 2))


def test_a_prediction_is_told_with_its_error(problem: ShardingProblem) -> None:
    found = measure(problem, solution(problem, Plan((), (0, 0, 1)), predicted=np.array([9.0, 7.0])))
    assert found["predicted"] == 7
    assert found["prediction_error"] == pytest.approx(abs(7 / found["cost"] - 1))


def test_a_plan_that_does_not_fit_has_no_cost(problem: ShardingProblem) -> None:
    small = ShardingProblem("task", problem.tables, problem.dims, np.full(2, 1000), gpu11())
    array = Plan((), (0, 0, 1)).array()
    found = measure(small, Solution(array, np.nan, False, Status.NO_SOLUTION, Trace()))
    assert set(found) == {"cost"}
    assert np.isnan(found["cost"])
