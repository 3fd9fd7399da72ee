"""How many steps a training has."""

from __future__ import annotations

import math
from typing import Any, NamedTuple


class TrainingLength(NamedTuple):
    """Steps of an epoch and of the whole training, at least 1 each, on every process.

    Lightning's own estimate loads the training data before a checkpoint is read, and a resumed epoch would begin anew.
    """

    per_epoch: int
    steps: int

    @property
    def epochs(self) -> int:
        """Epochs begun."""
        return math.ceil(self.steps / self.per_epoch)

    @classmethod
    def of(cls, trainer: Any, batches: int, epochs: int | None = None) -> TrainingLength:
        """By the limits of a trainer.

        Parameters
        ----------
        batches
            Of the training data, on this process.
        epochs
            Instead of the trainer's.
        """
        limit = trainer.limit_train_batches
        per_epoch = max(min(batches, limit) if isinstance(limit, int) else int(batches * limit), 1)
        wanted = trainer.max_epochs if epochs is None else epochs
        of_epochs = per_epoch * wanted if wanted is not None and wanted >= 0 else math.inf
        steps = min(of_epochs, trainer.max_steps if trainer.max_steps >= 0 else math.inf)
        return cls(per_epoch, max(int(steps), 1))
