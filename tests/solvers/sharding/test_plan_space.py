"""Plans as a space: every change keeps columns and memory, and costs are those of the oracle."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from data.sharding.plan import Pieces, Plan
from data.sharding.problem import ShardingProblem
from runs.errors import ConfigError, InvalidProblem
from solvers.base import Budget, Status
from solvers.gradient_free.local_search import LocalSearch
from solvers.gradient_free.random_search import RandomSearch
from solvers.sharding.greedy import Greedy
from solvers.sharding.packing import pack
from solvers.sharding.plan_search import PlanSearch
from solvers.sharding.plan_space import PlanCosts, PlanSpace
from tests.solvers.sharding.tiny import every_plan, tiny


def columns(problem: ShardingProblem, point: np.ndarray) -> list[int]:
    pieces = problem.pieces(Plan.of_array(point))
    return np.bincount(pieces.table, pieces.dim, minlength=len(problem.dims)).astype(int).tolist()


@settings(max_examples=30)
@given(st.integers(0, 300))
def test_samples_neighbours_and_children_are_plans_that_fit(seed: int) -> None:
    rng = np.random.default_rng(seed)
    problem = tiny(seed % 7, tables=4, devices=3, slack=0.6)
    if seed % 2:
        problem = replace(problem, pinned=np.array([0, -1, -1, -1]), most_pieces=np.array([4, 1, 2, 8]))
        assume(pack(problem, 9, rng) is not None)
    space = PlanSpace(problem)
    points = [space.sample(rng), space.sample(rng)]
    for _ in range(12):
        points.append(space.neighbour(points[-1], rng))
    points.append(space.crossover(points[0], points[-1], rng))
    for point in points:
        assert columns(problem, point) == problem.dims.tolist()
        assert (problem.memory_used(problem.pieces(Plan.of_array(point))) <= problem.memory).all()
        if problem.pinned is not None:
            pieces = problem.pieces(Plan.of_array(point))
            assert set(pieces.shard[pieces.table == 0].tolist()) == {0}
    assert all(problem.is_feasible(point) for point in points[:-1])


def test_equal_plans_are_equal_arrays_and_neighbours_reach_all_of_them() -> None:
    problem = tiny(2, tables=2, slack=0.5)
    space, rng = PlanSpace(problem), np.random.default_rng(0)
    every = {space.key(space.point(problem.pieces(plan))) for plan in every_plan(problem)}
    point, seen = space.sample(rng), set()
    for _ in range(4000):
        seen.add(space.key(point))
        point = space.neighbour(point, rng)
    assert seen == every


def test_costs_are_those_of_the_oracle_and_a_known_shard_is_not_priced_again() -> None:
    problem = tiny(4, tables=4, devices=3, slack=1.0)
    space, rng = PlanSpace(problem), np.random.default_rng(0)
    costs, meter = PlanCosts(problem, problem.oracle), Budget(seconds=60).start()
    points = [space.sample(rng) for _ in range(20)]
    expected = [problem.objective(point) for point in points]
    np.testing.assert_allclose(costs.values(points, meter), expected, rtol=1e-12)
    shards = {
        (device, tuple(sorted(zip(p.table[p.shard == device], p.dim[p.shard == device], strict=True))))
        for p in (problem.pieces(Plan.of_array(point)) for point in points)
        for device in range(3)
    }
    assert meter.evaluations == len(shards) < 60
    costs.values(points, meter)
    assert meter.evaluations == len(shards)


def test_local_search_finds_the_best_of_all_plans_and_random_search_is_not_better() -> None:
    for seed in range(2):
        problem = tiny(seed, tables=3, slack=0.6)
        best = min(problem.objective(plan.array()) for plan in every_plan(problem))

        def solve(solver: PlanSearch, problem: ShardingProblem = problem, evaluations: int = 80) -> float:
            budget = Budget(evaluations=evaluations)
            found = solver.solve(problem, budget=budget, scorer=problem.oracle, rng=np.random.default_rng(0))
            assert found.feasible and found.objective == problem.objective(found.assignment)
            return found.objective

        assert solve(PlanSearch(LocalSearch(8))) == pytest.approx(best, rel=1e-12)
        assert solve(PlanSearch(LocalSearch(8), on_oracle=False)) == pytest.approx(best, rel=1e-12)
        assert solve(PlanSearch(RandomSearch(8)), evaluations=10) >= best
        started = solve(PlanSearch(LocalSearch(8), splits=False, start=Greedy("dim")), evaluations=60)
        greedy = Greedy("dim").solve(problem, budget=Budget(seconds=9), rng=np.random.default_rng(0))
        assert not greedy.feasible or started <= greedy.objective


def test_what_cannot_be_searched_is_said() -> None:
    problem = tiny(0, tables=3, slack=0.6)
    with pytest.raises(ConfigError, match="the search has no cost model"):
        PlanSearch(LocalSearch(), on_oracle=False).solve(
            problem, budget=Budget(seconds=1), rng=np.random.default_rng(0)
        )


def test_where_no_draw_fits_there_is_no_solution() -> None:
    problem = tiny(1, tables=3)
    rows = np.array([1000, 1000, 1000])
    tables = replace(problem.tables, rows=rows)
    whole = replace(problem, tables=tables, dims=np.array([8, 8, 8]), memory=np.full(2, 12 * 4000))
    for most, status in ((1, Status.NO_SOLUTION), (2, Status.FEASIBLE)):
        bound = replace(whole, most_pieces=np.full(3, most))
        found = PlanSearch(LocalSearch()).solve(bound, budget=Budget(evaluations=50), rng=np.random.default_rng(0))
        assert found.status == status


def test_a_plan_of_pieces_is_refused_where_they_are_no_halves_of_halves() -> None:
    for dims, message in (([8, 16], "table 0 are no halves"), ([16, 16], "that it does not have")):
        pieces = Pieces(np.zeros(2, np.int64), np.array(dims), np.zeros(2, np.int64))
        with pytest.raises(InvalidProblem, match=message):
            Plan.of_pieces(np.array([24 if dims[0] == 8 else 16]), pieces)
