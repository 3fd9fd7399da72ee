"""Contrastive and cross-entropy losses of label sets, one sparse product a batch (docs/papers/cl_lns.md#5.1, #5.2)."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
import torch.distributed
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional

from data.ilp.state_batch import LabelSets, StateBatch
from runs.errors import ConfigError

Reduction = Literal["pair", "state"]


class LossSum(NamedTuple):
    """A sum over terms and their number, so that means over several processes can be taken."""

    total: Float[Tensor, ""]
    terms: Float[Tensor, ""]

    @property
    def mean(self) -> Float[Tensor, ""]:
        """The mean over this process's terms; 0 where there are none."""
        return self.total / self.terms.clamp(min=1)

    @property
    def mean_over_processes(self) -> Float[Tensor, ""]:
        """This process's part of the mean over the terms of all processes, times their number.

        Its average over the processes, which is also what DDP makes of the gradients, is the mean over all terms, however
        unequal the processes' shares. Collective: every process must ask for it.
        """
        if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
            return self.mean
        terms = self.terms.clone()
        torch.distributed.all_reduce(terms)
        return self.total * torch.distributed.get_world_size() / terms.clamp(min=1)


def contrastive_loss(
    scores: Float[Tensor, " variables"], batch: StateBatch, temperature: float = 0.07, reduction: Reduction = "pair"
) -> LossSum:
    """``-log exp(s_a/T) / (exp(s_a/T) + sum_a' exp(s_a'/T))`` of each positive a against the negatives a' of its state.

    s is the cosine of the set's indicator and pi = sigmoid(score) of its state. Positives do not compete with each other.
    States without positives or without negatives do not count.

    Parameters
    ----------
    scores
        Logits.
    batch
        Where the variables belong, and the label sets.
    temperature
        T.
    reduction
        ``pair``: the terms are (state, positive) pairs; ``state``: they are the states' means.

    Returns
    -------
    LossSum
        Sum and number of terms.

    Raises
    ------
    ConfigError
        ``reduction`` is unknown, or the temperature is not positive.
    """
    if reduction not in ("pair", "state"):
        raise ConfigError(f"reduction of the contrastive loss is '{reduction}'; choose pair or state")
    if not temperature > 0:
        raise ConfigError(f"temperature of the contrastive loss is {temperature}; it must be above 0")
    sets = _sets(batch)
    similarity = set_cosines(scores, batch) / temperature
    negatives = _segment_logsumexp(similarity[~sets.positive], sets.graph[~sets.positive], batch.graphs)
    graph = sets.graph[sets.positive]
    against = negatives[graph]
    contested = against > -torch.inf
    graph = graph[contested]
    terms = functional.softplus(against[contested] - similarity[sets.positive][contested])
    positives = torch.bincount(graph, minlength=batch.graphs).to(terms.dtype)
    if reduction == "pair":
        return LossSum(terms.sum(), positives.sum())
    return LossSum((terms / positives[graph]).sum(), (positives > 0).sum().to(terms.dtype))


def set_cosines(scores: Float[Tensor, " variables"], batch: StateBatch) -> Float[Tensor, " sets"]:
    """Cosine of each set's indicator and pi of its state: ``sum_{j in a} pi_j / (|pi| sqrt|a|)``.

    The scale of pi cancels, so pi is divided by its largest entry first: nothing underflows, whatever the scores.
    """
    sets = _sets(batch)
    logarithm = functional.logsigmoid(scores)
    largest = _segment_max(logarithm.detach(), batch.graph_of_variable, batch.graphs)
    pi = (logarithm - largest[batch.graph_of_variable]).exp()
    norm = pi.new_zeros(batch.graphs).index_add(0, batch.graph_of_variable, pi.square()).sqrt()
    total = pi.new_zeros(len(sets.graph)).index_add(0, sets.set_of_member, pi.index_select(0, sets.member))
    size = torch.bincount(sets.set_of_member, minlength=len(sets.graph)).to(pi.dtype)
    return total / (norm[sets.graph] * size.sqrt())


def bce_loss(scores: Float[Tensor, " variables"], batch: StateBatch) -> LossSum:
    """Binary cross-entropy against the best set of a state, mean over its variables; a term per state with positives."""
    target = best_set(batch).to(scores.dtype)
    cross_entropy = functional.binary_cross_entropy_with_logits(scores, target, reduction="none")
    size = torch.bincount(batch.graph_of_variable, minlength=batch.graphs).to(scores.dtype)
    states = scores.new_zeros(batch.graphs).index_add(0, batch.graph_of_variable, cross_entropy) / size
    sets = _sets(batch)
    labelled = torch.bincount(sets.graph[sets.positive], minlength=batch.graphs) > 0
    return LossSum(states[labelled].sum(), labelled.sum().to(scores.dtype))


def best_set(batch: StateBatch) -> Bool[Tensor, " variables"]:
    """A*: mask of the variables in the positive set with the largest gain of each state, the first at ties."""
    sets = _sets(batch)
    gain = sets.gain.masked_fill(~sets.positive, -torch.inf)
    largest = _segment_max(gain, sets.graph, batch.graphs)
    leading = sets.positive & (gain == largest[sets.graph])
    index = torch.arange(len(gain), device=gain.device)
    first = index.new_full((batch.graphs,), len(gain))
    first = first.scatter_reduce(0, sets.graph[leading], index[leading], "amin")
    chosen = sets.member[index[sets.set_of_member] == first[sets.graph[sets.set_of_member]]]
    mask = torch.zeros(len(batch.graph_of_variable), dtype=torch.bool, device=gain.device)
    return mask.index_fill(0, chosen, True)


def _sets(batch: StateBatch) -> LabelSets:
    if batch.sets is None:
        raise ConfigError("the batch has no label sets; a loss needs states made by an expert")
    return batch.sets


def _segment_max(
    values: Float[Tensor, " items"], segment: Int[Tensor, " items"], segments: int
) -> Float[Tensor, " segments"]:
    return values.new_full((segments,), -torch.inf).scatter_reduce(0, segment, values, "amax")


def _segment_logsumexp(
    values: Float[Tensor, " items"], segment: Int[Tensor, " items"], segments: int
) -> Float[Tensor, " segments"]:
    """-inf where a segment is empty."""
    largest = _segment_max(values.detach(), segment, segments)
    total = values.new_zeros(segments).index_add(0, segment, (values - largest[segment]).exp())
    return largest.nan_to_num(neginf=0.0) + total.log()
