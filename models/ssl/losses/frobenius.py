"""The squared norm of a cross-covariance, from whichever of two products is smaller."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor


def squared_product_norm(a: Float[Tensor, "rows left"], b: Float[Tensor, "rows right"]) -> Float[Tensor, ""]:
    """``||a^T b||_F^2``, which is also ``<a a^T, b b^T>``.

    Differentiable once. The gradient is one product per argument, and where both are the same tensor one for both.
    """
    return _SquaredProductNorm.apply(a, None if a is b else b)


class _SquaredProductNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor | None) -> Tensor:
        other = a if b is None else b
        ctx.by_rows = 2 * len(a) < min(a.shape[1], other.shape[1])
        if not ctx.by_rows:
            product = a.T @ other
            ctx.save_for_backward(a, b, product)
            return product.flatten().dot(product.flatten())
        left = a @ a.T
        right = left if b is None else other @ other.T
        ctx.save_for_backward(a, b, left, None if b is None else right)
        return left.flatten().dot(right.flatten())

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor | None]:
        a, b, *products = ctx.saved_tensors
        if b is None:
            gram = products[0]
            return (gram @ a if ctx.by_rows else a @ gram).mul_(4 * gradient), None
        if ctx.by_rows:
            left, right = products
            return (right @ a).mul_(2 * gradient), (left @ b).mul_(2 * gradient)
        return (b @ products[0].T).mul_(2 * gradient), (a @ products[0]).mul_(2 * gradient)
