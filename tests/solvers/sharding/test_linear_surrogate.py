"""Descents and searches on the costs of tables: what they find, and what they are steered by."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch

from data.sharding.oracles.analytical import nvlink
from data.sharding.oracles.noisy import Noisy
from data.sharding.problem import ShardingProblem
from runs.errors import ConfigError
from solvers.base import Budget, Solver
from solvers.differentiable.cost_search import CostSearch
from solvers.differentiable.descent import ZeroDescent
from solvers.differentiable.rules.blackbox import Blackbox
from solvers.differentiable.start import Uniform
from solvers.gradient_free.random_search import RandomSearch
from solvers.milp.linear_oracle import MilpOracle
from solvers.sharding.assignment_oracle import TableAssignment
from solvers.sharding.linear_surrogate import LinearSurrogate
from solvers.sharding.relaxed import on_device
from tests.solvers.sharding.test_predicted import costs as networks
from tests.solvers.sharding.tiny import tiny

ORACLE = TableAssignment(MilpOracle())


def descent(**settings: object) -> ZeroDescent:
    return ZeroDescent(ORACLE, Blackbox(1.0), start=Uniform(), zero_gradients=None, **settings)  # type: ignore[arg-type]


def found(solver: Solver, problem: ShardingProblem, scorer: object = None, evaluations: int = 40) -> float:
    rng = np.random.default_rng(0)
    solution = solver.solve(problem, budget=Budget(evaluations=evaluations), scorer=scorer, rng=rng)
    assert solution.feasible and problem.is_feasible(solution.assignment)
    assert solution.objective == pytest.approx(problem.objective(solution.assignment))
    assert solution.trace.evaluations[-1] <= evaluations
    return solution.objective


@pytest.mark.parametrize("slack", [0.8, 10.0])
def test_a_descent_finds_a_plan_of_whole_tables_near_the_best_of_all(slack: float) -> None:
    problem = replace(tiny(3, tables=5, slack=slack), oracle=nvlink())
    plans = [np.array([0, *devices]) for devices in product(range(2), repeat=5)]
    best = min(problem.objective(plan) for plan in plans if problem.is_feasible(plan))
    for solver in (descent(relax=on_device), LinearSurrogate(descent())):
        assert best <= found(solver, problem) <= 1.1 * best
    random = CostSearch(RandomSearch(1), ORACLE, mean=0.5, deviation=0.5, uniform=True, relax=on_device)
    assert best <= found(random, problem) <= 1.2 * best


def test_on_networks_the_device_is_asked_for_what_is_shown_alone() -> None:
    class Counted(type(nvlink())):  # type: ignore[misc]
        asked = 0

        def fused(self, *given: object) -> object:
            Counted.asked += 1
            return super().fused(*given)

    limits = {name: float(value) for name, value in nvlink().limits.items()}
    problem = replace(tiny(0, tables=6, devices=4, slack=10.0), oracle=Counted(**limits))
    torch.manual_seed(0)
    solution = LinearSurrogate(descent(), on_oracle=False).solve(
        problem, budget=Budget(evaluations=20), scorer=networks(0), rng=np.random.default_rng(0)
    )
    assert solution.feasible and len(solution.log["value"]) == 20
    assert Counted.asked <= len(solution.trace) + 1


def test_what_is_missing_is_named() -> None:
    problem = tiny(0, tables=4, slack=10.0)
    with pytest.raises(ConfigError, match="the search has no cost model; choose one with model=sharding"):
        found(LinearSurrogate(descent(), on_oracle=False), problem)
    with pytest.raises(ConfigError, match="a Noisy has no gradient"):
        found(LinearSurrogate(descent()), replace(problem, oracle=Noisy(problem.oracle, 0.1)))
