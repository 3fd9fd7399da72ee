"""Pixels of hidden patches: mae, simmim (docs/papers/ssl.md#3.4)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from models.precision import full_precision
from models.ssl.parts.state.reduce import mean_over_processes


@full_precision
def normalised_patches(
    patches: Float[Tensor, "rows patches pixels"], eps: float = 1e-6
) -> Float[Tensor, "rows patches pixels"]:
    """(x - mean) / sqrt(var + eps) of each patch, with the unbiased variance (arXiv 2111.06377, section 3)."""
    variance, mean = torch.var_mean(patches, dim=-1, keepdim=True)
    return (patches - mean) / (variance + eps).sqrt()


@full_precision
def squared_error(
    predicted: Float[Tensor, "rows hidden pixels"], target: Float[Tensor, "rows hidden pixels"]
) -> Float[Tensor, ""]:
    """Mean over the hidden patches and their pixels, of the rows of all processes."""
    return mean_over_processes((predicted - target).square().mean())


@full_precision
def absolute_error(
    predicted: Float[Tensor, "rows hidden pixels"], target: Float[Tensor, "rows hidden pixels"]
) -> Float[Tensor, ""]:
    """Mean over the hidden patches and their pixels, of the rows of all processes."""
    return mean_over_processes((predicted - target).abs().mean())
