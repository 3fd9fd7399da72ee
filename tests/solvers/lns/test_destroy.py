"""What each destroy heuristic selects."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from data.ilp.problem import ILP
from runs.errors import ConfigError
from solvers.lns.destroy.bandit import Bandit
from solvers.lns.destroy.crossover import Crossover
from solvers.lns.destroy.dins import DINS
from solvers.lns.destroy.draw import largest, preferred
from solvers.lns.destroy.graph import Graph
from solvers.lns.destroy.lb_relax import LBRelax
from solvers.lns.destroy.lb_relax_least import LBRelaxLeast
from solvers.lns.destroy.lb_relax_r import LBRelaxR
from solvers.lns.destroy.lb_relax_s import LBRelaxS
from solvers.lns.destroy.local_branching import LocalBranching
from solvers.lns.destroy.mutation import Mutation
from solvers.lns.destroy.proximity import Proximity
from solvers.lns.destroy.random import Random
from solvers.lns.destroy.rens import RENS
from solvers.lns.destroy.rins import RINS
from solvers.lns.destroy.scored import Scored, tempered
from solvers.lns.local_branching_lp import LocalBranchingLP
from solvers.lns.state import SearchState
from solvers.milp.highs import Highs
from tests.solvers.lns.searches import CostScorer


def rng(seed=0):
    return np.random.default_rng(seed)


def state_of(problem, incumbent, **more):
    incumbent = np.asarray(incumbent, float)
    candidates = np.flatnonzero(problem.integer & (problem.lb < problem.ub))
    return SearchState(problem, candidates, incumbent, problem.objective(incumbent), **more)


def path(n, integer=True):
    """x_i + x_{i+1} >= 1 along a path, unit costs."""
    rows = sp.diags([np.ones(n - 1), np.ones(n - 1)], [0, 1], shape=(n - 1, n))
    return ILP.build(np.ones(n), rows, row_lo=1, lb=0, ub=1, integer=integer)


def free(selection):
    return np.flatnonzero(selection.free)


def ready(destroy, problem, scorer=None):
    destroy.prepare(problem, scorer)
    return destroy


def test_random_frees_exactly_k_and_never_a_fixed_variable():
    problem = replace(path(10), ub=np.array([1.0] * 9 + [0.0]))
    counts = np.zeros(10)
    for seed in range(300):
        chosen = free(Random().select(state_of(problem, np.ones(10)), 3, rng(seed)))
        assert len(chosen) == 3
        counts[chosen] += 1
    assert counts[9] == 0
    assert counts[:9].min() > 60  # 100 expected of each


def test_graph_grows_an_interval_on_a_path():
    state = state_of(path(30), np.ones(30))
    for seed in range(20):
        chosen = free(Graph().select(state, 7, rng(seed)))
        assert len(chosen) == 7
        assert chosen[-1] - chosen[0] <= 7  # contiguous but for the subsampled last layer


def test_graph_stays_in_its_component_unless_reseeded():
    two = ILP.build(np.ones(6), sp.block_diag([np.ones((1, 3)), np.ones((1, 3))]), row_lo=1, lb=0, ub=1, integer=True)
    state = state_of(two, np.ones(6))
    assert set(free(Graph().select(state, 5, rng()))) in ({0, 1, 2}, {3, 4, 5})
    assert len(free(Graph(reseed=True).select(state, 5, rng()))) == 5


def test_graph_passes_through_continuous_variables_without_counting_them():
    integer = np.array([True, False, True, False, True])
    state = state_of(path(5, integer), np.ones(5))
    for seed in range(5):
        np.testing.assert_array_equal(free(Graph().select(state, 3, rng(seed))), [0, 2, 4])


def test_rins_frees_where_the_incumbent_leaves_the_lp():
    problem = ILP.build([1.0, 2, 3, 4], sp.csr_matrix((0, 4)), lb=0, ub=1, integer=True)  # LP: all zero
    state = state_of(problem, [1, 0, 0, 1])
    np.testing.assert_array_equal(free(ready(RINS(fill=False), problem).select(state, 3, rng())), [0, 3])
    filled = free(ready(RINS(), problem).select(state, 3, rng()))
    assert {0, 3} < set(filled) and len(filled) == 3
    assert set(free(ready(RINS(), problem).select(state, 1, rng()))) <= {0, 3}


KNAPSACK = ILP.build([-6.0, -5, -4, -3, 2, 2], np.ones((1, 6)), row_hi=2, lb=0, ub=1, integer=True)
ZERO = np.zeros(6)


def test_lb_relax_frees_what_the_lp_moves_and_least_what_it_does_not():
    state = state_of(KNAPSACK, ZERO)  # within distance 2 the LP takes items 0 and 1
    np.testing.assert_array_equal(free(ready(LBRelax(), KNAPSACK).select(state, 2, rng())), [0, 1])
    assert not set(free(ready(LBRelaxLeast(), KNAPSACK).select(state, 2, rng()))) & {0, 1}


def test_lb_relax_breaks_ties_at_random_or_by_order():
    state = state_of(KNAPSACK, ZERO)
    ordered = [tuple(free(ready(LBRelax(ties="order"), KNAPSACK).select(state, 2, rng(s)))) for s in range(5)]
    assert set(ordered) == {(0, 1)}
    values = np.array([0.5, 0.5, 1.0, 0.5, 0.5 + 1e-12])
    np.testing.assert_array_equal(np.sort(largest(values, 3, None)), [0, 1, 2])
    drawn = {tuple(np.sort(largest(values, 3, rng(s)))) for s in range(60)}
    assert drawn == {(0, 1, 2), (0, 2, 3), (0, 2, 4), (1, 2, 3), (1, 2, 4), (2, 3, 4)}


def test_ties_by_reduced_cost_take_what_the_lp_would_move_most_cheaply():
    # the LP takes items 0 and 1; the next most valuable are 2 and 3
    for form in ("explicit", "multiplier"):
        for seed in range(5):
            destroy = ready(LBRelax(ties="reduced_cost", lp=LocalBranchingLP(distance_row=form)), KNAPSACK)
            state = state_of(KNAPSACK, ZERO)
            np.testing.assert_array_equal(free(destroy.select(state, 3, rng(seed))), [0, 1, 2])
            np.testing.assert_array_equal(free(destroy.select(state, 4, rng(seed))), [0, 1, 2, 3])


def test_lb_relax_r_takes_all_that_move_and_fills_only_if_asked():
    state = state_of(KNAPSACK, ZERO)
    np.testing.assert_array_equal(free(ready(LBRelaxR(fill=False), KNAPSACK).select(state, 2, rng())), [0, 1])
    state5 = state_of(KNAPSACK, ZERO)
    assert len(free(ready(LBRelaxR(fill=False), KNAPSACK).select(state5, 5, rng()))) == 2
    assert len(free(ready(LBRelaxR(), KNAPSACK).select(state5, 5, rng()))) == 5


def test_lb_relax_s_frees_with_the_probability_of_its_formula():
    destroy = LBRelaxS(eps=0.1)
    delta = np.array([0.0, 0.5, 1.0, 3.0])
    counts = np.zeros(4)
    generator = rng()
    for _ in range(4000):
        counts[destroy.draw(delta, np.zeros(4), 1, generator)] += 1
    np.testing.assert_allclose(counts / 4000, [0.1, 0.5, 0.9, 0.9], atol=0.04)  # 5 standard deviations


@pytest.mark.parametrize("eps", [-0.01, 0.5, float("nan")])
def test_eps_outside_its_range_is_refused(eps):
    with pytest.raises(ConfigError, match="eps"):
        LBRelaxS(eps=eps)


def test_lp_bound_saves_the_sub_ilp_but_not_at_the_cap_nor_for_a_wider_draw():
    best = np.array([1.0, 1, 0, 0, 0, 0])
    destroy = ready(LBRelax(), KNAPSACK)
    assert not destroy.select(state_of(KNAPSACK, best), 2, rng()).repair
    assert destroy.select(state_of(KNAPSACK, best, at_cap=True), 2, rng()).repair
    assert destroy.select(state_of(KNAPSACK, [1, 0, 1, 0, 0, 0]), 2, rng()).repair
    wide = ready(LBRelaxS(eps=0.49), KNAPSACK)  # draws three variables and more
    selections = [wide.select(state_of(KNAPSACK, best), 2, rng(seed)) for seed in range(20)]
    assert all(selection.repair == (selection.free.sum() > 2) for selection in selections)


def test_local_branching_frees_the_flips_of_the_best_assignment_in_the_ball():
    state = state_of(KNAPSACK, [0, 0, 1, 1, 0, 0])
    selection = ready(LocalBranching(Highs()), KNAPSACK).select(state, 2, rng())
    np.testing.assert_array_equal(free(selection), [0, 3])  # the best single swap
    np.testing.assert_allclose(selection.solution, [1, 0, 1, 0, 0, 0], atol=1e-6)


def test_local_branching_without_improvement_selects_nothing():
    selection = ready(LocalBranching(Highs()), KNAPSACK).select(state_of(KNAPSACK, [1, 1, 0, 0, 0, 0]), 2, rng())
    assert not selection.repair and not selection.free.any()


def test_proximity_finds_the_nearest_assignment_that_gains_enough_and_halves_its_step():
    problem = ILP.build([-10.0, -3, -3, -3], sp.csr_matrix((0, 4)), lb=0, ub=1, integer=True)
    destroy = ready(Proximity(Highs(), step=0.4), problem)
    start = state_of(problem, [1, 0, 0, 0])
    assert free(destroy.select(start, 1, rng())).size == 2  # gain >= 4 takes two of the threes
    best = state_of(problem, [1, 1, 1, 1])
    assert not destroy.select(best, 1, rng()).free.any()
    assert float(destroy.memory()["step"]) == 0.2


def test_mutation_fixes_at_the_values_of_the_parent_it_drew():
    state = state_of(path(8), np.ones(8), pool=(np.array([0.0, 1] * 4),))
    parents = set()
    for seed in range(20):
        selection = Mutation().select(state, 3, rng(seed))
        fixed = ~selection.free
        if selection.within is None:
            parents.add("incumbent")
        else:
            parents.add("pool")
            np.testing.assert_array_equal(selection.within.lb[fixed], state.pool[0][fixed])
            np.testing.assert_array_equal(selection.within.ub[fixed], state.pool[0][fixed])
            np.testing.assert_array_equal(selection.within.ub[selection.free], 1)
    assert parents == {"incumbent", "pool"}


def test_crossover_frees_where_parents_disagree():
    pool = (np.array([1.0, 1, 0, 1, 1, 1]), np.array([1.0, 1, 1, 0, 1, 1]))
    state = state_of(path(6), np.ones(6), pool=pool)
    assert {tuple(free(Crossover(2, fill=False).select(state, 4, rng(s)))) for s in range(20)} == {(2,), (3,)}
    np.testing.assert_array_equal(free(Crossover(3, fill=False).select(state, 4, rng())), [2, 3])
    assert len(free(Crossover().select(state_of(path(6), np.ones(6)), 4, rng()))) == 4  # no pool yet: random


def test_rens_opens_fractional_values_to_both_roundings_only():
    # LP optimum of max x + y, 2x + 2y <= 7, x <= 3.3 (integers in [0, 9]) leaves a fractional vertex
    problem = ILP.build([-1.0, -1.1, 0.5], [[2.0, 2, 0]], row_hi=7, lb=0, ub=[3, 9, 4], integer=True)
    selection = ready(RENS(), problem).select(state_of(problem, [0, 0, 4]), 1, rng())
    np.testing.assert_array_equal(selection.within.lb, [0, 3, 0])
    np.testing.assert_array_equal(selection.within.ub, [0, 4, 0])  # LP: (0, 3.5, 0)


def test_dins_bounds_integers_around_the_lp_and_keeps_the_incumbent_in_reach():
    problem = ILP.build([-1.0, -1.1, 0.5], [[2.0, 2, 0]], row_hi=7, lb=0, ub=[3, 9, 4], integer=True)
    state = state_of(problem, [0, 1, 4])  # distances to (0, 3.5, 0): 0, 2.5, 4
    within = ready(DINS(), problem).select(state, 3, rng()).within
    np.testing.assert_array_equal(within.lb, [0, 1, 0])
    np.testing.assert_array_equal(within.ub, [0, 6, 4])


def test_dins_lets_half_of_the_disagreeing_binaries_flip():
    problem = ILP.build(np.ones(6), sp.csr_matrix((0, 6)), lb=0, ub=1, integer=True)  # LP: zero
    within = ready(DINS(), problem).select(state_of(problem, [1, 1, 1, 1, 0, 0]), 6, rng()).within
    np.testing.assert_array_equal(within.ub, [1, 1, 1, 1, 0, 0])
    assert within.is_feasible(np.array([0.0, 0, 1, 1, 0, 0]))
    assert not within.is_feasible(np.array([0.0, 0, 0, 1, 0, 0]))


def test_scored_takes_the_highest_scores_ties_by_index():
    class Fixed:
        def scores(self, problem, incumbent, history):
            return np.array([0.0, 2, 1, 2, 1, -1])

    destroy = ready(Scored(), KNAPSACK, Fixed())
    np.testing.assert_array_equal(free(destroy.select(state_of(KNAPSACK, ZERO), 3, rng())), [1, 2, 3])


def test_scored_switches_to_sampling_at_the_cap_for_good():
    destroy = ready(Scored(CostScorer()), KNAPSACK)
    state = state_of(KNAPSACK, ZERO)
    assert len({tuple(free(destroy.select(state, 3, rng(s)))) for s in range(20)}) == 1
    destroy.select(replace(state, at_cap=True), 3, rng())
    assert len({tuple(free(destroy.select(state, 3, rng(s)))) for s in range(20)}) > 1


def test_scored_without_a_scorer_is_refused():
    with pytest.raises(ConfigError, match="scorer"):
        Scored().prepare(KNAPSACK)


@given(st.lists(st.floats(-8, 8), min_size=4, max_size=60), st.floats(0.05, 0.5))
def test_tempered_probabilities_expect_k(scores, share):
    k = max(1, int(share * len(scores)))
    probability = tempered(np.array(scores), k)
    assert ((probability >= 0) & (probability <= 1)).all()
    # m = 0 gives a sum of n >= k; where m = 100 is still too many, the sum stays between k and 1.5 k or near n / 2
    assert probability.sum() == pytest.approx(k, rel=1e-6) or probability.sum() > k


def test_tempered_falls_back_to_the_slope_when_scores_are_too_near_one():
    scores = np.full(10, 12.0)  # sigmoid^100 is still .9994
    assert tempered(scores, 5).sum() == pytest.approx(5, abs=1e-3)


def test_bandit_tries_every_arm_then_follows_the_reward():
    bandit = Bandit({"random": Random(), "graph": Graph()}, sizes=[1, 2], explore=0.0, cost="evaluations")
    problem = path(12)
    bandit.prepare(problem)
    sizes, generator = [], rng()
    gains = iter([0.0, 0.0, 7.0, 0.0, 0.0] + [1.0] * 20)  # the gain reported after each turn; arm 1 gets the 7
    for _ in range(20):
        sizes.append(
            int(bandit.select(state_of(problem, np.ones(12), last_improvement=next(gains)), 3, generator).free.sum())
        )
    assert sizes[:4] == [3, 6, 3, 6]
    assert set(sizes[4:]) == {6}


@given(st.data())
def test_preferred_keeps_to_k_and_prefers_the_chosen(data):
    n = data.draw(st.integers(1, 30))
    candidates = np.arange(n)
    chosen = np.array(sorted(data.draw(st.sets(st.integers(0, n - 1)))), int)
    k = data.draw(st.integers(1, 40))
    drawn = preferred(chosen, candidates, k, True, rng(data.draw(st.integers(0, 9))))
    assert len(np.unique(drawn)) == len(drawn) == min(k, n)
    assert np.isin(drawn, chosen).sum() == min(k, len(chosen))
