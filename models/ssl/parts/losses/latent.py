"""What a teacher or a codebook makes of hidden patches: data2vec, ijepa, beit (docs/papers/ssl.md#3.4)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from models.precision import full_precision
from models.ssl.parts.state.reduce import mean_over_processes


@full_precision
def smooth_l1(
    predicted: Float[Tensor, "*rows width"], target: Float[Tensor, "*rows width"], beta: float = 1.0
) -> Float[Tensor, ""]:
    """Mean of d^2 / (2 beta) where |d| < beta and |d| - beta / 2 elsewhere, over the rows of all processes."""
    return mean_over_processes(functional.smooth_l1_loss(predicted, target, beta=beta))


@full_precision
def code_cross_entropy(
    logits: Float[Tensor, "rows hidden codes"], codes: Int[Tensor, "rows hidden"]
) -> Float[Tensor, ""]:
    """Mean cross entropy of each hidden patch's code, over the rows of all processes."""
    return mean_over_processes(functional.cross_entropy(logits.flatten(0, 1), codes.flatten()))


@torch.no_grad()
@full_precision
def mean_of_blocks(outputs: Sequence[Float[Tensor, "rows tokens width"]]) -> Float[Tensor, "rows tokens width"]:
    """Mean of the blocks' outputs, each feature standardised over its image first (arXiv 2202.03555, section 3.3)."""
    standardised = [functional.instance_norm(block.transpose(1, 2)) for block in outputs]
    return torch.stack(standardised).mean(0).transpose(1, 2)


@torch.no_grad()
@full_precision
def layer_normed(tokens: Float[Tensor, "rows tokens width"]) -> Float[Tensor, "rows tokens width"]:
    """Every token with mean 0 and variance 1 over its features, the target of ijepa."""
    return functional.layer_norm(tokens, tokens.shape[-1:])
