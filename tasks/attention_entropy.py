"""How spread out attention is, from 0 (one key) to 1 (all keys alike)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torchmetrics import Metric

from runs.errors import ConfigError


def causal_entropy(maps: Float[Tensor, "*batch tokens tokens"], first_query: int) -> Float[Tensor, "*batch queries"]:
    """Entropy of each query's attention over its causal keys / ln(number of keys) (docs/papers/scan_snap.md#(16)).

    Parameters
    ----------
    maps
        Attention weights; query t, counted from 0, has the keys 0 to t.
    first_query
        The queries before it, which have few keys, are left out.
    """
    keys = torch.arange(first_query + 1, maps.shape[-2] + 1, device=maps.device, dtype=maps.dtype)
    return torch.special.entr(maps[..., first_query:, :]).sum(-1) / keys.log()


class AttentionEntropy(Metric):
    """Mean of :func:`causal_entropy` per layer, over sequences, heads and queries of all batches and ranks.

    Parameters
    ----------
    layers
        Number of layers.
    first_query
        First query that counts.

    Raises
    ------
    ConfigError
        The first query would have one key only.
    """

    total: Tensor
    count: Tensor

    def __init__(self, layers: int, first_query: int) -> None:
        super().__init__()
        if first_query < 1:
            raise ConfigError(f"first_query is {first_query}; give at least 1: the entropy over one key is always 0")
        self.first_query = first_query
        self.add_state("total", torch.zeros(layers, dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, maps: Float[Tensor, "layers batch heads tokens tokens"]) -> None:
        """Add the attention weights of a batch."""
        entropy = causal_entropy(maps.float(), self.first_query).flatten(1)
        self.total += entropy.sum(1, dtype=torch.float64)
        self.count += entropy.shape[1]

    def compute(self) -> Float[Tensor, " layers"]:
        """Normalised entropy of each layer."""
        return self.total / self.count
