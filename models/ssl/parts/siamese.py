"""Recipes that compare the projections, or predictions, of one view with targets made of another."""

from __future__ import annotations

from abc import ABC
from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from models.ssl.parts import passes
from models.ssl.parts.target import Target
from models.ssl.recipe import Moment, Recipe, ViewBatch
from runs.errors import ConfigError


class Siamese(Recipe, ABC):
    """h = f(x), z = g(h), p = q(z), and targets t = sg g'(f'(x)) of moving averages f' and g'.

    Parameters
    ----------
    encoder
        f.
    projector
        Called with the encoder's width; makes g, which has the attribute ``width`` of its output.
    predictor
        Called with the width of z; makes q, which is the identity if it has no layers.
    target
        Called with f and g; makes their moving average.
    one_pass
        Whether views of one size go through the networks together, so that batch norms mix them.

    Raises
    ------
    ConfigError
        The recipe has a predictor or a moving target and is given none, or the other way round.
    """

    uses_predictor: bool = True
    """Whether predictions, not projections, are compared with the targets."""
    uses_target: bool = True
    """Whether targets come from a moving average."""

    def __init__(
        self,
        encoder: nn.Module,
        projector: Callable[[int], nn.Module],
        predictor: Callable[[int], nn.Module] | None = None,
        target: Callable[..., Target] | None = None,
        one_pass: bool = False,
    ) -> None:
        super().__init__(encoder)
        for name, given, used in (
            ("predictor", predictor, self.uses_predictor),
            ("target", target, self.uses_target),
        ):
            if (given is not None) != used:
                raise ConfigError(f"model.{name} must{'' if used else ' not'} be set for {type(self).__name__}")
        self.projector = projector(encoder.width)  # type: ignore[arg-type]
        self.dimension: int = self.projector.width  # type: ignore[assignment]
        if predictor is not None:
            self.predictor = predictor(self.dimension)
        if target is not None:
            self.target = target(encoder, self.projector)
        self.one_pass = one_pass

    def project(self, views: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """h, (batch, width), and z, (batch, dimension), of every view."""
        features = passes.through(self.encoder, views, self.one_pass)
        return features, passes.through(self.projector, features, self.one_pass)

    def predict(self, projections: Sequence[Tensor]) -> list[Float[Tensor, "batch dimension"]]:
        """p of every view's z."""
        return passes.through(self.predictor, projections, self.one_pass)

    def targets(self, views: Sequence[Tensor]) -> list[Float[Tensor, "batch dimension"]]:
        """t of every view, without gradient."""
        return self.target(views, self.one_pass)

    def move_target(self, moment: Moment) -> None:
        """Move the averages after a step of the optimiser."""
        self.target.update(self.encoder, self.projector, moment)


def mean_over_ordered_pairs(loss: Callable[[int, int], Tensor], batch: ViewBatch) -> Float[Tensor, ""]:
    """Mean of ``loss(i, j)`` over every global view i, which gives the target, and every other view j."""
    compared = passes.ordered_pairs(batch.global_views, len(batch.views))
    return torch.stack([loss(i, j) for i, j in compared]).mean()
