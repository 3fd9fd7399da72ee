"""A job without work that ends in every way a job can end."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytorch_lightning as lightning
import torch
from torch.utils.data import DataLoader


class OneItem(lightning.LightningDataModule):
    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def test_dataloader(self) -> DataLoader:
        return DataLoader([0])


class Misbehaving(lightning.LightningModule):
    """``manner``: ok, raise, exit, kill, kill_once, slow. Each execution appends a line to ``journal``."""

    def __init__(self, manner: str, seconds: float, journal: str, seed: int):
        super().__init__()
        self.manner, self.seconds, self.journal, self.seed = manner, seconds, Path(journal), seed

    def test_step(self, batch: torch.Tensor, index: int) -> None:
        with self.journal.open("a") as file:
            file.write(f"{self.manner} {self.seed}\n")
        time.sleep(self.seconds)
        if self.manner == "raise":
            raise ValueError("this job raises on purpose")
        if self.manner == "exit":
            sys.exit(3)
        if self.manner == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        self.log("answer", 42.0 + self.seed)
