"""The contract of encoders of bipartite graphs, and the two half convolutions of most (docs/papers/cl_lns.md#4.1)."""

from __future__ import annotations

from typing import Protocol

from jaxtyping import Float, Int
from torch import Tensor, nn


class Backbone(Protocol):
    """Variables see the rows they are in: any ``nn.Module`` with this call is a backbone (``model/backbone=``).

    ``edge_index`` holds the row node and the variable node of each edge; the graph may be a union of several.
    """

    def __call__(
        self,
        v: Float[Tensor, "variables width"],
        c: Float[Tensor, "rows width"],
        edge_index: Int[Tensor, "2 edges"],
        e: Float[Tensor, "edges width"],
    ) -> Float[Tensor, "variables width"]:
        """New embeddings of the variables."""


class HalfConvolution(Protocol):
    """Messages from one side of the graph to the other."""

    def __call__(
        self,
        source: Float[Tensor, "sources width"],
        target: Float[Tensor, "targets width"],
        source_of_edge: Int[Tensor, " edges"],
        target_of_edge: Int[Tensor, " edges"],
        e: Float[Tensor, "edges width"],
    ) -> Float[Tensor, "targets width"]:
        """New embeddings of the targets."""


class TwoHalfConvolutions(nn.Module):
    """Variables to rows, then rows to variables, each with its own weights.

    Parameters
    ----------
    to_rows, to_variables
        The half convolutions (modules).
    """

    def __init__(self, to_rows: nn.Module, to_variables: nn.Module) -> None:
        super().__init__()
        self.to_rows, self.to_variables = to_rows, to_variables

    def forward(
        self,
        v: Float[Tensor, "variables width"],
        c: Float[Tensor, "rows width"],
        edge_index: Int[Tensor, "2 edges"],
        e: Float[Tensor, "edges width"],
    ) -> Float[Tensor, "variables width"]:
        """See :class:`Backbone`."""
        row, variable = edge_index
        c = self.to_rows(v, c, variable, row, e)
        return self.to_variables(c, v, row, variable, e)
