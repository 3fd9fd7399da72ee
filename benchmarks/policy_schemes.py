"""How the forward pass and the loss are usually written: a vector per edge, a dense indicator per set."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from data.ilp.state_batch import StateBatch


class AttentionPerEdge(nn.Module):
    """Our half convolution with attention, evaluated on the concatenation [target, source, edge] of every edge."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(
        self, source: Tensor, target: Tensor, source_of_edge: Tensor, target_of_edge: Tensor, e: Tensor
    ) -> Tensor:
        layer: Any = self.layer
        heads, _, channels = layer.attention.shape
        left, right = layer.source(source), layer.target(target)
        parts = [x.view(-1, heads, channels) for x in (right[target_of_edge], left[source_of_edge], e)]
        x = functional.leaky_relu(torch.cat(parts, 2), layer.negative_slope)
        logits = (x * layer.attention.flatten(1)).sum(2)
        index = target_of_edge[:, None].expand_as(logits)
        largest = logits.new_full((len(target), heads), -torch.inf).scatter_reduce(0, index, logits, "amax")
        weights = (logits - largest[target_of_edge]).exp()
        alpha = weights / torch.zeros_like(largest).scatter_add(0, index, weights)[target_of_edge]
        messages = (left[source_of_edge].view(-1, heads, channels) * alpha[:, :, None]).flatten(1)
        return layer.output(torch.cat([_scattered(messages, target_of_edge, len(target)), target], 1))


class GraphConvolutionPerEdge(nn.Module):
    """Our half graph convolution with all matrices applied to every edge."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(
        self, source: Tensor, target: Tensor, source_of_edge: Tensor, target_of_edge: Tensor, e: Tensor
    ) -> Tensor:
        layer: Any = self.layer
        x = layer.target(target[target_of_edge]) + layer.edge(e) + layer.source(source[source_of_edge])
        messages = layer.message(functional.relu(layer.message_norm(x)))
        pooled = layer.sum_norm(_scattered(messages, target_of_edge, len(target)))
        return layer.output(torch.cat([pooled, target], 1))


def _scattered(messages: Tensor, target_of_edge: Tensor, targets: int) -> Tensor:
    index = target_of_edge[:, None].expand_as(messages)
    return messages.new_zeros(targets, messages.shape[1]).scatter_add(0, index, messages)


def loss_one_by_one(scores: Tensor, batch: StateBatch, temperature: float = 0.07) -> Tensor:
    """The contrastive loss the released way: a dense indicator per set, appended to one matrix set by set."""
    assert batch.sets is not None
    embeddings = torch.sigmoid(scores).view(batch.graphs, -1)
    n = embeddings.shape[1]
    for s, graph in enumerate(batch.sets.graph.tolist()):
        indicator = torch.zeros(1, n)
        indicator[0, batch.sets.member[batch.sets.set_of_member == s] - graph * n] = 1
        embeddings = torch.cat([embeddings, indicator])
    return _loss_of_matrix(embeddings, batch, temperature)


def loss_with_dense_sets(scores: Tensor, batch: StateBatch, temperature: float = 0.07) -> Tensor:
    """The same with the indicators made at once."""
    assert batch.sets is not None
    pi = torch.sigmoid(scores).view(batch.graphs, -1)
    indicators = torch.zeros(len(batch.sets.graph), pi.shape[1])
    indicators[batch.sets.set_of_member, batch.sets.member % pi.shape[1]] = 1
    return _loss_of_matrix(torch.cat([pi, indicators]), batch, temperature)


def _loss_of_matrix(embeddings: Tensor, batch: StateBatch, temperature: float) -> Tensor:
    """Rows: the states' pi, then the sets; every state against every set, of which its own count."""
    assert batch.sets is not None
    rows = functional.normalize(embeddings)
    similarity = rows[: batch.graphs] @ rows[batch.graphs :].T / temperature
    terms = []
    for g in range(batch.graphs):
        own = batch.sets.graph == g
        good, bad = similarity[g, own & batch.sets.positive], similarity[g, own & ~batch.sets.positive]
        against = bad.expand(len(good), -1)
        terms.append(functional.cross_entropy(torch.cat([good[:, None], against], 1), torch.zeros_like(good).long()))
    return torch.stack(terms).mean()
