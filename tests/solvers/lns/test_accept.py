"""Acceptance rules: their levels against closed forms, and searches that stand elsewhere than at their best."""

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data.ilp.problem import ILP
from runs.anytime import Trace
from runs.errors import ConfigError
from runs.record.checkpoint import FileCheckpoint
from solvers.base import Budget, Solution, Status
from solvers.lns.accept.equal import Equal
from solvers.lns.accept.late_acceptance import LateAcceptance
from solvers.lns.accept.record_to_record import RecordToRecord
from solvers.lns.accept.simulated_annealing import SimulatedAnnealing
from solvers.lns.accept.strict import Strict
from solvers.lns.accept.threshold import ThresholdAccepting
from solvers.lns.destroy.random import Random
from solvers.lns.engine import LargeNeighborhoodSearch
from solvers.lns.improvement import IMPROVEMENT
from solvers.lns.size import NeighborhoodSize
from solvers.lns.start import Greedy
from tests.solvers.lns.searches import search
from tests.solvers.lns.test_engine import assert_monotone, enumerated, small_packings
from tests.solvers.lns.test_resume import ITERATIONS, Frequent, assert_same

RULES = {
    "equal": Equal,
    "strict": Strict,
    "simulated_annealing": lambda: SimulatedAnnealing(0.2, 0.01),
    "threshold": lambda: ThresholdAccepting(0.2, 0.0),
    "record_to_record": lambda: RecordToRecord(0.2, 0.0),
    "late_acceptance": lambda: LateAcceptance(6),
}
LOSING = sorted(set(RULES) - {"equal", "strict"})
RNG = np.random.default_rng(0)


@pytest.fixture(params=sorted(RULES))
def rule(request):
    return RULES[request.param]


def levels(rule, start, moves, rng=RNG):
    """Levels of the iterations after which the search stands at ``moves``, over a budget of as many iterations."""
    rule.begin(start)
    found, current, best = [], start, start
    for iteration, objective in enumerate(moves):
        found.append(rule.level(current, best, iteration / len(moves), rng))
        current, best = objective, min(best, objective)
        rule.record(objective)
    return found


def test_equal_accepts_up_to_the_current_objective():
    assert levels(Equal(), 5.0, [4.0, 4.0, 3.0]) == [5.0, 4.0, 4.0]


def test_strict_accepts_what_is_better_by_more_than_the_threshold():
    (level,) = levels(Strict(), 5.0, [4.0])
    assert level < 5.0 - IMPROVEMENT <= math.nextafter(level, math.inf)


def test_threshold_falls_linearly_from_the_current_objective():
    assert levels(ThresholdAccepting(0.1, 0.02), -100.0, [-90.0, -110.0, -110.0, -110.0]) == pytest.approx(
        [-100 + 10, -90 + 8, -110 + 6, -110 + 4]
    )


def test_deviation_is_from_the_record_and_nothing_that_is_not_worse_is_refused():
    moves = [105.0, 90.0, 97.0, 90.0]
    assert levels(RecordToRecord(0.08, 0.0), 100.0, moves) == pytest.approx([108, 106, 90 + 4, 97])


def test_late_acceptance_compares_with_the_objective_of_so_many_iterations_ago():
    """By hand, of two entries: 9 9 -> 9 9 -> 9 8 -> 7 8 -> 7 8 (8.5 is no smaller objective)."""
    below = [math.nextafter(value, -math.inf) for value in (9.0, 9.0, 9.0, 8.0)]
    assert levels(LateAcceptance(2), 9.0, [9.0, 8.0, 7.0, 8.5]) == [9.0, 9.0, below[2], below[3]]


def test_late_acceptance_of_one_is_hill_climbing():
    moves = [5.0, 4.0, 4.0, 2.0]
    assert levels(LateAcceptance(1), 5.0, moves) == levels(Equal(), 5.0, moves)


@pytest.mark.parametrize(("progress", "half"), [(0.0, 0.1), (0.5, 0.01), (1.0, 0.001)])
def test_annealing_accepts_a_loss_with_the_boltzmann_probability(progress, half):
    """``half`` of the unit 50 is accepted with probability 1/2, d with 2^(-d / half)."""
    annealing = SimulatedAnnealing(0.1, 0.001)
    annealing.begin(-50.0)
    rng = np.random.default_rng(0)
    losses = np.array([annealing.level(7.0, 0.0, progress, rng) for _ in range(5_000)]) - 7.0
    for multiple in (0.5, 1.0, 2.0):
        assert (losses >= multiple * half * 50).mean() == pytest.approx(2**-multiple, abs=0.03)
    assert losses.min() >= 0


def test_all_randomness_is_the_search_s(rule):
    drawn = [levels(rule(), 10.0, [9.0, 8.0, 8.0], np.random.default_rng(3)) for _ in range(2)]
    assert drawn[0] == drawn[1]


@pytest.mark.parametrize("start", [0.0, -3.0, 1e9])
def test_no_rule_refuses_what_is_not_worse_unless_strict_whatever_the_sign(rule, start):
    for level in levels(rule(), start, [start] * 4):
        assert math.isfinite(level)
        assert level >= start or isinstance(rule(), Strict)


