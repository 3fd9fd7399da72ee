"""Recipes whose views all go through one encoder and one projector: a method is the loss of the projections."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from models.ssl.parts import passes
from models.ssl.recipe import Moment, Recipe, RecipeOutput, ViewBatch

LossTerms = tuple[Float[Tensor, ""], dict[str, Float[Tensor, ""]]]
"""A loss, and its parts by name for the log."""


class JointEmbedding(Recipe, ABC):
    """h = f(x), z = g(h), loss of the z of all views.

    Parameters
    ----------
    encoder
        f.
    projector
        Called with the encoder's width; makes g, which has the attribute ``width`` of its output.
    one_pass
        Whether views of one size go through f and g together, so that batch norms mix them.
    """

    def __init__(self, encoder: nn.Module, projector: Callable[[int], nn.Module], one_pass: bool = False) -> None:
        super().__init__(encoder)
        self.projector = projector(encoder.width)  # type: ignore[arg-type]
        self.one_pass = one_pass

    @abstractmethod
    def loss(self, projections: list[Float[Tensor, "batch dimension"]], batch: ViewBatch) -> LossTerms:
        """Loss of the projections of every view."""

    def forward(self, batch: ViewBatch, moment: Moment) -> RecipeOutput:
        features = passes.through(self.encoder, batch.views, self.one_pass)
        projections = passes.through(self.projector, features, self.one_pass)
        loss, terms = self.loss(projections, batch)
        return output(loss, features, projections, batch, terms)


def output(
    loss: Float[Tensor, ""],
    features: Sequence[Float[Tensor, "batch width"]],
    projections: Sequence[Float[Tensor, "batch dimension"]],
    batch: ViewBatch,
    terms: dict[str, Float[Tensor, ""]] | None = None,
) -> RecipeOutput:
    """The output of a recipe, of the global views' rows."""
    shown = slice(0, batch.global_views)
    return RecipeOutput(
        loss,
        torch.cat(list(features[shown])),
        torch.cat(list(projections[shown])),
        {name: value.detach() for name, value in (terms or {}).items()},
    )


def mean_over_pairs(
    loss: Callable[[Tensor, Tensor], Tensor], projections: Sequence[Float[Tensor, "batch dimension"]], batch: ViewBatch
) -> Float[Tensor, ""]:
    """Mean of a symmetric loss over every two views of which one is global."""
    chosen = passes.pairs(batch.global_views, len(projections))
    return torch.stack([loss(projections[i], projections[j]) for i, j in chosen]).mean()
