"""The contract of a self-supervised recipe: views in, loss out; a method is a subclass that holds only its difference."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import NamedTuple

from jaxtyping import Float, Int
from torch import Tensor, nn


@dataclass(frozen=True)
class ViewBatch:
    """The views of a batch of images.

    Parameters
    ----------
    views
        Each (batch, channels, height, width), normalised; views of full size first, then smaller local ones.
    global_views
        How many of them are of full size.
    labels
        (batch,) classes, only for recipes that say ``uses_labels``.
    support
        Other images, (support, channels, height, width), and their classes (support,), only for recipes that say
        ``uses_support``.
    """

    views: tuple[Float[Tensor, "batch channels height width"], ...]
    global_views: int
    labels: Int[Tensor, " batch"] | None = None
    support: tuple[Float[Tensor, "support channels height width"], Int[Tensor, " support"]] | None = None


class Moment(NamedTuple):
    """Where training stands, for schedules.

    Parameters
    ----------
    step
        Updates made before this one, from 0.
    steps
        Updates of the whole training.
    epoch
        Current epoch, from 0.
    epochs
        Epochs of the whole training.
    """

    step: int
    steps: int
    epoch: int
    epochs: int


@dataclass(frozen=True)
class RecipeOutput:
    """What a recipe makes of a batch.

    Parameters
    ----------
    loss
        Of the batch of all processes, the same on each of them: DDP's mean of the gradients is then that of one process.
    features
        h of this process's views, (rows, width): what is used downstream. Signals of collapse are measured on it.
    projections
        z of the same rows, (rows, D); None where there is no projector.
    terms
        Parts of the loss by name, detached, for the log.
    """

    loss: Float[Tensor, ""]
    features: Float[Tensor, "rows width"]
    projections: Float[Tensor, "rows dimension"] | None = None
    terms: dict[str, Tensor] = field(default_factory=dict)


class Recipe(nn.Module, ABC):
    """views -> encoder f -> projector g -> predictor q -> target -> loss (docs/papers/ssl.md#(1)).

    Parameters
    ----------
    encoder
        f: images to h, (batch, width); has the attribute ``width``.
    """

    uses_labels: bool = False
    """Whether labels reach the loss. They never do for a self-supervised recipe."""

    uses_support: bool = False
    """Whether a step sees labelled images beside its batch."""
    classes: int | None = None
    """How many classes it tells apart, where it is made for a number of them."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    @abstractmethod
    def forward(self, batch: ViewBatch, moment: Moment) -> RecipeOutput:
        """The loss of a batch and what it was computed from."""

    def before_step(self, moment: Moment) -> None:
        """Called between the backward pass and the optimiser's step: prototypes held still, gradients cancelled."""

    def after_step(self, moment: Moment) -> None:
        """Called after the optimiser's step: moving averages, queues, centres, renormalised prototypes."""
