"""The bipartite graph convolution of Gasse et al. (2019), backbone of IL-LNS (docs/papers/cl_lns.md#(5))."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from models.graphs.backbone import TwoHalfConvolutions
from models.graphs.prenorm import Prenorm
from models.graphs.segments import segment_sum


class GCN(TwoHalfConvolutions):
    """Two half graph convolutions.

    Parameters
    ----------
    width
        Of every embedding.
    """

    def __init__(self, width: int = 64) -> None:
        super().__init__(GraphHalfConvolution(width), GraphHalfConvolution(width))


class GraphHalfConvolution(nn.Module):
    """``out_i = MLP([prenorm(sum_j W_f ReLU(prenorm(W_l t_i + W_e e_ij + W_r s_j)) + b_f), t_i])``.

    W_f is applied after the sum, to (targets, width) instead of (edges, width): the same by linearity. The prenorms divide
    only; they must be fitted in the order of their registration, each after the one before is in force.

    Parameters
    ----------
    width
        Of every embedding.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.target = nn.Linear(width, width)
        self.edge, self.source = nn.Linear(width, width, bias=False), nn.Linear(width, width, bias=False)
        self.message_norm = Prenorm(width, shift=False)
        self.message = nn.Linear(width, width)
        self.sum_norm = Prenorm(width, shift=False)
        self.output = nn.Sequential(nn.Linear(2 * width, width), nn.ReLU(), nn.Linear(width, width))

    def forward(
        self,
        source: Float[Tensor, "sources width"],
        target: Float[Tensor, "targets width"],
        source_of_edge: Int[Tensor, " edges"],
        target_of_edge: Int[Tensor, " edges"],
        e: Float[Tensor, "edges width"],
    ) -> Float[Tensor, "targets width"]:
        """See :class:`models.graphs.backbone.HalfConvolution`."""
        inner = self.edge(e)  # summed in place: allocating (edges, width) costs more than adding to it
        inner += self.target(target).index_select(0, target_of_edge)
        inner += self.source(source).index_select(0, source_of_edge)
        hidden = functional.relu(self.message_norm(inner), inplace=True)
        degree = torch.bincount(target_of_edge, minlength=len(target)).to(e.dtype)
        pooled = functional.linear(segment_sum(hidden, target_of_edge, len(target)), self.message.weight)
        pooled = self.sum_norm(pooled + degree[:, None] * self.message.bias)
        return self.output(torch.cat([pooled, target], 1))
