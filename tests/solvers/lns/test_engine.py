"""The search as a whole: never worse, never infeasible, right about optimality, honest about bad input."""

import itertools
import os
import signal
import threading
import time

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data.ilp.generators.ca import CombinatorialAuction
from data.ilp.generators.cfl import CapacitatedFacilityLocation
from data.ilp.problem import ILP
from runs import interrupt
from runs.errors import ConfigError, InvalidProblem, SolverFailure
from solvers.base import BrokenOff, Budget, Solution, Status
from solvers.lns.accept.equal import Equal
from solvers.lns.accept.strict import Strict
from solvers.lns.destroy.lb_relax import LBRelax
from solvers.lns.destroy.lb_relax_least import LBRelaxLeast
from solvers.lns.destroy.lb_relax_s import LBRelaxS
from solvers.lns.destroy.random import Random
from solvers.lns.engine import LargeNeighborhoodSearch
from solvers.lns.local_branching_lp import LocalBranchingLP
from solvers.lns.search import COLUMNS
from solvers.lns.size import NeighborhoodSize
from solvers.lns.start import FirstSolution, Greedy
from solvers.milp.highs import Highs
from tests.solvers.lns.searches import HEURISTICS, search


def enumerated(problem: ILP) -> float:
    """Optimum of a pure binary problem by trying everything (NaN: infeasible)."""
    points = np.array(list(itertools.product((0.0, 1.0), repeat=problem.n)))
    activity = points @ problem.A.T.toarray()
    good = ((activity >= problem.row_lo - 1e-9) & (activity <= problem.row_hi + 1e-9)).all(axis=1)
    values = points[good] @ problem.c + problem.offset
    return float(values.max() if problem.maximize else values.min()) if good.any() else np.nan


@st.composite
def small_packings(draw):
    """Random knapsack-like problems with up to eight binaries, feasible at zero."""
    n, m = draw(st.integers(1, 8)), draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    A = rng.integers(0, 5, (m, n)).astype(float)
    return ILP.build(
        rng.integers(-9, 10, n), A, row_hi=rng.integers(0, 9, m), lb=0, ub=1, integer=True,
        maximize=draw(st.booleans()), offset=draw(st.sampled_from([0.0, 2.5])),
    )  # fmt: skip


def assert_monotone(problem: ILP, solution: Solution) -> None:
    sense = -1.0 if problem.maximize else 1.0
    assert (np.diff(sense * np.array(solution.trace.objective)) <= 0).all()
    assert (np.diff(solution.trace.seconds) >= 0).all()
    assert (np.diff(solution.trace.evaluations) >= 0).all()
    assert solution.feasible and problem.is_feasible(solution.assignment)
    assert solution.objective == problem.objective(solution.assignment) == solution.trace.objective[-1]


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(small_packings(), st.sampled_from(sorted(HEURISTICS)), st.sampled_from([Equal, Strict]), st.integers(0, 3))
def test_search_is_never_worse_never_infeasible_and_right_when_it_says_optimal(problem, name, accept, seed):
    schedule = NeighborhoodSize(1, largest=1.0)
    solution = search(HEURISTICS[name](), problem, 6, seed, schedule=schedule, accept=accept())
    assert_monotone(problem, solution)
    optimum = enumerated(problem)
    sense = -1.0 if problem.maximize else 1.0
    assert sense * solution.objective >= sense * optimum - 1e-6
    if solution.status == Status.OPTIMAL:
        assert solution.objective == pytest.approx(optimum, abs=1e-5)


@pytest.mark.parametrize("seed", range(5))
def test_random_reaches_and_proves_the_optimum_once_everything_is_free(seed):
    rng = np.random.default_rng(seed)
    problem = ILP.build(rng.random(9), rng.integers(0, 4, (4, 9)), row_hi=6, lb=0, ub=1, integer=True, maximize=True)
    solution = search(Random(), problem, 100, schedule=NeighborhoodSize(1, largest=1.0))
    assert solution.status == Status.OPTIMAL
    assert solution.objective == pytest.approx(enumerated(problem))
    assert solution.trace.bound[-1] == solution.objective
    assert solution.log["free"][-1] == 9


