"""Lightning callbacks every training run has: stop on non-finite losses, be resumable."""

from __future__ import annotations

import random
import signal
import threading
import time
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytorch_lightning as lightning
import torch
from pytorch_lightning.plugins.io import TorchCheckpointIO

from runs import interrupt
from runs.errors import SolverFailure
from runs.interrupt import Interrupted
from runs.record.training_checkpoint import BEFORE, AtomicCheckpointIO, replace_last


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


class HeedStop(lightning.Callback):
    """Leaves before the next batch where a stop was asked for, also if the exception that should have done so was lost."""

    def setup(self, trainer: Any, task: Any, stage: str) -> None:
        interrupt.check()

    def on_validation_batch_start(self, trainer: Any, *arguments: Any) -> None:
        if not trainer.training:  # a training saves first, at the end of its batch
            interrupt.check()

    def on_test_batch_start(self, trainer: Any, *arguments: Any) -> None:
        interrupt.check()


class KeepLast(lightning.Callback):
    """Keeps ``checkpoints/last.ckpt``: every so many seconds, at the end of training, and before a preemption.

    It includes the state of the random number generators, so that a resumed run continues the same trajectory. On SIGUSR2
    (submitit's warning before preemption or time-out) and on SIGTERM the checkpoint is saved at the end of the batch, and
    the run ends. Weights that are not finite are never saved.

    Parameters
    ----------
    every_seconds
        Time between two saves; 0 saves after every batch.

    Raises
    ------
    SolverFailure
        Weights are NaN or infinite: names them.
    """

    def __init__(self, every_seconds: float = 60.0) -> None:
        self.every_seconds = every_seconds
        self._saved = time.monotonic()
        self._preempted = False
        self._previous: Any = None
        self._random_state: dict[str, Any] | None = None

    def setup(self, trainer: Any, task: Any, stage: str) -> None:
        if type(trainer.strategy.checkpoint_io) is TorchCheckpointIO:
            trainer.strategy.checkpoint_io = AtomicCheckpointIO()

    def on_fit_start(self, trainer: Any, task: Any) -> None:
        def note(number: int, frame: FrameType | None) -> None:
            self._preempted = True

        if threading.current_thread() is threading.main_thread():
            self._previous = signal.signal(signal.SIGUSR2, note)
        interrupt.defer(True)

    def on_train_batch_start(self, trainer: Any, task: Any, batch: Any, batch_index: int) -> None:
        if self._random_state is not None:
            _set_random_state(self._random_state)
            self._random_state = None

    def on_train_batch_end(self, trainer: Any, task: Any, outputs: Any, batch: Any, batch_index: int) -> None:
        stopping = self._preempted or trainer.received_sigterm or interrupt.requested()
        if stopping or time.monotonic() - self._saved >= self.every_seconds:
            self._save(trainer, task)
        if self._preempted:
            raise Interrupted(signal.SIGUSR2)
        if not trainer.received_sigterm:  # after which Lightning stops all processes together
            interrupt.check()

    def on_train_end(self, trainer: Any, task: Any) -> None:
        self._save(trainer, task)
        (Path(trainer.default_root_dir) / BEFORE).unlink(missing_ok=True)

    def on_exception(self, trainer: Any, task: Any, exception: BaseException) -> None:
        interrupt.defer(False)

    def on_fit_end(self, trainer: Any, task: Any) -> None:
        interrupt.defer(False)
        if self._previous is not None:
            signal.signal(signal.SIGUSR2, self._previous)

    def _save(self, trainer: Any, task: Any) -> None:
        for name, weight in task.named_parameters():
            if not bool(torch.isfinite(weight).all()):
                raise SolverFailure(
                    f"after {trainer.global_step} steps the weights {name} are not finite; the checkpoint before is kept. "
                    "Lower the learning rate or clip gradients (trainer.gradient_clip_val)"
                )
        replace_last(trainer, Path(trainer.default_root_dir))
        self._saved = time.monotonic()

    def on_save_checkpoint(self, trainer: Any, task: Any, checkpoint: dict[str, Any]) -> None:
        checkpoint["random_state"] = _random_state()

    def on_load_checkpoint(self, trainer: Any, task: Any, checkpoint: dict[str, Any]) -> None:
        self._random_state = checkpoint.get("random_state")


def _random_state() -> dict[str, Any]:
    """States of Python's, numpy's and torch's generators, of types that ``weights_only`` loads."""
    version, words, gauss = random.getstate()
    name, keys, position, has_gauss, cached = np.random.get_state()
    return {
        "python": [version, list(words), gauss],
        "numpy": [str(name), torch.from_numpy(np.asarray(keys, dtype=np.int64)), position, has_gauss, cached],
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }


def _set_random_state(state: dict[str, Any]) -> None:
    version, words, gauss = state["python"]
    random.setstate((version, tuple(words), gauss))
    name, keys, position, has_gauss, cached = state["numpy"]
    np.random.set_state((name, keys.numpy().astype(np.uint32), position, has_gauss, cached))
    torch.set_rng_state(state["torch"])
    if state["cuda"] and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(state["cuda"])
