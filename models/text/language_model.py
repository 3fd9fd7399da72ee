"""The small causal transformer that the WikiText runs of Scan and Snap train (docs/papers/scan_snap.md#2.6)."""

from __future__ import annotations

import math

from jaxtyping import Float, Int
from torch import Tensor, nn

from models.encoders.dropout import SharedDropout
from models.encoders.positions import sinusoidal_positions
from models.encoders.transformer import Activation, Norm, Transformer


class TransformerLanguageModel(nn.Module):
    """Embedding times sqrt(d) plus sinusoidal positions, causal blocks, and a linear decoder of its own.

    Parameters
    ----------
    vocabulary_size
        M, the number of token ids.
    context
        Longest sequence.
    layers, width, heads, feed_forward, dropout, norm, activation
        As in :class:`models.encoders.transformer.Transformer`; ``dropout`` also applies to the embedded tokens.
    """

    positions: Tensor

    def __init__(
        self,
        vocabulary_size: int,
        context: int,
        layers: int,
        width: int,
        heads: int,
        feed_forward: int,
        dropout: float = 0.0,
        norm: Norm = "post",
        activation: Activation = "relu",
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary_size, width)
        self.transformer = Transformer(layers, width, heads, feed_forward, dropout, norm, activation, causal=True)
        self.decoder = nn.Linear(width, vocabulary_size)
        self.dropout = SharedDropout(dropout)
        self.register_buffer("positions", sinusoidal_positions(context, width), persistent=False)
        self._initialise_tables()
        self._register_load_state_dict_pre_hook(self._resize_as_stored)

    def resize(self, vocabulary_size: int) -> None:
        """Begin anew with tables for so many token ids; weights that are loaded bring their own number."""
        width, device = self.embedding.embedding_dim, self.embedding.weight.device
        self.embedding = nn.Embedding(vocabulary_size, width, device=device)
        self.decoder = nn.Linear(width, vocabulary_size, device=device)
        self._initialise_tables()

    def _initialise_tables(self) -> None:
        nn.init.uniform_(self.embedding.weight, -0.1, 0.1)
        nn.init.uniform_(self.decoder.weight, -0.1, 0.1)
        nn.init.zeros_(self.decoder.bias)

    def _resize_as_stored(self, state: dict[str, Tensor], prefix: str, *_: object) -> None:
        stored = state.get(f"{prefix}embedding.weight")
        if stored is not None and stored.dim() == 2 and len(stored) != self.vocabulary_size:
            self.resize(len(stored))

    @property
    def vocabulary_size(self) -> int:
        """M, the number of token ids."""
        return self.embedding.num_embeddings

    @property
    def context(self) -> int:
        """Longest sequence."""
        return len(self.positions)

    @property
    def layers(self) -> int:
        """Number of blocks."""
        return len(self.transformer.blocks)

    def feed_forward_parameters(self) -> list[nn.Parameter]:
        """Weights and biases of the feed-forward networks of all blocks."""
        return [p for name, p in self.named_parameters() if ".feed_forward." in name]

    def forward(
        self, tokens: Int[Tensor, "batch tokens"], need_weights: bool = False
    ) -> tuple[Float[Tensor, "batch tokens vocabulary"], Float[Tensor, "layers batch heads tokens tokens"] | None]:
        """Logits of the next token at every position and, if asked for, the attention weights.

        Raises
        ------
        ValueError
            The sequence is longer than ``context``.
        """
        length = tokens.shape[-1]
        if length > self.context:
            raise ValueError(f"the sequence has {length} tokens, more than the context of {self.context}")
        embedded = self.embedding(tokens) * math.sqrt(self.embedding.embedding_dim) + self.positions[:length]
        hidden, maps = self.transformer(self.dropout(embedded), need_weights)
        return self.decoder(hidden), maps
