"""Descent on costs: it finds the optimum of small problems, says when it cannot move, and goes on where it was stopped."""

from __future__ import annotations

import os
import signal
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models.cost_network import CostNetwork
from runs import interrupt
from runs.errors import ConfigError, InvalidProblem, SolverFailure
from runs.record.checkpoint import FileCheckpoint
from solvers.base import BrokenOff, Budget, Solution, Status
from solvers.differentiable.cost_search import CostSearch
from solvers.differentiable.descent import ZeroDescent
from solvers.differentiable.oracle import LinearOracle, Vertices
from solvers.differentiable.parametrisation import Direction, Parametrisation, Sigmoid
from solvers.differentiable.relaxed import Queried
from solvers.differentiable.rules.blackbox import Blackbox
from solvers.differentiable.rules.blackbox_smoothed import BlackboxSmoothed
from solvers.differentiable.rules.interpolation import Largest
from solvers.differentiable.rules.pass_through import PassThrough
from solvers.differentiable.start import Attribute, Constant, Normal, Predicted, Uniform
from solvers.gradient_free.random_search import RandomSearch
from tests.solvers.differentiable.selections import Cheapest, Selection

PROBLEM = Selection.random(0)
SMOOTHED = BlackboxSmoothed(Largest(2.0), copies=2, central=True)


def solved(solver: Any, problem: Any = PROBLEM, queries: int = 40, seed: int = 0, **more: Any) -> Solution:
    return solver.solve(problem, budget=Budget(evaluations=queries), rng=np.random.default_rng(seed), **more)


def test_one_of_the_three_best_of_56_vertices_is_found_and_queries_are_counted() -> None:
    for seed in range(3):
        problem = Selection.random(seed)
        starts = [
            solved(ZeroDescent(Cheapest(), SMOOTHED, zero_gradients=None), problem, 40, start) for start in range(4)
        ]
        third = np.sort(problem.query(problem.vertices).values)[2]
        assert min(found.objective for found in starts) <= third + 1e-9
        for found in starts:
            assert found.feasible and found.status == Status.FEASIBLE
            assert found.trace.evaluations[-1] == 40 == len(found.log["value"])
            assert found.log["oracle_calls"].tolist() == [5.0] * 40
            assert found.objective == pytest.approx(found.log["value"].min())


@pytest.mark.parametrize("parametrisation", [None, Sigmoid()], ids=["direct", "sigmoid"])
def test_costs_of_one_less_twice_an_optimum_have_it_as_their_answer(parametrisation: Sigmoid | None) -> None:
    best = PROBLEM.vertices[np.argmin(PROBLEM.query(PROBLEM.vertices).values)]
    costs = 1 - 2 * best if parametrisation is None else 0.5 - 0.4 * best
    found = solved(ZeroDescent(Cheapest(), PassThrough(), parametrisation), initial=costs, queries=1)
    assert found.objective == pytest.approx(PROBLEM.optimum)


@pytest.mark.parametrize("parametrisation", [Sigmoid(2.0), Direction()], ids=["sigmoid", "direction"])
def test_a_parametrisation_has_its_exact_derivative_and_inverse(parametrisation: Parametrisation) -> None:
    rng = np.random.default_rng(0)
    latent, slope = rng.normal(size=5), rng.normal(size=5)
    moves = 1e-6 * np.eye(5)
    ahead, behind = (parametrisation.costs(latent + sign * moves, None) for sign in (1, -1))
    np.testing.assert_allclose(
        parametrisation.pullback(latent, slope, None), (ahead - behind) @ slope / 2e-6, atol=1e-8
    )
    costs = parametrisation.costs(latent, None)
    np.testing.assert_allclose(parametrisation.costs(parametrisation.latent(costs, None), None), costs)
    assert np.isfinite(parametrisation.pullback(np.zeros(2), np.ones(2), None)).all()
    assert np.isfinite(parametrisation.pullback(np.array([-1e4, 1e4]), np.ones(2), None)).all()


def test_it_stops_by_patience_by_target_and_at_its_limit() -> None:
    rule = PassThrough()
    assert len(solved(ZeroDescent(Cheapest(), rule, limit=7)).log["value"]) == 7
    values = solved(ZeroDescent(Cheapest(), rule, patience=5)).log["value"]
    assert len(values) - 1 - np.argmin(values) == 6 < 40
    found = solved(ZeroDescent(Cheapest(), SMOOTHED, target=-2.0), queries=100)
    assert found.log["value"][-1] <= -2.0 and (found.log["value"][:-1] > -2.0).all()


def test_a_problem_may_say_itself_that_it_is_solved() -> None:
    class Easy(Selection):
        def solved(self, x: np.ndarray, value: float) -> bool:
            return True

    assert (
        len(solved(ZeroDescent(Cheapest(), PassThrough()), Easy(PROBLEM.quadratic, PROBLEM.linear, 3)).log["value"])
        == 1
    )


