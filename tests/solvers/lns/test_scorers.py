"""Scorers without learning, mixtures, and how a scorer gets ready inside a search."""

from dataclasses import replace

import numpy as np
import pytest

from data.ilp.problem import ILP
from runs.errors import ConfigError
from solvers.base import Status
from solvers.lns.destroy.lb_relax import LBRelax
from solvers.lns.destroy.scored import PreparedScorer, Scored
from solvers.lns.scorers.lb_relax import LBRelaxScorer
from solvers.lns.scorers.lp_distance import LPDistance
from solvers.lns.scorers.mixture import Mixture, standardized
from solvers.lns.scorers.reduced_cost import ReducedCost
from solvers.lns.state import SearchState
from solvers.milp.lp import LPUnfinished
from solvers.milp.root_lp import solve_root_lp
from tests.solvers.lns.searches import CostScorer, search

BAG = ILP.build([-6.0, -5, -4, -1], [[4, 3, 2, 5]], row_hi=7, ub=1, integer=True)
EMPTY = np.zeros(4)


def scores(scorer, problem, incumbent, seconds=np.inf):
    scorer.prepare(problem, seconds)
    return scorer.scores(problem, incumbent, ())


def test_controls_read_the_root_lp():
    lp = solve_root_lp(BAG)
    assert lp.x.tolist() == [0.5, 1, 1, 0]
    np.testing.assert_allclose(scores(ReducedCost(), BAG, EMPTY), [0, 0.5, 1, -6.5])
    np.testing.assert_allclose(scores(LPDistance(), BAG, np.array([1.0, 0, 1, 0])), [0.5, 1, 0, 0])


def test_lb_relax_as_a_scorer_frees_what_lb_relax_frees(auction):
    problem = auction.to_min()
    incumbent = np.zeros(problem.n)
    destroy = LBRelax(ties="order")
    destroy.prepare(problem)
    state = SearchState(problem, np.arange(problem.n), incumbent, 0.0)
    expected = destroy.select(state, 10, np.random.default_rng(0)).free
    scored = Scored(LBRelaxScorer(10))
    scored.prepare(problem)
    np.testing.assert_array_equal(scored.select(state, 10, np.random.default_rng(0)).free, expected)


def test_lb_relax_scores_do_not_depend_on_the_incumbents_before(auction):
    problem = auction.to_min()
    later = np.array(search(Scored(CostScorer()), auction, 3).assignment)
    scorer = LBRelaxScorer(10)
    scores(scorer, problem, np.zeros(problem.n))
    np.testing.assert_array_equal(scorer.scores(problem, later, ()), scores(LBRelaxScorer(10), problem, later))


@pytest.mark.parametrize("weight", [0.0, 0.3, 1.0])
def test_a_mixture_adds_standard_scores(weight):
    first, second = scores(ReducedCost(), BAG, EMPTY), scores(LPDistance(), BAG, EMPTY)
    expected = sum(share * (part - part.mean()) / part.std() for share, part in ((weight, first), (1 - weight, second)))
    np.testing.assert_allclose(scores(Mixture(ReducedCost(), LPDistance(), weight), BAG, EMPTY), expected)


def test_standard_scores_count_what_can_be_freed_and_equal_scores_say_nothing():
    counted = np.array([True, True, False])
    np.testing.assert_allclose(standardized(np.array([1.0, 3, 99]), counted), [-1, 1, 97])
    assert not standardized(np.full(3, 7.0), counted).any()


def test_a_mixture_prepares_its_parts_and_takes_those_that_need_no_preparation():
    mixture = Mixture(CostScorer(), ReducedCost(), 1.0)
    assert isinstance(mixture, PreparedScorer) and not isinstance(CostScorer(), PreparedScorer)
    expected = standardized(CostScorer().scores(BAG, EMPTY, ()), np.ones(4, bool))
    np.testing.assert_allclose(scores(mixture, BAG, EMPTY), expected)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Mixture(CostScorer(), CostScorer(), 1.5), r"weight is 1.5; lambda must lie in \[0, 1\]"),
        (lambda: LBRelaxScorer(0), "radius is 0"),
    ],
)
def test_settings_outside_their_range_are_refused(make, message):
    with pytest.raises(ConfigError, match=message):
        make()


@pytest.mark.parametrize(
    "scorer", [ReducedCost(), LPDistance(), LBRelaxScorer(10), Mixture(LPDistance(), LBRelaxScorer(10), 0.5)]
)
def test_a_search_by_scores_frees_k_variables_and_is_the_same_again(auction, scorer):
    first, second = (search(Scored(scorer), auction, 12, size=15) for _ in range(2))
    assert first.feasible and first.log["free"][0] == 15
    np.testing.assert_array_equal(first.assignment, second.assignment)


class Slow:
    """Never ready in time; notes how long it was given."""

    def __init__(self):
        self.given = []

    def prepare(self, problem, seconds):
        self.given.append(seconds)
        raise LPUnfinished("too slow")

    def scores(self, problem, incumbent, history):
        raise AssertionError("a scorer that is not prepared was asked")


def test_a_scorer_that_is_not_ready_in_time_leaves_the_incumbent_and_is_asked_again(auction):
    slow = Slow()
    solution = search(Scored(slow), auction, 3)
    assert solution.feasible and solution.status == Status.FEASIBLE
    assert slow.given == [np.inf] * 3 and not solution.log["improvement"].any()


def test_a_scorer_is_prepared_once_with_what_is_left_of_the_budget():
    given: list[float] = []

    class Counting(CostScorer):
        def prepare(self, problem, seconds):
            given.append(seconds)

    destroy = Scored(Counting())
    destroy.prepare(BAG)
    state = SearchState(BAG, np.arange(4), EMPTY, 0.0, remaining_seconds=7.0)
    for seed in range(3):
        destroy.select(state, 2, np.random.default_rng(seed))
    assert given == [7.0]
    destroy.prepare(BAG)
    destroy.select(replace(state, remaining_seconds=5.0), 2, np.random.default_rng(0))
    assert given == [7.0, 5.0]
