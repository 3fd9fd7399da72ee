"""Moments of a cross-covariance: its squared norm and its diagonal, from whichever of two products is smaller."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor


class ProductMoments(NamedTuple):
    """Of ``M = a^T b``.

    Parameters
    ----------
    squares
        ``||M||_F^2``, which is also ``<a a^T, b b^T>``.
    diagonal
        ``M_ii``.
    """

    squares: Float[Tensor, ""]
    diagonal: Float[Tensor, " width"]

    @property
    def off_diagonal(self) -> Float[Tensor, ""]:
        """``sum_{i != j} M_ij^2``: no mask of the size of M is built."""
        return self.squares - self.diagonal.square().sum()


def product_moments(a: Float[Tensor, "rows width"], b: Float[Tensor, "rows width"]) -> ProductMoments:
    """Moments of ``a^T b``, differentiable once; where both are the same tensor the gradient is one product."""
    return ProductMoments(*_ProductMoments.apply(a, None if a is b else b))


class _ProductMoments(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor | None) -> tuple[Tensor, Tensor]:
        other = a if b is None else b
        ctx.by_rows = 2 * len(a) < a.shape[1]
        if not ctx.by_rows:
            product = a.T @ other
            ctx.save_for_backward(a, b, product)
            return product.flatten().dot(product.flatten()), product.diagonal().clone()
        left = a @ a.T
        right = left if b is None else other @ other.T
        ctx.save_for_backward(a, b, left, right)
        return left.flatten().dot(right.flatten()), (a * other).sum(0)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, squares: Tensor, diagonal: Tensor) -> tuple[Tensor, Tensor | None]:
        a, b, *products = ctx.saved_tensors
        other = a if b is None else b
        if ctx.by_rows:
            left, right = products
            of_a = torch.addcmul((right @ a).mul_(2 * squares), other, diagonal)
            return (2 * of_a, None) if b is None else (of_a, torch.addcmul((left @ b).mul_(2 * squares), a, diagonal))
        of_product = products[0] * (2 * squares)
        of_product.diagonal().add_(diagonal)
        of_a = other @ of_product.T
        return (2 * of_a, None) if b is None else (of_a, a @ of_product)
