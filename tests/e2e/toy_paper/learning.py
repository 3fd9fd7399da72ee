"""A small regression with everything a resumed training could lose: momentum, schedule, shuffling, dropout."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

import pytorch_lightning as lightning
import torch
from torch.utils.data import DataLoader, TensorDataset

from data.loading import ResumableLoader


class ToyNumbers(lightning.LightningDataModule):
    def __init__(self, name: str, size: int = 96, batch_size: int = 8) -> None:
        super().__init__()
        self.name = name
        self.batch_size = batch_size
        generator = torch.Generator().manual_seed(7)
        inputs = torch.randn(size, 4, generator=generator)
        self.data = TensorDataset(inputs, inputs @ torch.tensor([[1.0], [-2.0], [0.5], [3.0]]))

    def train_dataloader(self) -> DataLoader:
        return ResumableLoader(self.data, self.batch_size, seed=3)

    def test_dataloader(self) -> DataLoader:
        return DataLoader(self.data, self.batch_size)


class LosesInterrupt:
    """An interrupt arrives in its destructor, where Python drops what the handler raises."""

    def __del__(self) -> None:
        os.kill(os.getpid(), signal.SIGINT)


class ToyRegression(lightning.LightningModule):
    def __init__(
        self,
        model: torch.nn.Module,
        optimizer: Callable[..., torch.optim.Optimizer],
        step_seconds: float = 0.0,
        poison_step: int | None = None,
    ) -> None:
        super().__init__()
        self.save_hyperparameters(ignore=["model", "optimizer"])
        self.model = model
        self.optimizer = optimizer

    def training_step(self, batch: list[torch.Tensor], index: int) -> torch.Tensor:
        time.sleep(self.hparams["step_seconds"])
        if os.environ.get("TOY_KILL_STEP") == str(self.global_step):
            os.kill(os.getpid(), signal.SIGKILL)
        if os.environ.get("TOY_LOST_INTERRUPT_STEP") == str(self.global_step):
            LosesInterrupt()
        loss = torch.nn.functional.mse_loss(self.model(batch[0]), batch[1])
        return loss * float("nan") if self.hparams["poison_step"] == self.global_step else loss

    def test_step(self, batch: list[torch.Tensor], index: int) -> None:
        if os.environ.get("TOY_LOST_INTERRUPT_STEP") == "test":
            LosesInterrupt()
        self.log("error", torch.nn.functional.mse_loss(self.model(batch[0]), batch[1]))

    def configure_optimizers(self) -> dict:
        optimizer = self.optimizer(self.parameters())
        return {"optimizer": optimizer, "lr_scheduler": torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)}


class ToyNetwork(torch.nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(4, width), torch.nn.Tanh(), torch.nn.Dropout(0.2), torch.nn.Linear(width, 1)
        )

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.layers(inputs)
