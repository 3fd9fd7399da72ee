"""The Kozachenko-Leonenko regulariser: neighbours keep apart (Sablayrolles et al., 2019; DINOv2)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from models.precision import full_precision
from models.ssl.parts.losses.checks import check_views
from models.ssl.parts.state.gather import gather, rank_offset
from models.ssl.parts.state.reduce import mean_over_processes

EPSILON = 1e-8


@full_precision
def koleo(x: Float[Tensor, "batch width"]) -> Float[Tensor, ""]:
    """``-mean_i ln(|x_i - x_nn + eps| + eps)`` of unit rows and their nearest row of any process, eps 1e-8. Collective.

    Parameters
    ----------
    x
        One view, any length; DINOv2 takes [CLS] of each global crop by itself.

    Raises
    ------
    ConfigError
        There is one row only.
    """
    check_views("koleo", x)
    own = functional.normalize(x)
    rows = gather(own)
    with torch.no_grad():
        similarity = own @ rows.T
        torch.diagonal(similarity, rank_offset(len(own))).fill_(-torch.inf)
        nearest = similarity.argmax(1)
    distance = (own - rows.index_select(0, nearest) + EPSILON).norm(dim=1)
    return mean_over_processes(-(distance + EPSILON).log().mean())
