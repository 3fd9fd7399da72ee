"""A data module of noise, and a training on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytorch_lightning as lightning
import torch
from torch.utils.data import TensorDataset

from data.images.views.view_set import Views
from data.loading import ResumableLoader
from models.ssl.recipe import Recipe
from tasks.images.protocols.extraction import Extraction
from tasks.images.protocols.suite import Suite
from tasks.images.ssl import SelfSupervised


class NoiseImages(lightning.LightningDataModule):
    """Two noisy views of 8 x 8 images; drawn by epoch and sample."""

    name = "noise"
    classes = ("a", "b", "c", "d")

    def __init__(self, images: int = 48, batch_size: int = 16, labels: torch.Tensor | None = None) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.images = torch.randn(images, 3, 8, 8, generator=generator)
        self.labels = torch.arange(images) % 4 if labels is None else labels
        self.batch_size = batch_size

    def train_dataloader(self) -> ResumableLoader:
        return ResumableLoader(
            TensorDataset(self.images, self.labels, torch.arange(len(self.images))), self.batch_size, 0
        )

    def test_dataloader(self) -> list[int]:
        return [0]

    def on_after_batch_transfer(self, batch: Any, index: int) -> Any:
        if isinstance(batch, int):
            return batch
        images, labels, indices = batch
        epoch = 0 if self.trainer is None else self.trainer.current_epoch
        noise = torch.stack(
            [torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(1000 * epoch + int(i))) for i in indices],
            1,
        )
        return Views(tuple(images + n for n in noise), labels, indices, 2)


def train(
    recipe: Recipe, folder: Path, data: NoiseImages | None = None, epochs: int = 2, **options: Any
) -> SelfSupervised:
    """A training by SGD; ``trainer`` holds settings of the trainer, ``resume`` a checkpoint."""
    trainer_settings: dict[str, Any] = options.pop("trainer", {})
    resume = options.pop("resume", None)
    optimizer = options.pop("optimizer", lambda groups: torch.optim.SGD(groups, lr=1.6, momentum=0.9, weight_decay=0.1))
    task = SelfSupervised(recipe, optimizer, Suite(None, None, Extraction(None)), **{"warmup": 0.5, **options})  # type: ignore[arg-type]
    trainer = lightning.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
        **trainer_settings,
    )
    trainer.fit(task, datamodule=data or NoiseImages(), ckpt_path=resume, weights_only=True)
    return task
