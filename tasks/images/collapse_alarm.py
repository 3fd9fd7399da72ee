"""An alarm that notices collapse without labels, names the ingredient that is likely missing, and can stop the run."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytorch_lightning as lightning
from pytorch_lightning.utilities import rank_zero_warn

from models.ssl.recipe import Recipe
from runs.errors import ConfigError
from runs.record.left_out import warn
from tasks.images.history import Point

POINT = 0.05
"""Features of a smaller spread are nearly one point."""
ONE_POINT = 1e-3
"""Features of a smaller spread are one, up to rounding."""
RISE = 1.03
"""A rank that grows by more in an epoch recovers."""


@dataclass(frozen=True)
class Suspicion:
    """An ingredient of a recipe whose absence collapses it.

    Parameters
    ----------
    absent
        Whether a recipe lacks it.
    ingredient
        What it is, and how to put it back.
    """

    absent: Callable[[Recipe], bool]
    ingredient: str


def _identity(recipe: Recipe, part: str) -> bool:
    module = getattr(recipe, part, None)
    return module is not None and next(module.parameters(), None) is None and next(module.buffers(), None) is None


def _value(recipe: Recipe, setting: str, otherwise: Any) -> Any:
    return getattr(recipe, setting, otherwise)


def _blunt(recipe: Recipe) -> bool:
    temperature = _value(recipe, "teacher_temperature", 0.0)
    hottest = temperature if isinstance(temperature, float) else max(temperature)
    return bool(hottest >= _value(recipe, "student_temperature", 1.0))


SUSPICIONS = (
    Suspicion(lambda r: not _value(r, "stop_gradient", True), "the stop-gradient (model.stop_gradient=true)"),
    Suspicion(lambda r: _identity(r, "predictor"), "the predictor (model.predictor.layers=2)"),
    Suspicion(lambda r: _value(r, "weights", (1, 1, 1))[1] == 0, "the variance term (model.variance=25)"),
    Suspicion(lambda r: _value(r, "weights", (1, 1, 1))[2] == 0, "the covariance term (model.covariance=1)"),
    Suspicion(lambda r: not _value(r, "centering", True), "the centring of the teacher (model.centering=true)"),
    Suspicion(_blunt, "the sharpening of the teacher (model.teacher_temperature below model.student_temperature)"),
    Suspicion(
        lambda r: _value(_value(r, "target", None), "start", 1.0) < 0.5,
        "the slowness of the target (model.target.start nearer to 1)",
    ),
    Suspicion(lambda r: _value(r, "redundancy", 1.0) == 0, "the redundancy term (model.redundancy=0.005)"),
    Suspicion(lambda r: _value(r, "iterations", 3) == 0, "Sinkhorn's balancing (model.iterations=3)"),
)
"""Ingredients of recipes, the likeliest cause first (docs/papers/ssl.md#5.4)."""

OTHERWISE = (
    "no ingredient of the recipe is known to be missing; the learning rate (optimizer.lr) or the weight decay may be too "
    "large, the warm-up too short, or the views too alike (data.views)"
)


def symptoms(now: Point, before: Point | None, rank_share: float, last: Point | None = None) -> list[str]:
    """What of a batch's signals looks like collapse.

    Parameters
    ----------
    now, before
        Signals of a batch after an epoch and before training.
    rank_share
        The rank of h is suspicious below this share of what the untrained encoder has.
    last
        Signals an epoch earlier: a rank that recovers, as those of masked recipes do after their warm-up, is no symptom.
    """
    found = []
    for name in ("h", "z"):
        if now.get(f"batch_spread_{name}", 1.0) < POINT:
            found.append(f"complete collapse: all images have nearly the same {name} (spread below {POINT})")
        if now.get(f"batch_dead_{name}", 0.0) > 0.5:
            found.append(f"dead dimensions: more than half of those of {name} do not vary")
    rank = now["batch_rank_h"]
    recovers = last is not None and rank > RISE * last.get("batch_rank_h", math.inf)
    if before is not None and rank < rank_share * before["batch_rank_h"] and not recovers:
        ranks = f"{before['batch_rank_h']:.1f} before training, {rank:.1f} now"
        found.append(f"dimensional collapse: the rank of h has fallen ({ranks})")
    return found


def likely_ingredients(recipe: Recipe) -> list[str]:
    """What the recipe lacks of what keeps recipes from collapsing."""
    return [suspicion.ingredient for suspicion in SUSPICIONS if suspicion.absent(recipe)]


class CollapseAlarm(lightning.Callback):
    """Looks at the last batch of every epoch; at the first sign of collapse it says what is likely missing, once.

    The message goes to the log, to the run's folder and so to the report. Of the signals only the rank shows the collapse
    of a recipe whose projector ends in a batch norm.

    Parameters
    ----------
    stop
        Whether the training ends there; the encoder is judged all the same.
    rank_share
        The rank of h is suspicious below this share of the untrained encoder's (BYOL, whole, falls to half of it).
    patience
        Epochs in a row with a symptom before it rings; a rank may dip for one in the warm-up.

    Raises
    ------
    ConfigError
        ``rank_share`` is outside (0, 1], or ``patience`` below 1.
    """

    def __init__(self, stop: bool = False, rank_share: float = 0.4, patience: int = 2) -> None:
        if not 0 < rank_share <= 1:
            raise ConfigError(f"callbacks.collapse_alarm.rank_share is {rank_share}; give a share in (0, 1]")
        if patience < 1:
            raise ConfigError(f"callbacks.collapse_alarm.patience is {patience}; give at least 1")
        self.stop, self.rank_share, self.patience = stop, rank_share, patience
        self.suspicious = 0
        self.rung = False

    def on_train_batch_end(self, trainer: Any, task: Any, outputs: Any, batch: Any, batch_index: int) -> None:
        if batch_index + 1 < trainer.num_training_batches:
            return
        points = task.history.points
        last = points[max(points)] if points else None
        found = symptoms(task.history.signals, points.get(0), self.rank_share, last)
        self.suspicious = self.suspicious + 1 if found else 0
        if self.suspicious < self.patience or self.rung:
            return
        self._ring(trainer, found, task.model)
        trainer.should_stop = trainer.should_stop or self.stop

    def judge(self, trainer: Any, recipe: Recipe, metrics: Mapping[str, float]) -> None:
        """Look at what the protocols found after training: clean images that all have one h, which random views hide."""
        if not self.rung and metrics.get("spread_h", 1.0) < ONE_POINT:
            found = [
                f"complete collapse: all clean images have the same h (spread below {ONE_POINT}); are they all alike?"
            ]
            self._ring(trainer, found, recipe)

    def _ring(self, trainer: Any, found: list[str], recipe: Recipe) -> None:
        self.rung = True
        message = self.message(trainer.current_epoch + 1, found, recipe)
        rank_zero_warn(message)
        if trainer.is_global_zero:
            warn(Path(trainer.default_root_dir), "collapse after epoch ", message)

    def message(self, epoch: int, found: list[str], recipe: Recipe) -> str:
        """One line: when, what, and what to do."""
        missing = likely_ingredients(recipe)
        advice = f"likely missing: {'; '.join(missing)}" if missing else OTHERWISE
        ending = "; training stops here" if self.stop else ""
        return f"collapse after epoch {epoch}: {'; '.join(found)}. {advice[0].upper()}{advice[1:]}{ending}"

    def state_dict(self) -> dict[str, Any]:
        """For the checkpoint."""
        return {"suspicious": self.suspicious, "rung": self.rung}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """From the checkpoint."""
        self.suspicious, self.rung = state["suspicious"], state["rung"]
