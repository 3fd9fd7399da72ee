"""Supervised classification with the same encoder, views and budget: a row that every table needs."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.precision import full_precision
from models.ssl.parts import passes
from models.ssl.parts.joint_embedding import output
from models.ssl.parts.state.reduce import mean_over_processes
from models.ssl.recipe import Moment, Recipe, RecipeOutput, ViewBatch


@final
class Supervised(Recipe):
    """Cross entropy of a linear head on h, over all views.

    Parameters
    ----------
    encoder
        f.
    classes
        Number of classes.
    one_pass
        Whether views of one size go through f together.
    """

    uses_labels = True

    def __init__(self, encoder: nn.Module, classes: int, one_pass: bool = True) -> None:
        super().__init__(encoder)
        self.head = nn.Linear(encoder.width, classes)  # type: ignore[arg-type]
        self.classes, self.one_pass = classes, one_pass

    def forward(self, batch: ViewBatch, moment: Moment) -> RecipeOutput:
        assert batch.labels is not None
        features = passes.through(self.encoder, batch.views, self.one_pass)
        logits = [self.head(h) for h in features]
        return output(_cross_entropy(torch.cat(logits), batch.labels.repeat(len(logits))), features, logits, batch)


@full_precision
def _cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    return mean_over_processes(functional.cross_entropy(logits, labels))
