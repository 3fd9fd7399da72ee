"""Graph attention over a bipartite graph, the backbone of CL-LNS (docs/papers/cl_lns.md#4.2)."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from models.graphs.backbone import TwoHalfConvolutions
from models.graphs.segments import segment_softmax, segment_sum
from runs.errors import ConfigError

Heads = Literal["aligned", "sliced"]
SOURCE, EDGE = 1, 2
"""Places in the concatenation [target, source, edge] that attention scores; the target is first."""


class GAT(TwoHalfConvolutions):
    """Two half convolutions with attention, no residual and no normalisation inside.

    Parameters
    ----------
    width
        Of every embedding.
    number_of_heads
        H; a divisor of the width.
    heads
        ``aligned``: head h scores channels of head h of target, source and edge. ``sliced``: the concatenated vector of
        3 width entries is cut into H pieces, as the released code does by mistake: of 8 heads the first two see the target
        alone (mean pooling, the softmax being constant) and the last two the edge alone.
    negative_slope
        Of the LeakyReLU.

    Raises
    ------
    ConfigError
        ``heads`` is unknown or the width no multiple of the number of heads.
    """

    def __init__(
        self, width: int = 64, number_of_heads: int = 8, heads: Heads = "aligned", negative_slope: float = 0.2
    ) -> None:
        if heads not in ("aligned", "sliced"):
            raise ConfigError(f"backbone.heads is '{heads}'; choose aligned or sliced")
        if number_of_heads < 1 or width % number_of_heads:
            raise ConfigError(
                f"backbone.width is {width} and number_of_heads {number_of_heads}; the width must be a multiple of the heads"
            )
        halves = (AttentionHalfConvolution(width, number_of_heads, heads, negative_slope) for _ in range(2))
        super().__init__(*halves)
        self.heads, self.negative_slope = heads, negative_slope

    def extra_repr(self) -> str:
        """What its weights do not tell."""
        return f"heads={self.heads}, negative_slope={self.negative_slope}"


class AttentionHalfConvolution(nn.Module):
    """``out_i = MLP([concat_h sum_j alpha_ij^h l_j^h, target_i])``, l = W_l source + b_l, with

    ``alpha_ij^h = softmax_j att_h . LeakyReLU([r_i^h, l_j^h, e_ij^h])``, r = W_r target + b_r.

    Parameters
    ----------
    width, number_of_heads, heads, negative_slope
        As in :class:`GAT`.

    Notes
    -----
    LeakyReLU acts on each entry by itself, so a logit is a sum of a target's, a source's and an edge's part: scores are
    calculated per node, (nodes, H), and no edge carries the concatenated vector. The target's part is the same for all
    neighbours and cancels in the softmax: W_r and b_r have no influence on the output, in the released network neither.
    They are kept, without gradient, so that released weights load and the number of parameters is the paper's.
    """

    entry: Tensor

    def __init__(self, width: int, number_of_heads: int, heads: Heads, negative_slope: float) -> None:
        super().__init__()
        self.source, self.target = nn.Linear(width, width), nn.Linear(width, width).requires_grad_(False)
        self.attention = nn.Parameter(torch.randn(number_of_heads, 3, width // number_of_heads))
        self.output = nn.Sequential(nn.Linear(2 * width, width), nn.ReLU(), nn.Linear(width, width))
        self.negative_slope = negative_slope
        entry = torch.arange(3 * width)
        if heads == "aligned":
            entry = entry.view(number_of_heads, 3, -1).transpose(0, 1)
        self.register_buffer("entry", entry.reshape(3, width), persistent=False)

    def forward(
        self,
        source: Float[Tensor, "sources width"],
        target: Float[Tensor, "targets width"],
        source_of_edge: Int[Tensor, " edges"],
        target_of_edge: Int[Tensor, " edges"],
        e: Float[Tensor, "edges width"],
    ) -> Float[Tensor, "targets width"]:
        """See :class:`models.graphs.backbone.HalfConvolution`."""
        l = self.source(source)  # noqa: E741 - the paper's name
        logits = self._score(l, SOURCE).index_select(0, source_of_edge) + self._score(e, EDGE)
        alpha = segment_softmax(logits, target_of_edge, len(target))
        messages = l.index_select(0, source_of_edge).unflatten(1, (alpha.shape[1], -1)) * alpha[:, :, None]
        pooled = segment_sum(messages.flatten(1), target_of_edge, len(target))
        return self.output(torch.cat([pooled, target], 1))

    def _score(self, x: Float[Tensor, "items width"], part: int) -> Float[Tensor, "items heads"]:
        """What one part of the concatenation adds to the logit of each head."""
        entry = self.entry[part]
        heads, _, channels = self.attention.shape
        head = functional.one_hot(entry // (3 * channels), heads)
        weights = self.attention.flatten().index_select(0, entry)[:, None] * head
        return functional.leaky_relu(x, self.negative_slope) @ weights
