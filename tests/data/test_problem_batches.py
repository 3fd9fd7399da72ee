"""Batches of problems: each problem once an epoch, in an order of seed and epoch, made once."""

from __future__ import annotations

import pytest

from data.problem_batches import ProblemBatches
from data.routing.grids import IndependentTimes
from data.routing.instances import RoutingGrids
from runs.errors import ConfigError


def batches(count: int = 7, validation: int = 0, batch_size: int = 3) -> ProblemBatches:
    grids = [RoutingGrids(IndependentTimes(), size=3, count=each, training=True) for each in (count, validation or 1)]
    data = ProblemBatches(grids[0], grids[1] if validation else None, batch_size, seed=1)
    data.setup()
    return data


def test_an_epoch_has_every_problem_once_and_the_next_another_order() -> None:
    loader = batches().train_dataloader()
    epochs = []
    for epoch in range(2):
        loader.batch_sampler.sampler.set_epoch(epoch)  # type: ignore[union-attr]
        epochs.append([position for batch in loader for position, _ in batch])
    assert sorted(epochs[0]) == sorted(epochs[1]) == list(range(7))
    assert epochs[0] != epochs[1]
    assert [len(batch) for batch in loader] == [3, 3, 1]


def test_a_problem_is_made_once() -> None:
    data = batches()
    first = dict(data.part("train"))
    assert all(problem is first[position] for batch in data.train_dataloader() for position, problem in batch)


def test_validation_is_in_order_and_may_be_absent() -> None:
    assert [position for batch in batches(validation=4).val_dataloader() for position, _ in batch] == [0, 1, 2, 3]
    assert batches().part("validation") == []
    assert batches().val_dataloader() == []


def test_an_empty_batch_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"data.batch_size is 0"):
        batches(batch_size=0)
