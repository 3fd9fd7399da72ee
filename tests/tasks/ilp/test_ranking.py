"""Ranking of variables against the best set, beside scipy and loops over the sets."""

import numpy as np
import pytest
import torch
from scipy.stats import mannwhitneyu

from data.ilp.state_batch import collate
from tasks.ilp.ranking import auc, margin, ranking
from tests.models.ilp.states import random_state


@pytest.fixture
def batch():
    return collate([random_state(1), random_state(2, n=20, positives=1, negatives=2), random_state(3, n=7)])


def test_auc_is_the_mann_whitney_statistic_also_of_huge_scores_and_ties():
    rng = np.random.default_rng(0)
    scores = np.concatenate([rng.normal(size=30), [500.0, 501.0, 501.0, -500.0]])
    best = rng.random(34) < 0.3
    expected = mannwhitneyu(scores[best], scores[~best]).statistic / (best.sum() * (~best).sum())
    assert float(auc(torch.from_numpy(scores), torch.from_numpy(best))) == pytest.approx(expected)


def test_auc_of_a_set_of_all_variables_is_undefined():
    assert torch.isnan(auc(torch.arange(3.0), torch.ones(3, dtype=torch.bool)))


def test_quality_of_a_batch_is_that_of_its_states_one_by_one(batch):
    torch.manual_seed(0)
    scores = torch.randn(len(batch.graph_of_variable))
    together = ranking(scores, batch, k=4)
    states = [random_state(1), random_state(2, n=20, positives=1, negatives=2), random_state(3, n=7)]
    for position, (state, own) in enumerate(zip(states, scores.split([12, 20, 7]), strict=True)):
        alone = ranking(own, collate([state]), k=4)
        assert alone.keys() == {"auc", "recall", "margin"}
        for name, values in alone.items():
            torch.testing.assert_close(together[name][position : position + 1], values, equal_nan=True)


def test_recall_and_margin_are_those_of_loops_over_the_sets():
    state = random_state(4)
    scores = torch.from_numpy(np.random.default_rng(1).normal(size=12)).float()
    pi = torch.sigmoid(scores).numpy()
    sets = [state.member[state.set_of_member == s] for s in range(len(state.positive))]
    cosines = np.array([pi[members].sum() / np.linalg.norm(pi) / np.sqrt(len(members)) for members in sets])
    good = np.flatnonzero(state.positive)
    best = set(sets[good[np.argmax(state.gain[good])]])
    top = set(np.argsort(-pi)[:4])

    batch = collate([state])
    assert float(margin(scores, batch)) == pytest.approx(
        cosines[state.positive].mean() - cosines[~state.positive].mean(), abs=1e-6
    )
    assert float(ranking(scores, batch, k=4)["recall"]) == pytest.approx(len(best & top) / len(best))
    assert float(ranking(scores, batch, k=99)["recall"]) == 1.0
