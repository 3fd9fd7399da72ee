"""FroSSL: views agree while the Frobenius norm of each covariance shrinks (Skean et al., 2024)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from models.precision import full_precision
from models.ssl.parts.losses.checks import check_views
from models.ssl.parts.losses.frobenius import product_moments
from models.ssl.parts.state.gather import gather
from runs.errors import ConfigError


@full_precision
def frossl(views: Sequence[Float[Tensor, "batch width"]], invariance: float = 1.0) -> Float[Tensor, ""]:
    """``sum_v ln ||Z_v^T Z_v / D||_F^2 + invariance V/B sum_n |Z_vn - mean_v Z_vn|^2``, columns made unit. Collective.

    D is the trace of ``Z_v^T Z_v``, so the first term is the negative entropy (of second order) of its eigenvalues.

    Parameters
    ----------
    views
        z of two or more views of the same images.
    invariance
        Weight of the second term.

    Raises
    ------
    ConfigError
        There are fewer than two views, the shapes differ, or there is one image only.
    """
    if len(views) < 2:
        raise ConfigError(f"frossl got {len(views)} view; it needs at least 2")
    check_views("frossl", *views)
    z = [functional.normalize(gather(view), dim=0) for view in views]
    mean = torch.stack(z).mean(0)
    width = mean.shape[1]
    loss = mean.new_zeros(())
    for view in z:
        distance = functional.mse_loss(view, mean) * width * len(z)
        loss = loss + product_moments(view, view).squares.log() - 2 * math.log(width) + invariance * distance
    return loss
