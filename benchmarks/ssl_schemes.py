"""How self-supervised losses are usually written: masks of the size of the similarity or covariance matrix."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def nt_xent_with_mask(a: Tensor, b: Tensor, temperature: float = 0.2) -> Tensor:
    """SimCLR's loss of the 2B x 2B cosines, self-similarities masked."""
    z = functional.normalize(torch.cat([a, b]))
    logits = z @ z.T / temperature
    logits = logits[~torch.eye(len(z), dtype=torch.bool)].view(len(z), -1)
    index = torch.arange(len(a))
    return functional.cross_entropy(logits, torch.cat([index + len(a) - 1, index]))


def vicreg_with_mask(a: Tensor, b: Tensor) -> Tensor:
    """VICReg's loss with masked covariance matrices, weights 25, 25, 1."""
    off_diagonal = ~torch.eye(a.shape[1], dtype=torch.bool)
    loss = 25 * functional.mse_loss(a, b)
    for z in (a, b):
        centred = z - z.mean(0)
        covariance = centred.T @ centred / (len(z) - 1)
        hinge = functional.relu(1 - (z.var(0) + 1e-4).sqrt()).mean()
        loss = loss + 12.5 * hinge + covariance[off_diagonal].square().sum() / a.shape[1]
    return loss


def barlow_twins_with_mask(a: Tensor, b: Tensor) -> Tensor:
    """Barlow Twins' loss, standardised by hand, the diagonal taken out by a mask; lambda .005."""
    left, right = ((z - z.mean(0)) / (z.var(0, unbiased=False) + 1e-5).sqrt() for z in (a, b))
    correlation = left.T @ right / len(a)
    off_diagonal = ~torch.eye(a.shape[1], dtype=torch.bool)
    return (correlation.diagonal() - 1).square().sum() + 0.005 * correlation[off_diagonal].square().sum()