def test_normalised_steps_move_the_costs_by_the_rate() -> None:
    descent = ZeroDescent(
        Cheapest(), PassThrough(), start=Constant(0.0), optimizer=partial(torch.optim.SGD, lr=0.1), normalise=True
    )
    steps = descent._steps(PROBLEM, PROBLEM, None, None, np.random.default_rng(0))
    steps.step(np.array([4.0, -2.0, *[0.0] * 6]))
    np.testing.assert_allclose(steps.latent, [-0.1, 0.05, *[0.0] * 6])


def test_it_starts_where_it_is_told() -> None:
    class Prior(CostNetwork):
        def encode(self, problem: Any) -> tuple[torch.Tensor, ...]:
            return (torch.from_numpy(problem.linear),)

        def forward(self, linear: torch.Tensor) -> torch.Tensor:
            return linear

    rng = np.random.default_rng(0)
    direct = ZeroDescent(Cheapest(), PassThrough()).parametrisation
    for start in (Attribute("linear"), Predicted()):
        np.testing.assert_array_equal(start.latent(8, PROBLEM, direct, Prior(), rng), PROBLEM.linear)
    drawn = Uniform(2, 3).latent(8, PROBLEM, direct, None, rng)
    assert ((drawn >= 2) & (drawn <= 3)).all()
    assert Normal(100, 0.1).latent(8, PROBLEM, direct, None, rng).mean() == pytest.approx(100, abs=1)


def test_a_descent_that_does_not_move_is_broken_off_with_the_remedy_and_keeps_its_best() -> None:
    with pytest.raises(BrokenOff, match=r"0 everywhere for 10 steps.*larger lambda.*smoothed.*another start") as caught:
        solved(ZeroDescent(Cheapest(), Blackbox(1e-9)))
    assert caught.value.solution.feasible and len(caught.value.solution.log["value"]) == 10
    assert (caught.value.solution.log["zero_gradient"] == 1).all()
    assert len(solved(ZeroDescent(Cheapest(), Blackbox(1e-9), zero_gradients=None)).log["value"]) == 40


class Stop(FileCheckpoint):
    """Asks this process to stop before step ``at``."""

    def __init__(self, path: Path, at: int) -> None:
        super().__init__(path, every=1e9)
        self.left = at

    def due(self) -> bool:
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGINT)
        self.left -= 1
        return False


SOLVERS = {
    "adam": lambda: ZeroDescent(Cheapest(), SMOOTHED, Sigmoid()),
    "momentum": lambda: ZeroDescent(
        Cheapest(), SMOOTHED, optimizer=partial(torch.optim.SGD, lr=0.1, momentum=0.9), zero_gradients=None
    ),
    "random_costs": lambda: CostSearch(RandomSearch(4), Cheapest()),
}


@pytest.mark.parametrize("name", sorted(SOLVERS))
@pytest.mark.parametrize("at", [0, 3, 8])
def test_an_interrupted_search_goes_on_as_if_nothing_had_happened(name: str, at: int, tmp_path: Path) -> None:
    make, path = SOLVERS[name], tmp_path / "state.npz"
    whole = solved(make())
    try:
        cut = solved(make(), checkpoint=Stop(path, at))
    finally:
        interrupt.clear()
    assert cut.status == Status.INTERRUPTED
    resumed = solved(make(), seed=99, checkpoint=FileCheckpoint(path))
    assert resumed.objective == whole.objective
    np.testing.assert_array_equal(resumed.assignment, whole.assignment)
    for column, values in whole.log.items():
        np.testing.assert_array_equal(resumed.log[column], values)
    rows = slice(None, -1)
    assert resumed.trace.evaluations[rows] == whole.trace.evaluations[rows]
    assert resumed.trace.objective == whole.trace.objective


class CutShort(Cheapest):
    """At a signal, which comes at a call, it gives its best so far."""

    def __init__(self, at: int) -> None:
        self.left = at

    def solve(self, costs: np.ndarray, problem: Any) -> Vertices:
        x, exact = super().solve(costs, problem)
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGINT)
            return Vertices(x[:, ::-1].copy(), np.zeros(len(costs), bool))
        return Vertices(x, exact)


@pytest.mark.parametrize("at", [7, 8])
def test_a_step_that_a_signal_cuts_short_is_done_again(at: int, tmp_path: Path) -> None:
    whole = solved(ZeroDescent(Cheapest(), SMOOTHED))
    checkpoint = FileCheckpoint(tmp_path / "state.npz", every=1e9)
    try:
        cut = solved(ZeroDescent(CutShort(at), SMOOTHED), checkpoint=checkpoint)
    finally:
        interrupt.clear()
    assert cut.status == Status.INTERRUPTED and len(cut.log["value"]) == 3
    resumed = solved(ZeroDescent(Cheapest(), SMOOTHED), checkpoint=checkpoint)
    np.testing.assert_array_equal(resumed.log["value"], whole.log["value"])
    assert resumed.trace.evaluations[-1] == whole.trace.evaluations[-1]


