"""The losses against double loops, finite differences and two processes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import binary_cross_entropy_with_logits, cosine_similarity

from data.ilp.state_batch import StateBatch, collate
from models.ilp.losses import bce_loss, best_set, contrastive_loss, set_cosines
from runs.errors import ConfigError
from runs.local_processes import on_processes
from tests.models.ilp.states import random_state

COUNTS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=4)


def batch_of(counts: list[tuple[int, int]], seed: int = 0) -> StateBatch:
    return collate([random_state(seed + i, 6 + i, 4, *pair) for i, pair in enumerate(counts)])


def scores_of(batch: StateBatch, seed: int = 0) -> torch.Tensor:
    return torch.randn(len(batch.variables), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def loss_by_loops(scores: torch.Tensor, batch: StateBatch, T: float) -> list[list[torch.Tensor]]:
    """Per state the terms of its positives, each set as an indicator vector."""
    assert batch.sets is not None
    states = []
    for g in range(batch.graphs):
        own = (batch.graph_of_variable == g).nonzero().flatten()
        pi = torch.sigmoid(scores[own])
        weights: dict[bool, list[torch.Tensor]] = {True: [], False: []}
        for s in (batch.sets.graph == g).nonzero().flatten().tolist():
            members = batch.sets.member[batch.sets.set_of_member == s]
            indicator = torch.isin(own, members).to(scores.dtype)
            weights[bool(batch.sets.positive[s])].append(torch.exp(cosine_similarity(pi, indicator, 0) / T))
        against = weights[False]
        states.append([-torch.log(a / (a + sum(against))) for a in weights[True]] if against else [])
    return states


@settings(max_examples=40)
@given(counts=COUNTS, seed=st.integers(0, 1000), T=st.sampled_from([0.07, 1.0]))
def test_contrastive_loss_is_the_double_loop(counts: list[tuple[int, int]], seed: int, T: float) -> None:
    batch = batch_of(counts, seed)
    scores = scores_of(batch, seed)
    states = [terms for terms in loss_by_loops(scores, batch, T) if terms]
    flat = [float(term) for terms in states for term in terms]

    pairs, by_state = contrastive_loss(scores, batch, T), contrastive_loss(scores, batch, T, "state")

    assert (int(pairs.terms), int(by_state.terms)) == (len(flat), len(states))
    assert float(pairs.mean) == pytest.approx(np.mean(flat) if flat else 0.0, rel=1e-6)
    means = [float(torch.stack(terms).mean()) for terms in states]
    assert float(by_state.mean) == pytest.approx(np.mean(means) if means else 0.0, rel=1e-6)


@pytest.mark.parametrize("reduction", ["pair", "state"])
def test_gradients_are_those_of_finite_differences(reduction: Any) -> None:
    batch = batch_of([(2, 3), (0, 2), (3, 0), (1, 4)])
    scores = scores_of(batch).requires_grad_()

    assert torch.autograd.gradcheck(lambda s: contrastive_loss(s, batch, 0.2, reduction).mean, [scores])
    assert torch.autograd.gradcheck(lambda s: bce_loss(s, batch).mean, [scores])


def test_a_perfect_positive_has_cosine_one_whatever_the_size_of_the_scores() -> None:
    batch = collate([random_state(0, 10, 4, 1, 0)])
    assert batch.sets is not None
    scores = torch.full((10,), -1e4)
    scores[batch.sets.member] = -500.0  # every sigmoid underflows in single precision

    assert float(set_cosines(scores, batch)) == pytest.approx(1.0)


def test_extreme_scores_have_finite_losses_and_gradients() -> None:
    batch = batch_of([(2, 3), (1, 2)])
    scores = (100.0 * scores_of(batch).float()).requires_grad_()

    loss = contrastive_loss(scores, batch).mean + bce_loss(scores, batch).mean
    loss.backward()

    assert torch.isfinite(loss) and scores.grad is not None and torch.isfinite(scores.grad).all()


def test_bce_is_torchs_against_the_best_set_and_skips_states_without_positives() -> None:
    batch = batch_of([(3, 2), (0, 2), (2, 0)])
    scores, sets = scores_of(batch), batch.sets
    assert sets is not None
    states = []
    for g in (0, 2):
        candidates = ((sets.graph == g) & sets.positive).nonzero().flatten()
        best = candidates[sets.gain[candidates].argmax()]
        target = torch.zeros(len(scores), dtype=torch.float64)
        target[sets.member[sets.set_of_member == best]] = 1
        own = batch.graph_of_variable == g
        states.append(binary_cross_entropy_with_logits(scores[own], target[own]))

    loss = bce_loss(scores, batch)

    assert int(loss.terms) == 2
    torch.testing.assert_close(loss.mean, torch.stack(states).mean())


def test_the_first_of_equally_good_sets_is_the_best() -> None:
    batch = batch_of([(3, 1)])
    assert batch.sets is not None
    tied = replace(batch, sets=replace(batch.sets, gain=torch.tensor([1.0, 2.0, 2.0, 9.0])))
    assert tied.sets is not None

    chosen = best_set(tied).nonzero().flatten().tolist()

    assert chosen == sorted(tied.sets.member[tied.sets.set_of_member == 1].tolist())


def test_settings_outside_their_range_are_refused() -> None:
    batch = batch_of([(1, 1)])
    with pytest.raises(ConfigError, match="choose pair or state"):
        contrastive_loss(scores_of(batch), batch, reduction="sum")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="temperature of the contrastive loss is 0"):
        contrastive_loss(scores_of(batch), batch, temperature=0)
    with pytest.raises(ConfigError, match="no label sets"):
        bce_loss(scores_of(batch), replace(batch, sets=None))


SHARES = [[(4, 3), (1, 2)], [(2, 0), (1, 4)]]
"""What each process gets: 5 pairs of positives and negatives against 1."""


def _share(rank: int) -> list[tuple[float, list[float]]]:
    batch = collate([random_state(10 * rank + i, 6, 4, *pair) for i, pair in enumerate(SHARES[rank])])
    weight = torch.tensor([0.7, -0.3], dtype=torch.float64, requires_grad=True)
    outcome = []
    for loss in (_contrastive(weight, batch), _by_state(weight, batch), _bce(weight, batch)):
        (gradient,) = torch.autograd.grad(loss.mean_over_processes, weight, retain_graph=True)
        for value in (gradient, mean := loss.mean_over_processes.detach().clone()):
            torch.distributed.all_reduce(value)  # what DDP does to gradients, and loggers to values
        outcome.append((float(mean) / 2, (gradient / 2).tolist()))
    return outcome


def _scores(weight: torch.Tensor, batch: StateBatch) -> torch.Tensor:
    return torch.tanh(batch.variables[:, 11:13].double()) @ weight


def _contrastive(weight: torch.Tensor, batch: StateBatch) -> Any:
    return contrastive_loss(_scores(weight, batch), batch)


def _by_state(weight: torch.Tensor, batch: StateBatch) -> Any:
    return contrastive_loss(_scores(weight, batch), batch, reduction="state")


def _bce(weight: torch.Tensor, batch: StateBatch) -> Any:
    return bce_loss(_scores(weight, batch), batch)


def test_two_processes_with_unequal_shares_equal_one() -> None:
    outcomes = on_processes(_share)
    states = [random_state(10 * rank + i, 6, 4, *pair) for rank in range(2) for i, pair in enumerate(SHARES[rank])]
    whole = collate(states)
    weight = torch.tensor([0.7, -0.3], dtype=torch.float64, requires_grad=True)

    assert outcomes[0] == outcomes[1]
    for (value, gradient), loss in zip(outcomes[0], (_contrastive, _by_state, _bce), strict=True):
        mean = loss(weight, whole).mean
        (expected,) = torch.autograd.grad(mean, weight)
        assert value == pytest.approx(float(mean.detach()), rel=1e-9)
        assert gradient == pytest.approx(expected.tolist(), rel=1e-9)
