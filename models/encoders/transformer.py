"""The transformer block, post-norm or pre-norm, causal or not; attention maps are returned on request."""

from __future__ import annotations

import math
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from models.encoders.drop_path import DropPath
from models.encoders.dropout import SharedDropout

Norm = Literal["post", "pre"]
Activation = Literal["relu", "gelu"]


class SelfAttention(nn.Module):
    """Multi-head scaled dot-product attention of a sequence to itself.

    Parameters
    ----------
    width
        d, the dimension of a token; a multiple of ``heads``.
    heads
        Number of heads, each of d / heads dimensions.
    dropout
        Of the attention weights.
    causal
        A token attends to itself and the tokens before it only.

    References
    ----------
    Vaswani et al., Attention is all you need (2017), section 3.2.
    """

    def __init__(self, width: int, heads: int, dropout: float = 0.0, causal: bool = False) -> None:
        super().__init__()
        if heads < 1 or width % heads:
            raise ValueError(f"width is {width} and heads {heads}; the width must be a multiple of the heads")
        self.heads = heads
        self.causal = causal
        self.project_in = nn.Linear(width, 3 * width)
        self.project_out = nn.Linear(width, width)
        self.dropout = SharedDropout(dropout)
        nn.init.xavier_uniform_(self.project_in.weight)
        nn.init.zeros_(self.project_in.bias)
        nn.init.zeros_(self.project_out.bias)

    def forward(
        self, x: Float[Tensor, "batch tokens width"], need_weights: bool = False
    ) -> tuple[Float[Tensor, "batch tokens width"], Float[Tensor, "batch heads tokens tokens"] | None]:
        """Attended values and, if asked for, the weights before dropout: rows are queries and sum to one over the keys."""
        query, key, value = self.project_in(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        weights = None
        # the fused kernel's backward pass in bfloat16 takes 3 to 8 times as long on a CPU, 17 to 197 tokens
        slow = query.device.type == "cpu" and query.dtype == torch.bfloat16
        if need_weights or slow or (self.training and self.dropout.probability):
            weights = self._weights(query, key)
            mixed = self.dropout(weights) @ value
        else:
            mixed = functional.scaled_dot_product_attention(query, key, value, is_causal=self.causal)
        return self.project_out(mixed.transpose(1, 2).flatten(-2)), weights if need_weights else None

    def _weights(self, query: Tensor, key: Tensor) -> Tensor:
        scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])
        if self.causal:
            later = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).triu(1)
            scores = scores.masked_fill(later, -math.inf)
        return scores.softmax(-1)


class TransformerBlock(nn.Module):
    """Attention and a feed-forward network, each with a residual connection, a layer norm and dropout.

    Parameters
    ----------
    width, heads, causal
        As in :class:`SelfAttention`.
    feed_forward
        Hidden width of the feed-forward network.
    dropout
        Of attention weights, hidden units and the output of either part.
    norm
        "post": norm(x + part(x)), as in the original transformer; "pre": x + part(norm(x)).
    activation
        Of the hidden units.
    drop_path
        Probability that a sequence skips either part in training.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        feed_forward: int,
        dropout: float = 0.0,
        norm: Norm = "post",
        activation: Activation = "relu",
        causal: bool = False,
        drop_path: float = 0.0,
    ) -> None:
        super().__init__()
        if norm not in ("post", "pre"):
            raise ValueError(f"norm is '{norm}'; choose post or pre")
        if activation not in ("relu", "gelu"):
            raise ValueError(f"activation is '{activation}'; choose relu or gelu")
        self.norm = norm
        self.attention = SelfAttention(width, heads, dropout, causal)
        self.feed_forward = nn.Sequential(
            nn.Linear(width, feed_forward),
            nn.ReLU() if activation == "relu" else nn.GELU(),
            SharedDropout(dropout),
            nn.Linear(feed_forward, width),
        )
        self.attention_norm = nn.LayerNorm(width)
        self.feed_forward_norm = nn.LayerNorm(width)
        self.dropout = SharedDropout(dropout)
        self.drop_path = DropPath(drop_path)

    def forward(
        self, x: Float[Tensor, "batch tokens width"], need_weights: bool = False
    ) -> tuple[Float[Tensor, "batch tokens width"], Float[Tensor, "batch heads tokens tokens"] | None]:
        """The transformed tokens and, if asked for, the attention weights of every head."""
        if self.norm == "pre":
            attended, weights = self.attention(self.attention_norm(x), need_weights)
            x = x + self.drop_path(self.dropout(attended))
            return x + self.drop_path(self.dropout(self.feed_forward(self.feed_forward_norm(x)))), weights
        attended, weights = self.attention(x, need_weights)
        x = self.attention_norm(x + self.drop_path(self.dropout(attended)))
        return self.feed_forward_norm(x + self.drop_path(self.dropout(self.feed_forward(x)))), weights


class Transformer(nn.Module):
    """A stack of blocks; pre-norm stacks end with a layer norm.

    Parameters
    ----------
    layers
        Number of blocks.
    width, heads, feed_forward, dropout, norm, activation, causal
        As in :class:`TransformerBlock`.
    drop_path
        Of the last block; the blocks before it have evenly less, down to 0 in the first.
    """

    def __init__(
        self,
        layers: int,
        width: int,
        heads: int,
        feed_forward: int,
        dropout: float = 0.0,
        norm: Norm = "post",
        activation: Activation = "relu",
        causal: bool = False,
        drop_path: float = 0.0,
    ) -> None:
        super().__init__()
        if layers < 1:
            raise ValueError(f"layers is {layers}; give at least 1")
        self.blocks = nn.ModuleList(
            TransformerBlock(
                width, heads, feed_forward, dropout, norm, activation, causal, drop_path * index / max(layers - 1, 1)
            )
            for index in range(layers)
        )
        self.last_norm = nn.LayerNorm(width) if norm == "pre" else nn.Identity()

    def forward(
        self, x: Float[Tensor, "batch tokens width"], need_weights: bool = False
    ) -> tuple[Float[Tensor, "batch tokens width"], Float[Tensor, "layers batch heads tokens tokens"] | None]:
        """The transformed tokens and, if asked for, the attention weights of every layer and head."""
        maps = []
        for block in self.blocks:
            x, weights = block(x, need_weights)
            maps.append(weights)
        return self.last_norm(x), torch.stack(maps) if need_weights else None

    def outputs(self, x: Float[Tensor, "batch tokens width"]) -> list[Float[Tensor, "batch tokens width"]]:
        """The tokens after every block, before the last norm."""
        outputs = []
        for block in self.blocks:
            x, _ = block(x)
            outputs.append(x)
        return outputs