def test_every_heuristic_stays_feasible_and_logs_one_row_per_iteration(heuristic, auction):
    solution = search(heuristic(), auction, 12, schedule=NeighborhoodSize(15, largest=0.4))
    assert_monotone(auction, solution)
    assert set(solution.log) == set(COLUMNS)
    np.testing.assert_array_equal(solution.log["evaluation"], np.arange(12))
    assert solution.trace.evaluations[-1] == 12
    gained = solution.objective - solution.trace.objective[0]
    assert solution.log["improvement"].sum() == pytest.approx(gained)
    cap = round(0.4 * auction.n)
    grew = np.diff(solution.log["size"]) > 0
    np.testing.assert_array_equal(grew, (solution.log["improvement"][:-1] == 0) & (solution.log["size"][:-1] < cap))


def test_same_seed_same_search(heuristic, auction):
    first, second = (search(heuristic(), auction, 10, seed=5, size=15) for _ in range(2))
    assert first.trace.objective == second.trace.objective
    np.testing.assert_array_equal(first.assignment, second.assignment)
    np.testing.assert_array_equal(first.log["free"], second.log["free"])


def test_reduced_and_whole_sub_ilps_gain_the_same():
    problem = CombinatorialAuction(40, 80)(np.random.default_rng(0), "ca")
    runs = [search(Random(), problem, 15, size=20, accept=Strict(), reduce=reduce) for reduce in (True, False)]
    assert runs[0].trace.objective == pytest.approx(runs[1].trace.objective)


def test_least_is_worse_than_random_and_lb_relax_better_on_an_auction():
    problem = CombinatorialAuction(200, 400)(np.random.default_rng(0), "ca")
    values = {}
    for name, destroy in (("least", LBRelaxLeast), ("random", Random), ("lb_relax", LBRelax), ("s", LBRelaxS)):
        values[name] = np.mean([search(destroy(), problem, 25, seed, size=40).objective for seed in range(3)])
    assert values["least"] < values["random"] < min(values["lb_relax"], values["s"])


def test_plateau_moves_are_kept_by_equal_and_refused_by_strict():
    # one of ten equal items: every neighbourhood offers another solution of the same value
    problem = ILP.build(np.ones(10), np.ones((1, 10)), row_hi=1, lb=0, ub=1, integer=True, maximize=True)
    start = np.eye(10)[0]
    strict = search(Random(), problem, 12, size=5, accept=Strict(), initial=start)
    np.testing.assert_array_equal(strict.assignment, start)
    moved = [search(Random(), problem, 12, seed, size=5, initial=start).assignment[0] == 0 for seed in range(10)]
    assert any(moved)


def test_continuous_variables_are_free_in_every_iteration():
    problem = CapacitatedFacilityLocation(10, 5)(np.random.default_rng(0), "cfl")
    solution = search(Random(), problem, 30, schedule=NeighborhoodSize(2, largest=1.0))
    assert_monotone(problem, solution)
    reference = Highs().solve(problem, budget=Budget(seconds=60), rng=np.random.default_rng(0))
    assert solution.status == Status.OPTIMAL
    assert solution.objective == pytest.approx(reference.objective)


def test_general_integers_need_and_get_the_bounds_variant():
    rng = np.random.default_rng(0)
    problem = ILP.build(
        -rng.integers(1, 9, 6), rng.integers(1, 5, (3, 6)), row_hi=20, lb=0, ub=9, integer=True, name="ints"
    )
    with pytest.raises(ConfigError, match="bounds"):
        search(LBRelax(), problem, 3)
    solution = search(
        LBRelax(lp=LocalBranchingLP(distance="bounds")), problem, 80, schedule=NeighborhoodSize(1, largest=1.0)
    )
    reference = Highs().solve(problem, budget=Budget(seconds=60), rng=rng)
    assert solution.status == Status.OPTIMAL
    assert solution.objective == reference.objective


@pytest.mark.parametrize("integer", [False, True])
def test_nothing_to_destroy_is_solved_at_once(integer):
    """No integer variable, or all of them fixed by their bounds."""
    lb = np.array([0.0, 0.0]) if not integer else np.array([2.0, 1.0])
    ub = np.array([9.0, 9.0]) if not integer else lb
    problem = ILP.build([1.0, 1.0], [[1.0, 2.0]], row_lo=4, lb=lb, ub=ub, integer=integer)
    solution = search(LBRelax(), problem, 5, start=None)
    assert solution.status == Status.OPTIMAL
    assert solution.objective == pytest.approx(3.0 if integer else 2.0)