class Wrong(Selection):
    """Its cost or gradient is what a test says."""

    answer: Any = None

    def query(self, x: np.ndarray) -> Queried:
        return self.answer(super().query(x))


def wrong(answer: Any) -> Wrong:
    problem = Wrong(PROBLEM.quadratic, PROBLEM.linear, 3)
    object.__setattr__(problem, "answer", answer)
    return problem


def test_a_cost_that_is_not_finite_stops_it_and_its_place_is_saved(tmp_path: Path) -> None:
    path = tmp_path / "state.npz"
    with pytest.raises(SolverFailure, match=r"selection: f is nan at a vertex.*saved in .*state\.npz"):
        solved(
            ZeroDescent(Cheapest(), PassThrough()),
            wrong(lambda found: found._replace(values=found.values * np.nan)),
            checkpoint=FileCheckpoint(path),
        )
    saved = np.load(path)
    assert saved["failed_x"].sum() == 3 and "steps/latent" in saved
    with pytest.raises(BrokenOff, match=r"df/dx of variable 2 is inf"):
        solved(
            ZeroDescent(Cheapest(), PassThrough()),
            wrong(lambda found: found._replace(gradients=np.where(np.arange(8) == 2, np.inf, found.gradients))),
        )


def test_a_cost_without_a_gradient_is_refused_by_name() -> None:
    with pytest.raises(InvalidProblem, match="selection: its cost has no gradient"):
        solved(ZeroDescent(Cheapest(), PassThrough()), wrong(lambda found: found._replace(gradients=None)))
    with pytest.raises(InvalidProblem, match="a int has no cost with a gradient"):
        solved(ZeroDescent(Cheapest(), PassThrough()), 3)


class Answering(LinearOracle):
    """Always the same."""

    def __init__(self, x: list[float], exact: bool = True) -> None:
        self.x, self.exact = np.array(x), exact

    def solve(self, costs: np.ndarray, problem: Any) -> Vertices:
        return Vertices(np.tile(self.x, (len(costs), 1)), np.full(len(costs), self.exact))


@pytest.mark.parametrize("make", [lambda o: ZeroDescent(o, PassThrough()), lambda o: CostSearch(RandomSearch(1), o)])
def test_an_oracle_with_a_wrong_answer_is_named(make: Any) -> None:
    with pytest.raises(SolverFailure, match=r"selection: Answering answers 0\.5 for variable 1; it must be whole"):
        solved(make(Answering([1, 0.5, 0.5, 1, 0, 0, 0, 0])))
    with pytest.raises(SolverFailure, match="selection: what Answering answers is not feasible"):
        solved(make(Answering([1, 1, 1, 1, 0, 0, 0, 0])))
    with pytest.raises(SolverFailure, match=r"Answering answers costs of shape \(1, 8\) with x of shape \(1, 2\)"):
        solved(make(Answering([1, 1])))


def test_an_oracle_at_its_limit_flags_the_gradient() -> None:
    found = solved(ZeroDescent(Answering([1, 1, 1, 0, 0, 0, 0, 0], exact=False), Blackbox(1.0), zero_gradients=None))
    assert (found.log["inexact"] == 2).all()


def test_random_costs_are_the_best_of_as_many_queries() -> None:
    found = solved(CostSearch(RandomSearch(16), Cheapest()), queries=40)
    assert found.trace.evaluations[-1] == 40 == len(found.log["value"])
    assert found.objective == found.log["value"].min() >= PROBLEM.optimum - 1e-9
    uniform = CostSearch(RandomSearch(16), Cheapest(), mean=0.5, deviation=0.5, uniform=True).space(3)
    assert (uniform.low == 0).all() and (uniform.high == 1).all()


def test_random_costs_stop_when_nothing_is_left_to_do() -> None:
    found = solved(CostSearch(RandomSearch(1), Cheapest(), target=1e9), queries=40)
    assert found.trace.evaluations[-1] == 1


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda: ZeroDescent(Cheapest(), PassThrough(), limit=0), r"solver\.limit is 0"),
        (lambda: ZeroDescent(Cheapest(), PassThrough(), patience=0), r"solver\.patience is 0"),
        (lambda: Uniform(1, 1), r"solver\.start\.low is 1"),
        (lambda: Sigmoid(0), r"scale is 0"),
        (lambda: solved(ZeroDescent(Cheapest(), PassThrough(), start=Predicted())), "there is no prior"),
        (lambda: solved(ZeroDescent(Cheapest(), PassThrough(), start=Attribute("means"))), "'means'.*no such attribute"),
        (lambda: solved(ZeroDescent(Cheapest(), PassThrough()), initial=np.ones(3)), r"initial has shape \(3,\)"),
        (
            lambda: solved(ZeroDescent(Cheapest(), PassThrough(), Sigmoid()), initial=-np.ones(8)),
            r"cost -1 of variable 0.*between 0 and",
        ),
    ],
)  # fmt: skip
def test_a_setting_that_does_not_fit_is_named(use: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        use()
