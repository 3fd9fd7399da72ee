"""The cheapest assignment of whole tables, against enumeration."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from data.ilp.problem import ILP
from data.sharding.problem import ShardingProblem
from runs.errors import InvalidProblem
from solvers.differentiable.oracle import LinearOracle, Vertices
from solvers.sharding.assignment_oracle import TableAssignment
from solvers.sharding.relaxed import RelaxedPlans, share_costs
from tests.solvers.sharding.tiny import tiny


class Enumerated(LinearOracle):
    """Binary programs of a few variables."""

    def solve(self, costs: np.ndarray, problem: ILP) -> Vertices:
        points = np.array(list(product((0.0, 1.0), repeat=problem.n)))
        rows = points @ problem.A.T.toarray()
        points = points[((rows >= problem.row_lo) & (rows <= problem.row_hi)).all(1)]
        return Vertices(points[(costs @ points.T).argmin(1)], np.ones(len(costs), dtype=bool))


def relaxed(problem: ShardingProblem) -> RelaxedPlans:
    return RelaxedPlans(problem, share_costs(problem, problem.oracle))


def cheapest(problem: ShardingProblem, costs: np.ndarray, every_device: bool) -> float:
    """By trying every assignment."""
    grid, least = costs.reshape(-1, problem.devices), np.inf
    for devices in product(range(problem.devices), repeat=len(grid)):
        if problem.is_feasible(np.array([0, *devices])) and (not every_device or len({*devices}) == problem.devices):
            least = min(least, grid[np.arange(len(grid)), devices].sum())
    return least


@pytest.mark.parametrize("every_device", [False, True])
@pytest.mark.parametrize(("seed", "slack"), [(1, 0.3), (2, 0.3), (3, 0.5), (0, 10.0)])
def test_no_assignment_is_cheaper(seed: int, slack: float, every_device: bool) -> None:
    oracle = TableAssignment(Enumerated(), every_device)
    for problem in (tiny(seed, tables=5, slack=slack), tiny(seed, tables=4, devices=3, slack=slack + 1)):
        view = relaxed(problem)
        assert np.isfinite(cheapest(problem, np.zeros(view.variables), every_device))
        costs = np.random.default_rng(seed).normal(size=(6, view.variables))
        found = oracle.solve(costs, view)
        assert found.exact.all()
        for row, x in zip(costs, found.x, strict=True):
            assert problem.is_feasible(view.assignment(x))
            assert row @ x == pytest.approx(cheapest(problem, row, every_device))


def test_every_plan_of_whole_tables_is_the_only_answer_to_some_costs() -> None:
    problem = tiny(1, tables=5, slack=0.3)
    view, oracle = relaxed(problem), TableAssignment(Enumerated())
    plans = [
        np.array([0, *devices])
        for devices in product(range(problem.devices), repeat=5)
        if problem.is_feasible(np.array([0, *devices]))
    ]
    wanted = np.stack([view.vertex(plan) for plan in plans])
    assert (oracle.solve(1 - 2 * wanted, view).x == wanted).all()
    assert all((view.assignment(x) == plan).all() for x, plan in zip(wanted, plans, strict=True))


def test_a_batch_is_its_costs_one_by_one_and_ties_go_to_the_first_device() -> None:
    view, oracle = relaxed(tiny(1, tables=5, slack=0.3)), TableAssignment(Enumerated())
    costs = np.random.default_rng(0).integers(0, 3, (20, view.variables)).astype(float)
    together = oracle.solve(costs, view).x
    assert (together == np.concatenate([oracle.solve(row[None], view).x for row in costs])).all()
    roomy = relaxed(tiny(0, tables=4, slack=10.0))
    x = oracle.solve(np.zeros((1, roomy.variables)), roomy).x.reshape(4, -1)
    assert (x[:, 0] == 1).all() and x.sum() == 4


def test_pinned_tables_stay_where_they_are_pinned() -> None:
    problem = replace(tiny(2, tables=4, slack=10.0), pinned=np.array([1, -1, 0, -1]))
    view = relaxed(problem)
    x = TableAssignment(Enumerated()).solve(np.random.default_rng(0).normal(size=(9, view.variables)), view).x
    devices = x.reshape(9, 4, -1).argmax(2)
    assert (devices[:, 0] == 1).all() and (devices[:, 2] == 0).all()


def test_what_no_assignment_of_whole_tables_holds_is_refused_by_name() -> None:
    problem = tiny(0, tables=3, slack=0.4)
    problem = replace(problem, dims=np.full(3, 16))
    sizes = problem.column_bytes * problem.dims
    largest = int(np.argmax(sizes))
    small = replace(problem, memory=np.full(4, int(sizes.max()) - 1))
    name = problem.tables.names[largest]
    with pytest.raises(InvalidProblem, match=rf"table '{name}' needs .* GiB as a whole"):
        TableAssignment(Enumerated()).check(relaxed(small))
    with pytest.raises(InvalidProblem, match=r"1 tables leave some of .* devices empty"):
        TableAssignment(Enumerated(), every_device=True).check(relaxed(tiny(0, tables=1, slack=10.0)))
