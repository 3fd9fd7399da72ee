"""MAE without images: hide features of a row, predict them from the others."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from models.ssl.parts.global_views import stacked_global_views
from models.ssl.parts.losses.pixel import squared_error
from models.ssl.parts.masking.mask import visible_and_hidden
from models.ssl.parts.masking.random import RandomMasking
from models.ssl.recipe import Moment, Recipe, RecipeOutput, ViewBatch


@final
class FeatureMAE(Recipe):
    """Squared error of hidden features, which the encoder sees as one learned value per feature.

    A multi-layer perceptron cannot leave inputs out as a transformer leaves out patches; so hidden ones are replaced.

    Parameters
    ----------
    encoder
        f, from (batch, features) to h.
    decoder
        Called with the encoder's width; makes a network with ``features`` outputs.
    features
        Number of features of a row.
    share
        Of the features that are hidden.
    """

    def __init__(
        self, encoder: nn.Module, decoder: Callable[[int], nn.Module], features: int, share: float = 0.5
    ) -> None:
        super().__init__(encoder)
        self.decoder = decoder(encoder.width)  # type: ignore[arg-type]
        self.hidden_value = nn.Parameter(torch.zeros(features))
        self.masking = RandomMasking(share)

    def forward(self, batch: ViewBatch, moment: Moment) -> RecipeOutput:
        rows: Float[Tensor, "rows features"] = stacked_global_views(batch)
        mask = self.masking(len(rows), (1, rows.shape[1]), rows.device)
        h = self.encoder(torch.where(mask, self.hidden_value, rows))
        _, hidden = visible_and_hidden(mask)
        predicted, target = (values.gather(1, hidden) for values in (self.decoder(h), rows))
        return RecipeOutput(squared_error(predicted[..., None], target[..., None]), h)
