"""A job whose copies fill one collection of the artifact cache together."""

from __future__ import annotations

import functools
import time
from pathlib import Path

import pytorch_lightning as lightning
import torch

from runs.store.cache import ArtifactCache
from runs.store.collect import collect


def make(item: int, journal: str, seconds: float) -> bytes:
    with Path(journal).open("a") as file:
        file.write(f"{item}\n")
    time.sleep(seconds)
    return str(item * item).encode()


class Collecting(lightning.LightningModule):
    """Every copy wants all ``items``; the metric ``made`` says how many this one had to make."""

    def __init__(self, items: int, copy: int, seconds: float, journal: str, cache: str) -> None:
        super().__init__()
        self.items, self.make = items, functools.partial(make, journal=journal, seconds=seconds)
        self.collection = ArtifactCache(cache).collection("squares", {"items": items})

    def test_step(self, batch: torch.Tensor, index: int) -> None:
        report = collect(self.collection, self.items, self.make)
        self.log("made", float(report.made))
        self.log("found", float(report.found))