def test_infeasible_and_unbounded_problems_are_statuses():
    infeasible = ILP.build(np.ones(3), np.ones((1, 3)), row_lo=4, lb=0, ub=1, integer=True)
    unbounded = ILP.build([-1.0, 0.0], [[0.0, 1.0]], row_hi=1, lb=0, ub=[np.inf, 1], integer=True)
    start = FirstSolution(Highs())
    assert search(Random(), infeasible, 5, start=start).status == Status.INFEASIBLE
    assert search(Random(), infeasible, 5).status == Status.NO_SOLUTION  # greedy proves nothing
    solution = search(Random(), unbounded, 50, initial=np.zeros(2), schedule=NeighborhoodSize(1, largest=1.0))
    assert solution.status == Status.UNBOUNDED
    assert solution.feasible


def test_infeasible_start_names_the_worst_violated_row(auction):
    with pytest.raises(InvalidProblem, match="row"):
        search(Random(), auction, 3, initial=np.ones(auction.n))
    with pytest.raises(InvalidProblem, match="integer"):
        search(Random(), auction, 3, initial=np.full(auction.n, 1e-3))


def test_no_way_to_start_is_a_config_error(auction):
    with pytest.raises(ConfigError, match="start"):
        search(Random(), auction, 3, start=None)


def test_no_time_to_start_is_no_solution(auction):
    engine = LargeNeighborhoodSearch(Random(), Highs(), Greedy())
    solution = engine.solve(auction, budget=Budget(seconds=0), rng=np.random.default_rng(0))
    assert (solution.status, solution.assignment, solution.feasible) == (Status.NO_SOLUTION, None, False)


@pytest.mark.parametrize("setting", [{"accept": "strict"}, {"repair_seconds": 0}, {"repair_nodes": 0}])
def test_engine_settings_out_of_range_are_refused(setting):
    with pytest.raises(ConfigError, match="lns"):
        LargeNeighborhoodSearch(Random(), Highs(), **setting)


def test_zero_evaluations_return_the_start(auction):
    solution = search(Random(), auction, 0)
    start = Greedy().solve(auction, budget=Budget(seconds=9), rng=np.random.default_rng(0))
    assert solution.objective == start.objective
    assert solution.trace.evaluations == [0] * len(solution.trace)


def test_wall_clock_budget_is_kept_and_used():
    problem = CombinatorialAuction(300, 600)(np.random.default_rng(0), "ca")
    engine = LargeNeighborhoodSearch(LBRelaxS(), Highs(), Greedy(), NeighborhoodSize(60))
    began = time.monotonic()
    solution = engine.solve(problem, budget=Budget(seconds=2), rng=np.random.default_rng(0))
    assert time.monotonic() - began < 2 * 1.05 + 0.5 + 0.5  # the contract, and a loaded machine
    assert solution.status == Status.FEASIBLE
    assert_monotone(problem, solution)


class Recorder:
    """A back end that keeps the limits it was given."""

    def __init__(self):
        self.limits = []

    def solve(self, problem, *, budget, **others):
        self.limits.append(budget.seconds)
        time.sleep(0.05)
        return Highs().solve(problem, budget=budget, **others)


def test_last_sub_ilp_gets_what_is_left(auction):
    recorder = Recorder()
    engine = LargeNeighborhoodSearch(Random(), recorder, Greedy(), NeighborhoodSize(20), repair_seconds=0.4)
    engine.solve(auction, budget=Budget(seconds=1), rng=np.random.default_rng(0))
    assert recorder.limits[0] == 0.4
    assert recorder.limits[-1] < 0.4
    assert all(np.diff(recorder.limits) <= 0)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_stops_the_search_with_its_best_so_far(number):
    problem = CombinatorialAuction(300, 600)(np.random.default_rng(0), "ca")
    engine = LargeNeighborhoodSearch(Random(), Highs(), Greedy(), NeighborhoodSize(60, growth=1))
    timer = threading.Timer(1.0, os.kill, (os.getpid(), number))
    timer.start()
    try:
        solution = engine.solve(problem, budget=Budget(seconds=60), rng=np.random.default_rng(0))
    finally:
        timer.join()
        interrupt.clear()
    assert solution.status == Status.INTERRUPTED
    assert solution.trace.seconds[-1] < 30
    assert_monotone(problem, solution)


