"""Episodes and rollouts of RL-LNS (docs/papers/cl_lns.md#7.2)."""

from __future__ import annotations

import importlib
from dataclasses import replace

import numpy as np
import pytest
import torch

from data.ilp.generators.ca import CombinatorialAuction
from data.ilp.problem import ILP
from data.ilp.rollout_state import STATIC_COLUMNS
from models.ilp.actor_critic import Actor
from runs.errors import ConfigError, InvalidProblem
from solvers.base import Budget
from solvers.lns.destroy.scored import Scored
from solvers.lns.engine import LargeNeighborhoodSearch
from solvers.lns.episode import Episode
from solvers.lns.repair import Repair
from solvers.lns.rollout import RolloutSchedule, rollout
from solvers.lns.scorers.bernoulli import BernoulliScorer
from solvers.lns.start import Greedy
from solvers.milp.highs import Highs

pytest.importorskip("highspy")
SCHEDULE = {"steps": 3, "side_by_side": 1, "updates": 1, "batch_size": 2, "memory": 9, "learning_rate": 1e-4}


@pytest.fixture
def auction() -> ILP:
    return CombinatorialAuction(items=20, bids=40)(np.random.default_rng(0), "auction").to_min()


@pytest.fixture
def scorer(auction: ILP) -> BernoulliScorer:
    torch.manual_seed(0)
    scorer = BernoulliScorer(Actor(width=8))
    scorer.prepare(auction, np.inf)
    return scorer


def knapsack() -> ILP:
    """min -3a - 2b - 2c, a + b + c <= 2."""
    return ILP.build([-3, -2, -2], np.ones((1, 3)), -np.inf, 2, 0, 1, True)


def free(*members: int) -> np.ndarray:
    return np.isin(np.arange(3), members)


def test_the_reward_is_the_decrease_of_the_objective_over_the_norm_of_its_coefficients() -> None:
    episode = Episode(knapsack(), np.array([0.0, 1, 0]), Repair(Highs()))
    rng = np.random.default_rng(0)
    assert episode.step(free(0), rng) == pytest.approx(3 / np.sqrt(17))
    assert episode.step(free(0, 1), rng) == 0
    assert (episode.first, episode.best, episode.objective) == (-2, -5, -5)


@pytest.mark.parametrize("back_end", ["highs.Highs", "scip.Scip", "cpsat.CpSat"])
def test_any_back_end_makes_the_step(back_end: str) -> None:
    module, name = back_end.split(".")
    pytest.importorskip({"highs": "highspy", "scip": "pyscipopt", "cpsat": "ortools"}[module])
    solver = getattr(importlib.import_module(f"solvers.milp.{module}"), name)()
    episode = Episode(knapsack(), np.zeros(3), Repair(solver))
    assert episode.step(free(0, 1, 2), np.random.default_rng(0)) == pytest.approx(5 / np.sqrt(17))


def test_a_worse_result_is_taken_and_the_incumbent_stays() -> None:
    class Pessimist(Highs):
        def solve(self, problem, **options):  # type: ignore[no-untyped-def]
            return super().solve(replace(problem, c=-problem.c), **options)

    episode = Episode(knapsack(), np.array([1.0, 1, 0]), Repair(Pessimist()))
    assert episode.step(free(0, 1), np.random.default_rng(0)) == pytest.approx(-5 / np.sqrt(17))
    assert episode.solutions[0].tolist() == [0, 0, 0]
    assert episode.incumbents[0].tolist() == [1, 1, 0]
    assert episode.observation().tolist() == [[1, 1, 0, 1, 0], [1, 1, 0, 1, 0], [0, 0, 0, 0, 0]]
    assert (episode.objective, episode.best) == (0, -5)


def test_a_step_without_a_result_stays_where_it_is() -> None:
    class Slow(Highs):
        def solve(self, problem, **options):  # type: ignore[no-untyped-def]
            return replace(super().solve(problem, **options), assignment=None)

    episode = Episode(knapsack(), np.array([0.0, 1, 0]), Repair(Slow()))
    assert episode.step(free(0, 1, 2), np.random.default_rng(0)) == 0
    assert episode.solutions[0].tolist() == episode.solutions[1].tolist() == [0, 1, 0]


