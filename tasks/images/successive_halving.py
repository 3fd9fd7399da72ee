"""Which recipe suits one's own images? Successive halving by a signal that needs no labels."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytorch_lightning as lightning
import torch

from models.ssl.recipe import Recipe
from runs.errors import ConfigError, SolverFailure, at_least
from runs.files import write_json
from runs.record import instances
from runs.record.callbacks import KeepLast, StopOnNonFiniteLoss
from runs.record.instances import InstanceResult
from runs.record.left_out import kept_apart
from runs.record.training_checkpoint import LAST, recovered_last
from tasks.images.protocols.suite import Suite
from tasks.images.ssl import SelfSupervised

_log = logging.getLogger(__name__)


class Round(NamedTuple):
    """One round: the candidates that took part, and the epochs that each has been trained for at its end."""

    candidates: int
    epochs: int


def rounds(candidates: int, first: int, total: int, factor: int) -> list[Round]:
    """The best 1/``factor`` of each round goes on, ``factor`` times as long, until one is left and has all its epochs."""
    plan = [Round(candidates, min(first, total))]
    while plan[-1] != (1, total):
        alive = math.ceil(plan[-1].candidates / factor)
        plan.append(Round(alive, total if alive == 1 else min(plan[-1].epochs * factor, total)))
    return plan


class SuccessiveHalving(lightning.LightningModule):
    """Trains candidates a little, keeps those with the best signal, and trains these on; labels choose nothing.

    A candidate goes on from its own checkpoint, with the schedule of the whole training, so the winner ends as if it
    had been trained alone. A search that is killed goes on from there too. One process.

    Parameters
    ----------
    candidates
        By name: ``model``, a recipe, and ``optimizer``, called with its parameter groups.
    judge
        What gives the signal.
    protocols
        What the winner is judged by in the end.
    signal
        Metric of ``judge`` that is to be large.
    first_epochs, epochs
        Of the first round, and of the whole training.
    factor
        By which candidates become fewer and epochs more.
    settings
        Of :class:`SelfSupervised`.

    Raises
    ------
    ConfigError
        There are fewer than two candidates, a number is out of range, or there are several processes.
    """

    def __init__(
        self,
        candidates: Mapping[str, Mapping[str, Any]],
        judge: Suite,
        protocols: Suite,
        signal: str = "rank_me_h",
        first_epochs: int = 1,
        epochs: int = 8,
        factor: int = 2,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        if len(candidates) < 2:
            raise ConfigError(f"task.candidates has {len(candidates)} entries; give at least 2 to choose from")
        at_least("task.", first_epochs=(first_epochs, 1), epochs=(epochs, first_epochs), factor=(factor, 2))
        self.candidates = dict(candidates)
        self.judge, self.protocols, self.signal = judge, protocols, signal
        self.plan = rounds(len(candidates), first_epochs, epochs, factor)
        self.epochs = epochs
        self.settings = dict(settings or {})

    def test_step(self, batch: Any, index: int) -> None:
        """All rounds; a result per candidate, and the choice in ``choice.json``."""
        if self.trainer.world_size > 1:
            raise ConfigError("the search runs on one process; use hardware=cpu or hardware=gpu")
        for suite, where in ((self.judge, "task.judge"), (self.protocols, "task.protocols")):
            suite.check(next(iter(self.candidates.values()))["model"], self._data, where)
        alive = list(self.candidates)
        scores: dict[str, float] = {}
        trained: dict[str, int] = {}
        for number, (count, epochs) in enumerate(self.plan):
            alive = sorted(alive, key=lambda name: -scores.get(name, 0.0))[:count]
            for name in alive:
                scores[name], trained[name] = self._score(name, epochs), epochs
                _log.info("round %d, %s after %d epochs: %s %.4g", number + 1, name, epochs, self.signal, scores[name])
        (winner,) = alive
        self._record(winner, scores, trained)

    def _score(self, name: str, epochs: int) -> float:
        recipe = self._trained(name, epochs).to(self.device)
        found: dict[str, float] = {}
        with kept_apart(Path(self.trainer.default_root_dir), f"{name} after {epochs} epochs"):
            found = self.judge.evaluate(recipe, self._data, self.device, self._folder(name))
        if found and self.signal not in found:
            raise ConfigError(f"task.signal is '{self.signal}', and task.judge reports {', '.join(found)}")
        score = found.get(self.signal, 0.0)
        return score if math.isfinite(score) else 0.0

    def _trained(self, name: str, epochs: int) -> Recipe:
        """The candidate after so many epochs; one whose loss diverges stays where it was."""
        recipe: Recipe = self.candidates[name]["model"]
        optimizer: Callable[..., torch.optim.Optimizer] = self.candidates[name]["optimizer"]
        task = SelfSupervised(recipe, optimizer, self.protocols, scheduled_epochs=self.epochs, **self.settings)
        last = recovered_last(self._folder(name))
        trainer = lightning.Trainer(
            max_epochs=epochs,
            accelerator=self.device.type if self.device.type == "cpu" else "gpu",
            devices=1,
            precision=self.trainer.precision,
            callbacks=[StopOnNonFiniteLoss(), KeepLast()],
            default_root_dir=self._folder(name),
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        try:
            with torch.inference_mode(False), torch.enable_grad():
                trainer.fit(task, datamodule=self._data, ckpt_path=last, weights_only=True)
        except SolverFailure as failure:
            _log.warning("%s: %s", name, failure)
        return recipe

    def _record(self, winner: str, scores: Mapping[str, float], trained: Mapping[str, int]) -> None:
        folder = Path(self.trainer.default_root_dir)
        judged: dict[str, float] = {}
        with kept_apart(folder, "judgement"):
            judged = self.protocols.evaluate(self.candidates[winner]["model"], self._data, self.device, folder)
        for index, name in enumerate(self.candidates):
            metrics = {self.signal: scores[name], "epochs": float(trained[name]), "chosen": float(name == winner)}
            metrics |= judged if name == winner else {}
            instances.save(folder, InstanceResult(index, f"{self._data.name}/test", metrics, method=name))
        checkpoint = self._folder(winner) / LAST
        write_json(folder / "choice.json", {"recipe": winner, "checkpoint": str(checkpoint), self.signal: dict(scores)})
        self.log_dict(judged, batch_size=1)

    @property
    def _data(self) -> Any:
        return self.trainer.datamodule  # type: ignore[attr-defined]

    def _folder(self, name: str) -> Path:
        return Path(self.trainer.default_root_dir) / "candidates" / name
