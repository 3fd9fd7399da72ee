"""Queue, centre, balanced assignments and gathering, by hand and on two processes."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from models.ssl.parts.state.center import Center
from models.ssl.parts.state.gather import gather, rank_offset
from models.ssl.parts.state.queue import FeatureQueue
from models.ssl.parts.state.reduce import mean_over_processes, sum_over_processes
from models.ssl.parts.state.sinkhorn import sinkhorn
from runs.errors import ConfigError
from runs.local_processes import on_processes


def rows(count: int, width: int, seed: int = 0) -> Tensor:
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_a_queue_forgets_the_oldest_and_keeps_unit_rows() -> None:
    queue, batches = FeatureQueue(6, 4).double(), [rows(2, 4, seed) for seed in range(5)]
    start = queue.features.clone()

    for pushed, batch in enumerate(batches):
        assert queue.full == (pushed >= 3)
        queue.push(batch)

    expected = functional.normalize(torch.cat([batches[3], batches[4], batches[2]]))
    torch.testing.assert_close(queue.features, expected)
    torch.testing.assert_close(start.norm(dim=1), torch.ones(6, dtype=torch.float64), atol=1e-6, rtol=0)


def test_a_queue_goes_on_from_its_checkpoint() -> None:
    queue, again = FeatureQueue(6, 4), FeatureQueue(6, 4)
    queue.push(rows(2, 4))
    again.load_state_dict(queue.state_dict())

    for one in (queue, again):
        one.push(rows(2, 4, 1))

    assert torch.equal(queue.features, again.features) and int(again.pushed) == 4


def test_nearest_are_those_of_largest_cosine() -> None:
    queue, z = FeatureQueue(8, 3).double(), 7 * rows(5, 3, 1)
    queue.push(rows(8, 3))

    found = queue.nearest(z, 3)

    for i in range(5):
        order = functional.cosine_similarity(z[i], queue.features).argsort(descending=True)
        torch.testing.assert_close(found[i], queue.features[order[:3]])


def test_a_loss_of_the_queue_can_be_differentiated_though_the_queue_is_pushed_afterwards() -> None:
    queue, z = FeatureQueue(4, 3).double(), rows(2, 3).requires_grad_()

    (z @ queue.features.T).square().sum().backward()
    queue.push(z.detach())

    assert z.grad is not None


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda: FeatureQueue(0, 3), "size 0"),
        (lambda: FeatureQueue(6, 3).push(torch.ones(4, 3)), "size 6 is no multiple of the 4 rows"),
        (lambda: FeatureQueue(2, 3).push(torch.ones(4, 3)), "size 2 is no multiple"),
        (lambda: FeatureQueue(6, 3).push(torch.ones(2, 4)), "width 4 do not fit a queue of width 3"),
        (lambda: FeatureQueue(6, 3).nearest(torch.ones(2, 3), 7), "k is 7"),
        (lambda: Center(3, 1.0), "momentum of the centre is 1"),
        (lambda: Center(3)(torch.ones(2, 3), 0.0), "teacher temperature is 0"),
        (lambda: sinkhorn(torch.ones(2, 3), 0.0), "epsilon 0"),
        (lambda: sinkhorn(torch.ones(2, 3), iterations=-1), "-1 iterations"),
    ],
)
def test_bad_settings_are_named(act: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        act()


def test_a_centre_is_the_moving_mean_and_is_subtracted_before_the_softmax() -> None:
    center, t = Center(4, 0.9).double(), rows(6, 4)

    center.update(t.view(2, 3, 4))
    center.update(2 * t)

    torch.testing.assert_close(center.center, (0.09 + 0.2) * t.mean(0))
    torch.testing.assert_close(center(t, 0.04), ((t - center.center) / 0.04).softmax(1))


def test_a_centre_stays_where_there_are_no_rows() -> None:
    center = Center(4)
    center.update(torch.ones(3, 4))
    before = center.center.clone()

    center.update(torch.empty(0, 4))

    assert torch.equal(center.center, before)


def sinkhorn_by_matrices(logits: Tensor, epsilon: float, iterations: int) -> Tensor:
    matrix = (logits / epsilon).exp()
    for _ in range(iterations):
        matrix = matrix / matrix.sum(0) / logits.shape[1]
        matrix = matrix / matrix.sum(1, keepdim=True) / len(logits)
    return matrix / matrix.sum(1, keepdim=True)


@settings(max_examples=30)
@given(st.integers(1, 9), st.integers(1, 7), st.integers(0, 5), st.integers(0, 99))
def test_sinkhorn_is_the_scaling_of_the_whole_matrix(count: int, prototypes: int, iterations: int, seed: int) -> None:
    logits = rows(count, prototypes, seed)
    torch.testing.assert_close(sinkhorn(logits, 0.3, iterations), sinkhorn_by_matrices(logits, 0.3, iterations))


def test_many_iterations_use_every_prototype_equally() -> None:
    assigned = sinkhorn(rows(12, 5), 0.5, 300)
    torch.testing.assert_close(assigned.sum(0), torch.full((5,), 12 / 5, dtype=torch.float64))


def test_extreme_logits_give_finite_rows_that_sum_to_one() -> None:
    assigned = sinkhorn(1e4 * rows(12, 5).float(), 0.05, 3)
    torch.testing.assert_close(assigned.sum(1), torch.ones(12))


def test_shared_rows_join_the_balance_only() -> None:
    logits, queue = rows(4, 5), rows(6, 5, 1)
    torch.testing.assert_close(sinkhorn(logits, 0.3, 3, shared=queue), sinkhorn(torch.cat([logits, queue]), 0.3)[:4])


def test_half_precision_is_balanced_in_single() -> None:
    logits = rows(8, 5).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        assigned, probabilities = sinkhorn(logits), Center(5)(logits, 0.04)
    torch.testing.assert_close(assigned, sinkhorn(logits.float()))
    torch.testing.assert_close(probabilities, (logits.float() / 0.04).softmax(1))


X, T, LOGITS, SHARED = rows(4, 3), rows(5, 4, 1), rows(4, 5, 2), rows(7, 5, 3)


def state_on(own: slice, uneven: slice) -> list[Tensor]:
    queue, center = FeatureQueue(8, 3).double(), Center(4).double()
    for factor in (1, -1, 2):
        queue.push(factor * X[own])
        center.update(factor**2 * T[uneven])
    assigned = [sinkhorn(LOGITS[own], 0.3, 3, shared) for shared in (None, SHARED)]
    return [queue.features, center.center, *assigned]


def on_rank(rank: int) -> tuple[list[Tensor], list[Tensor]]:
    """State, and values and gradients of collective operations in a function that is not the same on both ranks."""
    own = slice(2 * rank, 2 * rank + 2)
    x = X[own].clone().requires_grad_()
    everyone = gather(x)
    assert torch.equal(everyone[rank_offset(2) :][:2], x) and torch.equal(everyone, X)
    weight = 1.0 + rank
    outcomes = [everyone.detach()]
    for value in ((weight * everyone.square()).sum(), weight * sum_over_processes(x.sum()) ** 2):
        outcomes.append(torch.autograd.grad(value, x, retain_graph=True)[0])
    outcomes.append(mean_over_processes(x.mean()).detach())
    return state_on(own, slice(0, 4) if rank == 0 else slice(4, 5)), outcomes


def test_two_processes_hold_the_state_of_one_and_gradients_sum_over_them() -> None:
    (zero, gathered), (one, others) = on_processes(on_rank)
    whole = state_on(slice(0, 4), slice(0, 5))
    for index in (0, 1):
        torch.testing.assert_close(zero[index], whole[index], rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(one[index], whole[index], rtol=1e-12, atol=1e-12)
    for index in (2, 3):
        torch.testing.assert_close(torch.cat([zero[index], one[index]]), whole[index], rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(torch.cat([gathered[1], others[1]]), 3 * 2 * X)
    torch.testing.assert_close(torch.cat([gathered[2], others[2]]), (3 * 2 * X.sum()).expand(4, 3))
    assert float(gathered[3]) == pytest.approx(float(X.mean()))
