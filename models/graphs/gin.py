"""Graph isomorphism network with edge embeddings over a bipartite graph (docs/papers/cl_lns.md#(6))."""

from __future__ import annotations

from itertools import pairwise

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from models.graphs.backbone import TwoHalfConvolutions
from models.graphs.segments import segment_sum


class GIN(TwoHalfConvolutions):
    """Two half convolutions of a graph isomorphism network.

    Parameters
    ----------
    width
        Of every embedding.
    epsilon
        Start of the learned weight that a node gives itself.
    """

    def __init__(self, width: int = 64, epsilon: float = 0.5) -> None:
        super().__init__(IsomorphismHalfConvolution(width, epsilon), IsomorphismHalfConvolution(width, epsilon))


class IsomorphismHalfConvolution(nn.Module):
    """``out_i = MLP((1 + epsilon) t_i + sum_j ReLU(s_j + e_ij))``, an MLP of widths 1, 2, 4, 2, 1 times the width.

    Parameters
    ----------
    width, epsilon
        As in :class:`GIN`.

    References
    ----------
    Xu et al., How powerful are graph neural networks? (2019), with the edges of Hu et al. (2020).
    """

    def __init__(self, width: int, epsilon: float) -> None:
        super().__init__()
        self.epsilon = nn.Parameter(torch.tensor([epsilon]))
        layers: list[nn.Module] = []
        for before, after in pairwise([width, 2 * width, 4 * width, 2 * width, width]):
            layers += [nn.Linear(before, after), nn.ReLU()]
        self.output = nn.Sequential(*layers[:-1])

    def forward(
        self,
        source: Float[Tensor, "sources width"],
        target: Float[Tensor, "targets width"],
        source_of_edge: Int[Tensor, " edges"],
        target_of_edge: Int[Tensor, " edges"],
        e: Float[Tensor, "edges width"],
    ) -> Float[Tensor, "targets width"]:
        """See :class:`models.graphs.backbone.HalfConvolution`."""
        messages = functional.relu(source.index_select(0, source_of_edge) + e)
        return self.output((1 + self.epsilon) * target + segment_sum(messages, target_of_edge, len(target)))
