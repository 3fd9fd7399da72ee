"""Training once for all runs that need the same policy."""

from __future__ import annotations

import contextlib
import time
from typing import Any, Protocol

import pytorch_lightning as lightning

from runs import interrupt
from runs.store.cache import Collection
from solvers.lns.scorers.trained import COLLECTION, Trained

_WAITING = ""
_POLL_SECONDS = 0.5


class Learner(Protocol):
    """A task whose policy can be stored."""

    def trained(self) -> Trained: ...

    def take_up(self, trained: Trained) -> None: ...


class PolicyStore(lightning.Callback):
    """The artifact of a trained policy: one run makes it while others that need the same one wait.

    Parameters
    ----------
    artifacts
        The collection of the configuration that determines the policy.
    """

    def __init__(self, artifacts: Collection) -> None:
        self.artifacts = artifacts
        self._claim = contextlib.ExitStack()
        self._training = False

    @property
    def key(self) -> str:
        """What the artifact goes by."""
        return self.artifacts.folder.name

    def load(self) -> Trained | None:
        """The policy, if it has been trained."""
        payload = self.artifacts.get(COLLECTION)
        return None if payload is None else Trained.from_bytes(payload, f"artifact {self.key}")

    def on_fit_start(self, trainer: Any, task: Any) -> None:
        """Claim the training; or wait for the run that holds it, and take up what it trained."""
        with interrupt.watch():
            while (
                answer := trainer.strategy.broadcast(self._answer() if trainer.is_global_zero else None)
            ) == _WAITING:
                interrupt.check()
                time.sleep(_POLL_SECONDS)
        if answer is not None:
            task.take_up(Trained.from_bytes(answer, f"artifact {self.key}"))
            trainer.should_stop = True

    def on_fit_end(self, trainer: Any, task: Any) -> None:
        """Store what this run trained."""
        if self._training:
            self.artifacts.put(COLLECTION, task.trained().to_bytes())
        self._give_back()

    def on_exception(self, trainer: Any, task: Any, exception: BaseException) -> None:
        """Let another run train it."""
        self._give_back()

    def _answer(self) -> bytes | str | None:
        """What is stored; None: this run trains; "": another one does."""
        payload = self.artifacts.get(COLLECTION)
        if payload is None and self._claim.enter_context(self.artifacts.claim(COLLECTION)):
            payload = self.artifacts.get(COLLECTION)  # stored by a run that finished since
            self._training = payload is None
            return payload
        return _WAITING if payload is None else payload

    def _give_back(self) -> None:
        self._training = False
        self._claim.close()
