"""Maximum manifold capacity representations: few dimensions per image, many for all (Yerxa et al., 2023)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from models.precision import full_precision
from models.ssl.parts.losses.checks import check_views
from models.ssl.parts.state.gather import gather
from models.ssl.parts.state.reduce import mean_over_processes
from runs.errors import ConfigError


@full_precision
def mmcr(views: Float[Tensor, "batch views width"], compression: float = 0.005) -> Float[Tensor, ""]:
    """``-||C||_* + compression mean_i ||Z_i||_*``: nuclear norms of the centroids and of each image's views. Collective.

    Parameters
    ----------
    views
        z of all views of each image; of unit length in the paper, which is left to the recipe.
    compression
        lambda, weight of the second term.

    Raises
    ------
    ConfigError
        There are fewer than two views, or there is one image only.
    """
    check_views("mmcr", views)
    if views.shape[1] < 2:
        raise ConfigError(f"mmcr got {views.shape[1]} view of each image; it needs at least 2")
    (spread,) = nuclear_norms(gather(views.mean(1))[None])
    return compression * mean_over_processes(nuclear_norms(views).mean()) - spread


def nuclear_norms(matrices: Float[Tensor, "batch rows columns"]) -> Float[Tensor, " batch"]:
    """Sum of the singular values of each matrix.

    A nuclear norm is ``<U, Z>`` at the polar factor ``U = (Z Z^T)^(-1/2) Z``, which is its gradient too. U comes from the
    eigenvectors of the smaller Gram matrices in float64: one batched call, where a GPU decomposes matrices one by one.
    """
    with torch.no_grad():
        tall = matrices.shape[1] > matrices.shape[2]
        wide = (matrices.mT if tall else matrices).double()
        squares, directions = torch.linalg.eigh(wide @ wide.mT)
        floor = squares[:, -1:] * squares.shape[1] * torch.finfo(wide.dtype).eps
        lengths = squares.where(squares > floor, torch.inf).sqrt()
        polar = directions / lengths[:, None] @ directions.mT @ wide
    return (matrices * (polar.mT if tall else polar).to(matrices.dtype)).sum((1, 2))
