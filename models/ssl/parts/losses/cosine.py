"""Losses of the cosine between prediction and target: SimSiam's and BYOL's."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from models.precision import full_precision
from models.ssl.parts.losses.checks import check_views
from models.ssl.parts.state.reduce import mean_over_processes


@full_precision
def negative_cosine(p: Float[Tensor, "batch width"], t: Float[Tensor, "batch width"]) -> Float[Tensor, ""]:
    """``-mean cos(p, t)`` (Chen and He, 2021, equation 1). Collective.

    Parameters
    ----------
    p, t
        Predictions and targets. Whether the target has a gradient is the recipe's affair.

    Raises
    ------
    ConfigError
        The shapes differ.
    """
    check_views("negative_cosine", p, t, rows=1)
    lengths = torch.linalg.vector_norm(p, dim=1) * torch.linalg.vector_norm(t, dim=1)
    cosine = torch.linalg.vecdot(p, t) / lengths.clamp(min=torch.finfo(p.dtype).tiny)
    return mean_over_processes(-cosine.mean())


@full_precision
def regression(p: Float[Tensor, "batch width"], t: Float[Tensor, "batch width"]) -> Float[Tensor, ""]:
    """``mean (2 - 2 cos(p, t))``, the squared distance of unit rows (Grill et al., 2020, equation 2). Collective.

    Parameters
    ----------
    p, t
        Predictions and targets.

    Raises
    ------
    ConfigError
        The shapes differ.
    """
    return 2 + 2 * negative_cosine(p, t)
