"""A training loader that goes on where it was stopped."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import TensorDataset

from data.loading import EpochShuffle, RankShare, ResumableLoader


def loader(size: int = 10, batch: int = 3) -> ResumableLoader:
    return ResumableLoader(TensorDataset(torch.arange(size)), batch, seed=5)


def seen(batches: list) -> list[int]:
    return [int(value) for (batch,) in batches for value in batch]


@given(size=st.integers(1, 40), batch=st.integers(1, 9), stop=st.integers(0, 40))
def test_the_rest_of_an_epoch_follows_its_beginning(size: int, batch: int, stop: int) -> None:
    whole = [seen([item]) for item in loader(size, batch)]
    stop = min(stop, len(whole) - 1)
    resumed = loader(size, batch)
    resumed.load_state_dict({"batches": stop})
    assert [seen([item]) for item in resumed] == whole[stop:]
    assert sorted(seen(list(resumed))) == list(range(size)), "the next epoch is whole again"


def test_the_state_counts_what_was_handed_out() -> None:
    one = loader()
    batches = iter(one)
    next(batches)
    next(batches)
    assert one.state_dict() == {"batches": 2}


def test_epochs_are_shuffled_differently_and_without_the_global_state() -> None:
    order = EpochShuffle(50, seed=1)
    first = list(order)
    torch.manual_seed(99)
    assert list(order) == first
    order.set_epoch(1)
    assert list(order) != first
    assert sorted(order) == list(range(50))


@given(size=st.integers(1, 40), share=st.integers(1, 5), ranks=st.integers(1, 4), epoch=st.integers(0, 3))
def test_the_ranks_batches_together_are_those_of_one_process(size: int, share: int, ranks: int, epoch: int) -> None:
    items, batch = TensorDataset(torch.arange(size)), share * ranks
    parts = []
    for rank in range(ranks):
        sampler = RankShare(size, 5, batch, ranks, rank)
        sampler.set_epoch(epoch)
        parts.append([seen([b]) for b in ResumableLoader(items, share, seed=5, sampler=sampler)])
        assert len(sampler) == len([item for b in parts[-1] for item in b])
    shuffle = EpochShuffle(size, 5)
    shuffle.set_epoch(epoch)
    order = list(shuffle)
    whole = [order[start : start + batch] for start in range(0, size, batch)]
    assert {len(part) for part in parts} == {len(whole)}, "every rank takes every step"
    for number, expected in enumerate(whole):
        together = [item for part in parts for item in part[number]]
        assert set(together) == set(expected)
        assert len(together) == max(len(expected), ranks), "an item comes twice only where a rank would have none"
