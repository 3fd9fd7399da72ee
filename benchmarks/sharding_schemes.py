"""How networks of sums over pieces are usually trained: the pieces of every sample are looked up and encoded anew."""

from __future__ import annotations

import torch
from torch import Tensor

from models.sharding.compute import ComputeCost


class PerSample:
    """Samples as lists of the kinds of their pieces, which are looked up one sample after the other.

    Parameters
    ----------
    network
        Whose layers are used.
    features
        (kinds, features) of every kind, standardised before.
    shards
        Kinds of the pieces of each sample.
    """

    def __init__(self, network: ComputeCost, features: Tensor, shards: list[list[int]]) -> None:
        self.network, self.features, self.shards = network, network.standardize(features), shards

    def together(self, samples: list[int]) -> Tensor:
        """Predictions: all pieces of the batch in one matrix, the encodings added by sample."""
        parts = [self.features[self.shards[sample]] for sample in samples]
        counts = torch.tensor([len(part) for part in parts])
        encoded = self.network.encoder(torch.cat(parts))
        shard = torch.repeat_interleave(torch.arange(len(parts)), counts)
        return self.network.price(torch.zeros(len(parts), self.network.width).index_add_(0, shard, encoded))

    def one_by_one(self, samples: list[int]) -> Tensor:
        """Predictions: the pieces of every sample encoded by themselves."""
        sums = [self.network.encoder(self.features[self.shards[sample]]).sum(0) for sample in samples]
        return self.network.price(torch.stack(sums))
