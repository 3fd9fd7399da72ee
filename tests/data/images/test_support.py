"""The labelled images of a step: balanced, known ones only, shared out among processes, other ones in every step."""

from __future__ import annotations

import pytest
import torch

from data.images.support import Support
from runs.errors import ConfigError

LABELS = torch.arange(60) % 3


def drawn(support: Support, seed: int = 0, step: int = 0, ranks: int = 1, rank: int = 0) -> torch.Tensor:
    return support.draw(support.labelled(LABELS), seed, step, ranks, rank)


def test_every_class_has_equally_many_images_and_none_twice() -> None:
    chosen = drawn(Support(per_class=4))
    assert LABELS[chosen].tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert chosen.unique().numel() == 12


def test_only_images_with_known_labels_are_drawn() -> None:
    support = Support(per_class=2, labelled_per_class=5)
    known = torch.cat(support.labelled(LABELS))
    seen = torch.cat([drawn(support, step=step) for step in range(50)])
    assert len(known) == 15 and set(seen.tolist()) == set(known.tolist())


def test_steps_and_seeds_differ_and_a_step_is_always_the_same() -> None:
    support = Support(per_class=4)
    assert torch.equal(drawn(support, 1, 5), drawn(support, 1, 5))
    assert not torch.equal(drawn(support, 1, 5), drawn(support, 1, 6))
    assert not torch.equal(drawn(support, 1, 5), drawn(support, 2, 5))


def test_the_parts_of_two_processes_are_the_support_of_one() -> None:
    support = Support(per_class=4)
    parts = [drawn(support, 0, 3, ranks=2, rank=rank) for rank in range(2)]
    assert torch.equal(torch.cat(parts), drawn(support, 0, 3))


def test_impossible_numbers_are_named() -> None:
    with pytest.raises(ConfigError, match="per_class is 0"):
        Support(per_class=0)
    with pytest.raises(ConfigError, match="labelled_per_class 2"):
        Support(per_class=3, labelled_per_class=2)
    with pytest.raises(ConfigError, match=r"data.support.per_class is 21, and a class has 20 images; lower it"):
        drawn(Support(per_class=21))
    with pytest.raises(
        ConfigError, match=r"data.support.labelled_per_class is 25, and a class has 20 images; lower it"
    ):
        drawn(Support(per_class=3, labelled_per_class=25))
    with pytest.raises(ConfigError, match="has 9 images, which 2 processes cannot share equally"):
        drawn(Support(per_class=3), ranks=2)
