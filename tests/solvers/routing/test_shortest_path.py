"""Shortest paths are those of networkx; both back ends agree, ties and zeros included."""

from __future__ import annotations

import sys

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.routing.grids import IndependentTimes, grid_problem
from data.routing.problem import RoutingProblem
from runs.errors import ConfigError, InvalidProblem, MissingDependency
from solvers.routing.shortest_path import BACKENDS, ShortestPath

GRID = grid_problem(4, IndependentTimes(), 1.0, np.random.default_rng(0))


def random_problem(rng: np.random.Generator) -> RoutingProblem:
    """A connected graph whose nodes have any degree."""
    tree = nx.random_labeled_tree(9, seed=int(rng.integers(1000)))
    more = nx.gnm_random_graph(9, 10, seed=int(rng.integers(1000)))
    tails, heads = np.array(sorted(nx.compose(tree, more).edges)).T
    ones = np.ones(len(tails))
    return RoutingProblem("random", tails, heads, 9, ones, ones, 0, 8, 1.0)


def length(problem: RoutingProblem, costs: np.ndarray) -> float:
    graph = nx.Graph()
    graph.add_weighted_edges_from(zip(problem.tails.tolist(), problem.heads.tolist(), costs, strict=True))
    return nx.dijkstra_path_length(graph, problem.source, problem.target)


@pytest.mark.parametrize("backend", BACKENDS)
@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([1, 3, 1000]))
def test_a_path_is_as_short_as_that_of_networkx(backend: str, seed: int, levels: int) -> None:
    pytest.importorskip("numba") if backend == "compiled" else None
    rng = np.random.default_rng(seed)
    problem = random_problem(rng)
    costs = rng.integers(0, levels, (3, problem.variables)) / 7
    x, exact = ShortestPath(backend).solve(costs, problem)
    assert exact.all()
    for row in range(3):
        assert problem.is_feasible(problem.assignment(x[row]))
        assert costs[row] @ x[row] == pytest.approx(length(problem, costs[row]))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([1, 2, 4, 1000]))
def test_both_back_ends_return_the_same_path_where_many_are_shortest(seed: int, levels: int) -> None:
    pytest.importorskip("numba")
    rng = np.random.default_rng(seed)
    for problem in (GRID, random_problem(rng)):
        costs = rng.integers(0, levels, (4, problem.variables)) * 0.1
        found = [ShortestPath(backend).solve(costs, problem).x for backend in BACKENDS]
        assert np.array_equal(*found)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_batch_is_solved_as_its_rows_one_by_one(backend: str) -> None:
    pytest.importorskip("numba") if backend == "compiled" else None
    oracle, costs = ShortestPath(backend), np.random.default_rng(0).random((6, GRID.variables))
    whole = oracle.solve(costs, GRID).x
    assert all(np.array_equal(oracle.solve(costs[[row]], GRID).x[0], whole[row]) for row in range(6))


def test_every_path_is_the_only_answer_to_the_costs_of_the_edges_beside_it() -> None:
    graph = nx.Graph(list(zip(GRID.tails.tolist(), GRID.heads.tolist(), strict=True)))
    wanted = np.array([GRID.path(walk) for walk in nx.all_simple_paths(graph, 0, 15)])
    assert len(wanted) == 184
    assert np.array_equal(ShortestPath().solve(1.0 - wanted, GRID).x, wanted)


@pytest.mark.parametrize("wrong", [-0.25, np.inf, np.nan], ids=str)
def test_a_cost_that_is_no_length_is_refused_by_its_edge(wrong: float) -> None:
    costs = np.ones((2, GRID.variables))
    costs[1, 3] = wrong
    with pytest.raises(InvalidProblem, match=rf"edge 3 \(1 - 2\) has cost {wrong:g}; shortest paths need finite costs"):
        ShortestPath().solve(costs, GRID)


def test_costs_of_another_graph_are_refused() -> None:
    with pytest.raises(InvalidProblem, match=r"costs have shape \(1, 5\); expected \(batch, 24\)"):
        ShortestPath().solve(np.ones((1, 5)), GRID)


def test_an_unknown_back_end_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"oracle.backend is 'fast'; choose compiled or scipy"):
        ShortestPath("fast")  # type: ignore[arg-type]


def test_without_numba_scipy_serves_and_the_compiled_one_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numba", None)
    assert ShortestPath().backend == "scipy"
    with pytest.raises(MissingDependency, match="photonics"):
        ShortestPath("compiled")
