"""The policy as a scorer: the cached path gives the scores of a whole forward pass."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from data.ilp.features.dynamic import dynamic_features
from data.ilp.features.static import static_features
from data.ilp.problem import ILP
from models.graphs.gat import GAT
from models.ilp.policy import NeighborhoodPolicy
from runs.errors import ConfigError
from solvers.lns.destroy.scored import Scored
from solvers.lns.scorers.lb_relax import LBRelaxScorer
from solvers.lns.scorers.policy import PolicyScorer
from solvers.milp.root_lp import solve_root_lp
from tests.solvers.lns.searches import search

pytest.importorskip("highspy")


def policy(**settings) -> NeighborhoodPolicy:
    torch.manual_seed(0)
    return NeighborhoodPolicy(GAT(), **settings).eval()


@pytest.fixture
def incumbents(auction: ILP) -> list[np.ndarray]:
    """Four feasible assignments, newest first."""
    return [np.eye(auction.n)[bid] for bid in (3, 14, 15, 9)]


def forward(network: NeighborhoodPolicy, problem: ILP, window, relaxations=None) -> torch.Tensor:
    features = static_features(problem, solve_root_lp(problem))
    variables = np.concatenate([features.variables, dynamic_features(window, relaxations)], axis=1)
    arrays = (variables, features.rows, features.graph.edge_index, features.edges)
    with torch.no_grad():
        return network(*(torch.from_numpy(array) for array in arrays))


@pytest.mark.parametrize("window", [0, 1, 3])
def test_scores_are_those_of_a_whole_forward_pass_on_the_last_three_incumbents(auction, incumbents, window):
    network, problem = policy(window=window), auction.to_min()
    scorer = PolicyScorer(network)
    scorer.prepare(problem, np.inf)
    for seen in (1, 2, 4):
        scores = scorer.scores(problem, incumbents[0], tuple(incumbents[1:seen]))
        torch.testing.assert_close(scores, forward(network, problem, incumbents[:seen][:3]), rtol=1e-4, atol=1e-4)


def test_relaxations_of_local_branching_are_features_and_are_solved_once_per_incumbent(auction, incumbents):
    class Counting(LBRelaxScorer):
        solved = 0

        def relaxed(self, problem, incumbent):
            self.solved += 1
            return super().relaxed(problem, incumbent)

    network, problem = policy(feature_set="gasse_khalil_lb_relax"), auction.to_min()
    relaxations = Counting(5)
    scorer = PolicyScorer(network, relaxations)
    scorer.prepare(problem, np.inf)
    scorer.scores(problem, incumbents[1], (incumbents[2],))
    scores = scorer.scores(problem, incumbents[0], (incumbents[1], incumbents[2]))
    assert relaxations.solved == 3
    expected = [relaxations.relaxed(problem, x) for x in incumbents[:3]]
    torch.testing.assert_close(scores, forward(network, problem, incumbents[:3], expected), rtol=1e-4, atol=1e-4)
    plain = forward(network, problem, incumbents[:3])
    assert not torch.allclose(scores, plain)


def test_relaxations_that_nothing_gives_are_refused_and_those_not_needed_are_not_solved(auction, incumbents):
    with pytest.raises(ConfigError, match="gasse_khalil_lb_relax, but the search has no LP relaxation"):
        PolicyScorer(policy(feature_set="gasse_khalil_lb_relax"))
    assert PolicyScorer(policy(), LBRelaxScorer(5)).relaxations is None


def test_a_search_asks_once_per_incumbent_and_measures_its_preparation(auction):
    class Counting(PolicyScorer):
        asked = 0

        def scores(self, problem, incumbent, history):
            self.asked += 1
            return super().scores(problem, incumbent, history)

    scorer = Counting(policy())
    solution = search(Scored(scorer), auction, 12)
    improvements = int((solution.log["improvement"] > 0).sum())
    assert len(solution.log["free"]) == 12 and scorer.asked <= 1 + improvements < 12
    assert scorer.measured["feature_seconds"] > 0
    assert 0 <= scorer.measured["inputs_beyond_5_sigma"] <= 1


def test_inputs_far_from_the_training_set_are_counted(auction):
    network = policy()
    scorer = PolicyScorer(network)
    network.edge_norm.std.fill_(1e-6)
    scorer.prepare(auction.to_min(), np.inf)
    edges = auction.A.nnz
    rows = auction.m
    inputs = auction.n * int(network.visible.sum()) + rows * 10 + edges * 2
    assert scorer.measured["inputs_beyond_5_sigma"] >= 2 * edges / inputs * 0.99
