"""InfoNCE (van den Oord et al., 2018) against a queue, as in MoCo, or against the other images' keys, as in MoCo v3."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from models.precision import full_precision
from models.ssl.parts.losses.checks import check_positive, check_views
from models.ssl.parts.state.gather import gather, rank_offset
from models.ssl.parts.state.reduce import mean_over_processes


@full_precision
def infonce(
    queries: Float[Tensor, "batch width"],
    keys: Float[Tensor, "batch width"],
    negatives: Float[Tensor, "size width"],
    temperature: float = 0.2,
) -> Float[Tensor, ""]:
    """Mean cross-entropy of the logits ``[p . k+, p . Q] / T`` for the first, all rows made unit. Collective.

    Parameters
    ----------
    queries
        p.
    keys
        k+, of the same images; from a momentum encoder, without gradient.
    negatives
        Q, the same on every process (``FeatureQueue.features``).
    temperature
        T.

    Raises
    ------
    ConfigError
        T is not positive, or queries and keys have different shapes.
    """
    check_positive("infonce", temperature=temperature)
    check_views("infonce", queries, keys, rows=1)
    p = functional.normalize(queries) / temperature
    positive = (p * functional.normalize(keys)).sum(1)
    against = (p @ functional.normalize(negatives).T).logsumexp(1)
    return mean_over_processes(functional.softplus(against - positive).mean())


@full_precision
def cross_view(
    queries: Float[Tensor, "batch width"], keys: Float[Tensor, "batch width"], temperature: float = 0.2
) -> Float[Tensor, ""]:
    """Mean cross-entropy of ``p K^T / T`` over the keys of all processes, each query's own being right. Collective.

    Parameters
    ----------
    queries
        p, made unit.
    keys
        k of the same images, made unit; they may carry a gradient (NNCLR's predictions do, MoCo v3's keys do not).
    temperature
        T. MoCo v3 multiplies its loss by 2 T; this is left to the recipe.

    Raises
    ------
    ConfigError
        T is not positive, the shapes differ, or there is one image only.
    """
    check_positive("cross_view", temperature=temperature)
    check_views("cross_view", queries, keys)
    logits = functional.normalize(queries) / temperature @ gather(functional.normalize(keys)).T
    own = rank_offset(len(queries)) + torch.arange(len(queries), device=queries.device)
    return mean_over_processes(functional.cross_entropy(logits, own))
