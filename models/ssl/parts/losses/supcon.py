"""Supervised contrastive loss (Khosla et al., 2020, equations 2 and 3)."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from models.precision import full_precision
from models.ssl.parts.losses.checks import check_positive, check_views
from models.ssl.parts.state.gather import gather, rank_offset
from models.ssl.parts.state.reduce import sum_over_processes
from runs.errors import ConfigError

Variant = Literal["in", "out"]


@full_precision
def supcon(
    z: Float[Tensor, "rows width"], labels: Int[Tensor, " rows"], temperature: float = 0.1, variant: Variant = "out"
) -> Float[Tensor, ""]:
    """``-mean_p log q_ip`` (out) or ``-log mean_p q_ip`` (in) over the rows p of i's label, mean over rows i. Collective.

    q is the softmax of cosine / T over all rows but i. Rows that are alone with their label do not count.

    Parameters
    ----------
    z
        Rows of all views, stacked.
    labels
        Class of each row.
    temperature
        T.
    variant
        Where the mean over the positives stands: outside or inside the logarithm.

    Raises
    ------
    ConfigError
        T is not positive, the variant is unknown, or there are not as many labels as rows.
    """
    check_positive("supcon", temperature=temperature)
    check_views("supcon", z)
    if variant not in ("in", "out"):
        raise ConfigError(f"variant of supcon is '{variant}'; choose in or out")
    if labels.shape != z.shape[:1]:
        raise ConfigError(f"supcon got {len(labels)} labels for {len(z)} rows; give each row of each view its own")
    own = functional.normalize(z)
    rows, classes = gather(own), gather(labels)
    start = rank_offset(len(own))
    similarity = own / temperature @ rows.T
    torch.diagonal(similarity.detach(), start).fill_(-torch.inf)
    same = labels[:, None] == classes
    torch.diagonal(same, start).fill_(False)
    positives = same.sum(1, dtype=own.dtype)
    left_out = ~same
    if variant == "out":
        positive = similarity.masked_fill(left_out, 0.0).sum(1) / positives.clamp(min=1)
    else:
        alone = (positives == 0)[:, None]
        positive = similarity.masked_fill(left_out, -torch.inf).masked_fill(alone, 0.0).logsumexp(1)
        positive = positive - positives.clamp(min=1).log()
    terms = torch.where(positives > 0, similarity.logsumexp(1) - positive, 0.0)
    return sum_over_processes(terms.sum()) / sum_over_processes((positives > 0).sum(dtype=own.dtype)).clamp(min=1)
