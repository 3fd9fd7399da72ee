"""What a path costs and which edges are one, against formulas, differences and a walk of networkx."""

from __future__ import annotations

from dataclasses import replace

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from data.routing.grids import CorrelatedTimes, IndependentTimes, grid_problem
from data.routing.problem import RoutingProblem
from runs.errors import ConfigError, InvalidProblem


def square(**changed: object) -> RoutingProblem:
    """Two ways of two edges from node 0 to node 3, and an edge between their middles."""
    problem = RoutingProblem(
        "square",
        np.array([0, 0, 1, 2, 1]),
        np.array([1, 2, 3, 3, 2]),
        4,
        np.array([1.0, 2.0, 1.0, 2.0, 1.0]),
        np.array([4.0, 1.0, 5.0, 1.0, 1.0]),
        0,
        3,
        4.0,
        labels=("a", "b", "c", "d"),
    )
    return replace(problem, **changed)


@pytest.mark.parametrize("loss", ["probability", "score"])
def test_the_objective_of_a_path_is_its_probability_and_told_from_its_loss(loss: str) -> None:
    path, problem = np.array([1, 0, 1, 0, 0]), square(loss=loss)
    assert problem.scores(path[None]) == pytest.approx([2 / 3])
    assert problem.objective(path) == pytest.approx(norm.cdf(2 / 3))
    (value,) = problem.query(path[None]).values
    assert value == pytest.approx(-2 / 3 if loss == "score" else -norm.cdf(2 / 3))
    assert problem.values(path[None]) == pytest.approx([value])
    assert problem.objective_of(path, value) == pytest.approx(problem.objective(path))


def test_a_factor_adds_the_covariance_of_edges() -> None:
    factor = np.array([[1.0, 0.0], [0.0, 0.0], [2.0, 1.0], [0.0, 0.0], [0.0, 0.0]])
    problem = square(factor=factor)
    x = np.array([1.0, 0, 1, 0, 0])
    covariance = np.diag(problem.variances) + factor @ factor.T
    assert problem.scores(x[None]) == pytest.approx([2 / np.sqrt(x @ covariance @ x)])
    assert problem.marginal_variances == pytest.approx(np.diag(covariance))


@pytest.mark.parametrize("law", [IndependentTimes(), CorrelatedTimes()], ids=["independent", "correlated"])
@pytest.mark.parametrize("loss", ["probability", "score"])
def test_the_gradient_is_that_of_finite_differences_at_any_point(law: object, loss: str) -> None:
    rng = np.random.default_rng(0)
    problem = grid_problem(4, law, 0.95, rng, loss=loss)
    x = rng.uniform(0.1, 0.9, (2, problem.variables))
    found = problem.query(x)
    for row in range(2):
        for edge in (0, 7, problem.variables - 1):
            step = np.zeros(problem.variables)
            step[edge] = 1e-6
            above, below = problem.query(x[[row]] + step), problem.query(x[[row]] - step)
            difference = float((above.values - below.values)[0]) / 2e-6
            assert found.gradients[row, edge] == pytest.approx(difference, rel=1e-6, abs=1e-9)


def test_a_batch_is_queried_as_its_rows_one_by_one() -> None:
    rng = np.random.default_rng(1)
    problem = grid_problem(5, CorrelatedTimes(), 1.1, rng)
    x = rng.random((4, problem.variables))
    whole = problem.query(x)
    for row in range(4):
        alone = problem.query(x[[row]])
        assert alone.values[0] == whole.values[row]
        assert (alone.gradients[0] == whole.gradients[row]).all()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 1), min_size=12, max_size=12), st.integers(0, 20))
def test_feasible_is_what_networkx_calls_a_simple_path_and_nothing_else(bits: list[int], seed: int) -> None:
    problem = grid_problem(3, IndependentTimes(), 1.0, np.random.default_rng(0))
    paths = [
        *nx.all_simple_paths(nx.Graph(list(zip(problem.tails.tolist(), problem.heads.tolist(), strict=True))), 0, 8)
    ]
    known = {problem.path(path).tobytes() for path in paths}
    assert len(known) == len(paths) == 12
    for chosen in (np.array(bits), problem.path(paths[seed % 12]), problem.path(paths[seed % 12]) | np.array(bits)):
        assert problem.is_feasible(chosen) == (chosen.astype(np.int64).tobytes() in known)
    assert problem.walk(problem.path(paths[seed % 12])) == paths[seed % 12]


def test_a_cycle_beside_a_path_and_a_wrong_shape_are_no_path() -> None:
    problem = grid_problem(4, IndependentTimes(), 1.0, np.random.default_rng(0))
    path = problem.path([0, 1, 2, 3, 7, 11, 15])
    assert problem.is_feasible(path)
    assert not problem.is_feasible(path | problem.path([4, 5, 9, 8, 4]))
    assert not problem.is_feasible(path[:-1])
    assert not problem.is_feasible(2 * path)
    assert not problem.is_feasible(path * 0)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"means": np.array([1.0, -2, 1, 2, 1])}, r"edge 1 \(a - c\): mean is -2.0; expected a number that is not neg"),
        ({"variances": np.array([4.0, 1, 5, 1, 0])}, r"edge 4 \(b - c\): variance is 0.0; expected a positive number"),
        ({"variances": np.ones(3)}, r"variances has shape \(3,\); expected \(5,\)"),
        ({"factor": np.ones((4, 2))}, r"factor has shape \(4, 2\); expected \(5, factors\)"),
        ({"heads": np.array([1, 2, 3, 3, 9])}, r"edge 4: ends is \[1, 9\]; expected nodes from 0 to 3"),
        ({"heads": np.array([1, 2, 3, 3, 1])}, r"edge 4 \(b - b\): ends is \[1, 1\]; expected two different nodes"),
        ({"tails": np.array([0, 0, 1, 1, 1]), "heads": np.array([1, 2, 3, 0, 2])}, "edges 0 and 3 both join b - a"),
        ({"target": 0}, "source and target are both 'a'"),
        ({"target": 4}, "target is node 4; there are 4, from 0"),
        ({"deadline": np.nan}, "deadline is nan"),
        ({"nodes": 5, "target": 4, "labels": None}, "no path leads from '0' to '4'; from the source 4 of 5 nodes"),
    ],
)
def test_a_graph_that_is_none_is_refused_by_edge_and_field(changed: dict[str, object], said: str) -> None:
    with pytest.raises(InvalidProblem, match=said):
        square(**changed).validate()


def test_an_unknown_loss_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"data.loss is 'mean'; choose score or probability"):
        square(loss="mean").validate()


def test_a_right_graph_passes() -> None:
    square().validate()
    square(factor=np.ones((5, 2))).validate()
