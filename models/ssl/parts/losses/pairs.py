"""Cosines of the rows of two views with those of all processes: what contrastive losses of pairs share."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from models.ssl.parts.state.gather import gather, rank_offset


class Pairs(NamedTuple):
    """This process's rows, in the order a_0, b_0, a_1, b_1, ..., against all rows in that order.

    Parameters
    ----------
    similarity
        (2 rows, 2 all rows) cosines over temperature; entries to leave out are -inf.
    positive
        (2 rows,) that of each row with its partner.
    """

    similarity: Float[Tensor, "rows all_rows"]
    positive: Float[Tensor, " rows"]


def similarities(
    a: Float[Tensor, "batch width"], b: Float[Tensor, "batch width"], temperature: float, partner: bool
) -> Pairs:
    """Pairs without self-similarities and, unless ``partner``, without the row's partner among its columns.

    -inf is written outside of autograd: a softmax has no gradient there. Collective.
    """
    own = functional.normalize(torch.stack([a, b], 1), dim=2)
    everyone = gather(own)
    positive = (own[:, 0] * own[:, 1]).sum(1).repeat_interleave(2) / temperature
    similarity = (own.flatten(0, 1) / temperature) @ everyone.flatten(0, 1).T
    blocks = similarity.detach().view(len(own), 2, len(everyone), 2)
    own_blocks = torch.diagonal(blocks, rank_offset(len(own)), 0, 2)
    if partner:
        torch.diagonal(own_blocks, 0, 0, 1).fill_(-torch.inf)
    else:
        own_blocks.fill_(-torch.inf)
    return Pairs(similarity, positive)
