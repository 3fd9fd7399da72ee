"""Training once for all runs that need the same network: one run trains, the others wait and adopt what it trained."""

from __future__ import annotations

import contextlib
import json
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import pytorch_lightning as lightning

from runs import interrupt
from runs.files import atomic_write
from runs.store.cache import ArtifactCache
from runs.store.trained import CONFIG, Provenance, Trained, file_of, read_config

_LOG = logging.getLogger(__name__)
_WAITING = ""
_POLL_SECONDS = 0.5


class Learner(Protocol):
    """A task whose network can be stored."""

    def trained(self) -> Trained:
        """The network to store: its weights and what it reached."""

    def adopt(self, trained: Trained) -> None:
        """Go on with a network that another run trained."""


class TrainedOnce(lightning.Callback):
    """The artifact of a trained network: one run makes it while others that need the same one wait.

    A task gives it to Lightning in ``configure_callbacks``; where the training is no ``fit`` of Lightning's, call
    :meth:`get_or_train`. A run that dies gives its claim back, and the next one trains; the run itself goes on from its last
    checkpoint when it is started again.

    Parameters
    ----------
    name
        What the network is: its collection in the cache and its file in a run's folder go by it.
    settings
        JSON of the configuration that determines the network, ``${json_of:seed,model,...}``. Its ``model`` is stored
        beside the weights.
    cache
        Folder of the artifact cache; None: the network is trained for this run alone.
    """

    def __init__(self, name: str, settings: str = "{}", cache: str | Path | None = None) -> None:
        self.name = name
        self.settings: dict[str, Any] = json.loads(settings)
        self.artifacts = None if cache is None else ArtifactCache(cache).collection(name, self.settings)
        self._made_by: Provenance | None = None
        self._claim = contextlib.ExitStack()
        self._training = False

    @property
    def key(self) -> str | None:
        """What the artifact goes by; None without a cache."""
        return None if self.artifacts is None else self.artifacts.folder.name

    def load(self) -> Trained | None:
        """The network, if it has been trained."""
        payload = None if self.artifacts is None else self.artifacts.get(self.name)
        return None if payload is None else self._read(payload)

    def get_or_train(self, train: Callable[[], Trained], folder: Path) -> Trained:
        """The network, trained by the first of all processes that asks while the others wait.

        Parameters
        ----------
        train
            Trains it.
        folder
            Of the run that asks.
        """

        def make() -> bytes:
            return self._described(train(), folder).to_bytes()

        return self._read(make() if self.artifacts is None else self.artifacts.get_or_make(self.name, make))

    def keep(self, folder: Path, trained: Trained) -> None:
        """Leave the network in the run's folder, for other runs, and say its key."""
        if self.key is not None:
            _LOG.info("the %s is artifact %s", self.name, self.key)
        atomic_write(folder / file_of(self.name), self._described(trained, folder).to_bytes())

    def on_fit_start(self, trainer: Any, task: Any) -> None:
        """Claim the training; or wait for the run that holds it, and adopt what it trained."""
        with interrupt.watch():
            while (
                answer := trainer.strategy.broadcast(self._answer() if trainer.is_global_zero else None)
            ) == _WAITING:
                interrupt.check()
                time.sleep(_POLL_SECONDS)
        if answer is not None:
            task.adopt(self._read(answer))
            trainer.should_stop = True

    def on_fit_end(self, trainer: Any, task: Any) -> None:
        """Store what this run trained."""
        if self._training and self.artifacts is not None:
            trained = self._described(task.trained(), Path(trainer.default_root_dir))
            self.artifacts.put(self.name, trained.to_bytes())
        self._give_back()

    def on_exception(self, trainer: Any, task: Any, exception: BaseException) -> None:
        """Let another run train it."""
        self._give_back()

    def _answer(self) -> bytes | str | None:
        """What is stored; None: this run trains; "": another one does."""
        if self.artifacts is None:
            return None
        payload = self.artifacts.get(self.name)
        if payload is None and self._claim.enter_context(self.artifacts.claim(self.name)):
            payload = self.artifacts.get(self.name)  # stored by a run that finished since
            self._training = payload is None
            return payload
        return _WAITING if payload is None else payload

    def _give_back(self) -> None:
        self._training = False
        self._claim.close()

    def _read(self, payload: bytes) -> Trained:
        trained = Trained.from_bytes(payload, f"artifact {self.key}", self.name)
        self._made_by = trained.made_by
        return trained

    def _described(self, trained: Trained, folder: Path) -> Trained:
        """With the network's configuration and the run that trained it, which this one is unless it has read another's."""
        model = self.settings.get("model")
        made_by = self._made_by or _provenance(folder)
        return replace(trained, model=model if isinstance(model, Mapping) else None, made_by=made_by)


def _provenance(folder: Path) -> Provenance:
    return Provenance.of(folder, read_config(folder, "run")) if (folder / CONFIG).is_file() else Provenance(folder.name)