@pytest.mark.parametrize("name", ["simulated_annealing", "threshold", "record_to_record"])
def test_the_unit_is_the_first_objective_and_one_where_that_is_zero(name):
    def allowed(start):
        return levels(RULES[name](), start, [start], np.random.default_rng(1))[0] - start

    assert allowed(-200.0) == pytest.approx(allowed(200.0)) == pytest.approx(200 * allowed(1.0))
    assert allowed(0.0) == pytest.approx(allowed(1.0))
    assert allowed(1.0) > 0


@pytest.mark.parametrize(
    "build",
    [
        lambda: ThresholdAccepting(-0.1, 0.0),
        lambda: RecordToRecord(0.1, 0.2),
        lambda: SimulatedAnnealing(0.1, 0.0),
        lambda: LateAcceptance(0),
    ],
)
def test_settings_out_of_range_are_refused(build):
    with pytest.raises(ConfigError, match=r"lns\.accept"):
        build()


class Careless:
    """A back end that returns a random one of the feasible points within the cut-off, and proves nothing."""

    def solve(self, problem, *, budget, rng, cutoff=None, **others):
        points = rng.integers(problem.lb, problem.ub + 1, (64, problem.n)).astype(float)
        objectives = points @ problem.c + problem.offset
        good = [x for x, value in zip(points, objectives, strict=True) if problem.is_feasible(x) and value <= cutoff]
        if not good:
            return Solution(None, np.nan, False, Status.NO_SOLUTION, Trace())
        return Solution(good[0], problem.objective(good[0]), True, Status.FEASIBLE, Trace())


def careless(problem, accept, iterations, seed=0, **solve):
    engine = LargeNeighborhoodSearch(Random(), Careless(), Greedy(), NeighborhoodSize(3), accept)
    return engine.solve(problem, budget=Budget(evaluations=iterations), rng=np.random.default_rng(seed), **solve)


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(small_packings(), st.sampled_from(sorted(RULES)), st.integers(0, 5))
def test_the_best_is_monotone_and_the_answer_whatever_the_rule_accepts(problem, name, seed):
    solution = careless(problem, RULES[name](), 12, seed)
    assert_monotone(problem, solution)
    gained = abs(solution.objective - solution.trace.objective[0])
    assert solution.log["improvement"].sum() == pytest.approx(gained, abs=12 * IMPROVEMENT)


@pytest.fixture
def knapsack() -> ILP:
    """12 items, 4 capacities."""
    rng = np.random.default_rng(2)
    return ILP.build(1 + rng.random(12), rng.integers(0, 4, (4, 12)), row_hi=8, lb=0, ub=1, integer=True, maximize=True)


class Walk(Random):
    """Keeps the objectives at which the search stands."""

    def __init__(self):
        self.objectives = []

    def select(self, state, k, rng):
        self.objectives.append(state.objective)
        return super().select(state, k, rng)


@pytest.mark.parametrize("name", LOSING)
def test_a_search_leaves_its_best_and_still_returns_it(name, knapsack):
    walk = Walk()
    engine = LargeNeighborhoodSearch(walk, Careless(), Greedy(), NeighborhoodSize(6, growth=1.0), RULES[name]())
    start = np.eye(12)[0]
    solution = engine.solve(knapsack, budget=Budget(evaluations=60), initial=start, rng=np.random.default_rng(0))
    assert max(np.diff(walk.objectives)) > 0
    assert -solution.objective <= min(walk.objectives)
    assert_monotone(knapsack, solution)


@pytest.mark.parametrize("name", LOSING)
def test_with_a_loss_allowed_k_grows_unless_the_best_improves(name, knapsack):
    engine = LargeNeighborhoodSearch(Random(), Careless(), Greedy(), NeighborhoodSize(2, largest=1.0), RULES[name]())
    log = engine.solve(knapsack, budget=Budget(evaluations=30), rng=np.random.default_rng(0)).log
    grew = np.diff(log["size"]) > 0
    np.testing.assert_array_equal(grew, (log["improvement"][:-1] == 0) & (log["size"][:-1] < 12))


@pytest.mark.parametrize("seed", range(3))
def test_the_engine_reaches_and_proves_the_optimum_under_every_rule(rule, seed):
    rng = np.random.default_rng(seed)
    problem = ILP.build(rng.random(9), rng.integers(0, 4, (4, 9)), row_hi=6, lb=0, ub=1, integer=True, maximize=True)
    solution = search(Random(), problem, 100, schedule=NeighborhoodSize(1, largest=1.0), accept=rule())
    assert solution.status == Status.OPTIMAL
    assert solution.objective == pytest.approx(enumerated(problem))


def test_every_value_equal_is_no_obstacle(rule):
    problem = ILP.build(np.zeros(6), np.ones((1, 6)), row_hi=3, lb=0, ub=1, integer=True)
    solution = search(Random(), problem, 100, schedule=NeighborhoodSize(1, largest=1.0), accept=rule())
    assert (solution.status, solution.objective) == (Status.OPTIMAL, 0.0)


@pytest.mark.parametrize("name", LOSING)
def test_every_saved_state_resumes_to_the_same_end(name, knapsack, tmp_path):
    checkpoint = Frequent(tmp_path / "state.npz")
    undisturbed = careless(knapsack, RULES[name](), ITERATIONS + 5, checkpoint=checkpoint)
    assert len(checkpoint.states) == ITERATIONS + 5
    for state in checkpoint.states:
        again = FileCheckpoint(tmp_path / "again.npz")
        again.save(state)
        assert_same(careless(knapsack, RULES[name](), ITERATIONS + 5, seed=99, checkpoint=again), undisturbed)
