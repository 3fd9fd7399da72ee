"""How well scores rank variables: against the best set that local branching found, and apart from the bad sets."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torchmetrics.functional.classification import binary_auroc
from torchmetrics.functional.retrieval import retrieval_recall

from data.ilp.state_batch import StateBatch
from models.ilp.losses import best_set, set_cosines


def ranking(scores: Float[Tensor, " variables"], batch: StateBatch, k: int) -> dict[str, Float[Tensor, " states"]]:
    """Quality of the scores of each state of a batch.

    Parameters
    ----------
    scores
        Logits.
    batch
        The states with their sets.
    k
        How many of the highest scores ``recall`` looks at.

    Returns
    -------
    dict
        ``auc``: the chance that a member of A* scores higher than another variable; ``recall``: the share of A* among the
        ``k`` highest scores; ``margin``: mean cosine of the good sets less that of the bad ones. NaN where undefined.
    """
    sizes = torch.bincount(batch.graph_of_variable, minlength=batch.graphs).tolist()
    states = list(zip(scores.split(sizes), best_set(batch).split(sizes), strict=True))
    return {
        "auc": torch.stack([auc(own, best) for own, best in states]),
        "recall": torch.stack([retrieval_recall(ranks(own), best, top_k=min(k, len(own))) for own, best in states]),
        "margin": margin(scores, batch),
    }


def auc(scores: Float[Tensor, " variables"], best: Bool[Tensor, " variables"]) -> Float[Tensor, ""]:
    """Area under the receiver operating characteristic; NaN where all or none are in the set."""
    if best.all() or not best.any():
        return scores.new_tensor(torch.nan)
    return binary_auroc(ranks(scores), best.long())


def margin(scores: Float[Tensor, " variables"], batch: StateBatch) -> Float[Tensor, " states"]:
    """Mean cosine of pi with the good sets of each state less that with its bad sets."""
    assert batch.sets is not None
    cosines, graph = set_cosines(scores, batch), batch.sets.graph
    good, bad = (
        torch.zeros(batch.graphs, device=scores.device).index_add(0, graph[chosen], cosines[chosen])
        / torch.bincount(graph[chosen], minlength=batch.graphs)
        for chosen in (batch.sets.positive, ~batch.sets.positive)
    )
    return good - bad


def ranks(scores: Float[Tensor, " variables"]) -> Float[Tensor, " variables"]:
    """Dense ranks in [0, 1]: torchmetrics would squash logits through a sigmoid, which makes ties of what differs."""
    _, rank = torch.unique(scores, return_inverse=True)
    return rank / rank.max().clamp(min=1)
