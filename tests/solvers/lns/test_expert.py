"""The local branching expert: what it labels, when it stops, what it refuses."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from data.ilp.expert.record import ExpertRecord
from data.ilp.problem import ILP
from runs.errors import ConfigError, InvalidProblem
from solvers.base import Solution, Status
from solvers.lns.expert import LocalBranchingExpert, Perturbation
from solvers.lns.local_branching_lp import LocalBranchingLP
from solvers.lns.repair import Repair
from solvers.lns.start import Greedy
from solvers.milp.highs import Highs
from tests.solvers.lns.experts import auctions, expert

KNAPSACK = ILP.build([8, 6, 5, 4, 3, 2, 7], [[6, 4, 3, 3, 2, 1, 5]], row_hi=11, ub=1, integer=True, maximize=True)


@pytest.fixture(scope="module")
def auction() -> ILP:
    auctions_ = auctions(1)
    auctions_.setup()
    return auctions_.test_problems[0][1]  # type: ignore[index]


@pytest.fixture(scope="module")
def record(auction: ILP) -> ExpertRecord:
    *_, last = expert().records(auction, 0)
    return last


def _best_with_free(problem: ILP, incumbent: np.ndarray, members: np.ndarray) -> float:
    """Improvement of the best assignment that differs from ``incumbent`` in ``members`` only, by enumeration."""
    best = problem.objective(incumbent)
    for values in itertools.product((0.0, 1.0), repeat=len(members)):
        x = incumbent.copy()
        x[members] = values
        if problem.is_feasible(x):
            best = min(best, problem.objective(x))
    return problem.objective(incumbent) - best


def test_every_label_is_what_enumeration_finds(auction: ILP, record: ExpertRecord) -> None:
    minimisation = auction.to_min()
    assert record.steps
    for step in record.steps:
        for members, gain, swapped in _sets(step.sets):
            exact = _best_with_free(minimisation, step.incumbent, members)
            if swapped:
                assert gain == pytest.approx(exact, abs=1e-6)
            else:
                assert 1e-5 < gain <= exact + 1e-6


def _sets(sets: Any) -> list[tuple[np.ndarray, float, int]]:
    pieces = np.split(sets.members, np.cumsum(sets.sizes)[:-1])
    return list(zip(pieces, sets.gain.tolist(), sets.swapped.tolist(), strict=True))


def test_the_best_set_is_the_best_within_distance_k_and_leads_to_the_next_incumbent(
    auction: ILP, record: ExpertRecord
) -> None:
    following = [*(step.incumbent for step in record.steps[1:]), record.incumbent]
    for step, after in zip(record.steps, following, strict=True):
        changed = np.flatnonzero(step.incumbent != after)
        good = [(members, gain) for members, gain, swapped in _sets(step.sets) if not swapped]
        assert all(1 <= len(members) <= 6 for members, _ in good)
        members, gain = max(good, key=lambda pair: pair[1])
        assert gain == step.best_gain
        assert set(changed) <= set(members)
        assert auction.is_feasible(after)
        assert auction.objective(after) >= auction.objective(step.incumbent) + gain - 1e-6


def test_perturbed_sets_exchange_r_members_few_first(record: ExpertRecord) -> None:
    tried = 0
    for step in record.steps:
        sets = _sets(step.sets)
        best = max((entry for entry in sets if not entry[2]), key=lambda entry: entry[1])[0]
        perturbed = [entry for entry in sets if entry[2]]
        tried += len(perturbed)
        swaps = [entry[2] for entry in perturbed]
        assert swaps == sorted(swaps)
        for members, _, swapped in perturbed:
            assert len(members) == len(best)
            assert len(set(best) - set(members)) == swapped
            assert swapped < len(best) - 1
    assert tried


def test_a_step_stops_at_the_limit_of_bad_sets_and_after_so_many_misses() -> None:
    class Scripted(LocalBranchingExpert):
        """Gains come from a list."""

        def _gain(self, state: Any, members: np.ndarray, rng: np.random.Generator) -> float | None:
            return next(gains)

    teacher = Scripted(
        **{
            key: getattr(expert(), key)
            for key in ("local_branching", "repair", "start", "size", "steps")
        },
        start_budget={"seconds": 1},
        perturbation=Perturbation(step=1, limit=5, misses=3),
    )  # fmt: skip
    state: Any = type("State", (), {"candidates": np.arange(20)})
    gains = iter([9.0, 0.0, None, 9.0, 9.0, 0.0, 0.0, 0.0, 0.0, 9.0, 9.0])
    found = teacher._spoilt(state, np.arange(6), 10.0, np.random.default_rng(0))
    # r = 1: a miss, a bad one, three misses in a row (one undecided: not kept); r = 2: four bad ones, which makes five
    assert [(gain, swaps) for _, gain, swaps in found] == [
        (9, 1), (0, 1), (9, 1), (9, 1), (0, 2), (0, 2), (0, 2), (0, 2)
    ]  # fmt: skip


def test_random_perturbations_keep_no_member(auction: ILP) -> None:
    first = next(r for r in expert(perturbation=Perturbation("random", limit=5)).records(auction, 0) if r.steps)
    sets = _sets(first.steps[0].sets)
    best = max((entry for entry in sets if not entry[2]), key=lambda entry: entry[1])[0]
    drawn = [set(members) for members, _, swapped in sets if swapped]
    assert drawn
    assert all(not members & set(best) for members in drawn)


def test_a_record_continued_after_any_step_equals_an_undisturbed_one(auction: ILP, record: ExpertRecord) -> None:
    for stored in list(expert().records(auction, 0))[:-1]:
        *_, again = expert().records(auction, 0, ExpertRecord.from_bytes(stored.to_bytes()))
        assert len(again.steps) == len(record.steps)
        for ours, theirs in zip(again.steps, record.steps, strict=True):
            np.testing.assert_array_equal(ours.incumbent, theirs.incumbent)
            np.testing.assert_array_equal(ours.sets.members, theirs.sets.members)
            np.testing.assert_array_equal(ours.sets.gain, theirs.sets.gain)


def test_the_end_says_why(auction: ILP) -> None:
    *_, short = expert(steps=1).records(auction, 0)
    assert (short.end, len(short.steps)) == ("steps", 1)
    *_, whole = expert(steps=30).records(auction, 0)
    assert whole.end == "no_improvement"
    assert 1 < len(whole.steps) < 30


def test_a_first_incumbent_that_is_optimal_within_k_gives_a_record_without_steps() -> None:
    """No flip of one variable improves the greedy knapsack."""
    *_, record = expert(size=1).records(KNAPSACK, 0)
    assert (record.end, record.steps) == ("no_improvement", ())
    assert ExpertRecord.from_bytes(record.to_bytes()).steps == ()


def test_relaxations_bound_local_branching_from_below(auction: ILP) -> None:
    *_, relaxed = expert(relaxation=LocalBranchingLP(), steps=2).records(auction, 0)
    minimisation = auction.to_min()
    for step in relaxed.steps:
        assert step.relaxation is not None
        bound = minimisation.objective(step.relaxation)
        assert bound <= minimisation.objective(step.incumbent) - step.best_gain + 1e-6
    assert ExpertRecord.from_bytes(relaxed.to_bytes()).relaxations(1, 3) is not None


def test_a_sub_ilp_without_answer_in_time_is_no_bad_set(auction: ILP) -> None:
    class Silent:
        """Finds nothing and proves nothing."""

        def solve(self, problem: ILP, **ignored: Any) -> Solution:
            solution = Highs().solve(problem, budget=ignored["budget"], rng=np.random.default_rng(0))
            return Solution(None, np.nan, False, Status.NO_SOLUTION, solution.trace)

    first = next(r for r in expert(repair=Repair(Silent())).records(auction, 0) if r.steps)  # type: ignore[arg-type]
    assert not (first.steps[0].sets.swapped > 0).any()


def test_integer_variables_count_when_their_value_changes_and_continuous_ones_never() -> None:
    mixed = ILP.build([-3, -2, -1], [[2, 1, 1]], row_hi=7, ub=[2, 5, 10], integer=[True, True, False], name="mixed")

    class Zero:
        def solve(self, problem: ILP, **ignored: Any) -> Solution:
            found = Greedy().solve(problem, budget=ignored["budget"], rng=ignored["rng"])
            return Solution(np.zeros(3), 0.0, True, Status.FEASIBLE, found.trace)

    branching = expert().local_branching
    branching.distance = "bounds"
    *_, record = expert(start=Zero(), size=2, local_branching=branching).records(mixed, 0)
    assert record.steps
    assert all(set(members) <= {0, 1} for step in record.steps for members, _, _ in _sets(step.sets))


@pytest.mark.parametrize(
    ("problem", "changes", "error", "message"),
    [
        (KNAPSACK, {"size": 8}, ConfigError, "collector.size is 8, but ilp has 7 integer variables"),
        (ILP.build([1.0], [[1.0]], row_hi=1), {}, InvalidProblem, "no integer variable"),
        (
            ILP.build([1.0] * 6, [[1.0] * 6], row_lo=2, row_hi=1.5, ub=1, integer=True),
            {},
            InvalidProblem,
            "infeasible",
        ),
        (
            ILP.build([-1.0] * 6, [[1.0] + [0.0] * 5], row_hi=1, integer=True),
            {},
            InvalidProblem,
            "unbounded",
        ),
        (
            ILP.build([1.0] * 6, [[2.0] * 6], row_lo=3, row_hi=3, ub=1, integer=True),
            {},
            InvalidProblem,
            r"no incumbent within the initial limit \(seconds=60.0\); raise collector.start_budget",
        ),
    ],
)
def test_a_problem_that_teaches_nothing_is_refused(
    problem: ILP, changes: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        list(expert(**changes).records(problem, 0))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: expert(size=0), "collector.size is 0"),
        (lambda: expert(steps=0), "collector.steps is 0"),
        (lambda: Perturbation("soft"), "collector.perturbation.kind is 'soft'"),  # type: ignore[arg-type]
        (lambda: Perturbation(step=0), "collector.perturbation.step is 0"),
        (lambda: Perturbation(share=0), "collector.perturbation.share is 0"),
    ],
)
def test_a_setting_outside_its_range_is_named(make: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()
