"""The instances that a policy rolls out on: the same split as the expert's, in cycles, resumable."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from data.ilp.expert.module import ExpertPrograms
from data.ilp.generators.ca import CombinatorialAuction
from data.ilp.instances import IntegerPrograms
from runs.errors import ConfigError


def auctions(count: int, name: str) -> IntegerPrograms:
    return IntegerPrograms(generator=CombinatorialAuction(items=6, bids=12), count=count, name=name)


def rollouts(cache: Path, count: int = 8, **settings: Any) -> ExpertPrograms:
    options = {"validation_share": 0.25, "batch_size": 2, "settings": "{}", "cache": str(cache)} | settings
    data = ExpertPrograms(auctions(count, "train"), auctions(3, "test"), None, **options)
    data.prepare_data()
    data.setup("fit")
    return data


def epoch(loader: Any, number: int = 0) -> list[list[int]]:
    loader.batch_sampler.sampler.set_epoch(number)
    return [[index for index, _ in batch] for batch in loader]


def test_cycles_are_of_training_instances_and_shuffled_anew_each_epoch(tmp_path: Path) -> None:
    data = rollouts(tmp_path)
    loader = data.train_dataloader()
    first, second = epoch(loader, 0), epoch(loader, 1)
    assert sorted(itertools.chain(*first)) == sorted(itertools.chain(*second)) == [2, 3, 4, 5, 6, 7]
    assert first != second
    assert [index for index, _ in data.val_dataloader()] == [0, 1]
    assert [problem.name for _, problem in data.test_dataloader()] == ["test-0000", "test-0001", "test-0002"]
    assert not list(tmp_path.iterdir())


def test_a_cycle_that_cannot_be_filled_is_left_out(tmp_path: Path) -> None:
    assert len(epoch(rollouts(tmp_path, batch_size=4).train_dataloader())) == 1


def test_a_resumed_epoch_goes_on_with_the_next_cycle(tmp_path: Path) -> None:
    data = rollouts(tmp_path)
    whole, loader = epoch(data.train_dataloader()), data.train_dataloader()
    loader.load_state_dict({"batches": 1})  # type: ignore[union-attr]
    assert epoch(loader) == whole[1:]


def test_too_few_instances_for_a_cycle_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"data\.batch_size is 7 instances at once, but there are 6 to learn from"):
        rollouts(tmp_path, batch_size=7)
    with pytest.raises(ConfigError, match=r"leaves 0 for validation"):
        rollouts(tmp_path, count=1)
