"""Steps by epochs, by steps and by limits of the batches."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from tasks.training_length import TrainingLength


@pytest.mark.parametrize(
    ("max_epochs", "max_steps", "limit", "expected"),
    [
        (3, -1, 1.0, (10, 30)),
        (3, 12, 1.0, (10, 12)),
        (-1, 25, 1.0, (10, 25)),
        (3, -1, 4, (4, 12)),
        (3, -1, 0.5, (5, 15)),
        (0, -1, 1.0, (10, 1)),
        (None, 7, 1.0, (10, 7)),
    ],
)
def test_the_limits_of_the_trainer_count(
    max_epochs: int | None, max_steps: int, limit: float, expected: tuple[int, int]
) -> None:
    trainer = SimpleNamespace(max_epochs=max_epochs, max_steps=max_steps, limit_train_batches=limit)
    assert TrainingLength.of(trainer, 10) == expected


def test_a_schedule_may_be_longer_than_the_training() -> None:
    trainer = SimpleNamespace(max_epochs=2, max_steps=-1, limit_train_batches=1.0)
    assert TrainingLength.of(trainer, 10, epochs=8) == (10, 80)
    assert TrainingLength(10, 25).epochs == 3
