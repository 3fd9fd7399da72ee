"""Linear warm-up, then half a cosine, step by step."""

from __future__ import annotations

import math

from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from runs.errors import ConfigError


def warmup_cosine(step: int, steps: int, warmup: int, end: float = 0.0) -> float:
    """Factor of the learning rate at update ``step``, from 0.

    (step + 1) / warmup in the warm-up, then from 1 down to ``end``, which the last step has.
    """
    if step < warmup:
        return (step + 1) / warmup
    share = min((step - warmup) / max(steps - warmup - 1, 1), 1.0)
    return end + (1 - end) * (1 + math.cos(math.pi * share)) / 2


class WarmupCosine(LRScheduler):
    """Scales the learning rate of each group by :func:`warmup_cosine`; to be stepped after every update.

    Parameters
    ----------
    optimizer
        Its groups' rates are those at the end of the warm-up.
    steps
        Updates of the whole training.
    warmup
        Of which the first so many warm up.
    end
        Factor at the last step.

    Raises
    ------
    ConfigError
        ``steps`` is not positive, ``warmup`` exceeds it, or ``end`` is outside [0, 1].
    """

    def __init__(self, optimizer: Optimizer, steps: int, warmup: int = 0, end: float = 0.0) -> None:
        if steps < 1:
            raise ConfigError(f"steps of the learning-rate schedule is {steps}; give at least 1")
        if not 0 <= warmup <= steps:
            raise ConfigError(
                f"warmup of the learning-rate schedule is {warmup}; it must lie between 0 and {steps} steps"
            )
        if not 0 <= end <= 1:
            raise ConfigError(f"end of the learning-rate schedule is {end}; give a factor in [0, 1]")
        self.steps, self.warmup, self.end = steps, warmup, end
        super().__init__(optimizer)

    def get_lr(self) -> list[float | Tensor]:
        """Rates of the groups at the current step."""
        factor = warmup_cosine(self.last_epoch, self.steps, self.warmup, self.end)
        return [base * factor for base in self.base_lrs]
