"""Self-supervised training: views -> recipe -> loss, the one loop of all recipes (docs/papers/ssl.md#2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as lightning
import torch
from jaxtyping import Float
from torch import Tensor
from torchmetrics import MeanMetric

from data.images.views.view_set import Views
from models.ssl.parts.state.batch_norm import share_batch_norm
from models.ssl.recipe import Moment, Recipe, ViewBatch
from runs.errors import ConfigError
from runs.interrupt import at_once
from runs.record import instances
from runs.record.instances import InstanceResult
from runs.record.left_out import draw, kept_apart
from solvers.optimizers.warmup_cosine import WarmupCosine
from tasks.images.collapse_alarm import CollapseAlarm
from tasks.images.history import History
from tasks.images.label_free_selection import selection, selection_figure
from tasks.images.online_probe import OnlineProbe
from tasks.images.parameter_groups import LRRule, decayed_and_not, lr_factor
from tasks.images.protocols.suite import Suite
from tasks.images.training_figure import training_figure
from tasks.training_length import TrainingLength


class SelfSupervised(lightning.LightningModule):
    """Trains a recipe and judges its encoder by protocols.

    Beside the training an online probe of the detached h and, at the end of every epoch, signals of collapse are logged;
    their curve belongs to the state of the module, so a resumed run has all of it.

    Parameters
    ----------
    model
        The recipe.
    optimizer
        Called with the parameter groups; its ``lr`` is the rate for a batch of 256.
    protocols
        What the encoder is judged by after training.
    warmup
        Epochs, or a share of them below 1, in which the learning rate grows; then it falls as a cosine, step by step.
    lr_rule
        How the rate follows the batch of all processes: "linear", "sqrt" or "none".
    sync_batch_norm
        Whether batch norms take the statistics of all processes.
    probe_lr
        Rate of the online probe; None for no probe.
    judged_every
        Epochs between two judgements in the course of training, for the choice of a checkpoint without labels; 0 for none.
    scheduled_epochs
        Epochs of the schedules, where the trainer is to stop before their end; None for the trainer's.
    channels_last
        Whether kernels lie in memory with the channels last, which suits tensor cores.
    compiled
        Whether the encoder is compiled.
    seed
        Of the training's own draws.

    Raises
    ------
    ConfigError
        A setting is out of its range, or does not fit the trainer or the data.
    """

    def __init__(
        self,
        model: Recipe,
        optimizer: Callable[..., torch.optim.Optimizer],
        protocols: Suite,
        warmup: float = 10,
        lr_rule: LRRule = "linear",
        sync_batch_norm: bool = True,
        probe_lr: float | None = 1.0,
        judged_every: int = 0,
        scheduled_epochs: int | None = None,
        channels_last: bool = False,
        compiled: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if warmup < 0:
            raise ConfigError(f"task.warmup is {warmup}; give epochs, or a share of them below 1")
        lr_factor(1, lr_rule)
        self.model = model.to(memory_format=torch.channels_last) if channels_last else model  # type: ignore[call-overload]
        if compiled:
            self.model.encoder.compile()
        self.optimizer = optimizer
        self.protocols = protocols
        self.warmup, self.lr_rule, self.sync_batch_norm = warmup, lr_rule, sync_batch_norm
        self.probe_lr, self.judged_every, self.seed = probe_lr, judged_every, seed
        self.probe: OnlineProbe | None = None
        self.scheduled_epochs = scheduled_epochs
        self.loss, self.accuracy = MeanMetric(), MeanMetric()
        for metric in (self.loss, self.accuracy):
            metric.persistent(True)  # an epoch that is resumed in its middle ends with the mean of all its batches
        self.history = History()
        self.length = TrainingLength(1, 1)

    def setup(self, stage: str) -> None:
        """Compare data, recipe and protocols, and share the batch norms among the processes."""
        data = self.trainer.datamodule  # type: ignore[attr-defined]
        if self.model.uses_labels and not data.classes:
            raise ConfigError(
                f"recipe {type(self.model).__name__} needs labels and data '{data.name}' has none; choose a "
                "self-supervised recipe, or sort the images into a folder per class"
            )
        if data.classes and self.model.classes not in (None, len(data.classes)):
            raise ConfigError(
                f"model.classes is {self.model.classes} and data '{data.name}' has {len(data.classes)}; set "
                f"model.classes={len(data.classes)}"
            )
        if self.model.uses_support and getattr(data, "support", None) is None:
            raise ConfigError(
                f"recipe {type(self.model).__name__} needs labelled images beside each batch; add "
                "+data/support@data.support=balanced"
            )
        self.protocols.check(self.model, data)
        if self.probe is None and self.probe_lr is not None and data.classes:
            self.probe = OnlineProbe(self.model.encoder.width, len(data.classes), self.probe_lr)  # type: ignore[arg-type]
        if self.trainer.world_size > 1 and self.sync_batch_norm:
            share_batch_norm(self.model)

    def on_fit_start(self) -> None:
        """Refuse what would change the loss silently."""
        if self.trainer.accumulate_grad_batches != 1:
            raise ConfigError(
                "trainer.accumulate_grad_batches must be 1: losses compare the images of a batch, so half batches are "
                "another loss; use more processes"
            )

    def on_train_start(self) -> None:
        """Every rank begins with the same random state, as a single process does."""
        if self.global_step == 0:
            torch.manual_seed(self.seed)

    @property
    def moment(self) -> Moment:
        """Where training stands."""
        return Moment(self.global_step, self.length.steps, self.current_epoch, self.length.epochs)

    def training_step(self, batch: Views, index: int) -> Float[Tensor, ""]:
        """Loss of the views of one batch."""
        labels = batch.labels if self.model.uses_labels else None
        views = tuple(view.to(self.dtype) for view in batch.views)  # type: ignore[arg-type]
        support = None
        if self.model.uses_support and batch.support is not None:
            support = batch.support[0].to(self.dtype), batch.support[1]  # type: ignore[arg-type]
        output = self.model(ViewBatch(views, batch.global_views, labels, support), self.moment)
        self.loss(output.loss.detach())
        self.log("loss", output.loss.detach())
        self.log_dict(output.terms)
        features = output.features.detach()
        if self.probe is not None and batch.labels is not None:
            self.accuracy(self.probe.step(features, batch.labels.repeat(len(features) // len(batch.labels))))
        self._watch(index, features, output.projections)
        return output.loss

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Prototypes held still, gradients cancelled."""
        self.model.before_step(self.moment)

    def optimizer_step(self, *arguments: Any, **options: Any) -> None:
        """The step, then moving averages, queues and centres."""
        moment = self.moment
        super().optimizer_step(*arguments, **options)
        self.model.after_step(moment)

    def on_train_epoch_end(self) -> None:
        """A point of the curve."""
        point = {"training_loss": float(self.loss.compute())}
        if self.probe is not None:
            point["online_accuracy"] = float(self.accuracy.compute())
        self.loss.reset()
        self.accuracy.reset()
        if self.judged_every and (self.current_epoch + 1) % self.judged_every == 0:
            point |= self._judged(f"epoch_{self.current_epoch + 1}")
        self.log_dict(self.history.close(self.current_epoch + 1, point))

    @at_once()
    def test_step(self, batch: Any, index: int) -> None:
        """Judge the encoder, once; the result of the run, its figures, and the curve as its log."""
        columns, data = self.history.columns(), self.trainer.datamodule  # type: ignore[attr-defined]
        folder, judged = Path(self.trainer.default_root_dir), self._judged()
        selected: dict[str, float] = {}
        with kept_apart(folder, "choice of a checkpoint", self.trainer.is_global_zero):
            selected = selection(columns)
        metrics = {**self.history.last(), **self._alarm(judged), **selected, **judged}
        self.log_dict(metrics, batch_size=1)
        if not self.trainer.is_global_zero:
            return
        instances.save(folder, InstanceResult(0, f"{data.name}/test", metrics, log=columns))
        if len(columns["epoch"]) > 1:
            draw(folder, "training", lambda: training_figure(columns))
        if "judged_checkpoints" in metrics:
            draw(folder, "selection", lambda: selection_figure(columns))

    def _alarm(self, judged: Mapping[str, float]) -> dict[str, float]:
        """Whether the alarm rang, where there is one, in training or at what was judged."""
        alarms = [callback for callback in self.trainer.callbacks if isinstance(callback, CollapseAlarm)]  # type: ignore[attr-defined]
        for alarm in alarms:
            alarm.judge(self.trainer, self.model, judged)
        return {"collapse_alarm": float(any(alarm.rung for alarm in alarms))} if alarms else {}

    def _judged(self, part: str = "") -> dict[str, float]:
        """Metrics of all protocols, none where they fail; their figures go to a folder of the run."""
        folder = Path(self.trainer.default_root_dir)
        with kept_apart(folder, f"judgement {part}".rstrip(), self.trainer.is_global_zero):
            return self.protocols.evaluate(self.model, self.trainer.datamodule, self.device, folder, part)  # type: ignore[attr-defined]
        return {}

    def configure_optimizers(self) -> Any:
        """Weight decay on matrices only, lr x B / 256, warm-up and a cosine to 0."""
        data = self.trainer.datamodule  # type: ignore[attr-defined]
        self.length = TrainingLength.of(self.trainer, len(data.train_dataloader()), self.scheduled_epochs)
        optimizer = self.optimizer(decayed_and_not(self.model))
        for group in optimizer.param_groups:
            group["lr"] *= lr_factor(data.batch_size, self.lr_rule)
        warmup = round(self.warmup * (self.length.steps if self.warmup < 1 else self.length.per_epoch))
        schedule = WarmupCosine(optimizer, self.length.steps, min(warmup, self.length.steps))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _watch(self, index: int, features: Tensor, projections: Tensor | None) -> None:
        """Signals of the first batch of all, where nothing is learned yet, and of the last of every epoch."""
        if self.global_step == 0:
            self.history.watch(features, projections)
            self.history.close(0, {})
        if index + 1 == self.trainer.num_training_batches:
            self.history.watch(features, projections)

    def get_extra_state(self) -> dict[str, Any]:
        """The curve, so that it travels with the weights."""
        return self.history.state()

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Take it up again."""
        self.history.restore(state)