def test_mip_start_and_no_start_solve_every_sub_ilp_to_the_same_value():
    """HiGHS 1.16 by itself returns some starts unimproved."""
    problem = CombinatorialAuction(500, 1000)(np.random.default_rng(0), "ca")

    class Both:
        def solve(self, sub, *, rng, initial, **others):
            seed = int(rng.integers(2**31))
            plain = Highs().solve(sub, rng=np.random.default_rng(seed), **others)
            started = Highs().solve(sub, rng=np.random.default_rng(seed), initial=initial, **others)
            assert initial is not None
            assert started.status == plain.status == Status.OPTIMAL
            assert started.objective == pytest.approx(plain.objective, rel=1e-9)
            return started

    engine = LargeNeighborhoodSearch(LBRelax(), Both(), Greedy(), NeighborhoodSize(100), Strict())
    assert engine.solve(problem, budget=Budget(evaluations=12), rng=np.random.default_rng(0)).feasible


def test_start_time_is_part_of_the_trace_and_a_proof_ends_the_search(auction):
    class Slow:
        def solve(self, problem, **others):
            time.sleep(0.3)
            return Highs().solve(problem, **others)

    solution = search(Random(), auction, 5, start=FirstSolution(Slow()))
    assert solution.trace.seconds[-1] >= 0.3
    assert solution.trace.evaluations == [0] * len(solution.trace)
    assert solution.status == Status.OPTIMAL
    assert len(solution.log["evaluation"]) == 0


def test_empty_matrix_and_free_variables_are_no_obstacle():
    problem = ILP.build(
        [1.0, -1.0, 0.5], sp.csr_matrix((0, 3)), lb=[0, 0, -1], ub=[1, 1, 3], integer=[True, True, False]
    )
    solution = search(Random(), problem, 20, schedule=NeighborhoodSize(1, largest=1.0))
    assert solution.status == Status.OPTIMAL
    assert solution.objective == pytest.approx(-1.5)


class Mortal:
    """HiGHS that breaks down at its call number ``at``, with what it found where it ``finds``."""

    def __init__(self, at: int, finds: bool = True) -> None:
        self.at, self.finds, self.calls = at, finds, 0

    def solve(self, problem, **arguments):
        self.calls += 1
        found = Highs().solve(problem, **arguments)
        if self.calls < self.at:
            return found
        if self.finds:
            raise BrokenOff("the child died of SIGKILL", found)
        raise SolverFailure("the child died of SIGKILL")


@pytest.mark.parametrize("finds", [True, False])
def test_a_back_end_that_dies_ends_the_search_with_its_best_so_far(finds):
    problem = CombinatorialAuction(items=40, bids=80)(np.random.default_rng(0), "ca")
    mortal = LargeNeighborhoodSearch(Random(), Mortal(4, finds), Greedy(), NeighborhoodSize(20))
    with pytest.raises(BrokenOff, match="the child died of SIGKILL; its best so far") as caught:
        mortal.solve(problem, budget=Budget(evaluations=30), rng=np.random.default_rng(0))
    answer = caught.value.solution
    assert problem.is_feasible(answer.assignment) and answer.status == Status.FEASIBLE
    assert answer.objective == problem.objective(answer.assignment) == answer.trace.objective[-1]
    assert len(answer.log["free"]) == answer.trace.evaluations[-1] == 3


def test_a_start_that_dies_is_a_failure_with_what_it_had_found():
    problem = CombinatorialAuction(items=20, bids=40)(np.random.default_rng(0), "ca")
    for finds, kind in ((True, BrokenOff), (False, SolverFailure)):
        start = FirstSolution(Mortal(1, finds), seconds=1)
        with pytest.raises(kind, match="SIGKILL") as caught:
            LargeNeighborhoodSearch(Random(), Highs(), start).solve(
                problem, budget=Budget(evaluations=3), rng=np.random.default_rng(0)
            )
        if finds:
            assert problem.is_feasible(caught.value.solution.assignment)
