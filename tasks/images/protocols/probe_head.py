"""Classifiers of frozen features: linear or with one hidden layer, several with rates of their own side by side."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn


def probe_head(width: int, classes: int, hidden: int | None = None, normalise: bool = False) -> nn.Sequential:
    """From h to logits.

    Parameters
    ----------
    width
        Of h.
    classes
        Number of logits.
    hidden
        Units of a hidden layer with batch norm and ReLU; None: linear, begun at zero.
    normalise
        Batch norm without affine before everything, as MAE's linear probe has it.
    """
    layers: list[nn.Module] = [nn.BatchNorm1d(width, affine=False)] if normalise else []
    if hidden is not None:
        layers += [nn.Linear(width, hidden, bias=False), nn.BatchNorm1d(hidden), nn.ReLU()]
    last = nn.Linear(width if hidden is None else hidden, classes)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return nn.Sequential(*layers, last)


class SideBySide(nn.Module):
    """Independent heads on the same features.

    Parameters
    ----------
    heads
        Each from (batch, width) to (batch, classes).
    """

    def __init__(self, heads: list[nn.Sequential]) -> None:
        super().__init__()
        self.heads = nn.ModuleList(heads)

    def forward(self, h: Float[Tensor, "batch width"]) -> list[Float[Tensor, "batch classes"]]:
        """The logits of each."""
        return [head(h) for head in self.heads]