def test_an_infeasible_start_and_a_problem_without_choice_are_named() -> None:
    with pytest.raises(InvalidProblem, match=r"initial solution is infeasible: row 0 must be <= 2, is 3"):
        Episode(knapsack(), np.ones(3), Repair(Highs()))
    fixed = ILP.build([1.0], np.ones((1, 1)), 0, 2, 1, 1, True)
    with pytest.raises(InvalidProblem, match="no integer variable is free"):
        Episode(fixed, np.ones(1), Repair(Highs()))


def test_a_rollout_frees_by_the_policy_and_its_rewards_add_up(auction: ILP, scorer: BernoulliScorer) -> None:
    start = Greedy().solve(auction, budget=Budget(seconds=5), rng=np.random.default_rng(0)).assignment
    assert start is not None
    episode = Episode(auction, start, Repair(Highs(), nodes=50))
    trajectory = rollout(scorer, episode, 6, np.random.default_rng(1))
    assert trajectory.solutions.shape == (6, auction.n, 5)
    assert len(trajectory) == 5
    gained = (episode.first - episode.objective) / np.linalg.norm(auction.c)
    assert trajectory.rewards.sum() == pytest.approx(gained, rel=1e-5)
    assert 0.2 < trajectory.actions.mean() < 0.8
    assert not trajectory.actions[:, ~trajectory.candidates].any()
    for t in range(5):
        current, following = trajectory.solutions[t, :, 4], trajectory.solutions[t + 1, :, 4]
        assert (trajectory.solutions[t + 1, :, 3] == current).all()
        assert (current == following)[~trajectory.actions[t]].all()


def test_the_same_seed_is_the_same_rollout(auction: ILP, scorer: BernoulliScorer) -> None:
    def roll() -> np.ndarray:
        episode = Episode(auction, np.zeros(auction.n), Repair(Highs(), nodes=50))
        return rollout(scorer, episode, 4, np.random.default_rng(5)).solutions

    assert (roll() == roll()).all()


def test_the_policy_sees_thirteen_features_of_the_root_lp(auction: ILP, scorer: BernoulliScorer) -> None:
    assert scorer.static.shape == (auction.n, len(STATIC_COLUMNS)) == (auction.n, 13)
    assert scorer.static[:, 0] == pytest.approx(auction.c / np.linalg.norm(auction.c), abs=1e-6)
    assert scorer.static[:, 8:12].sum(1) == pytest.approx(1.0)
    assert (auction.A @ scorer.static[:, 12] <= auction.row_hi + 1e-5).all()


def test_in_a_search_each_variable_is_free_with_the_policys_own_probability(
    auction: ILP, scorer: BernoulliScorer
) -> None:
    incumbent = np.zeros(auction.n)
    p = 1 / (1 + np.exp(-scorer.scores(auction, incumbent, ())))
    assert p == pytest.approx(scorer.probabilities(np.zeros((auction.n, 5), np.float32)))
    destroy = Scored(select="bernoulli")
    engine = LargeNeighborhoodSearch(destroy, Highs(), start=Greedy())
    solution = engine.solve(auction, budget=Budget(evaluations=40), scorer=scorer, rng=np.random.default_rng(0))
    assert solution.feasible
    share = solution.log["free"] / auction.n
    assert share.mean() == pytest.approx(p.mean(), abs=0.1)


@pytest.mark.parametrize(
    ("setting", "value"),
    [("steps", 1), ("side_by_side", 0), ("batch_size", 1.5), ("learning_rate", 0), ("seconds", -1), ("nodes", 0)],
)
def test_a_schedule_out_of_range_names_the_setting(setting: str, value: float) -> None:
    with pytest.raises(ConfigError, match=rf"rollouts\.{setting} is {value}"):
        RolloutSchedule(**(SCHEDULE | {setting: value}))  # type: ignore[arg-type]
