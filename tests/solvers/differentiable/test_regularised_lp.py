"""The regularised program against a solver of quadratic programs and differences, on boxes, simplices and more rows."""

from __future__ import annotations

from collections.abc import Callable

import highspy
import numpy as np
import pytest
import scipy.sparse as sp
import torch

from data.ilp.problem import ILP
from runs.errors import ConfigError, SolverFailure
from solvers.differentiable.calls import OracleCalls
from solvers.differentiable.inner_sets import Box, Simplices
from solvers.differentiable.regularised_lp import RegularisedLP
from solvers.differentiable.relaxed_layer import RelaxedOracle
from solvers.differentiable.rules import regularised_lp
from solvers.milp.highs_model import pass_model, quiet_highs
from tests.solvers.differentiable.selections import Cheapest, Selection


def assignment(tables: int = 6, devices: int = 3, slack: float = 1.1, seed: int = 0) -> ILP:
    """Tables on devices with room for ``slack`` times their size, and at least one table on each."""
    rng = np.random.default_rng(seed)
    sizes = rng.uniform(1, 3, tables)
    each = sp.kron(sp.eye(tables), np.ones((1, devices)))
    room = sp.kron(sizes[None], sp.eye(devices))
    some = sp.kron(np.ones((1, tables)), sp.eye(devices))
    low = np.concatenate([np.ones(tables), np.full(devices, -np.inf), np.ones(devices)])
    high = np.concatenate([np.ones(tables), np.full(devices, slack * sizes.sum() / devices), np.full(devices, np.inf)])
    return ILP.build(np.zeros(tables * devices), sp.vstack([each, room, some]), low, high, 0, 1, True)


def knapsacks(seed: int = 0) -> ILP:
    """Rows of every kind: ranges, equalities, one without a finite side."""
    rng = np.random.default_rng(seed)
    A = rng.normal(size=(5, 8))
    middle = A @ np.full(8, 0.4)
    width = np.array([0.0, 0.5, np.inf, 0.2, np.inf])
    low = np.where(np.arange(5) == 4, -np.inf, middle - width)
    return ILP.build(np.zeros(8), A, low, np.where(np.arange(5) == 1, np.inf, middle + width), 0, 1, True)


PROGRAMS: dict[str, Callable[[], ILP]] = {
    "assignment": assignment,
    "knapsacks": knapsacks,
    "roomy": lambda: assignment(slack=3.0),
}


def by_highs(problem: ILP, costs: np.ndarray, mu: float) -> np.ndarray:
    highs = quiet_highs()
    pass_model(highspy, highs, problem, relax=True)
    highs.changeColsCost(problem.n, np.arange(problem.n, dtype=np.int32), costs)
    every = np.arange(problem.n, dtype=np.int32)
    highs.passHessian(problem.n, problem.n, 1, every, every, np.full(problem.n, mu))
    highs.run()
    return np.array(highs.getSolution().col_value)


@pytest.mark.parametrize("name", sorted(PROGRAMS))
@pytest.mark.parametrize("mu", [0.05, 1.0])
def test_it_is_the_minimiser_that_a_solver_of_quadratic_programs_finds(name: str, mu: float) -> None:
    problem = PROGRAMS[name]()
    costs = np.random.default_rng(1).normal(size=(6, problem.n))
    x = RegularisedLP(mu).solve(costs, problem).x
    relaxed = ILP.build(np.zeros(problem.n), problem.A, problem.row_lo, problem.row_hi, problem.lb, problem.ub)
    for found, c in zip(x, costs, strict=True):
        assert relaxed.is_feasible(found, 1e-8)
        expected = by_highs(problem, c, mu)
        value, best = (float(c @ p + mu / 2 * p @ p) for p in (found, expected))
        assert value <= best + 1e-6
        np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("name", sorted(PROGRAMS))
def test_its_derivative_agrees_with_differences(name: str) -> None:
    problem, rng = PROGRAMS[name](), np.random.default_rng(2)
    costs, slope = rng.normal(size=problem.n), rng.normal(size=problem.n)
    program = RegularisedLP(0.7)
    faces = program.solve(costs[None], problem).faces
    moves = 1e-5 * np.eye(problem.n)
    ahead, behind = (program.solve(costs + sign * moves, problem).x @ slope for sign in (1, -1))
    found = program.pullback(faces, slope[None], problem)[0]
    np.testing.assert_allclose(found, (ahead - behind) / 2e-5, atol=1e-5)
    assert np.abs(found).max() > 0.01


def test_rows_of_an_assignment_are_simplices_and_others_are_not() -> None:
    found = Simplices.of(assignment())
    assert found is not None and found[1].tolist() == [True] * 6 + [False] * 6
    assert Simplices.of(knapsacks()) is None
    short = ILP.build([0, 0], [[1, 1]], 2, 2, 0, 1, True)
    assert Simplices.of(short) is None  # the bound binds before the sum


def test_groups_of_different_sizes_are_projected_each_on_its_own() -> None:
    problem = ILP.build(np.zeros(5), [[1, 0, 1, 1, 0], [0, 1, 0, 0, 1]], [2, 1], [2, 1], 0, 2)
    found = Simplices.of(problem)
    assert found is not None
    v = np.random.default_rng(0).normal(size=(20, 5))
    x = found[0].project(v).x
    np.testing.assert_allclose(x[:, [0, 2, 3]].sum(axis=1), 2)
    np.testing.assert_allclose(x[:, [1, 4]].sum(axis=1), 1)
    for row, near in zip(v, x, strict=True):
        np.testing.assert_allclose(near, by_highs(problem, -row, 1.0), atol=1e-6)


def test_a_box_holds_what_sticks_out() -> None:
    x, free = Box(np.zeros(3), np.ones(3)).project(np.array([[-1.0, 0.5, 2.0]]))
    assert x.tolist() == [[0, 0.5, 1]] and free.tolist() == [[False, True, False]]


def test_a_batch_is_the_same_as_its_rows_one_by_one_and_as_the_rule() -> None:
    problem, rng = Selection.random(0), np.random.default_rng(3)
    costs, slopes = rng.normal(size=(4, 8)), rng.normal(size=(4, 8))
    oracle, rule = OracleCalls(Cheapest(), problem), regularised_lp.RegularisedLP(0.5)
    x = oracle(costs)
    together = rule.gradient(costs, x, slopes, oracle, [])
    one_by_one = [rule.gradient(costs[[i]], x[[i]], slopes[[i]], oracle, [])[0] for i in range(4)]
    np.testing.assert_array_equal(together, one_by_one)
    leaf = torch.tensor(costs, requires_grad=True)
    (RelaxedOracle(0.5)(leaf, problem) * torch.from_numpy(slopes)).sum().backward()
    assert leaf.grad is not None
    np.testing.assert_array_equal(leaf.grad.numpy(), together)


def test_with_little_regularisation_the_answer_is_the_vertex() -> None:
    problem = Selection.random(0)
    costs = np.random.default_rng(3).normal(size=(4, 8))
    np.testing.assert_allclose(
        RegularisedLP(1e-6).solve(costs, problem).x, Cheapest().solve(costs, problem).x, atol=1e-9
    )


def test_a_program_without_a_feasible_point_and_a_weight_of_zero_are_refused() -> None:
    with pytest.raises(SolverFailure, match="full: the regularised program did not converge"):
        RegularisedLP(1.0).solve(np.ones((1, 2)), ILP.build([0, 0], [[1, 1]], 3, 4, 0, 1, True, name="full"))
    with pytest.raises(ConfigError, match=r"rule\.mu is 0"):
        RegularisedLP(0)
