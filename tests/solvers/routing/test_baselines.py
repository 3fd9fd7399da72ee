"""What zero is compared with: all paths, weighted shortest paths, the sweep, SCIP, against each other and by hand."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from scipy.spatial import ConvexHull

from data.routing.grids import CorrelatedTimes, IndependentTimes, grid_problem
from data.routing.problem import RoutingProblem
from data.routing.simple_paths import best_path, simple_paths
from runs.errors import ConfigError, SolverFailure
from solvers.base import Budget, Solution, Solver, Status
from solvers.routing.enumeration import Enumeration
from solvers.routing.scip import ScipPath
from solvers.routing.sweep import ParametricSweep
from solvers.routing.weighted_path import WeightedPath

PLENTY = Budget(evaluations=100_000)


def grid(size: int = 4, deadline: float = 1.0, seed: int = 0) -> RoutingProblem:
    return grid_problem(size, IndependentTimes(), deadline, np.random.default_rng(seed))


def solved(solver: Solver, problem: RoutingProblem, budget: Budget = PLENTY) -> Solution:
    found = solver.solve(problem, budget=budget, rng=np.random.default_rng(0))
    assert found.assignment is not None
    assert problem.is_feasible(found.assignment)
    assert found.objective == pytest.approx(problem.objective(found.assignment))
    assert found.trace.objective[-1] == pytest.approx(found.objective)
    return found


def test_a_grid_of_5_by_5_nodes_has_8512_simple_paths() -> None:
    assert sum(len(paths) for paths in simple_paths(grid(5))) == 8512


def test_simple_paths_are_those_of_networkx_each_once() -> None:
    problem = grid(4)
    graph = nx.Graph(list(zip(problem.tails.tolist(), problem.heads.tolist(), strict=True)))
    ours = np.concatenate([*simple_paths(problem)])
    theirs = np.array([problem.path(walk) for walk in nx.all_simple_paths(graph, 0, 15)])
    assert {row.tobytes() for row in ours} == {row.astype(np.uint8).tobytes() for row in theirs}
    assert len(ours) == len(theirs) == 184


def test_enumeration_proves_the_best_and_stops_at_its_budget() -> None:
    problem = grid(4, 0.9)
    found = solved(Enumeration(), problem)
    assert found.status == Status.OPTIMAL
    assert found.objective == pytest.approx(problem.objective(best_path(problem)))
    assert found.trace.evaluations[-1] == 184
    assert solved(Enumeration(), grid(5), Budget(evaluations=5000)).status == Status.FEASIBLE


def test_more_paths_than_allowed_are_refused() -> None:
    with pytest.raises(SolverFailure, match=r"grid has more than 100 simple paths"):
        solved(Enumeration(100), grid(4))


def test_weighted_paths_are_the_shortest_by_mean_and_deviation() -> None:
    problem = grid(4)
    graph = nx.Graph()
    for weight in (0.0, 0.5):
        lengths = problem.means + weight * np.sqrt(problem.variances)
        graph.add_weighted_edges_from(zip(problem.tails.tolist(), problem.heads.tolist(), lengths, strict=True))
        wanted = problem.path(nx.dijkstra_path(graph, 0, 15))
        found = solved(WeightedPath(weight), problem)
        assert np.array_equal(found.assignment, wanted)
        assert found.trace.evaluations == [1, 1]


def test_at_the_least_expected_time_itself_the_fastest_path_is_the_best_with_one_half() -> None:
    problem = grid(4, 1.0)
    assert solved(WeightedPath(0.0), problem).objective == pytest.approx(0.5)
    assert problem.objective(best_path(problem)) == pytest.approx(0.5)


@pytest.mark.parametrize("seed", range(4))
def test_the_sweep_finds_every_path_on_the_lower_left_hull(seed: int) -> None:
    problem = grid(4, 1.2, seed)
    paths = np.concatenate([*simple_paths(problem)]).astype(float)
    points = np.stack([paths @ problem.means, paths @ problem.variances], axis=1)
    hull = ConvexHull(points)
    facing = (hull.equations[:, :2] < -1e-9).all(axis=1)  # outward normals to the lower left
    wanted = {tuple(np.round(points[index], 9)) for index in hull.simplices[facing].ravel()}
    found = solved(ParametricSweep(), problem)
    weights = found.log["weight"]
    assert len(weights) == len(set(weights.tolist()))
    assert len(weights) >= len(wanted) >= 1
    assert found.objective == pytest.approx(problem.objective(best_path(problem)))


def test_the_sweep_keeps_its_budget() -> None:
    assert solved(ParametricSweep(), grid(4, 1.2), Budget(evaluations=1)).trace.evaluations[-1] == 1


@pytest.mark.parametrize("law", [IndependentTimes(), CorrelatedTimes()], ids=["independent", "correlated"])
@pytest.mark.parametrize("deadline", [0.6, 0.9, 1.2])
def test_scip_proves_what_enumeration_finds_also_where_long_paths_are_best(law: object, deadline: float) -> None:
    pytest.importorskip("pyscipopt")
    problem = grid_problem(3, law, deadline, np.random.default_rng(1))
    found = solved(ScipPath(), problem, Budget(seconds=20))
    assert found.status == Status.OPTIMAL
    assert found.objective == pytest.approx(problem.objective(best_path(problem)), abs=1e-7)
    assert found.trace.bound[-1] == pytest.approx(found.objective, abs=1e-6)


def test_scip_with_the_plain_quotient_finds_the_same_on_a_tiny_grid() -> None:
    pytest.importorskip("pyscipopt")
    problem = grid(3, 1.1)
    found = solved(ScipPath("quotient"), problem, Budget(seconds=20))
    assert found.objective == pytest.approx(problem.objective(best_path(problem)), abs=1e-7)


def test_settings_out_of_range_are_named() -> None:
    with pytest.raises(ConfigError, match=r"solver.form is 'sum'; choose product or quotient"):
        ScipPath("sum")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"solver.weight is -1"):
        WeightedPath(-1)
    with pytest.raises(ConfigError, match=r"solver.most is 0"):
        Enumeration(0)
