"""How fast a training steps."""

from __future__ import annotations

import statistics
import time
from itertools import pairwise
from typing import Any

import pytorch_lightning as lightning
import torch

from runs.errors import ConfigError


class StepClock(lightning.Callback):
    """Adds ``steps_per_second`` and ``images_per_second``, from the median time between ends of steps, to the results.

    Reading images, drawing views, forward and backward pass and the update are all in it. On a GPU the peak of its memory is
    added too, ``gpu_memory_gib``.

    Parameters
    ----------
    skip
        Steps at the beginning that are not timed: compilation and caches.

    Raises
    ------
    ConfigError
        ``skip`` is negative, or no step is left to be timed.
    """

    def __init__(self, skip: int = 5) -> None:
        if skip < 0:
            raise ConfigError(f"callbacks.clock.skip is {skip}; give 0 or more")
        self.skip = skip
        self.ends: list[float] = []

    def on_train_batch_end(self, trainer: Any, task: Any, outputs: Any, batch: Any, batch_index: int) -> None:
        if task.device.type == "cuda":
            torch.cuda.synchronize(task.device)
        self.ends.append(time.perf_counter())

    def on_train_end(self, trainer: Any, task: Any) -> None:
        ends = self.ends[self.skip :]
        if len(ends) < 2:
            raise ConfigError(
                f"{len(self.ends)} steps were made, and callbacks.clock.skip is {self.skip}; train longer"
            )
        seconds = statistics.median(after - before for before, after in pairwise(ends))
        batch = trainer.datamodule.batch_size
        speed = {"steps_per_second": 1 / seconds, "images_per_second": batch / seconds}
        if task.device.type == "cuda":
            speed["gpu_memory_gib"] = torch.cuda.max_memory_allocated(task.device) / 2**30
        task.history.add(speed)
