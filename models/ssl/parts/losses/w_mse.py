"""W-MSE: distance of whitened views (Ermolov et al., 2021)."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from models.precision import full_precision
from models.ssl.parts.losses.checks import check_views
from models.ssl.parts.losses.cosine import regression
from models.ssl.parts.state.gather import gather, processes
from runs.errors import ConfigError


@full_precision
def whiten(z: Float[Tensor, "*groups rows width"]) -> Float[Tensor, "*groups rows width"]:
    """``L^-1 (z - mean)`` per group, ``L L^T`` the Cholesky factors of its unbiased covariance: that becomes the identity.

    Raises
    ------
    ConfigError
        There are not more rows than dimensions.
    """
    rows, width = z.shape[-2:]
    if rows <= width:
        raise ConfigError(f"{rows} rows of width {width} cannot be whitened; give more rows than dimensions")
    centred = z - z.mean(-2, keepdim=True)
    covariance = centred.mT @ centred / (rows - 1)
    return torch.linalg.solve_triangular(torch.linalg.cholesky(covariance), centred.mT, upper=False).mT


@full_precision
def w_mse(
    a: Float[Tensor, "batch width"],
    b: Float[Tensor, "batch width"],
    sub_batch: int = 128,
    permutation: Int[Tensor, " all_rows"] | None = None,
) -> Float[Tensor, ""]:
    """Mean of ``2 - 2 cos`` of views that are whitened in random sub-batches, the same for both. Collective.

    Parameters
    ----------
    a, b
        z of two views of the same images.
    sub_batch
        Rows whitened together: at least 2 D, and a divisor of the batch of all processes.
    permutation
        Order in which the rows of all processes are cut into sub-batches; None: drawn from torch's generator, whose state
        must be the same on all processes.

    Raises
    ------
    ConfigError
        The sub-batch is too small or does not divide the batch, or the shapes differ.
    """
    check_views("w_mse", a, b)
    batch, width = len(a) * processes(), a.shape[1]
    if sub_batch < 2 * width:
        raise ConfigError(
            f"sub_batch of w_mse is {sub_batch}; whitening D = {width} is stable from 2 D = {2 * width} on"
        )
    if batch % sub_batch:
        raise ConfigError(f"sub_batch of w_mse is {sub_batch}; it must divide the batch of all processes, {batch}")
    order = torch.randperm(batch) if permutation is None else permutation
    groups = (gather(z)[order.to(z.device)].unflatten(0, (-1, sub_batch)) for z in (a, b))
    left, right = (whiten(group).flatten(0, 1) for group in groups)
    return regression(left, right)
