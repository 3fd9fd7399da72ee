"""The one-layer transformer of Scan and Snap, many replicas at once (docs/papers/scan_snap.md#2.1)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from models.precision import full_precision
from models.text.closed_form import NormalizedAttentionCrossEntropy, exponentials
from models.text.parametrization import Embedding, Init, Pairwise, Shape
from runs.errors import ConfigError

Normalization = Literal["norm", "torch", "none"]


class OneLayerTransformer(nn.Module):
    """Attention of the last token over the tokens before it, LN, decoder; one replica per seed along the axis R.

    The defaults are the paper's model: no positions, the query itself is not attended to, and LN(c) = c / ||c||_2 without
    centring. What attention yields depends on how often each token occurs only, so contexts come as counts. Token ids:
    0 to ``context_size - 1`` occur before the query, the queries follow.

    Parameters
    ----------
    vocabulary_size
        M.
    context_size
        Number of tokens that occur before the query.
    queries
        Number of query tokens m.
    seeds
        One per replica.
    parametrization
        :class:`~models.text.parametrization.Pairwise` or :class:`~models.text.parametrization.Embedding`, partially applied.
    init
        Start of the parameters, "uniform" or "zeros".
    normalization
        "norm", the paper's LN; "torch", the layer norm of torch, which also centres; or "none".
    heads
        Attention heads, concatenated before LN.
    attend_query
        The query attends to itself too.
    residual
        LN(c + e_m) instead of LN(c).
    positions
        T, to add sinusoidal encodings of unit length to the tokens; None for no positions.

    Raises
    ------
    ConfigError
        ``normalization`` is unknown, or ``heads`` is below 1.
    """

    def __init__(
        self,
        vocabulary_size: int,
        context_size: int,
        queries: int,
        seeds: Sequence[int],
        parametrization: Callable[..., Pairwise | Embedding] = Pairwise,
        init: Init = "uniform",
        normalization: Normalization = "norm",
        heads: int = 1,
        attend_query: bool = False,
        residual: bool = False,
        positions: int | None = None,
    ) -> None:
        super().__init__()
        if normalization not in ("norm", "torch", "none"):
            raise ConfigError(
                f"normalization of the one-layer transformer is '{normalization}'; choose norm, torch or none"
            )
        if heads < 1:
            raise ConfigError(f"heads of the one-layer transformer is {heads}; give at least 1")
        self.context_size, self.queries = context_size, queries
        self.normalization, self.attend_query, self.residual = normalization, attend_query, residual
        width = context_size + queries if attend_query or residual else context_size
        if positions is not None or normalization == "torch":
            width = vocabulary_size  # encodings and centring reach every coordinate
        first, rows = (context_size, queries) if positions is None else (0, vocabulary_size)
        self.shape = Shape(vocabulary_size, first, rows, width, heads)
        self.weights = parametrization(self.shape, seeds, init=init)
        encoding = None if positions is None else sinusoids(positions, vocabulary_size)
        self.register_buffer("encoding", encoding, persistent=False)
        self.is_plain = (normalization, heads, residual, positions) == ("norm", 1, False, None)

    @full_precision
    def loss(
        self,
        query: Int[Tensor, "R batch"],
        counts: Float[Tensor, "R batch context"],
        target: Int[Tensor, "R batch"],
        tokens: Int[Tensor, "R batch length"] | None = None,
    ) -> Float[Tensor, " R"]:
        """Cross-entropy of the next token, mean over the batch; arguments as in :meth:`forward`."""
        if self.is_plain:
            Z, Y = self.weights()
            return NormalizedAttentionCrossEntropy.apply(Z[:, 0], Y, query, self._seen(query, counts), target)
        logits = self(query, counts, tokens)
        return (
            functional.cross_entropy(logits.flatten(0, 1), target.flatten(), reduction="none").view_as(target).mean(1)
        )

    @full_precision
    def forward(
        self,
        query: Int[Tensor, "R batch"],
        counts: Float[Tensor, "R batch context"],
        tokens: Int[Tensor, "R batch length"] | None = None,
    ) -> Float[Tensor, "R batch vocabulary"]:
        """Logits Y^T LN(c) of the next token.

        Parameters
        ----------
        query
            Index of the query token, 0 to ``queries - 1``.
        counts
            How often each token occurs before the query.
        tokens
            The tokens before the query in order, needed with positions only.
        """
        _, Y = self.weights()
        if self.get_buffer("encoding") is None:
            c = self.attention(query, counts)
        else:
            assert tokens is not None, "a model with positions needs the tokens in order"
            c = self._attention_with_positions(query, tokens)
        if self.residual:
            c = c + self._one_hot(query)[:, None]
        c = c.transpose(1, 2).flatten(2)
        if self.normalization == "norm":
            c = functional.normalize(c, dim=-1)
        elif self.normalization == "torch":
            c = functional.layer_norm(c, c.shape[-1:])
        return c @ Y

    def attention(
        self, query: Int[Tensor, "R batch"], counts: Float[Tensor, "R batch context"]
    ) -> Float[Tensor, "R heads batch width"]:
        """c, the share of attention that each token gets; positions, being independent of the tokens, cancel out.

        With (T - 1) P(l|n) as ``counts`` it is c_{l|m,n} of the theory, the limit of long sequences.
        """
        logits = _rows(self.attention_logits(), query)
        weights = exponentials(logits, self._seen(query, counts)[:, None])
        return weights / weights.sum(-1, keepdim=True)

    def attention_logits(self) -> Float[Tensor, "R heads queries width"]:
        """z_ml of every query m, the part of the query's own position included."""
        Z, _ = self.weights()
        encoding = self.get_buffer("encoding")
        if encoding is None:
            return Z
        own = Z[:, :, self.context_size : self.context_size + self.queries]
        return own + (encoding[-1] @ Z)[:, :, None]

    def _attention_with_positions(
        self, query: Int[Tensor, "R batch"], tokens: Int[Tensor, "R batch length"]
    ) -> Float[Tensor, "R heads batch width"]:
        encoding = self.get_buffer("encoding")
        assert encoding is not None
        if self.attend_query:
            tokens = torch.cat([tokens, self.context_size + query[..., None]], dim=-1)
        encoding = encoding[: tokens.shape[-1]]
        logits = _rows(self.attention_logits(), query)
        places = tokens[:, None].expand(-1, logits.shape[1], -1, -1)
        b = (logits.gather(-1, places) + logits @ encoding.mT).softmax(-1)
        return torch.zeros_like(logits).scatter_add(-1, places, b) + b @ encoding

    def _seen(
        self, query: Int[Tensor, "R batch"], counts: Float[Tensor, "R batch context"]
    ) -> Float[Tensor, "R batch width"]:
        """Counts over all tokens that the model may attend to."""
        if counts.shape[-1] < self.shape.width:
            counts = functional.pad(counts, (0, self.shape.width - counts.shape[-1]))
        return counts + self._one_hot(query) if self.attend_query else counts

    def _one_hot(self, query: Int[Tensor, "R batch"]) -> Float[Tensor, "R batch width"]:
        return functional.one_hot(self.context_size + query, self.shape.width).to(next(self.parameters()).dtype)


def sinusoids(length: int, dimension: int) -> Float[Tensor, "length dimension"]:
    """Sinusoidal positional encodings, scaled to unit length as token vectors are.

    References
    ----------
    Vaswani et al., Attention is all you need (2017), section 3.5.
    """
    frequency = torch.exp(-math.log(10_000.0) * torch.arange(0, dimension, 2) / dimension)
    angle = torch.arange(length)[:, None] * frequency
    return functional.normalize(torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1)[:, :dimension], dim=-1)


def _rows(
    logits: Float[Tensor, "R heads queries width"], query: Int[Tensor, "R batch"]
) -> Float[Tensor, "R heads batch width"]:
    """The logits of each sample's own query."""
    index = query[:, None, :, None].expand(-1, logits.shape[1], -1, logits.shape[-1])
    return logits.gather(2, index)
