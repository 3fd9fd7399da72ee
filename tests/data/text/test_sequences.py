"""Training batches for many seeds: each depends on its own seed and step alone."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from data.text.sequences import SequenceBatch, SyntheticSequences, replica_seeds
from data.text.synthetic import CoOccurrence
from runs.errors import ConfigError


def batches(**settings: Any) -> list[SequenceBatch]:
    sizes: dict[str, Any] = {"length": 6, "batch_size": 4, "steps": 3, "replicas": 3}
    return list(SyntheticSequences("toy", CoOccurrence(), **sizes | settings).train_dataloader())


def test_a_batch_has_the_sequences_of_every_seed() -> None:
    assert [(batch.classes.shape, batch.tokens.shape) for batch in batches()] == [((3, 4), (3, 4, 5))] * 3


def test_a_seed_draws_the_same_alone_and_among_others() -> None:
    for alone, among in zip(batches(seed=2, replicas=1), batches(), strict=True):
        assert torch.equal(alone.tokens[0], among.tokens[2])
        assert torch.equal(alone.classes[0], among.classes[2])


def test_steps_and_seeds_draw_differently() -> None:
    first, second, _ = batches()
    assert not torch.equal(first.tokens, second.tokens)
    assert not torch.equal(first.tokens[0], first.tokens[1])


def test_a_resumed_loader_goes_on_where_it_stopped() -> None:
    loader: Any = SyntheticSequences("toy", CoOccurrence(), 6, 4, steps=5).train_dataloader()
    loader.load_state_dict({"batches": 2})
    whole = batches(replicas=1, steps=5)
    for resumed, undisturbed in zip(loader, whole[2:], strict=True):
        assert torch.equal(resumed.tokens, undisturbed.tokens)


def test_runs_of_different_seeds_share_no_replica() -> None:
    assert replica_seeds(0, 3) == [0, 1, 2]
    assert not set(replica_seeds(0, 10)) & set(replica_seeds(1, 10))


@pytest.mark.parametrize("field", ["length", "batch_size", "steps", "replicas"])
def test_a_size_that_is_too_small_is_refused_by_name(field: str) -> None:
    with pytest.raises(ConfigError, match=rf"data\.{field} is 0"):
        batches(**{field: 0})
    with pytest.raises(ConfigError, match=r"data\.length is 1; give at least 2"):
        batches(length=1)
