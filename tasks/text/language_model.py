"""Training a small language model and watching its attention (docs/papers/scan_snap.md#4.7)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytorch_lightning as lightning
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional
from torchmetrics import MeanMetric

from models.text.language_model import TransformerLanguageModel
from runs.errors import ConfigError
from runs.record import instances
from runs.record.instances import InstanceResult
from runs.record.left_out import draw
from tasks.attention_entropy import AttentionEntropy
from tasks.attention_maps import attention_maps_figure
from tasks.text.attention_curve import columns, curve_figure, fall_and_stay


class LanguageModeling(lightning.LightningModule):
    """Next-word cross entropy with one rate for the feed-forward weights and one for all others.

    Validation watches a fixed part of the evaluation text at step 0 and every ``trainer.val_check_interval`` steps; the test
    takes all of it. The watched curve and maps belong to the state of the module: a resumed run has all of them.

    Parameters
    ----------
    model
        The language model.
    optimizer
        Called with the two parameter groups; its ``lr`` is that of the attention and all else, eta_Z.
    seed
        Seed of the dropout masks, the same on every rank.
    feed_forward_ratio
        eta_Y / eta_Z, by which the rate of the feed-forward weights exceeds the other.
    decay
        Factor of both rates after every epoch.
    first_query
        First position, counted from 0, whose attention counts in the entropy.
    map_steps
        Steps at which the attention maps of the first evaluation sequence are kept.

    Raises
    ------
    ConfigError
        A setting is out of its range, or does not fit the trainer or the data.
    """

    def __init__(
        self,
        model: TransformerLanguageModel,
        optimizer: Callable[..., torch.optim.Optimizer],
        seed: int = 0,
        feed_forward_ratio: float = 1.0,
        decay: float = 0.95,
        first_query: int = 10,
        map_steps: Iterable[int] = (),
    ) -> None:
        super().__init__()
        for name, value in (("feed_forward_ratio", feed_forward_ratio), ("decay", decay)):
            if not value > 0:
                raise ConfigError(f"task.{name} is {value}; give a positive number")
        self.model = model
        self.optimizer = optimizer
        self.seed = seed
        self.feed_forward_ratio = feed_forward_ratio
        self.decay = decay
        self.map_steps = frozenset(map_steps)
        self.loss = MeanMetric()
        self.entropy = AttentionEntropy(model.layers, first_query)
        self.curve: dict[int, dict[str, float]] = {}
        self.maps: dict[int, Tensor] = {}

    def setup(self, stage: str) -> None:
        """Compare data and model; that of a text of your own is as large as its vocabulary."""
        data = self.trainer.datamodule  # type: ignore[attr-defined]
        if data.own and len(data.vocabulary) < self.model.vocabulary_size:
            self.model.resize(len(data.vocabulary))
        if len(data.vocabulary) > self.model.vocabulary_size:
            raise ConfigError(
                f"model.vocabulary_size is {self.model.vocabulary_size}, less than the {len(data.vocabulary)} words of the "
                "data; raise it to data.vocabulary_size"
            )
        if data.context > self.model.context:
            raise ConfigError(
                f"model.context is {self.model.context}, less than data.context {data.context}; raise it or lower that"
            )
        if self.entropy.first_query >= data.context:
            raise ConfigError(
                f"task.first_query is {self.entropy.first_query}; give less than data.context {data.context}"
            )

    def on_fit_start(self) -> None:
        """Compare the steps to watch with the trainer."""
        trainer, interval = self.trainer, self.trainer.val_check_interval
        if trainer.check_val_every_n_epoch is not None or not isinstance(interval, int):
            raise ConfigError(
                "attention is watched every so many steps: give trainer.val_check_interval a whole number and "
                "trainer.check_val_every_n_epoch null"
            )
        if trainer.num_sanity_val_steps:
            raise ConfigError("trainer.num_sanity_val_steps must be 0: the task looks at step 0 by itself")
        watched = [step for step in self.map_steps if step <= trainer.max_steps]
        if missed := [step for step in (*sorted(watched), trainer.max_steps) if step < 0 or step % interval]:
            raise ConfigError(
                f"step {missed[0]} (task.map_steps and trainer.max_steps) is no multiple of trainer.val_check_interval "
                f"{interval}, so nothing is watched there"
            )

    def on_train_start(self) -> None:
        """Seed the masks and look at step 0; in a resumed training look at the step it begins with if that look was lost."""
        if self.global_step == 0:
            torch.manual_seed(self.seed)  # DDP seeds its ranks anew and a single process does not
        self._look_if_missed()

    def on_fit_end(self) -> None:
        """Take the last look if training was resumed between its last step and that look."""
        self._look_if_missed()

    def training_step(self, batch: Int[Tensor, "columns tokens"], index: int) -> Float[Tensor, ""]:
        """Mean cross entropy of the next words, in nats."""
        logits, _ = self.model(batch[:, :-1])
        loss = functional.cross_entropy(logits.flatten(0, 1), batch[:, 1:].flatten())
        self.log("training_loss", loss)
        return loss

    def validation_step(self, batch: Int[Tensor, "columns tokens"], index: int) -> None:
        """Loss and attention of one batch of the evaluation text."""
        maps = self._watch(batch)
        if index == 0 and self.global_step in self.map_steps and self.trainer.is_global_zero:
            self.maps[self.global_step] = maps[:, 0].mean(1).cpu()

    def on_validation_epoch_end(self) -> None:
        """A point of the curve."""
        self.curve[self.global_step] = self._watched()
        self.log_dict(self.curve[self.global_step])

    def test_step(self, batch: Int[Tensor, "columns tokens"], index: int) -> None:
        """Loss and attention of one batch of the evaluation text."""
        self._watch(batch)

    def on_test_epoch_end(self) -> None:
        """The result of the run, its figures, and the curve as its log."""
        metrics = {**fall_and_stay(self.curve), **self._watched()}
        self.log_dict(metrics)
        if not self.trainer.is_global_zero:
            return
        data = self.trainer.datamodule  # type: ignore[attr-defined]
        folder = Path(self.trainer.default_root_dir)
        instances.save(folder, InstanceResult(0, f"{data.name}/evaluation", metrics, log=columns(self.curve)))
        draw(folder, "entropy", lambda: curve_figure(self.curve))
        if self.maps:
            words = data.vocabulary.decode(data.evaluation_windows[0][0, :-1])
            shown = {f"step {step}": self.maps[step] for step in sorted(self.maps)}
            draw(folder, "attention_maps", lambda: attention_maps_figure(shown, words))

    def configure_optimizers(self) -> Any:
        """Two parameter groups, the second (feed-forward) with its own rate; both decay with the epochs."""
        fast = self.model.feed_forward_parameters()
        known = {id(parameter) for parameter in fast}
        others = [parameter for parameter in self.model.parameters() if id(parameter) not in known]
        optimizer = self.optimizer([{"params": others}, {"params": fast}])
        optimizer.param_groups[1]["lr"] *= self.feed_forward_ratio
        return {"optimizer": optimizer, "lr_scheduler": torch.optim.lr_scheduler.ExponentialLR(optimizer, self.decay)}

    def get_extra_state(self) -> dict[str, Any]:
        """Curve and maps, so that they travel with the weights."""
        return {"curve": self.curve, "maps": self.maps}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Take them up again."""
        self.curve, self.maps = state["curve"], state["maps"]

    def _look_if_missed(self) -> None:
        """Validate outside Lightning's loop, which does not validate before training or first thing after resuming."""
        if self.global_step in self.curve or self.global_step % self.trainer.val_check_interval:
            return
        self.eval()
        with torch.no_grad():
            for index, batch in enumerate(self.trainer.datamodule.val_dataloader()):  # type: ignore[attr-defined]
                self.validation_step(batch.to(self.device), index)
        self.curve[self.global_step] = self._watched()
        self.train()

    def _watch(self, batch: Int[Tensor, "columns tokens"]) -> Float[Tensor, "layers columns heads tokens tokens"]:
        logits, maps = self.model(batch[:, :-1], need_weights=True)
        losses = functional.cross_entropy(logits.flatten(0, 1), batch[:, 1:].flatten(), reduction="none")
        self.loss.update(losses)
        self.entropy.update(maps)
        return maps

    def _watched(self) -> dict[str, float]:
        """What the last batches showed, over all ranks; the next ones start afresh."""
        entropies = self.entropy.compute().reshape(-1).tolist()  # torchmetrics hands out a single layer as a scalar
        layers = {f"entropy_layer_{i}": value for i, value in enumerate(entropies, start=1)}
        watched = {"evaluation_loss": float(self.loss.compute()), **layers}
        self.loss.reset()
        self.entropy.reset()
        return watched
