"""Lightning callbacks every training run has: stop on non-finite losses, save before a preemption ends the job."""

from __future__ import annotations

import signal
from pathlib import Path
from types import FrameType
from typing import Any

import pytorch_lightning as lightning
import torch

from runs.errors import SolverFailure


class StopOnNonFiniteLoss(lightning.Callback):
    """Stop with the offending batch saved: Lightning itself would end such a run as finished.

    Raises
    ------
    SolverFailure
        A training loss is NaN or infinite; the batch lies in ``<run>/non_finite_batch.pt``.
    """

    def on_train_batch_end(self, trainer: Any, task: Any, outputs: Any, batch: Any, batch_index: int) -> None:
        loss = outputs["loss"] if isinstance(outputs, dict) else outputs
        if loss is None or bool(torch.isfinite(loss).all()):
            return
        path = Path(trainer.default_root_dir) / "non_finite_batch.pt"
        torch.save(batch, path)
        raise SolverFailure(
            f"the training loss became {float(loss)} in epoch {trainer.current_epoch}, batch {batch_index}; the batch is "
            f"saved in {path}. Lower the learning rate or clip gradients (trainer.gradient_clip_val)"
        )


class SaveOnPreemption(lightning.Callback):
    """On SIGUSR2 (submitit's warning before preemption or time-out) save at the end of the batch, then pass it on.

    submitit's own handler requeues the job at once; it is called once ``last.ckpt`` is on disk, and the requeued job goes
    on from there.
    """

    def __init__(self) -> None:
        self._previous: Any = None
        self._asked = False

    def on_fit_start(self, trainer: Any, task: Any) -> None:
        def note(number: int, frame: FrameType | None) -> None:
            self._asked = True

        self._previous = signal.signal(signal.SIGUSR2, note)

    def on_train_batch_end(self, trainer: Any, task: Any, outputs: Any, batch: Any, batch_index: int) -> None:
        if self._asked:
            self._asked = False
            trainer.save_checkpoint(Path(trainer.default_root_dir) / "checkpoints" / "last.ckpt")
            if callable(self._previous):
                self._previous(signal.SIGUSR2, None)

    def on_fit_end(self, trainer: Any, task: Any) -> None:
        signal.signal(signal.SIGUSR2, self._previous if self._previous is not None else signal.SIG_DFL)
