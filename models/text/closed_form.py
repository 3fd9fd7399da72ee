"""Cross-entropy of the one-layer transformer with its gradients in closed form (docs/papers/scan_snap.md#2.3).

The same numbers as autograd through the definition, with half the passes over memory: LN drops the denominator of the
softmax, and its projection drops the softmax's own mean term.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

SMALLEST_NORM = 1e-15
"""Below it a query's greatest logit belongs to a token that some sequence lacks, and squares soon underflow."""


def exponentials(
    logits: Float[Tensor, "... batch width"], counts: Float[Tensor, "... batch width"]
) -> Float[Tensor, "... batch width"]:
    """Each sequence's exp(z_l) times the count of l, up to a factor, the greatest exponential being one."""
    seen = logits.masked_fill(counts == 0, -torch.inf)
    return counts * torch.exp(seen - seen.amax(-1, keepdim=True))


class NormalizedAttentionCrossEntropy(torch.autograd.Function):
    """-log softmax(Y^T f)_n for f = c / ||c||_2, where c is the attention exp(z_m) over the tokens of a context.

    ``apply(Z, Y, query, counts, target)`` takes Z (R, rows, width), Y (R, width, vocabulary), the row of the query (R,
    batch), how often each token occurs (R, batch, width) and the next token (R, batch), and returns (R,), means over the
    batch.
    """

    @staticmethod
    def forward(
        ctx: Any,
        Z: Float[Tensor, "R rows width"],
        Y: Float[Tensor, "R width vocabulary"],
        query: Int[Tensor, "R batch"],
        counts: Float[Tensor, "R batch width"],
        target: Int[Tensor, "R batch"],
    ) -> Float[Tensor, " R"]:
        asked = torch.nn.functional.one_hot(query, Z.shape[1]).to(Z.dtype)
        f = torch.bmm(asked, torch.exp(Z - Z.amax(-1, keepdim=True))).mul_(counts)
        norm = torch.linalg.vector_norm(f, dim=-1, keepdim=True)
        if norm.min() < SMALLEST_NORM:
            f = exponentials(torch.bmm(asked, Z), counts)
            norm = torch.linalg.vector_norm(f, dim=-1, keepdim=True)
        f.div_(norm)
        log_alpha = torch.bmm(f, Y).log_softmax(-1)
        ctx.save_for_backward(asked, f, log_alpha, target, Y)
        return -log_alpha.gather(-1, target[..., None]).mean((1, 2))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, scale: Float[Tensor, " R"]) -> tuple[Tensor, Tensor, None, None, None]:  # type: ignore[override]
        asked, f, log_alpha, target, Y = ctx.saved_tensors
        residual = log_alpha.exp()
        residual.scatter_add_(-1, target[..., None], residual.new_full((), -1.0).expand(*target.shape, 1))
        residual.mul_(scale[:, None, None] / target.shape[1])
        grad_Y = torch.bmm(f.mT, residual)
        grad_z = torch.bmm(residual, Y.mT).mul_(f)
        grad_z.addcmul_(f * f, grad_z.sum(-1, keepdim=True), value=-1)
        return torch.bmm(asked.mT, grad_z), grad_Y, None, None, None
