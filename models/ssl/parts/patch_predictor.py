"""From the tokens of some patches to an output at others: the decoder of mae, the predictor of ijepa."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from models.encoders.positions import grid_positions
from models.encoders.transformer import Transformer
from runs.errors import ConfigError


class PatchPredictor(nn.Module):
    """A narrow transformer over given tokens and a mask token at each place that is asked for.

    Positions are fixed sines and cosines; tokens without a place, such as [CLS], have none.

    Parameters
    ----------
    inputs
        Width of the given tokens.
    outputs
        Width of what is predicted.
    grid
        Rows and columns of patches.
    width, layers, heads
        Of the transformer, a pre-norm one with GELU and hidden layers of four times the width.

    Raises
    ------
    ConfigError
        ``width`` is no multiple of 4.

    References
    ----------
    He et al., Masked autoencoders are scalable vision learners (2022), section 3; Assran et al. (2023), section 3.
    """

    positions: Tensor

    def __init__(self, inputs: int, outputs: int, grid: tuple[int, int], width: int, layers: int, heads: int) -> None:
        super().__init__()
        if width < 4 or width % 4:
            raise ConfigError(f"width of the predictor is {width}; its positions on a grid need a multiple of 4")
        self.grid = tuple(grid)
        self.project_in = nn.Linear(inputs, width)
        self.mask_token = nn.Parameter(nn.init.trunc_normal_(torch.empty(width), std=0.02))
        self.transformer = Transformer(layers, width, heads, 4 * width, norm="pre", activation="gelu")
        self.project_out = nn.Linear(width, outputs)
        self.register_buffer("positions", grid_positions(*grid, width), persistent=False)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)

    def forward(
        self,
        tokens: Float[Tensor, "rows extra+given inputs"],
        given: Int[Tensor, "rows given"],
        asked: Int[Tensor, "rows asked"],
    ) -> Float[Tensor, "rows asked outputs"]:
        """Predictions for the patches ``asked`` from the tokens of the patches ``given``, after any without a place."""
        x = self.project_in(tokens)
        extra = x.shape[1] - given.shape[1]
        seen = x[:, extra:] + self.positions[given].to(x.dtype)
        wanted = (self.mask_token + self.positions[asked]).to(x.dtype)
        hidden, _ = self.transformer(torch.cat([x[:, :extra], seen, wanted], dim=1))
        return self.project_out(hidden[:, extra + given.shape[1] :])
